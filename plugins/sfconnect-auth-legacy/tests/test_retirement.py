"""Whoever uses a flow that ends is told when: once in a process, at the line that uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from sfconnect_auth_legacy import SoapLogin, UsernamePassword
URL = "https://acme.my.salesforce.com"
for _ in range(3):
    made = {made}
"""
FLOWS = {
    "UsernamePassword(URL, 'an-id', 'ada@example.com', 'canary')": "20 February 2027",
    "SoapLogin(URL, 'ada@example.com', 'canary')": "Summer '27",
}


@pytest.mark.parametrize(("made", "date"), FLOWS.items(), ids=["oauth", "soap"])
def test_the_date_is_told_once_at_the_callers_line(tmp_path: Path, made: str, date: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(made=made))

    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True
    )

    assert done.stderr.count("RetirementWarning") == 1
    assert f"{program}:6: RetirementWarning: Salesforce's " in done.stderr
    assert date in done.stderr
    assert "canary" not in done.stderr.replace(made, "")
