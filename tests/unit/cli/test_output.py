"""Small lists of records, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.cli.common import Common
from sfconnect.cli.output import cell_text, listed, print_records, table_text

RECORDS = [{"name": "a, b", "count": 12345, "note": None}, {"name": "é", "count": 7, "note": "x"}]


def test_a_table_aligns_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_records(Common(), RECORDS)

    assert capsys.readouterr().out.splitlines() == [
        "name   count  note",
        "a, b  12,345",
        "é          7  x",
    ]


def test_csv_has_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_records(Common(format="csv"), RECORDS)

    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [["name", "count", "note"], ["a, b", "12345", ""], ["é", "7", "x"]]


def test_jsonl_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_records(Common(format="jsonl"), RECORDS)

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == RECORDS


@pytest.mark.parametrize(("whole", "shown"), [(None, RECORDS), ({"all": 1}, {"all": 1})])
def test_json_shows_all_that_is_known(
    capsys: pytest.CaptureFixture[str], whole: Any, shown: Any
) -> None:
    print_records(Common(json=True), RECORDS, whole=whole)

    assert json.loads(capsys.readouterr().out) == shown


def test_formats_for_rows_are_refused() -> None:
    with pytest.raises(click.UsageError, match="for rows of the org"):
        print_records(Common(format="arrow"), RECORDS)


def test_no_records_are_an_empty_table() -> None:
    assert table_text([]) == ""


ID = "001bu00000fNhsLAAS"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretend that stdout is a terminal of so many columns."""

    def of(columns: int) -> None:
        monkeypatch.setattr("sys.stdout", _Terminal())
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "dumb")

    return of


def test_a_table_is_as_wide_as_it_has_to_be_where_there_is_no_terminal() -> None:
    texts = ["long " * 3000, "text " * 3000]

    (heading, line) = table_text([dict(zip("ab", texts, strict=True))]).splitlines()

    assert line.split() == " ".join(texts).split()
    assert heading.split() == ["a", "b"]


def test_long_texts_fold_on_a_terminal_and_words_stay_whole(
    on_terminal: Callable[[int], None],
) -> None:
    on_terminal(40)

    lines = table_text([{"Id": ID, "About": "a text of several words"}]).splitlines()

    assert lines == [
        "Id                  About",
        f"{ID}  a text of several",
        "                    words",
    ]


def test_a_table_that_would_break_words_is_blocks_of_lines(
    on_terminal: Callable[[int], None],
) -> None:
    on_terminal(40)
    records = [{"Id": ID, "Name": "Hooli", "OwnerId": ID, "N": n} for n in (1, None)]

    assert table_text(records) == (
        f"Id       {ID}\nName     Hooli\nOwnerId  {ID}\nN        1\n\n"
        f"Id       {ID}\nName     Hooli\nOwnerId  {ID}\nN\n"
    )


@given(
    columns=st.integers(20, 120),
    row=st.lists(st.text(st.sampled_from("ab 健-"), max_size=60), min_size=1, max_size=12),
)
def test_a_terminal_of_any_width_shows_every_sign(columns: int, row: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", _Terminal())
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("TERM", "dumb")
        text = table_text([{f"f{number}": cell for number, cell in enumerate(row)}])

    signs = Counter("".join(row).replace(" ", ""))
    assert Counter(text) & signs == signs


def test_brackets_in_a_value_are_no_markup() -> None:
    assert table_text([{"a": "[red]x[/red]"}]).splitlines()[1] == "[red]x[/red]"


def test_a_value_cannot_steer_the_terminal_or_break_its_line() -> None:
    assert cell_text("a\x1b[2Jb\nc\r\nd") == "a␣[2Jb␣c␣d"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (1234567, "1,234,567"), (0.5, "0.50"), ([1], "[1]"), ("é", "é")],
)
def test_values_are_written_for_people(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_counts_are_written_as_a_phrase() -> None:
    assert listed({"b": 1, "a": 2}) == "2 x a, 1 x b"
    assert listed({}) == "none"
