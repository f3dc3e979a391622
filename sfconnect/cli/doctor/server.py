"""What the login server tells of itself, and whether its clock and ours agree."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import structlog

from sfconnect.auth.base import AuthContext
from sfconnect.auth.oauth2.discovery import discover
from sfconnect.auth.oauth2.exchange import clock_drift
from sfconnect.auth.urls import shown
from sfconnect.cli.doctor.checks import Finding, failed, passed, skipped, warned
from sfconnect.errors import ResponseError
from sfconnect.messages import Request

if TYPE_CHECKING:
    from sfconnect.auth.base import AuthStrategy, Credentials
    from sfconnect.cli.doctor.case import Case
    from sfconnect.messages import Response

DRIFT_S: Final = 60.0
"""Assertions live for two or three minutes; half of that is for their way and for slow clocks."""
_NOTABLE_S: Final = 5.0
_NTP: Final = "Set this machine's clock by NTP, such as: timedatectl set-ntp true"


async def ask(case: Case, request: Request) -> Response:
    """Send a request without credentials; the first answer also tells the server's time."""
    await case.pool.open()
    response = await case.pool.send(request)
    case.response = case.response or response
    return response


async def discovery(case: Case) -> Finding:
    """Read the discovery document of an OAuth 2.0 server whose issuer is given."""
    profile = getattr(case.strategy, "profile", None)
    issuer = profile().issuer if profile is not None else None
    if issuer is None:
        return skipped("no issuer is given, so no document is read")

    async def send(request: Request) -> Response:
        return await ask(case, request)

    context = AuthContext(send, _no_child, structlog.get_logger(), case.clock)
    metadata = await discover(context, issuer)
    token_url = metadata.endpoint("token_url")
    if token_url is None:
        message = f"The discovery document of {shown(issuer)} names no token_endpoint."
        return failed(message, "Give token_url.")
    return passed(f"{shown(issuer)} gives tokens at {shown(token_url)}")


async def _no_child(strategy: AuthStrategy) -> Credentials:
    """Discovery asks for nobody's credentials."""
    raise NotImplementedError(type(strategy).__name__)


async def clock(case: Case) -> Finding:
    """Compare the server's Date header with our clock."""
    if case.target is None:
        return skipped("the login names no server whose clock to compare with")
    response = case.response or await ask(case, Request("HEAD", case.target.url, surface="auth"))
    drift_s = clock_drift(response, case.clock)
    if drift_s is None:
        return skipped("the server does not tell its time")
    apart = abs(drift_s)
    if apart <= _NOTABLE_S:
        return passed("this machine's clock and the server's agree")
    direction = "behind" if drift_s > 0 else "ahead of"
    message = f"This machine's clock is {apart:.0f} s {direction} the server's."
    if apart <= DRIFT_S:
        return passed(message)
    if signs(case.proving):
        return failed(f"{message} What the key signs is too old or too new when it comes.", _NTP)
    return warned(message, _NTP)


def signs(strategy: Any) -> bool:
    """Whether the login signs assertions, which live for minutes."""
    names = ("private_key", "private_key_file", "signer")
    return any(getattr(strategy, name, None) is not None for name in names)


def document_problem(response: Response) -> str | None:
    """What came in the stead of a discovery document, in words; None if it is one."""
    if response.content_type.endswith("html") or response.content.lstrip()[:1] == b"<":
        return f"a web page (status {response.status})"
    if response.status != HTTPStatus.OK:
        return f"status {response.status}"
    try:
        members = response.json()
    except ResponseError:
        return "something that is not JSON"
    is_one = isinstance(members, dict) and isinstance(members.get("token_endpoint"), str)
    return None if is_one else "JSON that names no token_endpoint"


def redirect_of(response: Response) -> str | None:
    """The scheme and host that an answer sends on to, if it does."""
    if not HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
        return None
    parts = urlsplit(response.headers.get("Location", ""))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else None
