"""Answers that come in pages, fetched ahead of the reader."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sfconnect.errors import ConfigurationError, SfConnectError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from sfconnect.messages import Request, Response

T = TypeVar("T")
P = TypeVar("P", bound="Page[Any]")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of an answer.

    Attributes:
        items: What the page holds, in the API's order.
        total: How many items there are over all pages, where the API says.
        next: Where the next page is, as the API wrote it; None on the last page.
    """

    items: Sequence[T] = field(repr=False)
    total: int | None
    next: str | None


class PageSource(Protocol):
    """What pages are read through."""

    async def execute(self, request: Request) -> Response:
        """Send and retry."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work beside the reader, cancelled at the latest when the source is closed."""
        ...


class PageStream(Generic[P]):
    """Iterate over pages; up to ``ahead`` pages are fetched while the reader is busy.

    The fetching stops by itself once it is far enough ahead, so a reader that stops early leaves
    nothing running; :meth:`aclose` stops it at once. A page is given only after those before it,
    and once, also to several readers. Cancelling a reader, or an error, loses no page: who asks
    again gets the page that was due.

    Args:
        source: Sends the requests.
        first: The request of the first page.
        decode: Makes a page of an answer.
        follow: Makes the request of the page behind a page's ``next``.
        ahead: How many pages to hold ready; 0 fetches when the reader asks.
    """

    def __init__(
        self,
        source: PageSource,
        first: Request,
        decode: Callable[[Response], P],
        follow: Callable[[str], Request],
        *,
        ahead: int = 2,
    ) -> None:
        if ahead < 0:
            raise ConfigurationError(f"ahead must not be negative: {ahead}.")
        self._source = source
        self._decode = decode
        self._follow = follow
        self._ahead = ahead
        self._request: Request | None = first
        self._ready: deque[P] = deque()
        self._failure: Exception | None = None
        self._pump: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._reading = asyncio.Lock()

    def __aiter__(self) -> PageStream[P]:
        return self

    async def __anext__(self) -> P:
        async with self._reading:
            while not self._ready:
                await self._approach()
            page = self._ready.popleft()
        self._fetch_ahead()
        return page

    async def _approach(self) -> None:
        """Come nearer to the next page; or tell that there is none, or why it did not come."""
        if self._pump is not None:
            self._news.clear()
            await self._news.wait()
            return
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._request is None:
            raise StopAsyncIteration
        await self._fetch(self._request)

    def _fetch_ahead(self) -> None:
        if self._pump is not None or not self._wanted():
            return
        try:
            self._pump = self._source.spawn(self._run_ahead())
        except SfConnectError:
            return  # the source is closed; whoever asks for the next page is told
        self._pump.add_done_callback(self._pump_ended)

    def _wanted(self) -> bool:
        more = self._request is not None and self._failure is None
        return more and len(self._ready) < self._ahead

    async def _run_ahead(self) -> None:
        try:
            while self._request is not None and self._wanted():
                await self._fetch(self._request)
                self._news.set()
        except Exception as error:  # noqa: BLE001  # a task's border: raised to the reader
            self._failure = error

    def _pump_ended(self, _: asyncio.Task[None]) -> None:
        # A callback, since a task that is cancelled before its first step runs nothing of its own.
        self._pump = None
        self._news.set()

    async def _fetch(self, request: Request) -> None:
        page = self._decode(await self._source.execute(request))
        following = None if page.next is None else self._follow(page.next)
        if self._request is request:  # else the stream was closed meanwhile
            self._request = following
            self._ready.append(page)

    async def aclose(self) -> None:
        """Stop fetching and forget what was fetched; readers find the end. Idempotent."""
        self._request = None
        self._ready.clear()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait({self._pump})
