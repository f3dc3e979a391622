"""The authorization code flow step by step, as a test or a console walks it."""

from __future__ import annotations

import base64
import hashlib
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from sfconnect_emulator.browsing import Browser, Page
from sfconnect_emulator.emulator import Emulator
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Answer, Probe

CALLBACK: Final = "http://localhost:1717/OauthRedirect"
"""A redirect address that the org's app is registered with."""

VERIFIER: Final = "a-verifier-of-at-least-43-characters-0123456789"
CHALLENGE: Final = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
"""The proof key (RFC 7636) of an app that brings one, and what it announces of it."""


def authorize_url(org: InProcess | Emulator, **changes: str | None) -> str:
    """Write the address that an app sends its user to; a parameter of ``None`` is left out."""
    params = {
        "response_type": "code",
        "client_id": org.client_id,
        "redirect_uri": CALLBACK,
        "state": "a state & more=1",
        **changes,
    }
    given = {name: value for name, value in params.items() if value is not None}
    return f"{org.login_url}/services/oauth2/authorize?{urlencode(given)}"


async def log_in(browser: Browser, org: InProcess | Emulator, **changes: str | None) -> Page:
    """Open that address and fill in the login page as the org's user."""
    page = await browser.open(authorize_url(org, **changes))
    return await browser.login(page, org.username, org.announcement.password)


def carried(page: Page) -> dict[str, str]:
    """Read what a redirect to the app carries there."""
    if not page.location.startswith(CALLBACK + "?"):
        raise ValueError(f"no redirect to the app: {page.status} {page.location}")
    return dict(parse_qsl(urlsplit(page.location).query, strict_parsing=True))


async def code_for(browser: Browser, org: InProcess | Emulator, **changes: str | None) -> str:
    """Log in and take the code that comes back, where no consent is asked for."""
    return carried(await log_in(browser, org, **changes))["code"]


async def redeem(probe: Probe, code: str, **changes: str | None) -> Answer:
    """Trade a code at the token endpoint; a field of ``None`` is left out."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": probe.org.client_id,
        "redirect_uri": CALLBACK,
        **changes,
    }
    return await probe.token(None, **{n: value for n, value in form.items() if value is not None})
