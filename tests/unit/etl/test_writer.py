"""A file is kept only if it holds as many rows as the API counted."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest

from sfconnect.errors import IncompleteResultError
from sfconnect.etl.columns import Column
from sfconnect.etl.sinks import sink_factory
from sfconnect.etl.writer import ObjectWriter, Written
from tests.unit.etl.conftest import page_of

COLUMNS = [Column("Id", "id")]


def rows(first: int, last: int) -> list[dict[str, str]]:
    return [{"Id": str(i)} for i in range(first, last)]


@pytest.fixture
def writer(tmp_path: Path) -> ObjectWriter:
    writer = ObjectWriter(tmp_path / "Thing.csv", COLUMNS, sink_factory("csv"))
    writer.open()
    return writer


def test_pages_add_up_and_the_file_is_kept(writer: ObjectWriter, tmp_path: Path) -> None:
    assert writer.write(page_of(rows(0, 2), total=3, next_="/2")) == Written(2, 3)
    assert writer.write(page_of(rows(2, 3), total=3)) == Written(3, 3)

    assert writer.commit() == len(b"Id\r\n0\r\n1\r\n2\r\n")
    assert (tmp_path / "Thing.csv").read_bytes() == b"Id\r\n0\r\n1\r\n2\r\n"


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([page_of(rows(0, 2), total=3)], id="too few rows on the last page"),
        pytest.param([page_of(rows(0, 2), total=1)], id="too many rows"),
        pytest.param([page_of(rows(0, 2), total=2, next_="/2")], id="last page missing"),
        pytest.param([], id="no page at all"),
    ],
)
def test_an_answer_that_is_not_whole_makes_no_file(
    writer: ObjectWriter, tmp_path: Path, pages: list[bytes]
) -> None:
    for page in pages:
        writer.write(page)

    with pytest.raises(IncompleteResultError, match=r"Thing\.csv: \d+ rows came"):
        writer.commit()
    writer.abort()

    assert list(tmp_path.iterdir()) == []


def test_a_writer_starts_anew_when_it_is_opened_again(writer: ObjectWriter, tmp_path: Path) -> None:
    writer.write(page_of(rows(0, 2), total=9, next_="/2"))
    writer.abort()

    writer.open()
    writer.write(page_of(rows(5, 6)))
    writer.commit()

    assert (tmp_path / "Thing.csv").read_bytes() == b"Id\r\n5\r\n"


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet", "arrow"])
def test_an_abort_in_the_middle_leaves_nothing(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / f"Thing.{file_format}"
    writer = ObjectWriter(path, COLUMNS, sink_factory(file_format))
    writer.open()
    writer.write(page_of(rows(0, 2), total=9, next_="/2"))

    writer.abort()

    assert list(tmp_path.iterdir()) == []


def test_nothing_can_be_written_before_opening(tmp_path: Path) -> None:
    writer = ObjectWriter(tmp_path / "Thing.csv", COLUMNS, sink_factory("csv"))

    with pytest.raises(ValueError, match="not open"):
        writer.write(page_of([]))
    writer.abort()


def test_a_format_that_fails_to_begin_leaves_nothing(tmp_path: Path) -> None:
    def broken(_: object, file: IO[bytes]) -> object:
        file.write(b"head")
        raise OSError(28, "No space left on device")

    writer = ObjectWriter(tmp_path / "Thing.csv", COLUMNS, broken)  # type: ignore[arg-type]  # it never returns
    with pytest.raises(OSError, match="No space"):
        writer.open()
    writer.abort()

    assert list(tmp_path.iterdir()) == []
