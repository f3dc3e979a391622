"""The little of HTTP that a browser and a listener for one redirect need. Pure, without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sfconnect.auth.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_END: Final = b"\r\n\r\n"
HEAD_MAX: Final = 32_768
"""Room for a long code, and for the cookies that other programs have left for localhost."""
_REQUEST: Final = re.compile(r"([A-Z]{1,20}) (\S+) HTTP/1\.[01]")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_ORIGIN: Final = re.compile(r"[a-z]+://[A-Za-z0-9.:\[\]-]+|null")
# Nothing is loaded, framed, kept or told on; the page's own styles are all that it has.
_PAGE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request; names of headers are lower case. Its query may be a secret."""

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_for_loopback(self) -> bool:
        """Whether the browser knows that it talks to this machine.

        Otherwise somebody's page has let a name of its own point here.
        """
        host = self.headers.get("host", "")
        try:
            return is_loopback(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False


def read_head(data: bytes) -> Head | None:
    """Read the head of a request; None if it is none that a browser would send."""
    request, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    found = _REQUEST.fullmatch(request)
    headers = [_HEADER.fullmatch(line) for line in lines]
    if found is None or None in headers:
        return None
    method, target = found.groups()
    path, _, query = _origin_form(target).partition("?")
    # The first of several wins, as it would for a server behind this one.
    named = {header[1].lower(): header[2] for header in reversed(headers) if header}
    return Head(method, path, query, named)


def _origin_form(target: str) -> str:
    """Path and query; proxies ask for the whole address (RFC 9112 §3.2.2)."""
    if target.startswith("/"):
        return target
    return "/" + target.partition("://")[2].partition("/")[2]


def page(status: HTTPStatus, html: str) -> bytes:
    """Answer with a page."""
    headers = {**_PAGE_HEADERS, "Content-Type": "text/html; charset=utf-8"}
    return _answer(status, headers, html.encode())


def see_other(path: str) -> bytes:
    """Send the browser to a place of this listener, so that it shows that address instead."""
    return _answer(HTTPStatus.SEE_OTHER, {**_PAGE_HEADERS, "Location": path})


def preflight(head: Head) -> bytes:
    """Allow what a browser asks before a page of the network may lead to this machine.

    It is what Chrome calls private network access. Any origin may lead here: which one does is
    up to the org's single sign-on, and the answers hold nothing worth reading.
    """
    origin = head.headers.get("origin", "")
    allowed = {"Access-Control-Allow-Origin": origin} if _ORIGIN.fullmatch(origin) else {}
    headers = {
        **_PAGE_HEADERS,
        **allowed,
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Private-Network": "true",
        "Vary": "Origin",
    }
    return _answer(HTTPStatus.NO_CONTENT, headers)


def _answer(status: HTTPStatus, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    length = {} if status is HTTPStatus.NO_CONTENT else {"Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in {**headers, **length}.items()]
    head = "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines])
    return head.encode("ascii") + HEAD_END + body
