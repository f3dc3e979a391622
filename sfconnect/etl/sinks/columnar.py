"""What the sinks have in common that write by way of pyarrow. Needs the extra ``arrow``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, ClassVar

import pyarrow as pa

from sfconnect.etl.columns import Column, Kind
from sfconnect.etl.schema import ROW_TYPES, arrow_schema


class ColumnarSink:
    """Holds one of pyarrow's writers, and ends it; who inherits begins it and fills it."""

    row_types: ClassVar[Mapping[Kind, Any]] = ROW_TYPES

    def __init__(self, columns: Sequence[Column], file: IO[bytes]) -> None:
        self._columns = columns
        self._schema = arrow_schema(columns)
        self._file = file
        self._writer: Any = None

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
