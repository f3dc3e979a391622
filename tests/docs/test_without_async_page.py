"""The examples without async, as a script and in the cells of a notebook."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sfconnect_emulator import Emulator
from tests.docs.kernels import kernel

PAGE = Path(__file__).parents[2] / "docs/how-to/use-it-without-async.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT, OPENING, CLOSING = FENCE.findall(PAGE.read_text(encoding="utf-8"))
COUNT = 'run(sf.query("SELECT COUNT() FROM Account").count())'
ENDLESS = """
import asyncio, pathlib
async def endless():
    pathlib.Path("begun").touch()
    await asyncio.Event().wait()
run(endless())
"""

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 40}, seed=7) as running:
        yield running


@pytest.fixture
def surroundings(org: Emulator) -> dict[str, str]:
    return {
        **os.environ,
        "SFCONNECT_AUTH": "client-credentials",
        "SFCONNECT_LOGIN_URL": org.login_url,
        "SFCONNECT_CLIENT_ID": org.client_id,
        "SFCONNECT_CLIENT_SECRET": org.client_secret,
    }


async def test_a_script_needs_no_async(surroundings: dict[str, str], tmp_path: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, cwd=tmp_path, env=surroundings, stdout=pipe, stderr=pipe
    )

    told, complaints = await process.communicate()

    assert complaints == b""
    assert len(told.splitlines()) == 41
    assert b"Acme" in told.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="a kernel has sockets of files here")
async def test_cells_of_a_notebook_wait_and_may_be_interrupted(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    async with kernel(tmp_path, surroundings) as notebook:
        assert await notebook.run(OPENING) == ("40", "")

        cell = asyncio.create_task(notebook.run(ENDLESS))
        async with asyncio.timeout(20):
            while not (tmp_path / "begun").exists():  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.01)
        await notebook.interrupt()
        _, error = await cell
        assert error == "KeyboardInterrupt"

        assert await notebook.run(COUNT) == ("40", "")
        assert await notebook.run(CLOSING) == ("", "")
        _, error = await notebook.run(COUNT)
        assert error == "PoolClosed"


@pytest.mark.skipif(sys.platform == "win32", reason="a kernel has sockets of files here")
async def test_a_kernel_ends_although_nobody_closed(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    async with kernel(tmp_path, surroundings) as notebook:
        assert await notebook.run(OPENING) == ("40", "")

        assert await notebook.run(OPENING) == ("40", "")  # the first is let go of
        assert await notebook.end() == 0
