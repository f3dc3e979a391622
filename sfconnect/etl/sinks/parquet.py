"""Parquet: typed columns, written one row group at a time. Needs pyarrow (extra ``arrow``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sfconnect.etl.columns import Column
from sfconnect.etl.schema import record_batch
from sfconnect.etl.sinks.columnar import ColumnarSink

MAX_GROUP_ROWS: Final = 65_536
MAX_GROUP_BYTES: Final = 16 * 1024 * 1024
"""What is held in memory until it makes a row group; whichever is reached first."""


class ParquetSink(ColumnarSink):
    """Writes Parquet."""

    def __init__(self, columns: Sequence[Column], file: IO[bytes]) -> None:
        super().__init__(columns, file)
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
        super().finish()
