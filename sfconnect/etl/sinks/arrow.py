"""Arrow IPC files: typed columns, ready to be mapped into memory. Needs the extra ``arrow``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from sfconnect.etl.schema import record_batch
from sfconnect.etl.sinks.columnar import ColumnarSink


class ArrowSink(ColumnarSink):
    """Writes an Arrow IPC file, a record batch per page."""

    def begin(self) -> None:
        """Write the head."""
        self._writer = pa.ipc.new_file(self._file, self._schema)

    def write(self, rows: Sequence[msgspec.Struct]) -> None:
        """Write rows as one batch."""
        if self._writer is not None:
            self._writer.write_batch(record_batch(self._schema, self._columns, rows))
