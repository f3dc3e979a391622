"""Parquet: typed columns, written one row group at a time. Needs pyarrow (extra ``arrow``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, ClassVar, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sfconnect.etl.columns import Column, Kind
from sfconnect.etl.schema import ROW_TYPES, arrow_schema, record_batch

MAX_GROUP_ROWS: Final = 65_536
MAX_GROUP_BYTES: Final = 16 * 1024 * 1024
"""What is held in memory until it makes a row group; whichever is reached first."""


class ParquetSink:
    """Writes Parquet."""

    row_types: ClassVar[Mapping[Kind, Any]] = ROW_TYPES

    def __init__(self, columns: Sequence[Column], file: IO[bytes]) -> None:
        self._columns = columns
        self._schema = arrow_schema(columns)
        self._file = file
        self._writer: pq.ParquetWriter | None = None
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def begin(self) -> None:
        """Write the head."""
        self._writer = pq.ParquetWriter(self._file, self._schema)

    def write(self, rows: Sequence[msgspec.Struct]) -> None:
        """Take rows; they are written once there are enough for a row group."""
        batch = record_batch(self._schema, self._columns, rows)
        self._batches.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= MAX_GROUP_ROWS or self._bytes >= MAX_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows and self._writer is not None:
            self._writer.write_table(pa.Table.from_batches(self._batches), self._rows)
        self._batches.clear()
        self._rows = self._bytes = 0

    def finish(self) -> None:
        """Write the last row group and the footer."""
        self._flush()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def discard(self) -> None:
        """Close the writer while its file is still open, or it will try to when it is collected."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError, pa.ArrowException):
                writer.close()
