"""Progress on a terminal, and the table at the end."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from sfconnect.cli.common import Common
from sfconnect.cli.extracting import open_screen, print_report
from sfconnect.errors import ApiError
from sfconnect.etl import ExtractReport, ObjectReport, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_bars_and_lines_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    with open_screen() as screen:
        screen.say("beginning [now]")
        screen.show(Progress("Account", 0, None))
        screen.show(Progress("Account", 3, 7))
        screen.show(Progress("Contact", 7, 7, done=True))

    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "beginning [now]\n" in shown
    assert re.search(r"Account .*3/7 rows", shown)
    assert re.search(r"Contact .*7/7 rows", shown)


def test_elsewhere_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with open_screen() as screen:
        screen.say("beginning")
        screen.show(Progress("Account", 3, 7))

    assert capsys.readouterr() == ("", "")


REPORT = ExtractReport(
    (
        ObjectReport("Account", Path("out/Account.csv"), 7, 1234, 0.256, 3, 1),
        ObjectReport("Contact", Path("out/Contact.csv"), 5, 0, 0.1, 2, 0, 1, ApiError("No.")),
    ),
    0.3,
)


def test_the_table_counts_only_what_is_on_disk(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Common(format="parquet"), REPORT)

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["object", "rows", "bytes", "seconds", "calls", "retries"],
        ["Account", "7", "1,234", "0.26", "3", "1"],
        ["Contact", "0.10", "2", "0"],
    ]


def test_json_tells_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Common(json=True), REPORT)

    account, contact = json.loads(capsys.readouterr().out)["objects"]
    assert (account["path"], account["error"]) == (str(Path("out/Account.csv")), None)
    assert (contact["path"], contact["error"], contact["restarts"]) == (None, "No.", 1)


def test_the_sums_leave_out_what_failed() -> None:
    assert (REPORT.rows, REPORT.bytes) == (7, 1234)
    assert [one.object for one in REPORT.failed] == ["Contact"]
