"""The command against an org in a process of its own: in this process, or as users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfconnect.cli.app import run
from sfconnect_emulator.emulator import Announcement
from sfconnect_emulator.process import launch

ROWS = {"Account": 2500, "Contact": 4500, "Everything__c": 100}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on stderr; fails the test if there are more or none."""
        (line,) = self.err.splitlines()
        return line


Command = Callable[..., Done]


@pytest.fixture(scope="session")
def shared_org() -> Iterator[Announcement]:
    with launch(*(f"--rows={name}={count}" for name, count in ROWS.items())) as server:
        yield server.announcement


@pytest.fixture
def org(shared_org: Announcement) -> Iterator[Announcement]:
    """The org, without the trouble that a test before made."""
    yield shared_org
    control(shared_org, "reset", {})


def control(org: Announcement, operation: str, body: object) -> None:
    """Pull a string behind the stage."""
    request = urllib.request.Request(
        f"{org.control_url}/{operation}", json.dumps(body).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture
def environ(org: Announcement, tmp_path: Path) -> dict[str, str]:
    """An environment that logs in by client credentials, with no profiles of anybody's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SFCONNECT")}
    return own | {
        "SFCONNECT_AUTH": "client-credentials",
        "SFCONNECT_LOGIN_URL": org.login_url,
        "SFCONNECT_CLIENT_ID": org.client_id,
        "SFCONNECT_CLIENT_SECRET": org.client_secret,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }


@pytest.fixture
def command(environ: dict[str, str], tmp_path: Path) -> Command:
    """Start the command as users do: in a process of its own."""

    def start(*arguments: str, **changes: str | None) -> Done:
        """Run it; changes of the environment are keywords, None takes a variable out."""
        kept = {name: value for name, value in environ.items() if name not in changes}
        added = {name: value for name, value in changes.items() if value is not None}
        done = subprocess.run(
            [sys.executable, "-m", "sfconnect.cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=19,
            cwd=tmp_path,
            env=kept | added,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return start


@pytest.fixture
def here(
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Command:
    """Run the command in this process, which is quicker and can be measured."""
    for name in [name for name in os.environ if name.startswith("SFCONNECT")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def start(*arguments: str) -> Done:
        code = run(arguments)
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return start
