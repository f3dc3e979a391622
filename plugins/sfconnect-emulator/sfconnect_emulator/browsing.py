"""A browser small enough for tests: pages, their one form, and cookies; no scripts, no images."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import TypeAlias
from urllib.parse import urlencode, urljoin

Sender: TypeAlias = Callable[
    [str, str, Mapping[str, str], bytes], Awaitable[tuple[int, dict[str, str], bytes]]
]
"""How requests get to the org: ``InProcess.handle``, or something that knows sockets."""


@dataclass(frozen=True, slots=True)
class Page:
    """What came back: a page with its form, or a redirect that nobody has followed yet."""

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    target: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def location(self) -> str:
        """Where a redirect goes; empty for a page."""
        return self.headers.get("Location", "")


class Browser:
    """Open pages of an org and fill in their forms."""

    def __init__(self, send: Sender) -> None:
        self.cookies: dict[str, str] = {}
        self._send = send

    async def open(self, url: str) -> Page:
        """Open an address; redirects are not followed."""
        return await self._ask("GET", url, {}, b"")

    async def submit(self, page: Page, action: str, **fields: str) -> Page:
        """Fill in the form of a page and press one of its buttons."""
        form = {**page.fields, **fields, "action": action}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._ask("POST", page.target, kind, urlencode(form).encode("ascii"))

    async def login(self, page: Page, username: str, password: str) -> Page:
        """Fill in a login page."""
        return await self.submit(page, "login", username=username, password=password)

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Page:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**headers, **({"Cookie": cookies} if cookies else {})}
        status, received, content = await self._send(method, url, sent, body)
        for name, morsel in SimpleCookie(received.get("Set-Cookie", "")).items():
            self.cookies[name] = morsel.value
        text = content.decode("utf-8")
        form = _FormReader()
        form.feed(text)
        return Page(url, status, received, text, urljoin(url, form.target), form.fields)


class _FormReader(HTMLParser):
    """The target and the input fields of a page's form, entities decoded."""

    def __init__(self) -> None:
        super().__init__()
        self.target = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a form and of what can be filled in."""
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.target = found.get("action", "")
        elif tag == "input":
            self.fields[found.get("name", "")] = found.get("value", "")
