"""Contexts with somebody at the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog

from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.messages import Request
from sfconnect.testing import FakeClock
from sfconnect.testing.senders import text_of


def context_of(
    send: Any,
    clock: FakeClock,
    *,
    prompt: Callable[[str], Awaitable[str]] | None = None,
    browser: Callable[[str], Awaitable[bool]] | None = None,
) -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    return AuthContext(
        send=send,
        child=no_child,
        log=structlog.get_logger(),
        clock=clock,
        prompt=prompt,
        browser=browser,
    )


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(text_of(request), keep_blank_values=True))


async def log_in_by(strategy, clock, sender, person) -> Credentials:
    """Let a person log in, who leaves afterwards."""
    context = context_of(sender, clock, prompt=person.prompt, browser=person.browser)
    try:
        credentials: Credentials = await strategy.authenticate(context)
    finally:
        await person.leave()
    return credentials


class Typist:
    """Types lines at prompts, one after the other, and then nothing; a line may use the URL."""

    def __init__(self, *lines: str | Callable[[str], str], url: str = "") -> None:
        self.lines = list(lines)
        self.url = url
        self.asked: list[str] = []

    async def __call__(self, text: str) -> str:
        self.asked.append(text)
        await asyncio.sleep(0)
        if not self.lines:
            await asyncio.Event().wait()
        line = self.lines.pop(0)
        return line if isinstance(line, str) else line(self.url or _url_in(text))

    async def browser(self, url: str) -> bool:
        """Show the URL, and open nothing."""
        self.url = url
        return False


def _url_in(text: str) -> str:
    return next(word for word in text.split() if "://" in word)


def pasted(url: str) -> str:
    """The address that the browser would end at."""
    query = query_of(url)
    return f"{query['redirect_uri']}?code=aPrx.typed%3D%3D&state={query['state']}"
