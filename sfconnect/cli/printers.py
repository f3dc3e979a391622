"""Print rows of a query as they come, in any format, to stdout or into a file."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

import click
import msgspec

from sfconnect.cli.common import Common
from sfconnect.cli.output import table_text
from sfconnect.cli.selected import (
    Cell,
    Row,
    cells_of,
    has_macro,
    plain,
    typed_columns,
    untyped_columns,
)
from sfconnect.etl.columns import Column
from sfconnect.etl.files import check_destination
from sfconnect.etl.pages import PageDecoder
from sfconnect.etl.sinks import FORMATS, SinkFactory, sink_factory
from sfconnect.etl.source import Source
from sfconnect.soql.ast import Query as Parsed

_BINARY: Final = frozenset({"arrow", "parquet"})


class RowPrinter(Protocol):
    """Takes the rows of a query: ``begin``, ``write``, ``finish``; ``discard`` in any case."""

    def begin(self) -> None:
        """Write what comes before the rows."""
        ...

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        ...

    def finish(self) -> None:
        """Write what comes after them."""
        ...

    def discard(self) -> None:
        """Let go of what is held, if it did not come to the end."""
        ...


class TablePrinter:
    """A table for people; every block of rows has its own widths and headings.

    Without ``cells`` the members of the first row are the headings.
    """

    def __init__(self, file: IO[bytes], cells: Sequence[Cell] | None) -> None:
        self._file = file
        self._cells = cells

    def begin(self) -> None:
        """Do nothing: the widths follow from the rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Print a block."""
        self._file.write(table_text([self._record(row) for row in rows]).encode())

    def _record(self, row: Row) -> dict[str, Any]:
        if self._cells is None:
            return dict(plain(row))
        return {cell.name: _for_people(cell.value(row)) for cell in self._cells}

    def finish(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""


def _for_people(value: Any) -> Any:
    # Numbers of the org may be keys, years or codes: no separators, no rounding.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return json.dumps(value) if is_number else value


class JsonPrinter:
    """JSON: one array, or one object per line."""

    def __init__(self, file: IO[bytes], *, lines: bool) -> None:
        self._file = file
        self._lines = lines
        self._separator = b""

    def begin(self) -> None:
        """Open the array."""
        if not self._lines:
            self._file.write(b"[")

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows without ``attributes``; children are lists."""
        for row in rows:
            line = msgspec.json.encode(plain(row))
            self._file.write(line + b"\n" if self._lines else self._separator + b"\n" + line)
            self._separator = b","

    def finish(self) -> None:
        """Close the array."""
        if not self._lines:
            self._file.write(b"\n]\n")

    def discard(self) -> None:
        """Do nothing."""


class SinkPrinter:
    """The formats of extracts; parents become columns with a dot, children JSON."""

    def __init__(
        self,
        cells: Sequence[Cell],
        columns: Sequence[Column],
        factory: SinkFactory,
        file: IO[bytes],
    ) -> None:
        self._cells = cells
        self._sink = factory(columns, file)
        self._decoder = PageDecoder(columns, self._sink.row_types)

    def begin(self) -> None:
        """Write the head."""
        self._sink.begin()

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows: flattened, and read again as the types that the format wants."""
        flat = [{cell.name: cell.value(row) for cell in self._cells} for row in rows]
        page = {"totalSize": len(flat), "done": True, "records": flat}
        self._sink.write(self._decoder.decode(msgspec.json.encode(page)).rows)

    def finish(self) -> None:
        """Write the tail."""
        self._sink.finish()

    def discard(self) -> None:
        """Let go of the format's own writer."""
        self._sink.discard()


def stdout_bytes() -> IO[bytes]:
    """Return standard output for bytes."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "Standard output is closed")
    return sys.stdout.buffer


def check_output(common: Common, to: Path | None) -> str:
    """Return the format of the rows: ``json``, or one of ``--format``.

    What cannot be written as asked is found here, before anything is sent. A file without
    ``--format`` is written as its ending says.

    Raises:
        click.UsageError: Two formats, a table in a file, a file that could be any format, or
            binary data on a person's screen.
        ConfigurationError: The file cannot be written, or pyarrow is missing.
    """
    if common.json and common.format is not None:
        raise click.UsageError(f"--json and --format {common.format} exclude each other.")
    chosen = "json" if common.json else common.format
    if to is not None:
        chosen = chosen or _format_of_file(to)
        if chosen == "table":
            raise click.UsageError("A table goes to the terminal; use another --format with --to.")
        check_destination(to.parent)
    elif chosen in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{chosen} is binary: add --to FILE, or redirect the output.")
    if chosen in FORMATS:
        sink_factory(chosen)
    return chosen or "table"


def _format_of_file(to: Path) -> str:
    ending = to.suffix.lower().removeprefix(".")
    if ending in FORMATS or ending == "json":
        return ending
    known = ", ".join(FORMATS)
    message = f"The name of {to} does not say how to write it; add --format, one of {known}."
    raise click.UsageError(message)


async def printer_of(chosen: str, sf: Source, parsed: Parsed, file: IO[bytes]) -> RowPrinter:
    """Return the printer of a format. Columnar ones need describes of the objects queried.

    Raises:
        ConfigurationError: The format has columns, and the query does not say which.
    """
    if chosen in {"json", "jsonl"}:
        return JsonPrinter(file, lines=chosen == "jsonl")
    if chosen == "table":
        return TablePrinter(file, None if has_macro(parsed) else cells_of(parsed))
    cells = cells_of(parsed)
    typed = chosen in _BINARY
    columns = await typed_columns(sf, parsed, cells) if typed else untyped_columns(cells)
    return SinkPrinter(cells, columns, sink_factory(chosen), file)
