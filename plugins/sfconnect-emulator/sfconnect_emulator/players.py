"""The others at a login, for trials without them: the person at a browser, an identity provider."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect_emulator.control_api import CONTROL_PREFIX
from sfconnect_emulator.http.server import check_loopback
from sfconnect_emulator.oauth.trusted_issuers import DEFAULT_ISSUER

DEVICE_PAGE = "/setup/connect"
TOKEN_LIFE_S = 300
_PAUSE_S = 0.1
_TIMEOUT_S = 30
# No proxy: everything here is on loopback.
_OPENER = build_opener(ProxyHandler({}))


class PlayError(Exception):
    """What a person would have seen in the place of what was wanted."""


def decide(
    url: str,
    *,
    allow: bool,
    wait_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Log in at a page of the org as its announced user, decide, and go where that leads.

    The page is the one that a program would open a browser at: an authorization URL, or the page
    for the codes of devices. There the code of the URL is entered, or that of the only device that
    waits; one that does not wait yet is waited for.

    Raises:
        PlayError: The org refuses, or no device waits.
        ValueError: The URL is not on loopback.
        OSError: Nobody answers.
    """
    place = urlsplit(url)
    check_loopback(place.hostname or "")
    control = f"{place.scheme}://{place.netloc}{CONTROL_PREFIX}"
    if place.path != DEVICE_PAGE:
        answer = _ask(f"{control}/authorize", {"url": url, "allow": allow})
        _open(answer["location"])
        return
    entered = parse_qs(place.query).get("user_code", [])
    code = entered[0] if entered else _waiting_code(f"{control}/devices", wait_s, clock, sleep)
    _ask(f"{control}/devices", {"user_code": code, "allow": allow})


def subject_token(announcement: Path, *, now: float) -> str:
    """Make a token of the identity provider that every org trusts, about the announced user.

    Args:
        announcement: File with the line that ``serve`` prints.
        now: The time, in seconds since the epoch.

    Raises:
        OSError: A file cannot be read.
        ValueError: The file holds no such line.
    """
    org = _org(announcement, "private_key_file", "username")
    claims = {"iss": DEFAULT_ISSUER, "sub": org["username"], "exp": int(now) + TOKEN_LIFE_S}
    key = RSAKey.import_key(Path(org["private_key_file"]).read_text(encoding="ascii"))
    return jwt.encode({"alg": "RS256"}, claims, key, ["RS256"])


def saml_assertion(announcement: Path) -> str:
    """Let a running org sign an assertion about its announced user.

    Args:
        announcement: File with the line that ``serve`` prints.

    Raises:
        PlayError: The org refuses.
        OSError: The file cannot be read, or nobody answers.
        ValueError: The file holds no such line.
    """
    url = _org(announcement, "control_url")["control_url"]
    check_loopback(urlsplit(url).hostname or "")
    return str(_ask(f"{url}/saml-assertion", {})["assertion"])


def _org(announcement: Path, *names: str) -> dict[str, str]:
    """What a file tells of an org; only what is asked for."""
    try:
        org = json.loads(announcement.read_text(encoding="utf-8"))
        return {name: str(org[name]) for name in names}
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{announcement} does not hold the line that serve prints") from None


def _waiting_code(
    url: str, wait_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> str:
    until = clock() + wait_s
    while True:
        undecided = (one for one in _ask(url) if one["allowed"] is None and not one["expired"])
        codes = [one["user_code"] for one in undecided]
        if len(codes) == 1:
            return str(codes[0])
        if codes:
            raise PlayError("several devices wait; say which: …/setup/connect?user_code=CODE")
        if clock() >= until:
            raise PlayError(f"no device waited within {wait_s:g} s")
        sleep(_PAUSE_S)


def _ask(url: str, body: object = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    try:
        return json.loads(_open(Request(url, content)))  # noqa: S310  # loopback was checked
    except HTTPError as refusal:
        with refusal:
            raise PlayError(_words(refusal.read())) from None


def _open(what: str | Request) -> bytes:
    with _OPENER.open(what, timeout=_TIMEOUT_S) as answer:
        content: bytes = answer.read()
    return content


def _words(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "the org gave an answer that is not its control API's"
