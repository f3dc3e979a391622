"""The page about failing logins shows what the doctor prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfconnect.cli.doctor.steps import OF_AN_ORG
from sfconnect_emulator.emulator import Announcement
from sfconnect_emulator.process import launch

PAGE = (Path(__file__).parents[2] / "docs/how-to/find-out-why-a-login-fails.md").read_text("utf-8")
SHOWN = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
#: What is another at each run.
VARYING = (
    (r"127\.0\.0\.1:\d+", "HOST"),
    (r"(?:[0-9A-F]{2}:\s*)+[0-9A-F]{2}", "FINGERPRINT"),
    (r"\d{4}-\d\d-\d\d", "DATE"),
    (r"[0-9a-f]{32}", "REQUEST"),
    (r"'prod' in \S+sfconnect.toml", "'prod' in FILE"),
    (r"\d,\d{3},\d{3} of", "LEFT of"),
)


def settled(text: str) -> str:
    """The text without what varies; where lines fold depends on that, so they are joined."""
    joined = " ".join(text.split())
    for pattern, stand_in in VARYING:
        joined = re.sub(pattern, stand_in, joined)
    return joined


@pytest.fixture(scope="module")
def org() -> Iterator[Announcement]:
    with launch("--seed", "7") as server:
        yield server.announcement


def sfconnect(folder: Path, *arguments: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SFCONNECT")}
    done = subprocess.run(
        [sys.executable, "-m", "sfconnect.cli", *arguments],
        cwd=folder,
        env=own | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def change_app(org: Announcement, **policies: object) -> None:
    url = f"{org.control_url}/apps/{org.client_id}"
    request = urllib.request.Request(url, json.dumps(policies).encode(), method="PATCH")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_the_page_shows_what_the_doctor_prints(org: Announcement, tmp_path: Path) -> None:
    sfconnect(tmp_path, "auth", "keygen")
    change_app(org, certificate=(tmp_path / "server.crt").read_text())
    profile = {
        "auth": "jwt-bearer",
        "login_url": org.login_url,
        "client_id": org.client_id,
        "username": org.username,
        "private_key_file": "server.key",
        "certificate_file": "server.crt",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in profile.items()]
    (tmp_path / "sfconnect.toml").write_text("\n".join(["[profiles.prod]", *lines]))
    command = ("auth", "doctor", "--profile", "prod")

    asleep = sfconnect(tmp_path, *command)
    change_app(org, approved_users=[])
    refused = sfconnect(tmp_path, *command, "--login")
    change_app(org, approved_users=None)
    healthy = sfconnect(tmp_path, *command, "--login")

    shown = [settled(text) for text in SHOWN]
    assert settled(asleep) == shown[0]
    assert settled(refused) == shown[1]
    assert settled(healthy).endswith(shown[2])
    assert all(len(line) <= 80 for text in SHOWN for line in text.splitlines())


def test_the_page_has_a_row_for_every_check() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)

    assert rows == ["options", *(step.name for step in OF_AN_ORG)]
