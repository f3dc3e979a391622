"""Requests and pages of the query resource. Nothing here does I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sfconnect.errors import IncompleteResultError, ResponseError
from sfconnect.messages import JSON_ERRORS, Request, Response
from sfconnect.paging import Page
from sfconnect.salesforce.resources import Row, data_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIN_PAGE_ROWS = 200
"""The smallest page that may be asked for (REST guide, "Query Options Header")."""
MAX_PAGE_ROWS = 2000


def first_request(
    version: str,
    soql: str,
    *,
    deleted: bool = False,
    page_rows: int | None = None,
    surface: str = "query",
) -> Request:
    """The request of a query's first page; ``deleted`` includes the recycle bin and archive."""
    resource = "queryAll" if deleted else "query"
    headers = {} if page_rows is None else {"Sforce-Query-Options": f"batchSize={page_rows}"}
    return Request(
        "GET", data_path(version, resource), params={"q": soql}, headers=headers, surface=surface
    )


def next_request(url: str, surface: str = "query") -> Request:
    """The request of a further page; its address is used as the org wrote it."""
    return Request("GET", _absolute_path(url), surface=surface)


def _absolute_path(url: str) -> str:
    return url if url.startswith(("/", "http://", "https://")) else f"/{url}"


class _Head(msgspec.Struct, rename="camel", kw_only=True):
    """What a page says beside its rows; the parser skips these at a tenth of the cost."""

    done: bool
    total_size: int | None = None
    next_records_url: str | None = None


class _Body(_Head, rename="camel", kw_only=True):
    records: list[Row]


_head_decoder = msgspec.json.Decoder(_Head)
_body_decoder = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class RowPage(Page[Row]):
    """A page of rows; ``cut`` tells whether child queries in it have further pages."""

    cut: bool = False


def decode_page(response: Response) -> RowPage:
    """Read one page.

    Raises:
        ResponseError: The body is not a page of a query.
    """
    content = response.content
    try:
        body = _body_decoder.decode(content)
    except JSON_ERRORS as error:
        raise _no_page(response) from error
    following = _following(body.done, body.next_records_url, response)
    # Rows need a look of their own only if there are more links than the page's own one: the
    # look costs as much as the decoding. In a value the quotes would be escaped.
    links = content.count(b'"nextRecordsUrl"')
    return RowPage(body.records, body.total_size, following, links > (following is not None))


def page_of_response(response: Response) -> Page[Response]:
    """Make a page of an answer whose rows somebody else decodes.

    Raises:
        ResponseError: The body is not a page of a query.
    """
    try:
        head = _head_decoder.decode(response.content)
    except JSON_ERRORS as error:
        raise _no_page(response) from error
    following = _following(head.done, head.next_records_url, response)
    return Page((response,), head.total_size, following)


def _following(done: bool, url: str | None, response: Response) -> str | None:
    if not done and not url:
        message = "The org says that there are more rows, and not where."
        raise IncompleteResultError(message, request_id=response.request_id)
    return None if done else url


def _no_page(response: Response) -> ResponseError:
    message = f"The answer (status {response.status}) is not a page of a query."
    return ResponseError(message, status=response.status, request_id=response.request_id)


def unfinished_children(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Find the child queries inside rows that have further pages, at any depth."""
    for row in rows:
        for value in row.values():
            if isinstance(value, dict) and isinstance(value.get("records"), list):
                yield from unfinished_children(value["records"])
                if value.get("nextRecordsUrl"):
                    yield value


class RowCount:
    """Proof that every row arrived: the rows of all pages against the total of the first."""

    __slots__ = ("seen", "total")

    def __init__(self) -> None:
        self.seen = 0
        self.total: int | None = None

    def add(self, page: Page[Row]) -> None:
        """Count a page; the last one settles it.

        Raises:
            IncompleteResultError: Rows are missing, or there are too many.
        """
        if self.total is None:
            self.total = page.total
        count_only = not self.seen and not page.items  # SELECT COUNT() has a total and no rows
        self.seen += len(page.items)
        if page.next is None and not count_only and self.total not in {None, self.seen}:
            message = f"The query gave {self.seen} rows, and its total is {self.total}."
            hint = "Run it again; if it happens again, a proxy may be cutting answers."
            raise IncompleteResultError(message, hint=hint)
