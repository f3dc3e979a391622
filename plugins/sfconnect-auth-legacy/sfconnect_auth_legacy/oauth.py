"""The password grant of OAuth 2.0 (RFC 6749 §4.3) on the wire. Pure, without I/O."""

from __future__ import annotations

import re
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sfconnect import Replay, Request, Secret
from sfconnect.auth import Credentials
from sfconnect.errors import ResponseError
from sfconnect_auth_legacy.hosts import api_base
from sfconnect_auth_legacy.refusals import explain, explain_silence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.messages import Response
    from sfconnect_auth_legacy.refusals import Attempt

_HEADERS: Final = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}
_PLACED: Final = frozenset(
    {"access_token", "instance_url", "token_type", "issued_at", "expires_in", "id", "scope"}
)
_SECRET_NAMES: Final = re.compile(
    r"token(?!_format)|secret|signature|cookie|csrf|sid$", re.IGNORECASE
)
_SUCCESS: Final = range(200, 300)


def form_request(url: str, fields: Mapping[str, str]) -> Request:
    """Build a request with everything in the body; URLs end up in logs."""
    body = urlencode({name: value for name, value in fields.items() if value})
    return Request(
        "POST",
        url,
        headers=_HEADERS,
        content=body.encode("ascii"),
        replay=Replay.UNSAFE,
        surface="auth",
    )


def read_token(response: Response, attempt: Attempt, *, login_url: str, now: float) -> Credentials:
    """Read what a token endpoint answered.

    Raises:
        AuthError: It holds no token.
        HostNotAllowedError: It names an API address that is not Salesforce's.
    """
    members = _members(response)
    token = _text(members, "access_token")
    if response.status in _SUCCESS and token:
        instance_url = api_base(_text(members, "instance_url") or login_url, login_url)
        return _credentials(members, token, instance_url, now)
    code = _text(members, "error")
    if not code or response.status not in range(400, 500):
        raise explain_silence(attempt, response)
    raise explain(attempt, response, code, _text(members, "error_description"))


def check_revoked(response: Response, attempt: Attempt) -> None:
    """Read what a revocation endpoint answered; a token that is dead already is no error.

    Raises:
        AuthError: The server refused.
    """
    code = _text(_members(response), "error")
    if response.status in _SUCCESS or code in {"invalid_token", "unsupported_token_type"}:
        return
    if not code or response.status not in range(400, 500):
        raise explain_silence(attempt, response)
    raise explain(attempt, response, code, _text(_members(response), "error_description"))


def _members(response: Response) -> Mapping[str, Any]:
    try:
        decoded = response.json()
    except ResponseError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _credentials(
    members: Mapping[str, Any], token: str, instance_url: str, now: float
) -> Credentials:
    issued_ms, life_s = _number(members.get("issued_at")), _number(members.get("expires_in"))
    return Credentials(
        Secret(token),
        instance_url,
        token_type=_text(members, "token_type") or "Bearer",
        issued_at=issued_ms / 1000 if issued_ms else now,
        expires_at=now + life_s if life_s else None,
        identity_url=_text(members, "id") or None,
        scopes=frozenset(_text(members, "scope").split()),
        extra=MappingProxyType(
            {
                name: value
                for name, value in members.items()
                if name not in _PLACED and not _SECRET_NAMES.search(name)
            }
        ),
    )


def _number(value: object) -> float | None:
    """A positive number, also where it is written as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and number > 0 else None
