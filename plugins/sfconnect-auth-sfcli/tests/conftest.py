"""What the tests share: one event loop, and a Salesforce CLI that says what a test wants."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """#!{python} -SE
import json, os, subprocess, sys, time
home = {home!r}
words = [word for word in sys.argv[1:] if not word.startswith("--")]
with open(home + "/calls", "a") as calls:
    print(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ)}}), file=calls)
with open(home + "/script.json") as script:
    plan = json.load(script)
step = plan.get("org display" if "display" in words else "show-access-token", {{}})
if step.get("child"):
    child = subprocess.Popen([sys.executable, "-SEc", "import time; time.sleep(60)"])
    with open(home + "/child", "w") as file:
        file.write(str(child.pid))
with open(home + "/pid.new", "w") as file:
    file.write(str(os.getpid()))
os.rename(home + "/pid.new", home + "/pid")
time.sleep(step.get("sleep_s", 0))
sys.stderr.write(step.get("stderr", ""))
sys.stdout.write(step.get("stdout", ""))
sys.exit(step.get("code", 0))
"""

REDACTED = "[REDACTED] Use 'sf org auth show-access-token' to view"
TOKEN = "00D000000000001!canary.token_of_the_cli"
DISPLAYED = {
    "id": "00D000000000001EAA",
    "instanceUrl": "https://acme.my.salesforce.com",
    "username": "ada@example.com",
    "apiVersion": "68.0",
    "connectedStatus": "Connected",
    "accessToken": REDACTED,
}


@dataclass(frozen=True)
class FakeCli:
    """A real executable; what it prints is told by a file beside it."""

    home: Path

    @property
    def command(self) -> str:
        return str(self.home / "sf")

    def says(self, command: str, **step: Any) -> None:
        """Decide what a command does: stdout, stderr, code, sleep_s, child."""
        file = self.home / "script.json"
        plan = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**plan, command: step}))

    def answers(self, command: str, result: object) -> None:
        """Let a command succeed."""
        self.says(command, stdout=json.dumps({"status": 0, "result": result, "warnings": []}))

    def displays(self, **members: object) -> None:
        """Let `org display` succeed; members differ from, or with None lack in, the usual ones."""
        shown = {**DISPLAYED, **members}
        self.answers("org display", {k: v for k, v in shown.items() if v is not None})

    def refuses(self, command: str, name: str, message: str, code: int = 1) -> None:
        """Let a command fail as the CLI does."""
        body = {"status": code, "name": name, "message": message, "exitCode": code, "stack": "…"}
        self.says(command, stdout=json.dumps(body), code=code)

    def is_broken(self) -> None:
        """Let it name an interpreter that does not exist."""
        (self.home / "sf").write_text("#!/nowhere/at/all\n")

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Arguments and environment of each call."""
        file = self.home / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def argv(self) -> list[list[str]]:
        """Arguments of each call."""
        return [call["argv"] for call in self.calls]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def cli(tmp_path: Path) -> FakeCli:
    """A CLI of today that is logged in: it hides tokens, and shows them when asked to."""
    made = FakeCli(tmp_path)
    script = tmp_path / "sf"
    script.write_text(SCRIPT.format(python=sys.executable, home=str(tmp_path)))
    script.chmod(0o755)
    made.displays()
    made.answers("show-access-token", {"accessToken": TOKEN})
    return made
