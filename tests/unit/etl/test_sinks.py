"""Every format gives back what went in."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfconnect.errors import ConfigurationError
from sfconnect.etl.columns import Column
from sfconnect.etl.pages import PageDecoder
from sfconnect.etl.sinks import FORMATS, parquet, sink_factory
from sfconnect.etl.sinks.csv import csv_text
from tests.unit.etl.conftest import page_of

texts = st.text(st.characters(codec="utf-8"))
cells = st.none() | texts
rows = st.lists(st.tuples(cells, cells, cells), max_size=20)
THREE = [Column("Id", "id"), Column("Name", "string"), Column("class", "textarea")]


def written(file_format: str, columns: Sequence[Column], *pages: bytes) -> bytes:
    """What a sink makes of pages."""
    file = io.BytesIO()
    sink = sink_factory(file_format)(columns, file)
    decoder = PageDecoder(columns, sink.row_types)
    sink.begin()
    for page in pages:
        sink.write(decoder.decode(page).rows)
    sink.finish()
    return file.getvalue()


def three_columns(values: Sequence[tuple[str | None, ...]]) -> bytes:
    return page_of([dict(zip(("Id", "Name", "class"), row, strict=True)) for row in values])


@given(rows)
@example([("\r", "\n", "\r\n"), ('"', '""', ","), (" a", "a ", "\t"), ("", None, "null")])
@example([("", "\n", "\r")])
def test_csv_is_read_back_by_the_standard_library(values: list[tuple[str | None, ...]]) -> None:
    text = written("csv", THREE, three_columns(values)).decode()

    header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["Id", "Name", "class"]
    assert lines == [[cell or "" for cell in row] for row in values]


@given(rows)
@example([("", None, "NA"), (None, "", "null")])
def test_csv_keeps_null_and_the_empty_string_apart(values: list[tuple[str | None, ...]]) -> None:
    content = written("csv", THREE, three_columns(values))

    table = pa.csv.read_csv(
        io.BytesIO(content),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(("Id", "Name", "class"), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )

    assert [tuple(row.values()) for row in table.to_pylist()] == values


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("plain", "plain\r\n"),
        ("a,b", '"a,b"\r\n'),
        ('say "hi"', '"say ""hi"""\r\n'),
        ("two\nlines", '"two\nlines"\r\n'),
        ("lone\rreturn", '"lone\rreturn"\r\n'),
        (" edge", " edge\r\n"),
        ("", '""\r\n'),
        ("00123", "00123\r\n"),
    ],
)
def test_csv_quotes_what_has_to_be_quoted_and_nothing_else(cell: str, line: str) -> None:
    assert csv_text([[cell]]) == line


def test_a_null_alone_in_its_row_is_not_a_blank_line() -> None:
    assert csv_text([[None]]) == '""\r\n'
    assert csv_text([[None, None]]) == ",\r\n"


def test_an_empty_string_changes_nothing_for_its_neighbours() -> None:
    assert csv_text([["", None, "a,b", "c"]]) == '"",,"a,b",c\r\n'


@given(rows)
def test_jsonl_is_read_back_line_by_line(values: list[tuple[str | None, ...]]) -> None:
    content = written("jsonl", THREE, three_columns(values))

    lines = [json.loads(line) for line in content.decode().split("\n") if line]
    assert [tuple(line.values()) for line in lines] == values
    assert all(list(line) == ["Id", "Name", "class"] for line in lines)


@given(rows)
@pytest.mark.parametrize("file_format", ["parquet", "arrow"])
def test_columns_are_read_back(file_format: str, values: list[tuple[str | None, ...]]) -> None:
    content = written(file_format, THREE, three_columns(values))

    table = read_columns(file_format, content)
    assert [tuple(row.values()) for row in table.to_pylist()] == values


def read_columns(file_format: str, content: bytes) -> pa.Table:
    if file_format == "parquet":
        return pq.read_table(io.BytesIO(content))
    return pa.ipc.open_file(io.BytesIO(content)).read_all()


NUMBERS = [Column("I", "int"), Column("D", "double"), Column("C", "currency"), Column("A", "any")]


@pytest.mark.parametrize(
    ("file_format", "line"),
    [
        ("jsonl", b'{"I":5,"D":1.0E7,"C":9999999999999999.99,"A":"00123"}\n'),
        ("csv", b"5,1.0E7,9999999999999999.99,00123\r\n"),
    ],
)
def test_text_formats_keep_the_digits_of_a_number(file_format: str, line: bytes) -> None:
    page = (
        b'{"totalSize":1,"done":true,"records":[{"attributes":{},'
        b'"I":5,"D":1.0E7,"C":9999999999999999.99,"A":"00123"}]}'
    )

    assert written(file_format, NUMBERS, page).endswith(line)


def test_csv_writes_booleans_in_lower_case_and_unknown_types_as_json() -> None:
    columns = [Column("B", "boolean"), Column("J", "json"), Column("N", "complexvalue")]
    page = page_of([{"B": True, "J": {"a": [1, "x"]}, "N": None}])

    assert written("csv", columns, page).splitlines()[1] == b'true,"{""a"": [1, ""x""]}",'


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_rows_make_a_whole_file(file_format: str) -> None:
    content = written(file_format, THREE, page_of([]))

    expected = {"csv": b"Id,Name,class\r\n", "jsonl": b""}
    if file_format in expected:
        assert content == expected[file_format]
    else:
        assert read_columns(file_format, content).schema.names == ["Id", "Name", "class"]


def test_parquet_gathers_pages_into_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_GROUP_ROWS", 5)
    pages = [three_columns([(str(i), None, "x")] * 2) for i in range(4)]

    groups = pq.ParquetFile(io.BytesIO(written("parquet", THREE, *pages))).metadata

    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [6, 2]


def test_parquet_writes_what_grows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 1)
    pages = [three_columns([(str(i), None, "x")]) for i in range(3)]

    file = pq.ParquetFile(io.BytesIO(written("parquet", THREE, *pages)))

    assert file.metadata.num_row_groups == 3


@pytest.mark.parametrize("file_format", ["parquet", "arrow"])
def test_a_discarded_writer_leaves_its_file_alone(file_format: str) -> None:
    file = io.BytesIO()
    sink = sink_factory(file_format)(THREE, file)
    sink.discard()
    sink.begin()
    sink.discard()
    size = file.tell()
    sink.discard()

    assert file.tell() == size


@pytest.mark.parametrize("file_format", FORMATS)
def test_discarding_what_is_finished_changes_nothing(file_format: str) -> None:
    file = io.BytesIO()
    sink = sink_factory(file_format)(THREE, file)
    sink.begin()
    sink.finish()
    content = file.getvalue()

    sink.discard()

    assert file.getvalue() == content


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Unknown format 'xls'; there are arrow, csv"):
        sink_factory("xls")


def test_without_pyarrow_its_formats_name_the_command_that_installs_it() -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from sfconnect.etl.sinks import sink_factory\n"
        "sink_factory('csv'), sink_factory('jsonl')\n"
        "try: sink_factory('parquet')\n"
        "except Exception as error: print(type(error).__name__, error.hint)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "ConfigurationError pip install 'sfconnect[arrow]'"


def test_an_extract_to_text_imports_no_pyarrow() -> None:
    script = (
        "import sys, sfconnect.etl\n"
        "from sfconnect.etl.sinks import sink_factory\n"
        "sink_factory('csv'), sink_factory('jsonl')\n"
        "print('pyarrow' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"


numbers = st.decimals(min_value=-(10**15), max_value=10**15, places=6)


@given(st.lists(st.none() | numbers, max_size=20))
def test_parquet_keeps_every_digit_of_an_amount(values: list[Decimal | None]) -> None:
    items = ",".join("null" if v is None else f"{v:f}" for v in values)
    records = ",".join(f'{{"C":{item}}}' for item in items.split(",") if items)
    page = f'{{"totalSize":{len(values)},"done":true,"records":[{records}]}}'.encode()

    table = read_columns("parquet", written("parquet", [Column("C", "currency")], page))

    assert table.column("C").to_pylist() == values


def test_rows_of_any_page_are_dictionaries_without_attributes() -> None:
    row: dict[str, Any] = json.loads(written("jsonl", THREE, three_columns([("1", "b", "c")])))

    assert row == {"Id": "1", "Name": "b", "class": "c"}
