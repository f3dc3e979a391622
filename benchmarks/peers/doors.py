"""Ways in which clients that insist on Salesforce's hosts and https reach a server on loopback.

Each stands where the client lets its user bring a transport, sends the request on to another
address, and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit


def elsewhere(url: str, base_url: str) -> str:
    """The same path and query under another base."""
    base = urlsplit(base_url)
    return urlunsplit(urlsplit(url)._replace(scheme=base.scheme, netloc=base.netloc))


@dataclass(frozen=True, slots=True)
class HttpxDoor:
    """A transport of httpx that sends everything to one server."""

    base_url: str
    inner: Any

    async def handle_async_request(self, request: Any) -> Any:
        base = urlsplit(self.base_url)
        request.url = request.url.copy_with(scheme=base.scheme, host=base.hostname, port=base.port)
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def __aenter__(self) -> HttpxDoor:
        await self.inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.inner.__aexit__(*error)


@dataclass(frozen=True, slots=True)
class RequestsDoor:
    """An adapter of requests that sends everything to one server."""

    base_url: str
    inner: Any

    def send(self, request: Any, **options: Any) -> Any:
        request.url = elsewhere(request.url, self.base_url)
        return self.inner.send(request, **options)

    def close(self) -> None:
        self.inner.close()
