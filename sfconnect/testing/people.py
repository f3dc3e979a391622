"""Somebody at the screen, for tests of logins that need a person."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser shows in the end."""

    url: str
    status: int
    text: str


class FakePerson:
    """Somebody who logs in and consents at once, in a browser, and types nothing.

    Give its :meth:`browser` and :meth:`prompt` to a manager, a context or a connection. The login
    server is never asked: the browser goes from the authorization URL straight to where that
    sends it back to, with a code or whatever else ``answer`` holds.

    Args:
        answer: Members of the redirect, beside the state.

    Attributes:
        opened: The URLs that the browser was sent to.
        asked: The texts of the prompts.
        pages: Where the browser ended.
    """

    def __init__(self, answer: Mapping[str, str] | None = None) -> None:
        self.answer = {"code": "a-fake-code=="} if answer is None else dict(answer)
        self.opened: list[str] = []
        self.asked: list[str] = []
        self.pages: list[Page] = []
        self._visits: set[asyncio.Task[None]] = set()

    async def browser(self, url: str) -> bool:
        """Open a browser."""
        self.opened.append(url)
        query = dict(parse_qsl(urlsplit(url).query))
        if "redirect_uri" in query:
            back = f"{query['redirect_uri']}?{urlencode(self._members(query))}"
            visit = asyncio.ensure_future(self._come_back(back))
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)
        return True

    async def prompt(self, text: str) -> str:
        """Be asked, and type nothing."""
        self.asked.append(text)
        await asyncio.Event().wait()
        return ""

    async def _come_back(self, url: str) -> None:
        with suppress(aiohttp.ClientError):  # of a login that has ended, nobody listens any more
            await self.visit(url)

    async def visit(self, url: str) -> None:
        """Go to a page, wherever it leads."""
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            text = await response.text()
            self.pages.append(Page(str(response.url), response.status, text))

    async def leave(self) -> None:
        """Wait until the browser has seen what it was sent to."""
        await asyncio.gather(*self._visits)

    def _members(self, query: Mapping[str, str]) -> dict[str, str]:
        return {"state": query.get("state", ""), **self.answer}
