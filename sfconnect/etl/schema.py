"""Describe, as an Arrow schema. Needs pyarrow, which is in the extra ``arrow``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sfconnect.errors import ResponseError
from sfconnect.etl.columns import Column, Kind
from sfconnect.etl.pages import opaque_text

ROW_TYPES: Final[Mapping[Kind, Any]] = {
    Kind.TEXT: str | None,
    Kind.BOOLEAN: bool | None,
    # A whole number may come as 5.0.
    Kind.INTEGER: int | float | None,
    Kind.FLOAT: float | None,
    Kind.DECIMAL: Decimal | None,
    # Arrow parses dates faster than Python makes them, and knows years that datetime formats do.
    Kind.DATE: str | None,
    Kind.DATETIME: str | None,
    Kind.TIME: str | None,
    Kind.OPAQUE: msgspec.Raw,
}
"""What a :class:`~sfconnect.etl.pages.PageDecoder` has to make for :func:`record_batch`."""

_ARROW_TYPES: Final[Mapping[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    # Values may have more decimals than described (converted currencies, formulas), and Arrow
    # refuses to round. The described precision and scale are in the field's metadata.
    Kind.DECIMAL: pa.decimal128(38, 18),
    Kind.DATE: pa.date32(),
    # Milliseconds, because nanoseconds end in 2262 and orgs hold dates until 4000.
    Kind.DATETIME: pa.timestamp("ms", tz="UTC"),
    Kind.TIME: pa.time32("ms"),
    Kind.OPAQUE: pa.string(),
}


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """Return the schema of an extract.

    Every column may be null: describe's ``nillable`` is about forms, not about rows. What else
    describe says is in the metadata of the fields, under ``sfconnect.…``.
    """
    return pa.schema([_field(column) for column in columns])


def _field(column: Column) -> pa.Field:
    facts = {
        "type": column.type,
        "length": column.length,
        "precision": column.precision,
        "scale": column.scale,
        "calculated": column.calculated or "",
        "reference_to": ",".join(column.reference_to),
        "compound": column.compound or "",
    }
    metadata = {f"sfconnect.{name}": str(fact) for name, fact in facts.items() if fact}
    return pa.field(column.name, _ARROW_TYPES[column.kind], metadata=metadata)


def record_batch(
    schema: pa.Schema, columns: Sequence[Column], rows: Sequence[msgspec.Struct]
) -> pa.RecordBatch:
    """Turn rows decoded with :data:`ROW_TYPES` into a batch of the schema.

    Raises:
        ResponseError: A value does not fit its column.
    """
    values = (
        zip(*map(msgspec.structs.astuple, rows), strict=True) if rows else ([] for _ in columns)
    )
    arrays = [_array(column, cells) for column, cells in zip(columns, values, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(column: Column, cells: Iterable[Any]) -> pa.Array:
    try:
        return _BUILD[column.kind](column.kind, cells)
    except (pa.ArrowException, OverflowError) as error:
        # The error of Arrow names the value, which is the org's data.
        raise ResponseError(
            f"{column.name}: a value does not fit the described type {column.type}.",
            hint="Leave the field out, or extract to jsonl, which keeps values as they come.",
        ) from error


def _plain(kind: Kind, cells: Iterable[Any]) -> pa.Array:
    return pa.array(cells, _ARROW_TYPES[kind])


def _whole(kind: Kind, cells: Iterable[Any]) -> pa.Array:
    """Refuse fractions: Arrow would cut them off without a word."""
    numbers = list(cells)
    if any(type(cell) is float and not cell.is_integer() for cell in numbers):
        raise pa.ArrowInvalid("a fraction")
    return _plain(kind, numbers)


def _parsed(kind: Kind, cells: Iterable[Any]) -> pa.Array:
    return pa.array(cells, pa.string()).cast(_ARROW_TYPES[kind])


def _time(kind: Kind, cells: Iterable[Any]) -> pa.Array:
    """Arrow parses times only as part of a moment, and knows no zone in a time alone."""
    moments = pc.binary_join_element_wise("1970-01-01T", pa.array(cells, pa.string()), "")
    return moments.cast(pa.timestamp("ms", tz="UTC")).cast(_ARROW_TYPES[kind])


def _opaque(kind: Kind, cells: Iterable[Any]) -> pa.Array:
    return _plain(kind, [opaque_text(cell) for cell in cells])


_BUILD: Final[Mapping[Kind, Callable[[Kind, Iterable[Any]], pa.Array]]] = {
    **dict.fromkeys(Kind, _plain),
    Kind.INTEGER: _whole,
    Kind.DATE: _parsed,
    Kind.DATETIME: _parsed,
    Kind.TIME: _time,
    Kind.OPAQUE: _opaque,
}
