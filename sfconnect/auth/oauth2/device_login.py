"""Log in a person on another device: show a code, and ask until it was entered (RFC 8628)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlencode

from sfconnect._types import Secret
from sfconnect.auth.oauth2.deadlines import first_of
from sfconnect.auth.oauth2.refusals import explain
from sfconnect.auth.oauth2.wire import FORM, Refusal, client_proof, positive_number, read_answer
from sfconnect.auth.urls import split_endpoint
from sfconnect.errors import (
    AuthError,
    ConfigurationError,
    CredentialUnavailableError,
    LoginRateLimited,
    ResponseError,
    TransientAuthError,
    TransportError,
)
from sfconnect.messages import Replay, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from sfconnect.auth.base import AuthContext, Credentials
    from sfconnect.auth.oauth2.refusals import LoginFacts, Rule
    from sfconnect.auth.oauth2.wire import Client
    from sfconnect.messages import Response

INTERVAL_S: Final = 5.0
"""Between two questions, where the server does not say (RFC 8628 §3.2)."""
INTERVAL_MAX_S: Final = 60.0
"""Further apart, answers would keep a person waiting for nothing."""
SLOWER_S: Final = 5.0
"""What ``slow_down`` adds (RFC 8628 §3.5)."""
LIFE_S: Final = 600.0
"""Of a code, where the server does not say; Salesforce's is that long."""
_PENDING: Final = "authorization_pending"
_SLOW_DOWN: Final = "slow_down"
_EXPIRED: Final = "expired_token"
_SUCCESS: Final = range(200, 300)
_CODE_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the server gave: a code for the person, and one to ask with."""

    device_code: Secret
    user_code: str
    verification_uri: str
    """Where the person enters the code."""
    complete_uri: str | None = None
    """The same with the code in it, where the server has such a page."""
    interval_s: float = INTERVAL_S
    life_s: float = LIFE_S


def device_request(url: str, fields: Mapping[str, str], client: Client) -> Request:
    """Build the request that begins such a login (RFC 8628 §3.1)."""
    proof, headers = client_proof(client)
    members = {name: value for name, value in {**fields, **proof}.items() if value}
    return Request(
        "POST",
        url,
        headers={"Content-Type": FORM, "Accept": "application/json", **headers},
        content=urlencode(members).encode("ascii"),
        replay=Replay.UNSAFE,
        surface="auth",
    )


async def ask_for_code(
    context: AuthContext, request: Request, facts: LoginFacts, rules: Iterable[Rule] = ()
) -> DeviceCode:
    """Ask for a pair of codes.

    Raises:
        AuthError: The server refused.
        TransportError: No usable answer came.
    """
    answer = read_device_answer(await context.send(request))
    if isinstance(answer, Refusal):
        raise explain(answer, facts, rules)
    return answer


def read_device_answer(response: Response) -> DeviceCode | Refusal:
    """Tell a pair of codes from a refusal."""
    members = _members(response) if response.status in _SUCCESS else {}
    code, user_code = _text(members, "device_code"), _text(members, "user_code")
    # Google's name for it is older than the RFC.
    place = _safe_url(members, "verification_uri") or _safe_url(members, "verification_url")
    if code and user_code and place:
        return DeviceCode(
            Secret(code),
            _plain(user_code),
            place,
            _safe_url(members, "verification_uri_complete"),
            positive_number(members.get("interval")) or INTERVAL_S,
            positive_number(members.get("expires_in")) or LIFE_S,
        )
    refusal = read_answer(response)
    if isinstance(refusal, Refusal) and refusal.error:
        return refusal
    said = "It lacks a code for the device, one for the person, or a safe address to enter it at."
    kept = refusal if isinstance(refusal, Refusal) and refusal.shape != "other" else None
    return kept or Refusal(response.status, "other", description=said)


def _members(response: Response) -> Mapping[str, Any]:
    try:
        decoded = response.json()
    except ResponseError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _plain(text: str) -> str:
    """A code as it may be printed: a terminal obeys control characters."""
    return "".join(sign for sign in text if sign.isprintable())[:_CODE_MAX]


def _safe_url(members: Mapping[str, Any], name: str) -> str | None:
    """An address that a person may be sent to; None for any other."""
    url = _text(members, name)
    try:
        split_endpoint(url.partition("?")[0], name)
    except ConfigurationError:
        return None
    return url if url.isprintable() and " " not in url else None


async def log_in_by_device(
    context: AuthContext,
    device: DeviceCode,
    redeem: Callable[[], Awaitable[Credentials]],
    host: str,
) -> Credentials:
    """Show the code, and ask with ``redeem`` until the person has entered it.

    Raises:
        CredentialUnavailableError: Nobody is there to be shown it.
        AppAccessDenied: The person said no.
        AuthError: The code expired; the server refused.
    """
    check_can_show(context, device)
    return await first_of(_poll(context, device, redeem, host), _show(context, device))


def check_can_show(context: AuthContext, device: DeviceCode | None = None) -> None:
    """Refuse a login whose code nobody would see.

    Raises:
        CredentialUnavailableError: There is no prompt, and no browser that could show the code.
    """
    has_page = device is None or device.complete_uri is not None
    if context.prompt is None and (context.browser is None or not has_page):
        message = "This login shows a code to a person, and nobody is there to see it."
        hint = "Run `sfconnect login` once and share its token store (token_store)."
        raise CredentialUnavailableError(message, hint=hint, docs_key="needs-a-person")


async def _show(context: AuthContext, device: DeviceCode) -> NoReturn:
    """Tell the person, and leave the end to the server: what is typed here ends nothing."""
    if context.prompt is not None:
        await context.prompt(_invitation(device))
    elif context.browser is not None and device.complete_uri is not None:
        await context.browser(device.complete_uri)
    await asyncio.Event().wait()
    raise AssertionError  # nobody sets it


def _invitation(device: DeviceCode) -> str:
    minutes = max(1, round(device.life_s / 60))
    direct = f"\n(or open {device.complete_uri})" if device.complete_uri else ""
    return (
        f"Open {device.verification_uri} in a browser, on any device, and enter the code "
        f"{device.user_code} within {minutes} min.{direct}\nWaiting for it… "
    )


async def _poll(
    context: AuthContext,
    device: DeviceCode,
    redeem: Callable[[], Awaitable[Credentials]],
    host: str,
) -> Credentials:
    interval_s = device.interval_s
    ends = context.clock.monotonic() + device.life_s
    while context.clock.monotonic() + interval_s < ends:
        await context.clock.sleep(interval_s)
        try:
            return await redeem()
        except (AuthError, TransportError) as error:
            interval_s = _next_interval(error, interval_s, device, host)
    await context.clock.sleep(ends - context.clock.monotonic())
    raise _expired(device, host)


def _next_interval(
    error: AuthError | TransportError, interval_s: float, device: DeviceCode, host: str
) -> float:
    """How long to wait after an answer without a token; raises where waiting is of no use."""
    code = (error.code or "").lower()
    if code == _PENDING:
        return interval_s
    if code == _SLOW_DOWN:
        return interval_s + SLOWER_S
    if code == _EXPIRED:
        raise _expired(device, host) from error
    if isinstance(error, TransportError | TransientAuthError | LoginRateLimited):
        asked_s = error.retry_after or 0.0
        return max(asked_s, min(interval_s * 2, INTERVAL_MAX_S), interval_s)
    raise error


def _expired(device: DeviceCode, host: str) -> AuthError:
    message = f"Nobody entered the code at {host} within {device.life_s:.0f} s."
    return AuthError(message, hint="Begin anew for another code.", docs_key="device-code-expired")
