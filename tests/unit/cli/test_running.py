"""Signals end a command in order; logs go to stderr without secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from sfconnect.cli.common import Common
from sfconnect.cli.running import RetryTeller, own_hooks
from sfconnect.instrumentation import QuotaSeen, RetryScheduled, StructlogHook

TOKEN = "00Dxx0000000001!AQ4AQFz.secret_token_text"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=15,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, "Terminated"), (signal.SIGINT, "Interrupted")]
)
def test_a_signal_lets_the_work_put_things_in_order(number: signal.Signals, error: str) -> None:
    done = python(
        "import asyncio, os, signal\n"
        "from sfconnect.cli.common import Common\n"
        "from sfconnect.cli.running import run_async\n"
        "async def work():\n"
        "    try:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        "        await asyncio.sleep(0)\n"
        "        print('in order')\n"
        "try: run_async(Common(), work)\n"
        "except BaseException as error: print(type(error).__name__)"
    )

    assert done.stdout.split("\n")[:2] == ["in order", error]


WORK = (
    "import asyncio, os, signal\n"
    "from sfconnect.cli import running\n"
    "from sfconnect.cli.common import Common\n"
    "interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
    "{setting}\n"
    "async def work():\n"
    "    try:\n"
    "        interrupt()\n"
    "        await asyncio.sleep(60)\n"
    "    finally:\n"
    "        for _ in range(3):\n"
    "            interrupt()\n"
    "            await asyncio.sleep(0.01)\n"
    "        print('in order')\n"
    "try: running.run_async(Common(), work)\n"
    "except BaseException as error: print(type(error).__name__)\n"
    "interrupt()\n"
    "print('end')"
)


def test_ctrl_c_pressed_twice_lets_the_work_put_things_in_order_too() -> None:
    done = python(WORK.format(setting=""))

    assert (done.stdout.split(), done.stderr) == (["in", "order", "Interrupted", "end"], "")


def test_whoever_insists_does_not_wait_for_that() -> None:
    done = python(WORK.format(setting="running._PATIENCE_S = 0.0"))

    assert (done.stdout.split(), done.stderr) == (["Interrupted", "end"], "")


def test_a_result_is_given_back() -> None:
    done = python(
        "from sfconnect.cli.common import Common\n"
        "from sfconnect.cli.running import run_async\n"
        "async def work(): return 7\n"
        "print(run_async(Common(), work))"
    )

    assert done.stdout == "7\n"


def retry(attempt: int, wait_ms: float, reason: str = "ConnectError") -> RetryScheduled:
    message = f"No connection to 127.0.0.1:9: refused.\n {TOKEN}"
    return RetryScheduled("GET", "/x", "rest", reason, attempt, wait_ms, message=message)


def test_a_person_is_told_of_each_retry(capsys: pytest.CaptureFixture[str]) -> None:
    teller = RetryTeller(each=True)

    for event in (retry(1, 250.0), retry(2, 1234.0), QuotaSeen("api-usage", 1, 2)):
        teller(event)

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "No connection to 127.0.0.1:9: refused. [redacted]; trying again in 0.2 s (attempt 2)",
        "ConnectError; trying again in 1.2 s (attempt 3)",
    ]


def test_a_pipe_is_told_once_of_a_cause_that_is_waited_for_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    teller = RetryTeller(each=False)

    for event in (retry(1, 250.0), retry(2, 1234.0), retry(3, 2000.0), retry(1, 1500.0, "503")):
        teller(event)

    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("; ")[2] for line in lines] == [
        "trying again in 1.2 s (attempt 3)",
        "trying again in 1.5 s (attempt 2)",
    ]


@pytest.mark.parametrize("each", [True, False])
def test_with_json_logs_that_line_is_json_too(
    capsys: pytest.CaptureFixture[str], each: bool
) -> None:
    teller = RetryTeller(each=each, as_json=True)

    for event in (retry(1, 250.0), retry(2, 1234.0)):
        teller(event)

    assert json.loads(capsys.readouterr().err) == {
        "event": "retry.scheduled",
        "level": "warning",
        "message": "No connection to 127.0.0.1:9: refused. [redacted]; "
        "trying again in 1.2 s (attempt 3)",
    }


def test_an_event_without_a_message_is_told_by_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    RetryTeller(each=True)(RetryScheduled("GET", "/x", "rest", "503", 1, 500.0))

    assert capsys.readouterr().err == "503; trying again in 0.5 s (attempt 2)\n"


@pytest.mark.parametrize(
    ("level", "hook"),
    [
        (None, RetryTeller),
        ("error", RetryTeller),
        ("warning", StructlogHook),
        ("debug", StructlogHook),
    ],
)
def test_where_the_log_tells_of_retries_nobody_else_does(level: str | None, hook: type) -> None:
    (own,) = own_hooks(Common(log_level=level))

    assert type(own) is hook


LOG = (
    "import logging, structlog, warnings\n"
    "from sfconnect.cli.common import Common\n"
    "from sfconnect.cli.logs import start_logging\n"
    "start_logging(Common({options}))\n"
    "structlog.get_logger('sfconnect').warning('retry.scheduled', wait_ms=5)\n"
    f"structlog.get_logger('sfconnect').error('odd', client_secret='hush', text='{TOKEN}')\n"
    "logging.getLogger('aiohttp').error('from %s', 'outside')\n"
    "warnings.warn('take care', stacklevel=1)"
)


def test_logs_are_redacted_and_go_to_stderr() -> None:
    done = python(LOG.format(options=""))

    assert done.stdout == ""
    assert "odd" in done.stderr
    assert "from outside" in done.stderr
    assert "hush" not in done.stderr
    assert TOKEN not in done.stderr


def test_the_level_says_what_is_logged() -> None:
    quiet = python(LOG.format(options=""))
    loud = python(LOG.format(options="log_level='warning'"))

    assert "retry.scheduled" not in quiet.stderr
    assert "retry.scheduled" in loud.stderr


def test_a_warning_is_one_line_without_the_place_in_the_source() -> None:
    done = python(LOG.format(options=""))

    assert "Warning: take care" in done.stderr.splitlines()


def test_json_logs_are_one_object_per_line() -> None:
    done = python(LOG.format(options="log_json=True"))

    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("odd", "error"),
        ("from outside", "error"),
    ]
