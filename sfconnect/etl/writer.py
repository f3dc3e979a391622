"""Take the pages of one query into one file, and prove that all of them came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfconnect.errors import IncompleteResultError
from sfconnect.etl.columns import Column
from sfconnect.etl.files import PartFile
from sfconnect.etl.pages import PageDecoder
from sfconnect.etl.sinks import Sink, SinkFactory


@dataclass(frozen=True, slots=True)
class Written:
    """How far a file is: rows in it, and how many the API said there are."""

    rows: int
    total: int


class ObjectWriter:
    """Writes one file, page by page.

    The file gets its name with :meth:`commit`, and only if it holds as many rows as the API
    counted. Every method blocks; they are called one after the other, from worker threads.
    """

    def __init__(self, path: Path, columns: Sequence[Column], factory: SinkFactory) -> None:
        self._path = path
        self._columns = columns
        self._factory = factory
        self._part = PartFile(path)
        self._sink: Sink | None = None
        self._decoder: PageDecoder | None = None
        self._rows = 0
        self._total = 0
        self._done = False

    def open(self) -> None:
        """Create the file under its temporary name."""
        self._rows = self._total = 0
        self._done = False
        self._sink = self._factory(self._columns, self._part.open())
        self._decoder = PageDecoder(self._columns, self._sink.row_types)
        self._sink.begin()

    def write(self, content: bytes) -> Written:
        """Decode a page and write its rows.

        Raises:
            ResponseError: The page cannot be read, or does not fit what describe says.
            OSError: The file takes no more.
        """
        if self._sink is None or self._decoder is None:
            raise ValueError("the writer is not open")
        page = self._decoder.decode(content)
        self._sink.write(page.rows)
        self._rows += len(page.rows)
        self._total = page.total
        self._done = page.done
        return Written(self._rows, self._total)

    def commit(self) -> int:
        """Finish the file and give it its name; return its size in bytes.

        Raises:
            IncompleteResultError: Rows are missing, or there are too many.
        """
        if not self._done or self._rows != self._total:
            raise IncompleteResultError(
                f"{self._path.name}: {self._rows:,} rows came, and the API counted "
                f"{self._total:,}; the file was not kept."
            )
        if self._sink is not None:
            self._sink.finish()
            self._sink = None
        return self._part.commit()

    def abort(self) -> None:
        """Remove what is not finished. Does nothing after a commit."""
        try:
            if self._sink is not None:
                self._sink.discard()
        finally:
            self._sink = None
            self._part.abort()
