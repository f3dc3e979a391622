"""Hash what a Parquet file holds, the way the org hashes its rows.

This shares nothing with the code that wrote the file: values are taken from the file's own types
back to what the API showed. So a value that was changed on the way shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds; ``sha256`` is over all rows, ordered by Id."""

    columns: tuple[str, ...]
    rows: int
    sha256: str


def content_of(path: Path) -> Content:
    """Read a file and hash its rows: each as a compact JSON array, and a newline behind it."""
    table = pq.read_table(path).sort_by("Id")
    columns = [_as_shown(table.column(name)) for name in table.column_names]
    digest = hashlib.sha256()
    for row in zip(*columns, strict=True):
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        digest.update(line.encode() + b"\n")
    return Content(tuple(table.column_names), table.num_rows, digest.hexdigest())


def _as_shown(column: pa.ChunkedArray) -> Sequence[Any]:
    """Return the values of a column as the API shows them in JSON."""
    show = _shower(column.type)
    values: list[Any] = column.to_pylist()
    return values if show is None else [None if v is None else show(v) for v in values]


def _shower(kind: pa.DataType) -> Callable[[Any], Any] | None:
    if pa.types.is_decimal(kind):
        return float
    if pa.types.is_date(kind):
        return lambda day: str(day.isoformat())
    if pa.types.is_timestamp(kind):
        return lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
    if pa.types.is_time(kind):
        return lambda moment: f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return None
