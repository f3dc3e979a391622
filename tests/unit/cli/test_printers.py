"""Rows of a query, in every format."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq
import pytest

from sfconnect.cli.common import Common
from sfconnect.cli.printers import (
    JsonPrinter,
    RowPrinter,
    SinkPrinter,
    TablePrinter,
    check_output,
    printer_of,
    stdout_bytes,
)
from sfconnect.cli.selected import cells_of, untyped_columns
from sfconnect.errors import ConfigurationError
from sfconnect.etl.columns import Column
from sfconnect.etl.sinks import sink_factory
from sfconnect.soql import parse

PARSED = parse("SELECT Id, Account.Name, Amount, (SELECT Id FROM Cases) FROM Contact")
ROWS: list[dict[str, Any]] = [
    {
        "attributes": {},
        "Id": "1",
        "Account": {"attributes": {}, "Name": "A, B"},
        "Amount": 1.5,
        "Cases": None,
    },
    {
        "attributes": {},
        "Id": "2",
        "Account": None,
        "Amount": 2000,
        "Cases": {"records": [{"attributes": {}, "Id": "5"}]},
    },
]


def printed(printer: RowPrinter, file: io.BytesIO, *blocks: list[dict[str, Any]]) -> str:
    printer.begin()
    for block in blocks:
        printer.write(block)
    printer.finish()
    return file.getvalue().decode()


def test_json_is_one_array_over_all_blocks() -> None:
    file = io.BytesIO()

    text = printed(JsonPrinter(file, lines=False), file, ROWS[:1], [], ROWS[1:])

    assert json.loads(text) == [
        {"Id": "1", "Account": {"Name": "A, B"}, "Amount": 1.5, "Cases": None},
        {"Id": "2", "Account": None, "Amount": 2000, "Cases": [{"Id": "5"}]},
    ]


def test_no_rows_are_an_empty_array() -> None:
    file = io.BytesIO()

    assert json.loads(printed(JsonPrinter(file, lines=False), file)) == []


def test_jsonl_is_one_object_per_line() -> None:
    file = io.BytesIO()

    lines = printed(JsonPrinter(file, lines=True), file, ROWS).splitlines()

    assert [json.loads(line)["Id"] for line in lines] == ["1", "2"]


def test_csv_has_parents_as_columns_and_children_as_json() -> None:
    file, cells = io.BytesIO(), cells_of(PARSED)
    printer = SinkPrinter(cells, untyped_columns(cells), sink_factory("csv"), file)

    assert printed(printer, file, ROWS) == (
        'Id,Account.Name,Amount,Cases\r\n1,"A, B",1.5,\r\n2,,2000,"[{""Id"":""5""}]"\r\n'
    )


def test_parquet_has_the_types_of_its_columns() -> None:
    file, cells = io.BytesIO(), cells_of(PARSED)
    types = [Column("Id", "id"), Column("Account.Name", "string"), Column("Amount", "double")]
    printer = SinkPrinter(cells, [*types, Column("Cases", "any")], sink_factory("parquet"), file)

    printer.begin()
    printer.write(ROWS)
    printer.finish()

    file.seek(0)
    assert pq.read_table(file).to_pylist() == [
        {"Id": "1", "Account.Name": "A, B", "Amount": 1.5, "Cases": None},
        {"Id": "2", "Account.Name": None, "Amount": 2000.0, "Cases": '[{"Id":"5"}]'},
    ]


def test_a_table_shows_numbers_as_they_are_and_aligns_columns() -> None:
    file = io.BytesIO()

    lines = printed(TablePrinter(file, cells_of(PARSED)), file, ROWS).splitlines()

    assert lines == [
        "Id  Account.Name  Amount  Cases",
        "1   A, B          1.5",
        '2                 2000    [{"Id": "5"}]',
    ]


def test_a_table_of_a_macro_takes_its_columns_from_the_rows() -> None:
    file = io.BytesIO()

    lines = printed(TablePrinter(file, None), file, [{"attributes": {}, "Id": "1", "N": None}])

    assert lines.splitlines() == ["Id  N", "1"]


@pytest.mark.parametrize(
    ("chosen", "printer"),
    [("table", TablePrinter), ("jsonl", JsonPrinter), ("json", JsonPrinter), ("csv", SinkPrinter)],
)
async def test_the_format_chooses_the_printer(chosen: str, printer: type) -> None:
    assert type(await printer_of(chosen, _no_org(), PARSED, io.BytesIO())) is printer


def _no_org() -> Any:
    """An org that is not asked."""
    return None


@pytest.mark.parametrize("chosen", ["parquet", "arrow"])
def test_binary_formats_are_kept_off_a_terminal(
    monkeypatch: pytest.MonkeyPatch, chosen: str, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdout", _Terminal())

    with pytest.raises(click.UsageError, match=r"is binary: add --to FILE"):
        check_output(Common(format=chosen), None)
    assert check_output(Common(format=chosen), tmp_path / "file") == chosen


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("common", "name", "chosen"),
    [
        (Common(), None, "table"),
        (Common(json=True), None, "json"),
        (Common(json=True), "rows.csv", "json"),
        (Common(format="jsonl"), "rows.csv", "jsonl"),
        (Common(), "rows.CSV", "csv"),
        (Common(), "rows.jsonl", "jsonl"),
        (Common(), "rows.json", "json"),
        (Common(), "rows.parquet", "parquet"),
    ],
)
def test_an_option_or_the_ending_of_the_file_says_the_format(
    common: Common, name: str | None, chosen: str, tmp_path: Path
) -> None:
    assert check_output(common, None if name is None else tmp_path / name) == chosen


@pytest.mark.parametrize("name", ["rows", "rows.txt", ".csv"])
def test_a_file_that_could_be_any_format_is_wrong_usage(name: str, tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="add --format, one of arrow, csv, jsonl, parquet"):
        check_output(Common(), tmp_path / name)


def test_a_closed_stdout_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)

    with pytest.raises(OSError, match="Standard output is closed"):
        stdout_bytes()


def test_an_unwritable_file_is_found_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="Cannot write to /proc"):
        check_output(Common(format="csv"), Path("/proc/nowhere/file.csv"))
