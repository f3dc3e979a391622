"""The query of the command line: rows from the org to the output, in blocks, as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Job:
    """What to query, and where to print it."""

    common: Common
    soql: str
    parsed: Parsed
    file_format: str
    to: Path | None = None
    deleted: bool = False


async def run_query(job: Job) -> None:
    """Send a query and print its rows.

    Raises:
        QueryError: The org does not know a name; the nearest one is in the hint.
    """
    async with connect(job.common) as sf:
        try:
            await _print(job, sf)
        except QueryError as error:
            await suggest(sf, error)
            raise


async def _print(job: Job, sf: Salesforce) -> None:
    query = (sf.query_all if job.deleted else sf.query)(job.soql)
    with _output(job.to) as file:
        printer = await printer_of(job.file_format, sf, job.parsed, file)
        try:
            async with aclosing(_blocks(query, job.parsed)) as blocks:
                # Nothing is printed of a query that the org refuses, not even a heading.
                first = await anext(blocks, ())
                await run_sync(printer.begin)
                await run_sync(printer.write, first)
                async for rows in blocks:
                    await run_sync(printer.write, rows)
            await run_sync(printer.finish)
        finally:
            printer.discard()


async def _blocks(query: Query, parsed: Parsed) -> AsyncGenerator[Sequence[Row], None]:
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
    except OSError as error:
        error.filename = error.filename or str(to)
        raise
    finally:
        part.abort()
