"""Arrow IPC files: typed columns, ready to be mapped into memory. Needs the extra ``arrow``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, ClassVar

import msgspec
import pyarrow as pa

from sfconnect.etl.columns import Column, Kind
from sfconnect.etl.schema import ROW_TYPES, arrow_schema, record_batch


class ArrowSink:
    """Writes an Arrow IPC file, a record batch per page."""

    row_types: ClassVar[Mapping[Kind, Any]] = ROW_TYPES

    def __init__(self, columns: Sequence[Column], file: IO[bytes]) -> None:
        self._columns = columns
        self._schema = arrow_schema(columns)
        self._file = file
        self._writer: pa.RecordBatchFileWriter | None = None

    def begin(self) -> None:
        """Write the head."""
        self._writer = pa.ipc.new_file(self._file, self._schema)

    def write(self, rows: Sequence[msgspec.Struct]) -> None:
        """Write rows as one batch."""
        if self._writer is not None:
            self._writer.write_batch(record_batch(self._schema, self._columns, rows))

    def finish(self) -> None:
        """Write the footer."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def discard(self) -> None:
        """Close the writer while its file is still open, or it will try to when it is collected."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError, pa.ArrowException):
                writer.close()
