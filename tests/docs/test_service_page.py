"""The examples for services, jobs and notebooks, in the programs that they are for."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sfconnect import ClientCredentials, Salesforce
from sfconnect_emulator import Emulator
from tests.docs.kernels import kernel

PAGE = Path(__file__).parents[2] / "docs/how-to/use-it-in-a-service.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVICE, JOB, NOTEBOOK = FENCE.findall(PAGE.read_text(encoding="utf-8"))
LOOPS = ["asyncio", "uvloop"]
SLOW_MS = 500
"""Long enough for a signal to come while calls are under way."""

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to listen to"),
    pytest.mark.timeout(60),
]


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 40}, seed=7) as running:
        yield running


@pytest.fixture
def surroundings(org: Emulator) -> dict[str, str]:
    return surroundings_of(org)


def surroundings_of(org: Emulator) -> dict[str, str]:
    return {
        **os.environ,
        "SFCONNECT_AUTH": "client-credentials",
        "SFCONNECT_LOGIN_URL": org.login_url,
        "SFCONNECT_CLIENT_ID": org.client_id,
        "SFCONNECT_CLIENT_SECRET": org.client_secret,
        "PYTHONUNBUFFERED": "1",
    }


def make_slow(org: Emulator, path: str = "/sobjects/Account/") -> None:
    """Let calls of records, or of another path, take their time."""
    action = {"type": "delay", "delay_ms": SLOW_MS}
    org.control.add_faults([{"match": {"path": path}, "action": action}])


async def started(*command: str, cwd: Path, env: dict[str, str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=pipe, stderr=pipe
    )


async def until_slowed(org: Emulator) -> None:
    """Wait until the org works on a call that takes its time."""
    async with asyncio.timeout(20):
        while not org.control.statistics()["faults"]:  # noqa: ASYNC110  # no event announces it
            await asyncio.sleep(0.01)


async def first_account(org: Emulator) -> str:
    auth = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    async with Salesforce.connect(auth) as sf:
        row = await sf.query("SELECT Id FROM Account").first()
    assert row is not None
    return str(row["Id"])


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_request_under_way_is_answered_when_the_service_is_told_to_end(
    org: Emulator, surroundings: dict[str, str], tmp_path: Path, loop: str
) -> None:
    (tmp_path / "service.py").write_text(SERVICE)  # before anything runs
    account_id = await first_account(org)
    make_slow(org)
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", "0", "--loop", loop]
    process = await started(*command, cwd=tmp_path, env=surroundings)
    assert process.stderr is not None
    port = await port_of(process.stderr)

    async with aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{port}/accounts/{account_id}"
        asking = asyncio.create_task(answer_of(client, url))
        await until_slowed(org)
        process.send_signal(signal.SIGTERM)
        status, body = await asking
    log = (await process.stderr.read()).decode()
    await process.wait()

    assert (status, body["id"]) == (200, account_id)
    assert body["name"]
    assert "Application shutdown complete" in log
    assert "Error" not in log
    assert "Traceback" not in log


async def port_of(log: asyncio.StreamReader) -> int:
    """Read uvicorn's log up to the line that names its port."""
    heard = b""
    while line := await log.readline():
        heard += line
        if found := re.search(rb"running on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError(heard.decode())


async def answer_of(client: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, str]]:
    async with client.get(url) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_job_that_is_told_to_end_knows_what_it_has_done(
    org: Emulator, surroundings: dict[str, str], tmp_path: Path, loop: str
) -> None:
    make_slow(org)
    job = JOB if loop == "asyncio" else with_uvloop(JOB)
    process = await started(sys.executable, "-c", job, cwd=tmp_path, env=surroundings)
    await until_slowed(org)

    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()

    assert err == b""
    assert process.returncode == 1
    told = re.fullmatch(rb"told to end: .*draining.*\n(\d+) accounts are done\n", out)
    assert told, out
    written = [each for each in org.control.ledger() if each.action == "updated"]
    assert 0 < len(written) == int(told[1]) < 40


def with_uvloop(job: str) -> str:
    return job.replace("asyncio.run(main())", "import uvloop\nuvloop.run(main())")


async def test_a_job_that_nobody_ends_says_so(
    org: Emulator, surroundings: dict[str, str], tmp_path: Path
) -> None:
    process = await started(sys.executable, "-c", JOB, cwd=tmp_path, env=surroundings)

    out, err = await process.communicate()

    assert (out, err, process.returncode) == (b"40 accounts are done\n", b"", 0)


@pytest.mark.parametrize("rows", [40, 2_500], ids=["its only page", "the first of two pages"])
async def test_a_job_that_is_told_to_end_while_it_queries_ends_in_order(
    tmp_path: Path, rows: int
) -> None:
    async with Emulator(rows={"Account": rows}, seed=7) as org:
        make_slow(org, "/query")
        command = [sys.executable, "-c", JOB]
        process = await started(*command, cwd=tmp_path, env=surroundings_of(org))
        await until_slowed(org)

        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()

        assert (err, process.returncode) == (b"", 1)
        assert out.endswith(b"0 accounts are done\n")
        assert not [each for each in org.control.ledger() if each.action == "updated"]


async def test_cells_of_a_notebook_await(surroundings: dict[str, str], tmp_path: Path) -> None:
    async with kernel(tmp_path, surroundings) as notebook:
        cell = f"{NOTEBOOK}\nimport json\nprint(json.dumps([row['Name'] for row in rows]))"
        printed, error = await notebook.run(cell)

    assert error == ""
    assert len(json.loads(printed)) == 10
