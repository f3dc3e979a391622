"""The query of the command line: rows from the org to the output, in blocks, as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from anyio.to_thread import run_sync

from sfconnect.cli.common import Common
from sfconnect.cli.printers import printer_of, stdout_bytes
from sfconnect.cli.running import connect
from sfconnect.cli.selected import Row, is_bare_count
from sfconnect.cli.suggestions import suggest
from sfconnect.errors import QueryError
from sfconnect.etl.files import PartFile
from sfconnect.salesforce.client import Salesforce
from sfconnect.salesforce.query import Query
from sfconnect.soql.ast import Query as Parsed


async def run_query(
    common: Common, soql: str, parsed: Parsed, to: Path | None, *, deleted: bool
) -> None:
    """Send a query and print its rows.

    Raises:
        QueryError: The org does not know a name; the nearest one is in the hint.
    """
    async with connect(common) as sf:
        query = (sf.query_all if deleted else sf.query)(soql)
        try:
            await _print(common, sf, query, parsed, to)
        except QueryError as error:
            await suggest(sf, error)
            raise


async def _print(
    common: Common, sf: Salesforce, query: Query, parsed: Parsed, to: Path | None
) -> None:
    with _output(to) as file:
        printer = await printer_of(common, sf, parsed, file)
        try:
            await run_sync(printer.begin)
            async for rows in _blocks(query, parsed):
                await run_sync(printer.write, rows)
            await run_sync(printer.finish)
        finally:
            printer.discard()


async def _blocks(query: Query, parsed: Parsed) -> AsyncIterator[Sequence[Row]]:
    if is_bare_count(parsed):
        yield [{"count": await query.count()}]
        return
    async for page in query.pages():
        yield page.items


@contextmanager
def _output(to: Path | None) -> Iterator[IO[bytes]]:
    """Open the output; a file gets its name only if all goes well."""
    if to is None:
        yield stdout_bytes()
        stdout_bytes().flush()
        return
    part = PartFile(to)
    try:
        yield part.open()
        part.commit()
    finally:
        part.abort()
