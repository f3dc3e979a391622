"""``sfconnect extract``: files, the table at the end, and what happens when it does not go well."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sfconnect_emulator.emulator import Announcement
from tests.emulated.cli.conftest import ROWS, Command, control


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_several_objects_become_files_and_a_table(here: Command, tmp_path: Path) -> None:
    done = here("extract", "Account", "contact", "--to", "out", "--format", "parquet")

    assert (done.code, done.err) == (0, "")
    header, account, contact = (line.split() for line in done.out.splitlines())
    assert header == ["object", "rows", "bytes", "seconds", "calls", "retries"]
    assert account[:2] == ["Account", f"{ROWS['Account']:,}"]
    assert contact[:2] == ["Contact", f"{ROWS['Contact']:,}"]
    assert contact[4:] == ["4", "0"]  # describe, and three pages
    assert names(tmp_path / "out") == ["Account.parquet", "Contact.parquet"]
    assert pq.read_metadata(tmp_path / "out" / "Contact.parquet").num_rows == ROWS["Contact"]


def test_the_summary_is_json_on_demand(here: Command, tmp_path: Path) -> None:
    done = here("extract", "Account", "--to", "out", "--json", "--fields", "Id,Name")

    (account,) = json.loads(done.out)["objects"]
    assert account["rows"] == ROWS["Account"]
    assert account["error"] is None
    assert account["bytes"] == Path(account["path"]).stat().st_size
    line = (tmp_path / "out" / "Account.jsonl").read_text().split("\n")[0]
    assert list(json.loads(line)) == ["Id", "Name"]


def test_a_log_tells_how_far_each_object_is(here: Command) -> None:
    done = here("extract", "Contact", "--to", "out", "--log-json", "--log-level", "debug")

    lines = [json.loads(line) for line in done.err.splitlines()]
    moves = [line for line in lines if line["event"] == "job.advanced"]
    assert [move["state"] for move in moves] == ["started", *["advanced"] * 3, "finished"]
    assert {move["job"] for move in moves} == {"extract Contact"}
    assert moves[-1]["done"] == moves[-1]["total"] == ROWS["Contact"]


def test_a_condition_chooses_rows(here: Command, tmp_path: Path) -> None:
    done = here("extract", "Account", "--to", ".", "--where", "Name = 'nobody'", "--format", "csv")

    assert done.code == 0
    assert (tmp_path / "Account.csv").read_text().count("\n") == 1


def test_retries_of_each_object_are_in_the_table(here: Command, org: Announcement) -> None:
    trouble = {"type": "respond", "status": 503}
    control(org, "faults", [{"match": {"path": "/query/", "nth": 1}, "action": trouble}])

    done = here("extract", "Account", "Contact", "--to", "out", "--json")

    objects = json.loads(done.out)["objects"]
    assert sum(one["retries"] for one in objects) == 1
    assert sum(one["calls"] for one in objects) == 2 + 2 + 3 + 1


def test_what_can_be_read_is_kept_when_another_object_fails(
    here: Command, org: Announcement, tmp_path: Path
) -> None:
    """Exit code 4, a line for the object that failed, and no file of it."""
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "not for you"}]
    action = {"type": "respond", "status": 403, "json": refusal}
    match = {"path": "/query", "query": "FROM%20Contact"}
    control(org, "faults", [{"match": match, "action": action}])

    done = here("extract", "Account", "Contact", "--to", "out")

    assert done.code == 4
    assert done.error.startswith("Error: Contact: not for you")
    assert names(tmp_path / "out") == ["Account.jsonl"]


def test_an_object_that_fails_for_good_says_how_often_it_was_tried(
    here: Command, org: Announcement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFCONNECT_MAX_ATTEMPTS", "2")
    action = {"type": "respond", "status": 503}
    control(org, "faults", [{"match": {"path": "/query"}, "action": action}])

    done = here("extract", "Account", "--to", "out")

    error, history = done.err.splitlines()
    assert error.startswith("Error: Account: ")
    assert history.startswith("Tried 2 times within ")
    assert history.endswith("not tried again: the policy allows 2 attempts.")


def test_nothing_done_is_not_partly_done(here: Command, org: Announcement, tmp_path: Path) -> None:
    action = {"type": "respond", "status": 400, "json": [{"errorCode": "X", "message": "no"}]}
    control(org, "faults", [{"match": {"path": "/query"}, "action": action}])

    done = here("extract", "Account", "--to", "out")

    assert done.code == 1
    assert done.error.startswith("Error: Account: no (X, ")
    assert names(tmp_path / "out") == []


def test_a_query_that_the_org_forgot_is_read_again(
    here: Command, org: Announcement, tmp_path: Path
) -> None:
    gone = [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}]
    action = {"type": "respond", "status": 400, "json": gone}
    control(org, "faults", [{"match": {"path": "/query/", "nth": 1}, "action": action}])

    done = here("extract", "Account", "--to", "out", "--json")

    (account,) = json.loads(done.out)["objects"]
    assert (done.code, account["restarts"], account["rows"]) == (0, 1, ROWS["Account"])


def test_a_failure_keeps_the_files_from_before(
    here: Command, org: Announcement, tmp_path: Path
) -> None:
    assert here("extract", "Account", "--to", "out", "--fields", "Id").code == 0
    before = (tmp_path / "out" / "Account.jsonl").read_bytes()
    action = {"type": "respond", "status": 400, "json": [{"errorCode": "X", "message": "no"}]}
    control(org, "faults", [{"match": {"path": "/query/"}, "action": action}])

    assert here("extract", "Account", "--to", "out").code == 1

    assert (tmp_path / "out" / "Account.jsonl").read_bytes() == before
    assert names(tmp_path / "out") == ["Account.jsonl"]


def test_a_second_extract_replaces_the_first(here: Command, tmp_path: Path) -> None:
    for fields in ("Id", "Id,Name"):
        assert here("extract", "Account", "--to", "out", "--fields", fields).code == 0

    line = (tmp_path / "out" / "Account.jsonl").read_text().split("\n")[0]
    assert list(json.loads(line)) == ["Id", "Name"]
    assert names(tmp_path / "out") == ["Account.jsonl"]


def test_a_login_that_fails_writes_nothing(
    command: Command, org: Announcement, tmp_path: Path
) -> None:
    done = command("extract", "Account", "--to", "out", SFCONNECT_CLIENT_SECRET="wrong")

    assert done.code == 3
    assert done.error.startswith("Error: ")
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_in_the_middle_leaves_whole_files_or_none(
    org: Announcement, environ: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    late = {"type": "delay", "delay_ms": 60_000}
    control(org, "faults", [{"match": {"path": "/query/"}, "action": late}])
    out = tmp_path / "out"
    extract = ["extract", "Everything__c", "Contact", "--to", str(out), "--format", "parquet"]
    with subprocess.Popen(
        [sys.executable, "-m", "sfconnect.cli", *extract],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        wait_until(lambda: out.exists() and "Everything__c.parquet" in names(out))
        wait_until(lambda: any(name.endswith(".part") for name in names(out)))
        process.send_signal(number)
        shown, errors = process.communicate(timeout=10)

    assert process.returncode == 128 + number
    assert errors.splitlines() == [f"Error: {'Interrupted' if number == 2 else 'Terminated'}."]
    assert shown == ""
    assert names(out) == ["Everything__c.parquet"]
    assert pq.read_metadata(out / "Everything__c.parquet").num_rows == ROWS["Everything__c"]


def wait_until(true: object, limit_s: float = 15) -> None:
    """Wait for another process, which has no event to tell us by."""
    deadline = time.monotonic() + limit_s
    while not true():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_disk_that_takes_no_more_is_one_line(
    org: Announcement, environ: dict[str, str], tmp_path: Path
) -> None:
    """A limit on the size of files is the nearest thing to a full disk that needs no rights."""
    script = (
        "import resource, sys, sfconnect.cli\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "sys.exit(sfconnect.cli.main())"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, "extract", "Contact", "--to", "out"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environ,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Error: Contact: File too large."]
    assert names(tmp_path / "out") == []


def test_a_terminal_sees_progress(environ: dict[str, str], tmp_path: Path) -> None:
    """Bars go to stderr while rows come; the table on stdout is what is left."""
    main, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "sfconnect.cli", "extract", "Contact", "--to", "out"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)

    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read_all(main))
    assert f"{ROWS['Contact']}/{ROWS['Contact']} rows" in shown
    assert done.stdout.split()[:2] == ["object", "rows"]


def read_all(descriptor: int) -> str:
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError:  # how Linux tells that the other end of a terminal is closed
        pass
    finally:
        os.close(descriptor)
    return b"".join(parts).decode()
