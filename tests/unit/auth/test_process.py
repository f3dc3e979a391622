"""Credentials from a command: what it has to print, and how its failures are told."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from sfconnect._types import Secret
from sfconnect.auth import STRATEGIES, AuthContext, Credentials, resolve
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.process import MAX_BYTES, ProcessCredentials, read_credentials
from sfconnect.auth.store import identity_key
from sfconnect.errors import AuthError, ConfigurationError, CredentialUnavailableError
from sfconnect.testing import FakeClock, ScriptedSender

ACME = "https://acme.my.salesforce.com"
NOW = 1_700_000_000.0
GOOD = {"version": 1, "access_token": "00Dxx!canary", "instance_url": ACME}


@pytest.fixture
def context() -> AuthContext:
    async def no_child(_strategy: object) -> Credentials:
        raise AssertionError("a command needs no other login")

    log = structlog.get_logger()
    return AuthContext(send=ScriptedSender(), child=no_child, log=log, clock=FakeClock(wall=NOW))


def python(code: str, *arguments: str, timeout_s: float = 15.0) -> ProcessCredentials:
    """A strategy whose command is a Python program."""
    return ProcessCredentials((sys.executable, "-SEc", code, *arguments), timeout_s)


def printing(answer: object) -> ProcessCredentials:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return python("import sys; sys.stdout.write(sys.argv[1])", text)


async def test_what_the_command_prints_becomes_credentials(context):
    answer = {**GOOD, "instance_url": ACME + "/", "expires_at": NOW + 600, "org": "acme"}

    credentials = await printing(answer).authenticate(context)

    assert credentials == Credentials(
        Secret("00Dxx!canary"),
        ACME,
        issued_at=NOW,
        expires_at=NOW + 600,
        extra={"org": "acme"},
    )


async def test_the_words_reach_the_command_as_they_are_and_no_shell_reads_them(context):
    code = "import json, sys; print(json.dumps({**json.loads(sys.argv[1]), 'seen': sys.argv[2:]}))"
    words = ["$HOME", "a b", "; echo", "`id`", "*"]

    credentials = await python(code, json.dumps(GOOD), *words).authenticate(context)

    assert credentials.extra["seen"] == words


def test_a_command_line_is_split_as_a_shell_would():
    made = ProcessCredentials("login --org 'acme corp'")

    assert made.command == ("login", "--org", "acme corp")
    assert made == ProcessCredentials(["login", "--org", "acme corp"])  # type: ignore[arg-type]
    assert identity_key(made) == identity_key(ProcessCredentials(("login", "--org", "acme corp")))


def test_other_words_are_another_identity():
    one, other = ProcessCredentials("login a"), ProcessCredentials("login b")

    assert identity_key(one) != identity_key(other)


@pytest.mark.parametrize(
    "options",
    [
        {"command": ""},
        {"command": "  "},
        {"command": ()},
        {"command": ("", "x")},
        {"command": "login 'canary"},
        {"command": (1,)},
        {"command": "login", "timeout_s": 0.0},
        {"command": "login", "timeout_s": float("nan")},
    ],
)
def test_options_that_cannot_work_are_refused_at_once(options: dict[str, Any]):
    with pytest.raises(ConfigurationError) as caught:
        ProcessCredentials(**options)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("expires_at", "seconds"),
    [
        (NOW + 5, NOW + 5),
        ("2023-11-14T22:14:20Z", NOW + 60),
        ("2023-11-14T23:14:20+01:00", NOW + 60),
        (None, None),
    ],
)
def test_the_expiry_is_seconds_or_a_date_with_its_zone(expires_at, seconds):
    output = json.dumps({**GOOD, "expires_at": expires_at}).encode()

    assert read_credentials(output, "login", now=NOW).expires_at == seconds


@pytest.mark.parametrize("expires_at", ["2023-11-14T22:14:20", "soon", True, [], "", 1e999])
def test_an_expiry_that_could_mean_anything_is_refused(expires_at):
    text = json.dumps({**GOOD, "expires_at": expires_at})

    with pytest.raises(AuthError) as caught:
        read_credentials(text.encode(), "login", now=NOW)

    assert caught.value.docs_key == "process-answer"


def test_a_token_that_has_expired_is_not_used():
    output = json.dumps({**GOOD, "expires_at": NOW - 90}).encode()

    with pytest.raises(AuthError, match="expired 90 s ago") as caught:
        read_credentials(output, "login", now=NOW)

    assert caught.value.docs_key == "process-expired"
    assert "clocks" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "no JSON object"),
        ("canary", "no JSON object"),
        ("[1]", "no JSON object"),
        ('{"access_token": "canary"', "no JSON object"),
        ("[" * 5000, "no JSON object"),
        ({}, '"version": 1'),
        ({**GOOD, "version": 2}, '"version": 1'),
        ({**GOOD, "version": True}, '"version": 1'),
        ({**GOOD, "version": "1"}, '"version": 1'),
        ({**GOOD, "access_token": ""}, "'access_token'"),
        ({**GOOD, "access_token": ["canary"]}, "'access_token'"),
        ({**GOOD, "instance_url": None}, "'instance_url'"),
        ({**GOOD, "token_type": 1}, "'token_type'"),
        ({**GOOD, "instance_url": "http://acme.example.com"}, "plain http"),
        ({**GOOD, "instance_url": "https://u:canary@acme.example.com"}, "a user"),
    ],
)
def test_an_answer_that_does_not_meet_the_contract_is_explained_and_not_quoted(answer, problem):
    text = answer if isinstance(answer, str) else json.dumps(answer)

    with pytest.raises(AuthError) as caught:
        read_credentials(text.encode(), "login", now=NOW)

    assert problem in caught.value.message
    assert "version" in (caught.value.hint or "")
    assert "canary" not in str(caught.value)


def test_secrets_among_the_further_members_are_left_out():
    answer = {**GOOD, "client_secret": "s3cr3t", "refresh_token": "5Aep", "user": "ada"}

    credentials = read_credentials(json.dumps(answer).encode(), "login", now=NOW)

    assert dict(credentials.extra) == {"user": "ada"}
    assert credentials.refresh_token is None


async def test_a_command_that_is_not_there_has_no_credentials_to_give(context):
    with pytest.raises(CredentialUnavailableError, match="no-such-command-here") as caught:
        await ProcessCredentials("no-such-command-here --token canary").authenticate(context)

    assert caught.value.hint
    assert "canary" not in str(caught.value)


async def test_a_command_is_found_in_the_home_folder_and_in_the_current_one(
    context, tmp_path: Path, monkeypatch
):
    login = tmp_path / "login"
    login.write_text(f"#!/bin/sh\necho '{json.dumps(GOOD)}'\n")
    login.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    for command in ("~/login", "./login"):
        credentials = await ProcessCredentials((command,)).authenticate(context)
        assert credentials.access_token == Secret("00Dxx!canary")


async def test_a_command_in_nobodys_home_is_not_there(context):
    with pytest.raises(CredentialUnavailableError, match="~nobody-of-that-name/login is not there"):
        await ProcessCredentials(("~nobody-of-that-name/login",)).authenticate(context)


async def test_a_command_that_cannot_be_run_has_no_credentials_to_give(context, tmp_path: Path):
    script = tmp_path / "login"
    script.write_text("#!/nowhere/at/all\n")
    script.chmod(0o755)

    with pytest.raises(CredentialUnavailableError, match="cannot be run"):
        await ProcessCredentials((str(script),)).authenticate(context)


async def test_an_argument_that_no_system_takes_is_an_error_of_its_own(context):
    with pytest.raises(CredentialUnavailableError, match="cannot be run"):
        await python("pass", "a\0b").authenticate(context)


async def test_a_failing_command_is_told_by_its_code_and_its_output_is_not_shown(context):
    code = "import sys; print('canary'); sys.stderr.write('canary'); sys.exit(3)"

    with pytest.raises(AuthError, match="code 3") as caught:
        await python(code).authenticate(context)

    assert caught.value.docs_key == "process-failed"
    assert "canary" not in str(caught.value)
    assert not isinstance(caught.value, CredentialUnavailableError)


async def test_what_it_says_on_stderr_reaches_nobody(context, capfd):
    code = "import sys; sys.stderr.write('canary'); print(sys.argv[1])"

    await python(code, json.dumps(GOOD)).authenticate(context)

    assert "canary" not in "".join(capfd.readouterr())


async def test_it_gets_no_input(context):
    code = "import sys; assert sys.stdin.read() == ''; print(sys.argv[1])"

    credentials = await python(code, json.dumps(GOOD)).authenticate(context)

    assert credentials.instance_url == ACME


async def test_a_command_that_prints_without_end_is_stopped(context):
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"

    with pytest.raises(AuthError, match=f"more than {MAX_BYTES:,} bytes"):
        await python(code).authenticate(context)


#: Writes its own id and that of a child that holds its output open, then waits or ends.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-SEc", "import time; time.sleep(60)"])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def family(tmp_path: Path) -> Callable[..., ProcessCredentials]:
    def make(sleep_s: float, timeout_s: float) -> ProcessCredentials:
        return python(FAMILY, str(tmp_path / "ids"), str(sleep_s), timeout_s=timeout_s)

    return make


async def ids_in(path: Path) -> list[int]:
    while not (words := content_of(path)):  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(0.01)
    return [int(word) for word in words]


def content_of(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def assert_gone(*ids: int) -> None:
    deadline = time.monotonic() + 5
    while alive := [pid for pid in ids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """A zombie that nobody has waited for is dead."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_cancelling_the_login_ends_the_command_and_its_children(context, family, tmp_path):
    login = asyncio.create_task(family(60, timeout_s=60).authenticate(context))
    ids = await ids_in(tmp_path / "ids")

    login.cancel()
    with pytest.raises(asyncio.CancelledError):
        await login

    await assert_gone(*ids)


@pytest.mark.parametrize("sleep_s", [60, 0], ids=["it waits", "its child holds the output open"])
async def test_a_command_that_takes_too_long_is_ended_with_its_children(
    context, family, tmp_path, sleep_s
):
    with pytest.raises(AuthError, match="within 2 s") as caught:
        await family(sleep_s, timeout_s=2.0).authenticate(context)

    assert "timeout_s" in (caught.value.hint or "")
    await assert_gone(*await ids_in(tmp_path / "ids"))


async def test_each_refused_token_runs_the_command_again(tmp_path):
    code = (
        "import json, os, sys\n"
        "open(sys.argv[1], 'a').write('x')\n"
        "answer = json.loads(sys.argv[2])\n"
        "answer['access_token'] += str(os.path.getsize(sys.argv[1]))\n"
        "print(json.dumps(answer))"
    )
    strategy = python(code, str(tmp_path / "runs"), json.dumps(GOOD))
    manager = CredentialManager(strategy, send=ScriptedSender())

    first = await manager.get()
    second = await manager.replace(first)
    await manager.aclose()

    assert [one.access_token.reveal()[-1] for one in (first, second)] == ["1", "2"]


def test_it_is_found_by_its_name_and_takes_a_line_or_a_list(tmp_path):
    profile = tmp_path / "sfconnect.toml"
    profile.write_text('[profiles.p]\nauth = "process"\ncommand = ["login", "a b"]\n')

    environ = {"SFCONNECT_COMMAND": "login 'a b'", "SFCONNECT_TIMEOUT_S": "5"}
    line = resolve("process", environ=environ, cwd=tmp_path, registry=STRATEGIES)
    words = resolve(profile="p", environ={}, cwd=tmp_path, registry=STRATEGIES)

    assert line.strategy == ProcessCredentials(("login", "a b"), 5.0)
    assert words.strategy == ProcessCredentials(("login", "a b"))
