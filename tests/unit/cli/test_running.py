"""Signals end a command in order; logs go to stderr without secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from sfconnect.cli.running import tell_of_retries
from sfconnect.instrumentation import QuotaSeen, RetryScheduled

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


def test_a_person_is_told_of_retries(capsys: pytest.CaptureFixture[str]) -> None:
    tell_of_retries(RetryScheduled("GET", "/x", "rest", "ConnectError", 1, 1234.0))
    tell_of_retries(QuotaSeen("api-usage", 1, 2))

    assert capsys.readouterr() == ("", "ConnectError; trying again in 1.2 s\n")


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
