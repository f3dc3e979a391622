"""``sfconnect query`` when it does not go well: nothing half-written, nothing silently missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sfconnect_emulator.emulator import Announcement
from tests.emulated.cli.conftest import ROWS, Command, control

CONTACTS = "SELECT Id FROM Contact"


def fault(org: Announcement, path: str, nth: int | None, kind: str, **members: Any) -> None:
    match = {"path": path} if nth is None else {"path": path, "nth": nth}
    control(org, "faults", [{"match": match, "action": {"type": kind, **members}}])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_page_with_rows_cut_out_is_a_failure(here: Command, org: Announcement) -> None:
    page = {"totalSize": 4500, "done": True, "records": [{"attributes": {}, "Id": "003"}]}
    fault(org, "/query", 1, "respond", status=200, json=page)

    done = here("query", CONTACTS, "--format", "jsonl")

    assert done.code == 1
    assert "gave 1 rows, and its total is 4500" in done.error


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet", "arrow"])
def test_a_failure_in_the_middle_leaves_no_file(
    here: Command, org: Announcement, tmp_path: Path, file_format: str
) -> None:
    refusal = [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}]
    fault(org, "/query/", 2, "respond", status=400, json=refusal)

    done = here("query", CONTACTS, "--format", file_format, "--to", "rows")

    assert done.code == 1
    assert done.error.startswith("Error: invalid query locator")
    assert files(tmp_path) == []


def test_a_failure_keeps_the_file_from_before(
    here: Command, org: Announcement, tmp_path: Path
) -> None:
    (tmp_path / "rows").write_text("old")
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]
    fault(org, "/query/", 1, "respond", status=403, json=refusal)

    assert here("query", CONTACTS, "--format", "csv", "--to", "rows").code == 1

    assert (tmp_path / "rows").read_text() == "old"


def test_a_cut_connection_costs_a_retry_and_no_row(here: Command, org: Announcement) -> None:
    fault(org, "/query/", 1, "cut", after_bytes=1000)

    done = here("query", CONTACTS, "--format", "csv")

    assert (done.code, done.err) == (0, "")
    assert len(set(done.out.split())) == ROWS["Contact"] + 1


def test_a_revoked_session_is_replaced_without_a_word(here: Command, org: Announcement) -> None:
    fault(org, "/query/", 1, "revoke-tokens")

    done = here("query", CONTACTS, "--json")

    assert (done.code, done.err) == (0, "")
    assert len(json.loads(done.out)) == ROWS["Contact"]


def test_an_unknown_field_in_a_count_has_a_caret_too(here: Command) -> None:
    done = here("query", "SELECT COUNT() FROM Account WHERE Nmae = 'x'")

    first, query, caret = done.err.splitlines()
    assert first.startswith("Error: No such column 'Nmae'")
    assert query[caret.index("^") :].startswith("Nmae")
    assert done.code == 2


def test_columns_that_nobody_knows_beforehand_are_refused_for_csv(here: Command) -> None:
    done = here("query", "SELECT FIELDS(ALL) FROM Account LIMIT 1", "--format", "csv")

    assert done.code == 2
    assert done.error == (
        "Error: FIELDS(…) has no fixed columns. Name the fields, or use --format jsonl."
    )


def test_the_ending_of_the_file_says_how_it_is_written(here: Command, tmp_path: Path) -> None:
    for name in ("two.csv", "two.jsonl", "two.json", "two.parquet"):
        done = here("query", "SELECT Id FROM Account LIMIT 2", "--to", name)
        assert (done.code, done.out, done.err) == (0, "", "")

    ids = pq.read_table(tmp_path / "two.parquet").column("Id").to_pylist()
    assert (tmp_path / "two.csv").read_text().split() == ["Id", *ids]
    lines = (tmp_path / "two.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"Id": one} for one in ids]
    assert json.loads((tmp_path / "two.json").read_text()) == [{"Id": one} for one in ids]


def test_a_file_that_takes_no_more_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    """A limit on the size of files is the nearest thing to a full disk that needs no rights."""
    script = (
        "import resource, sys, sfconnect.cli\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "sys.exit(sfconnect.cli.main())"
    )
    query = ["query", "SELECT FIELDS(STANDARD) FROM Contact", "--to", "all.jsonl"]

    done = subprocess.run(
        [sys.executable, "-c", script, *query],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environ,
    )

    assert (done.returncode, done.stderr) == (1, "Error: File too large: all.jsonl.\n")
    assert files(tmp_path) == []


def test_no_rows_print_nothing_in_a_table_and_an_empty_array_as_json(here: Command) -> None:
    soql = "SELECT Id FROM Account WHERE Name = 'nobody has this name'"

    assert here("query", soql).out == ""
    assert json.loads(here("query", soql, "--json").out) == []
    assert here("query", soql, "--format", "csv").out == "Id\r\n"


def test_children_with_further_pages_are_complete(here: Command) -> None:
    soql = "SELECT Id, (SELECT Id FROM Contacts) FROM Account"

    rows = json.loads(here("query", soql, "--json").out)

    assert len(rows) == ROWS["Account"]
    children = [child["Id"] for row in rows for child in row["Contacts"] or []]
    with_account = here("query", "SELECT COUNT() FROM Contact WHERE AccountId != null")
    assert len(set(children)) == int(with_account.out.split()[1])
