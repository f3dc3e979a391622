"""JSON Lines: one JSON object per row, each value with the digits and escapes it came with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any, ClassVar

import msgspec

from sfconnect.etl.columns import Column, Kind


class JsonlSink:
    """Writes JSON Lines in UTF-8; numbers are never read as floats, so none is rounded."""

    row_types: ClassVar[Mapping[Kind, Any]] = dict.fromkeys(Kind, msgspec.Raw)

    def __init__(self, columns: Sequence[Column], file: IO[bytes]) -> None:
        del columns  # the rows know their names
        self._file = file
        self._encoder = msgspec.json.Encoder()

    def begin(self) -> None:
        """Do nothing: the format has no head."""

    def write(self, rows: Sequence[msgspec.Struct]) -> None:
        """Write rows as they came, without ``attributes``."""
        self._file.write(self._encoder.encode_lines(rows))

    def finish(self) -> None:
        """Do nothing: the format has no tail."""

    def discard(self) -> None:
        """Do nothing: nothing is held."""
