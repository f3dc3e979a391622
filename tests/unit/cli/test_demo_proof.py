"""The proof of the demo notices what it is there to notice."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sfconnect.cli.app import run
from sfconnect.cli.commands import demo
from sfconnect.cli.demo import trouble
from sfconnect.cli.demo.proof import Content, content_of
from sfconnect.cli.demo.run import Check, DemoReport, _compared
from sfconnect.etl.columns import Column
from sfconnect.etl.pages import PageDecoder
from sfconnect.etl.report import ObjectReport
from sfconnect.etl.schema import ROW_TYPES, arrow_schema, record_batch

COLUMNS = [
    Column("Id", "id"),
    Column("B", "boolean"),
    Column("I", "int"),
    Column("D", "double"),
    Column("C", "currency"),
    Column("Day", "date"),
    Column("At", "datetime"),
    Column("T", "time"),
]
ROW_2 = '["2",true,5,10000000.0,1234.5,"1700-01-01","4000-12-31T23:59:59.000+0000","12:30:00.125Z"]'
ROW_1 = '["1é",null,null,null,null,null,null,null]'
PAGE = (
    '{"totalSize":2,"done":true,"records":['
    '{"Id":"2","B":true,"I":5,"D":1.0E7,"C":1234.50,"Day":"1700-01-01",'
    '"At":"4000-12-31T23:59:59.000+0000","T":"12:30:00.125Z"},'
    '{"Id":"1é","B":null,"I":null,"D":null,"C":null,"Day":null,"At":null,"T":null}]}'
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    schema = arrow_schema(COLUMNS)
    rows = PageDecoder(COLUMNS, ROW_TYPES).decode(PAGE.encode()).rows
    table = pa.Table.from_batches([record_batch(schema, COLUMNS, rows)])
    pq.write_table(table, tmp_path / "Thing.parquet")
    return tmp_path / "Thing.parquet"


def test_a_file_hashes_to_its_rows_in_the_order_of_ids(file: Path) -> None:
    content = content_of(file)

    expected = hashlib.sha256(f"{ROW_1}\n{ROW_2}\n".encode()).hexdigest()
    assert content == Content(tuple(column.name for column in COLUMNS), 2, expected)


def report_of(rows: int) -> ObjectReport:
    return ObjectReport("Thing", Path("Thing.parquet"), rows, 10, 1.0, 2, 0)


def test_the_same_count_and_hash_are_proof() -> None:
    content = Content(("Id",), 2, "aa")

    assert _compared(report_of(2), content, 2, "aa").ok


@pytest.mark.parametrize(
    ("reported", "in_file", "in_org", "sha256"),
    [(1, 2, 2, "aa"), (2, 1, 2, "aa"), (2, 2, 1, "aa"), (2, 2, 2, "bb")],
    ids=["report", "file", "org", "content"],
)
def test_any_difference_is_not(reported: int, in_file: int, in_org: int, sha256: str) -> None:
    content = Content(("Id",), in_file, "aa")

    check = _compared(report_of(reported), content, in_org, sha256)

    assert not check.ok


def test_one_wrong_check_is_enough() -> None:
    good = _compared(report_of(2), Content(("Id",), 2, "aa"), 2, "aa")
    report = DemoReport((), 1.0, 0, 0, 0, {}, {}, {}, (good, good))

    assert report.ok
    assert not replace(report, checks=(good, replace(good, ok=False))).ok


@pytest.mark.parametrize(("ok", "code", "mark"), [(True, 0, "ok"), (False, 1, "WRONG")])
def test_the_exit_code_tells_whether_all_is_proven(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    ok: bool,
    code: int,
    mark: str,
) -> None:
    checks = (Check("the files", ok=True, found="fine"), Check("the rest", ok=ok, found="so so"))
    logins = {"jwt-bearer": ("initial", "rejected")}
    report = DemoReport((report_of(2),), 0.5, 3, 4, 2**20, {"X": 1}, logins, {"cut": 2}, checks)
    monkeypatch.setattr(demo, "_run", lambda *_, **__: report)

    assert run(["demo"]) == code

    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{mark:<5} the rest: so so"
    assert "rows      2 in 0.5 s: 4 a second, 1.0 MiB" in lines
    assert "logins    2: jwt-bearer (initial, rejected)" in lines
    assert "retries   1 x X" in lines


def test_the_trouble_is_three_outages_two_cuts_and_one_revocation() -> None:
    assert trouble.planned() == {"outage": 3, "cut": 2, "revocation": 1}


def test_every_piece_of_trouble_meets_a_page_of_its_own() -> None:
    pages = [rule["match"]["nth"] for rule in trouble.rules()]

    assert len(set(pages)) == len(pages) == 6
