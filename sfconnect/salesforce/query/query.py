"""A query whose rows are read as they come."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sfconnect.call import Call, Sender
from sfconnect.errors import ConfigurationError
from sfconnect.paging import Page, PageSource, PageStream
from sfconnect.salesforce.query._wire import (
    MAX_PAGE_ROWS,
    MIN_PAGE_ROWS,
    RowCount,
    RowPage,
    decode_page,
    first_request,
    next_request,
    page_of_response,
    unfinished_children,
)
from sfconnect.salesforce.resources import Row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from sfconnect.messages import Request, Response

P = TypeVar("P", bound=Page[Any])


class QuerySource(Sender, PageSource, Protocol):
    """What a query is sent through."""


class Query:
    """One SOQL query. Iterating, or a method, sends it; each time anew.

    ``async for row in query`` gives rows as dictionaries, in the query's order, exactly as
    Salesforce sends them: with ``attributes``, parents as nested dictionaries, child queries as
    ``{"totalSize", "done", "records"}`` or None. Children with more rows than fit their first
    page are completed before their row is given. While a page is read, the next ones are fetched.

    The rows are counted against the query's total: rows lost on the way raise
    ``IncompleteResultError`` at the end.

    Args:
        source: Sends the requests.
        version: API version.
        soql: The query; at most 100,000 characters, and what fits a URL of 16 KiB.
        deleted: Include deleted and archived rows.
        page_rows: Rows per page, 200 to 2,000; a hint, which wide rows may undercut.
        ahead: How many pages to fetch ahead of the reader.
        surface: What the requests are for; limiters and policies tell them apart by it.
    """

    def __init__(
        self,
        source: QuerySource,
        version: str,
        soql: str,
        *,
        deleted: bool = False,
        page_rows: int | None = None,
        ahead: int = 2,
        surface: str = "query",
    ) -> None:
        if page_rows is not None and not MIN_PAGE_ROWS <= page_rows <= MAX_PAGE_ROWS:
            message = f"page_rows must be from {MIN_PAGE_ROWS} to {MAX_PAGE_ROWS}: {page_rows}."
            raise ConfigurationError(message)
        if not soql.strip():
            raise ConfigurationError("The query is empty.", hint="Write SELECT … FROM ….")
        self.soql = soql
        self._source = source
        self._version = version
        self._deleted = deleted
        self._page_rows = page_rows
        self._ahead = ahead
        self._surface = surface

    def __repr__(self) -> str:
        return f"Query(… {len(self.soql)} characters, version {self._version})"

    async def __aiter__(self) -> AsyncIterator[Row]:
        async for page in self.pages():
            for row in page.items:
                yield row

    async def pages(self) -> AsyncIterator[Page[Row]]:
        """Iterate over pages; ``page.items`` are rows with their children complete."""
        counted = RowCount()
        stream = self._stream(decode_page)
        try:
            async for page in stream:
                counted.add(page)
                await self._complete_children(page)
                yield page
        finally:
            await stream.aclose()

    async def responses(self) -> AsyncGenerator[Response, None]:
        """Iterate over the pages' raw answers, for decoders of one's own.

        Rows are not counted here, and children with further pages are not followed.
        """
        stream = self._stream(page_of_response)
        try:
            async for page in stream:
                yield page.items[0]
        finally:
            await stream.aclose()

    def _stream(self, decode: Callable[[Response], P]) -> PageStream[P]:
        return self._follow(self._request(self._page_rows), decode)

    def _follow(self, first: Request, decode: Callable[[Response], P]) -> PageStream[P]:
        following = partial(next_request, surface=self._surface)
        return PageStream(self._source, first, decode, following, ahead=self._ahead)

    def _request(self, page_rows: int | None) -> Request:
        return first_request(
            self._version,
            self.soql,
            deleted=self._deleted,
            page_rows=page_rows,
            surface=self._surface,
        )

    async def _complete_children(self, page: RowPage) -> None:
        if not page.cut:
            return
        for child in unfinished_children(page.items):
            counted = RowCount()
            counted.total = child.get("totalSize")
            counted.seen = len(child["records"])
            first = next_request(child.pop("nextRecordsUrl"), self._surface)
            async for more in self._follow(first, decode_page):
                counted.add(more)
                await self._complete_children(more)
                child["records"].extend(more.items)
            child["done"] = True

    async def all(self) -> list[Row]:
        """Read every row into a list."""
        return [row async for row in self]

    def first(self) -> Call[Row | None]:
        """Give the first row, or None; one request, with the smallest page there is."""
        return Call(self._request(MIN_PAGE_ROWS), _decode_first, self._source)

    def count(self) -> Call[int]:
        """Give the number of rows (after LIMIT), or of groups; one request for any number."""
        return Call(self._request(MIN_PAGE_ROWS), _decode_total, self._source)


def _decode_first(response: Response) -> Row | None:
    rows = decode_page(response).items
    return rows[0] if rows else None


def _decode_total(response: Response) -> int:
    page = decode_page(response)
    return len(page.items) if page.total is None else page.total
