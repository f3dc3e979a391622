"""What every file format has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, ClassVar, Protocol, TypeAlias

import msgspec

from sfconnect.etl.columns import Column, Kind


class Sink(Protocol):
    """Writes rows of one query into an open file, in one format.

    ``row_types`` says as what the values of each kind of column are to be decoded. Order of calls:
    ``begin``, any number of ``write``, then ``finish`` or ``discard``; the file itself belongs to
    the caller. All of them block, and run in a worker thread.
    """

    row_types: ClassVar[Mapping[Kind, Any]]

    def begin(self) -> None:
        """Write what comes before the first row."""
        ...

    def write(self, rows: Sequence[msgspec.Struct]) -> None:
        """Write rows.

        Raises:
            ResponseError: A value does not fit its column.
            OSError: The file takes no more.
        """
        ...

    def finish(self) -> None:
        """Write what is still held back and what comes after the last row."""
        ...

    def discard(self) -> None:
        """Let go of everything; nobody wants the file any more."""
        ...


SinkFactory: TypeAlias = Callable[[Sequence[Column], IO[bytes]], Sink]
