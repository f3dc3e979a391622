"""Pool, streams, cancelled work and a soak once more, on the loop that `sfconnect[speed]` has."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOAK = "test_soak.py::test_nothing_is_lost_or_doubled_whatever_the_network_does[1-tls]"
AGAIN = (
    "test_pool.py",
    "test_reuse.py",
    "test_streams.py",
    "test_cancellation.py",
    "test_cancelled_work.py",
    "test_cancelled_waits.py",
)


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for it")
@pytest.mark.timeout(120)
def test_what_holds_on_the_loop_of_asyncio_holds_on_uvloop_too() -> None:
    """In a process of its own, since a run of pytest has one loop for all async fixtures."""
    asked = f"{Path(__file__).name}::{test_the_loop_is_the_one_that_was_asked_for.__name__}"
    tests = [str(HERE / name) for name in (*AGAIN, SOAK, asked)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=HERE.parents[1],
        env={**os.environ, "SFCONNECT_TEST_LOOP": "uvloop", "SFCONNECT_SOAK": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-5000:]
    assert " passed" in run.stdout


async def test_the_loop_is_the_one_that_was_asked_for() -> None:
    asked = os.environ.get("SFCONNECT_TEST_LOOP", "asyncio")

    assert type(asyncio.get_running_loop()).__module__.partition(".")[0] == asked
