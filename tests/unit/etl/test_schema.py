"""Describe becomes an Arrow schema, and rows become columns of it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.errors import ResponseError
from sfconnect.etl.columns import Column
from sfconnect.etl.pages import PageDecoder
from sfconnect.etl.schema import ROW_TYPES, arrow_schema, record_batch
from tests.unit.etl.conftest import page_of


def column_of(type_: str, *values: Any) -> list[Any]:
    """The values of one column after their way through a page and Arrow."""
    columns = [Column("F", type_)]
    decoder = PageDecoder(columns, ROW_TYPES)
    rows = decoder.decode(page_of([{"F": value} for value in values])).rows
    batch = record_batch(arrow_schema(columns), columns, rows)
    column: list[Any] = batch.column(0).to_pylist()
    return column


@pytest.mark.parametrize(
    ("type_", "arrow_type"),
    [
        ("id", pa.string()),
        ("picklist", pa.string()),
        ("boolean", pa.bool_()),
        ("int", pa.int64()),
        ("double", pa.float64()),
        ("percent", pa.float64()),
        ("currency", pa.decimal128(38, 18)),
        ("date", pa.date32()),
        ("datetime", pa.timestamp("ms", tz="UTC")),
        ("time", pa.time32("ms")),
        ("anyType", pa.string()),
    ],
)
def test_a_type_of_the_org_has_an_arrow_type(type_: str, arrow_type: pa.DataType) -> None:
    schema = arrow_schema([Column("F", type_)])

    assert schema.field("F").type == arrow_type
    assert schema.field("F").nullable


def test_the_facts_of_describe_are_in_the_metadata() -> None:
    column = Column(
        "Amount__c", "currency", precision=18, scale=2, calculated=True, compound="Sum__c"
    )

    assert arrow_schema([column]).field(0).metadata == {
        b"sfconnect.type": b"currency",
        b"sfconnect.precision": b"18",
        b"sfconnect.scale": b"2",
        b"sfconnect.calculated": b"True",
        b"sfconnect.compound": b"Sum__c",
    }


def test_a_reference_names_its_objects() -> None:
    column = Column("WhoId", "reference", length=18, reference_to=("Contact", "Lead"))

    metadata = arrow_schema([column]).field(0).metadata
    assert metadata[b"sfconnect.reference_to"] == b"Contact,Lead"


@pytest.mark.parametrize(
    "type_",
    ["string", "boolean", "int", "double", "currency", "date", "datetime", "time", "anyType"],
)
def test_null_stays_null(type_: str) -> None:
    assert column_of(type_, None, None) == [None, None]


@pytest.mark.parametrize("text", ["NA", "N/A", "null", "", "None", "00123", "é\n\"',\x00"])
def test_text_is_never_read_as_anything_else(text: str) -> None:
    assert column_of("string", text) == [text]
    assert column_of("anyType", text) == [text]


def test_a_whole_number_may_come_with_a_point() -> None:
    assert column_of("int", 5.0, -3, 2**53) == [5, -3, 2**53]


def test_an_amount_keeps_more_decimals_than_described() -> None:
    page = b'{"totalSize":2,"done":true,"records":[{"F":1.23456789},{"F":1.6147805824397E13}]}'
    columns = [Column("F", "currency", precision=18, scale=2)]

    rows = PageDecoder(columns, ROW_TYPES).decode(page).rows
    batch = record_batch(arrow_schema(columns), columns, rows)

    assert batch.column(0).to_pylist() == [Decimal("1.23456789"), Decimal(16147805824397)]


def test_dates_reach_from_1700_to_4000() -> None:
    assert column_of("date", "1700-01-01", "4000-12-31") == [
        dt.date(1700, 1, 1),
        dt.date(4000, 12, 31),
    ]


def test_datetimes_reach_from_1700_to_4000_in_either_spelling_of_the_zone() -> None:
    assert column_of("datetime", "1700-01-01T00:00:00.000+0000", "4000-12-31T23:59:59.123Z") == [
        dt.datetime(1700, 1, 1, tzinfo=dt.UTC),
        dt.datetime(4000, 12, 31, 23, 59, 59, 123000, tzinfo=dt.UTC),
    ]


@given(st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(4000, 12, 31)))  # noqa: DTZ001  # in UTC
def test_a_datetime_is_the_same_moment(moment: dt.datetime) -> None:
    text = f"{moment.isoformat(timespec='milliseconds')}+0000"

    (value,) = column_of("datetime", text)

    whole_ms = moment.microsecond // 1000 * 1000
    assert value == moment.replace(microsecond=whole_ms, tzinfo=dt.UTC)


@given(st.times())
def test_a_time_is_the_same_time(moment: dt.time) -> None:
    (value,) = column_of("time", f"{moment.isoformat(timespec='milliseconds')}Z")

    assert value == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_an_unknown_type_is_kept_as_json_text() -> None:
    assert column_of("address", {"city": "Bern"}, 1.5, True) == ['{"city": "Bern"}', "1.5", "true"]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("date", "31.12.2026"),
        ("datetime", "yesterday"),
        ("time", "noon"),
        ("int", 5.5),
        ("int", 2**63),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_does_not_tell_it(
    type_: str, value: object
) -> None:
    with pytest.raises(ResponseError) as caught:
        column_of(type_, value)

    assert f"described type {type_}" in caught.value.message
    assert str(value) not in str(caught.value)


def test_a_value_of_another_json_type_is_an_error_that_names_the_place() -> None:
    with pytest.raises(ResponseError, match=r"records\[1\]\.F"):
        column_of("boolean", True, "yes")


def test_a_missing_column_is_an_error() -> None:
    decoder = PageDecoder([Column("Id", "id"), Column("Name", "string")], ROW_TYPES)

    with pytest.raises(ResponseError, match="missing required field `Name`"):
        decoder.decode(page_of([{"Id": "1"}]))


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"totalSize":1}', b'"\xff"'])
def test_what_is_no_page_is_an_error(content: bytes) -> None:
    with pytest.raises(ResponseError, match="cannot be read"):
        PageDecoder([Column("Id", "id")], ROW_TYPES).decode(content)
