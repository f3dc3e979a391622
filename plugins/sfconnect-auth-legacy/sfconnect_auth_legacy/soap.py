"""SOAP ``login`` and ``logout`` of the partner API on the wire. Pure, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sfconnect import Replay, Request, Secret
from sfconnect.auth import Credentials
from sfconnect.errors import AuthError, InvalidCredentialsError
from sfconnect_auth_legacy.hosts import api_base
from sfconnect_auth_legacy.refusals import explain, explain_silence
from sfconnect_auth_legacy.xml import XmlError, element, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.messages import Response
    from sfconnect_auth_legacy.refusals import Attempt

_FAULT: Final = "Envelope/Body/Fault/"
_RESULT: Final = "Envelope/Body/loginResponse/result/"
_CLIENT: Final = "sfconnect"
_SHOWN: Final = ("organizationId", "userFullName", "userEmail", "profileId", "userType")
_DEAD_SESSION: Final = "INVALID_SESSION_ID"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a portal's user belongs to; ordinary users have neither."""

    organization_id: str | None = None
    portal_id: str | None = None


def login_request(url: str, username: str, password: str, scope: Scope) -> Request:
    """Build a login.

    Raises:
        XmlError: A value has a character that XML cannot express; names the element.
    """
    header = f"<u:CallOptions>{element('u:client', _CLIENT)}</u:CallOptions>"
    if scope.organization_id:
        portal = element("u:portalId", scope.portal_id) if scope.portal_id else ""
        organization = element("u:organizationId", scope.organization_id)
        header += f"<u:LoginScopeHeader>{organization}{portal}</u:LoginScopeHeader>"
    names = element("u:username", username) + element("u:password", password)
    return _request(url, "login", header, f"<u:login>{names}</u:login>")


def logout_request(url: str, session_id: str) -> Request:
    """Build a logout.

    Raises:
        XmlError: The session id cannot be one.
    """
    session = element("u:sessionId", session_id)
    header = f"<u:SessionHeader>{session}</u:SessionHeader>"
    return _request(url, "logout", header, "<u:logout/>")


def read_login(response: Response, attempt: Attempt, *, login_url: str, now: float) -> Credentials:
    """Read what ``login`` answered.

    Raises:
        AuthError: It holds no session that can be used.
        HostNotAllowedError: It names an API address that is not Salesforce's.
    """
    found = _texts(response)
    result = {
        name.removeprefix(_RESULT): text for name, text in found.items() if name.startswith(_RESULT)
    }
    session_id = result.get("sessionId", "")
    if result.get("passwordExpired") == "true":
        raise _expired(attempt, response)
    if response.status == HTTPStatus.OK and session_id and result.get("serverUrl"):
        instance_url = api_base(result["serverUrl"], login_url)
        return _credentials(result, session_id, instance_url, now)
    raise _refusal(found, attempt, response)


def check_logged_out(response: Response, attempt: Attempt) -> None:
    """Read what ``logout`` answered; a session that is dead already is no error.

    Raises:
        AuthError: The server refused.
    """
    found = _texts(response)
    if "Envelope/Body/logoutResponse" in found or _code(found) == _DEAD_SESSION:
        return
    raise _refusal(found, attempt, response)


def _request(url: str, action: str, header: str, body: str) -> Request:
    envelope = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:u="urn:partner.soap.sforce.com">'
        f"<e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": action}
    return Request(
        "POST",
        url,
        headers={**headers, "Accept": "text/xml"},
        content=envelope.encode(),
        replay=Replay.UNSAFE,
        surface="auth",
    )


def _texts(response: Response) -> Mapping[str, str]:
    try:
        return texts(response.content)
    except XmlError:
        return {}


def _code(found: Mapping[str, str]) -> str:
    """The name of a fault: ``sf:INVALID_LOGIN`` is ``INVALID_LOGIN``."""
    details = (text for path, text in found.items() if path.endswith("/exceptionCode"))
    return next(details, "") or found.get(f"{_FAULT}faultcode", "").rpartition(":")[2]


def _refusal(found: Mapping[str, str], attempt: Attempt, response: Response) -> AuthError:
    code = _code(found)
    if not code:
        return explain_silence(attempt, response)
    words = found.get(f"{_FAULT}faultstring", "").removeprefix(f"{code}:").strip().rstrip(".")
    return explain(attempt, response, code, words)


def _expired(attempt: Attempt, response: Response) -> InvalidCredentialsError:
    """The session that comes with an expired password does nothing but change it."""
    return InvalidCredentialsError(
        f"The password of {attempt.username} has expired.",
        code="PASSWORD_EXPIRED",
        hint="Set a new one in the browser; users of integrations should have passwords that "
        "never expire (permission 'Password Never Expires').",
        status=response.status,
        request_id=response.request_id,
        docs_key="password-expired",
    )


def _credentials(
    result: Mapping[str, str], session_id: str, instance_url: str, now: float
) -> Credentials:
    life = result.get("userInfo/sessionSecondsValid", "")
    facts = {name: result.get(f"userInfo/{name}") for name in _SHOWN}
    facts["userId"] = result.get("userId")
    return Credentials(
        Secret(session_id),
        instance_url,
        issued_at=now,
        expires_at=now + int(life) if life.isascii() and life.isdecimal() and int(life) else None,
        extra=MappingProxyType({name: text for name, text in facts.items() if text}),
    )
