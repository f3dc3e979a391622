"""CSV by RFC 4180, in which null and the empty string stay apart.

A header line, commas, CRLF, UTF-8 without a mark. A null is nothing between two commas, an empty
string is ``""``; any other text is quoted where it has to be. (Only a row that would be a blank
line, so with a single column, has its null as ``""``.) Numbers, dates and times are the text that
the API sent; a value of an unknown type is its JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, ClassVar, Final, TypeAlias

import msgspec

from sfconnect.etl.columns import Column, Kind
from sfconnect.etl.pages import opaque_text

Cell: TypeAlias = str | None

_PLAIN_JSON: Final = frozenset({Kind.BOOLEAN, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL})
"""Kinds whose JSON text is what the file gets."""


def csv_text(rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as lines, each with its CRLF."""
    file = io.StringIO()
    writer = csv.writer(file)
    for row in rows:
        # The module writes null and the empty string alike, so rows with the latter go another
        # way; Salesforce stores empty strings as null, so they are rare.
        if "" in row:
            file.write(_line(row))
        else:
            writer.writerow(row)
    return file.getvalue()


def _line(row: Sequence[Cell]) -> str:
    cells = ("" if cell is None else '""' if not cell else _alone(cell) for cell in row)
    return f"{','.join(cells)}\r\n"


def _alone(cell: str) -> str:
    # Not with an empty line end: what is in the line end is what the module takes for special.
    file = io.StringIO()
    csv.writer(file).writerow((cell,))
    return file.getvalue().removesuffix("\r\n")


class CsvSink:
    """Writes CSV."""

    row_types: ClassVar[Mapping[Kind, Any]] = {
        **dict.fromkeys(Kind, str | None),
        **dict.fromkeys((*_PLAIN_JSON, Kind.OPAQUE), msgspec.Raw),
    }

    def __init__(self, columns: Sequence[Column], file: IO[bytes]) -> None:
        self._columns = columns
        self._file = file

    def begin(self) -> None:
        """Write the header."""
        self._file.write(csv_text([[column.name for column in self._columns]]).encode())

    def write(self, rows: Sequence[msgspec.Struct]) -> None:
        """Write rows."""
        # Column by column, so that what needs no work costs none.
        columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
        cells = [_cells(c.kind, values) for c, values in zip(self._columns, columns, strict=False)]
        self._file.write(csv_text(zip(*cells, strict=True)).encode())

    def finish(self) -> None:
        """Do nothing: the format has no tail."""

    def discard(self) -> None:
        """Do nothing: nothing is held."""


def _cells(kind: Kind, values: Sequence[Any]) -> Iterable[Cell]:
    if kind in _PLAIN_JSON:
        texts = [bytes(value) for value in values]
        return [None if text == b"null" else text.decode() for text in texts]
    return [opaque_text(value) for value in values] if kind is Kind.OPAQUE else values
