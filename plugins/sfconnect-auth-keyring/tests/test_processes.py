"""Several processes share one keyring, and some of them are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from keyring.backend import KeyringBackend

from sfconnect.testing import FakeTokenServer, answer
from sfconnect_auth_keyring import KeyringStore

Start: TypeAlias = Callable[..., "subprocess.Popen[str]"]

KEY = "0123456789abcdef0123456789abcdef"
COUNT = """
import asyncio
from sfconnect import Secret
from sfconnect.auth import Credentials

async def main():
    for _ in range(5):
        async with store.lock(KEY):
            record = await store.get(KEY)
            number = 0 if record is None else int(record.credentials.access_token.reveal())
            more = Credentials(Secret(str(number + 1)), "https://acme.my.salesforce.com")
            assert await store.compare_and_swap(KEY, record and record.generation, more)

asyncio.run(main())
"""
SWAP = """
import asyncio
from sfconnect import Secret
from sfconnect.auth import Credentials

async def main():
    won = 0
    for generation in [None, 1, 2, 3, 4]:
        mine = Credentials(Secret("x" * 2000), "https://acme.my.salesforce.com")
        won += await store.compare_and_swap(KEY, generation, mine) is not None
        while (record := await store.get(KEY)) is None or record.generation < (generation or 0) + 1:
            await asyncio.sleep(0.01)
    print(won)

asyncio.run(main())
"""
LOG_IN = """
import asyncio, sys
from sfconnect import ConnectionPool, RefreshToken
from sfconnect.auth.manager import CredentialManager

async def main():
    async with ConnectionPool(proxies_from_environment=False) as pool:
        auth = RefreshToken(sys.argv[1], "canary-id", refresh_token="first")
        manager = CredentialManager(auth, send=pool.send, store=store)
        credentials = await manager.get()
        print(credentials.access_token.reveal(), credentials.refresh_token.reveal())
        await manager.aclose()

asyncio.run(main())
"""
HOLD = """
import asyncio

async def main():
    async with store.lock(KEY):
        print("holds", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def start(backend: KeyringBackend, locks: Path) -> Start:
    """Run a program in a process of its own, with a store on the same keyring."""
    variables = {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "KEYRING_PROPERTY_FILE_PATH": vars(backend)["file_path"],
    }
    opening = (
        "from pathlib import Path\n"
        "from sfconnect_auth_keyring import KeyringStore\n"
        f"KEY, store = {KEY!r}, KeyringStore(keyring_lock_dir=Path({str(locks)!r}))\n"
    )

    def start_one(program: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", opening + program, *arguments],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            text=True,
        )

    return start_one


async def outputs(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each of them printed; none may fail."""
    ended = [await asyncio.to_thread(process.communicate) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [out.strip() for out, _ in ended]


async def test_four_processes_count_without_losing_one(start, store) -> None:
    await outputs([start(COUNT) for _ in range(4)])

    record = await store.get(KEY)
    assert record.generation == 20
    assert record.credentials.access_token.reveal() == "20"


async def test_of_processes_that_write_without_a_lock_one_wins_each_time(start, store) -> None:
    won = await outputs([start(SWAP) for _ in range(3)])

    assert sum(map(int, won)) == 5
    assert (await store.get(KEY)).generation == 5


async def test_four_processes_use_a_rotating_refresh_token_once(start, store) -> None:
    async with FakeTokenServer() as server:
        body = {"access_token": "t", "refresh_token": "second", "instance_url": server.url}
        server.script(answer(body))
        server.delay_s = 0.2
        printed = await outputs([start(LOG_IN, server.url) for _ in range(4)])

    assert printed == ["t second"] * 4
    assert [request.form["refresh_token"] for request in server.requests] == ["first"]


async def test_the_lock_of_a_process_that_is_killed_is_free(start, store) -> None:
    holder = start(HOLD)
    assert (await asyncio.to_thread(holder.stdout.readline)) == "holds\n"
    waiter = asyncio.create_task(hold_once(store))
    await asyncio.sleep(0.1)
    assert not waiter.done()

    holder.send_signal(signal.SIGKILL)
    await asyncio.to_thread(holder.communicate)

    async with asyncio.timeout(5):
        await waiter


async def hold_once(store: KeyringStore) -> None:
    async with store.lock(KEY):
        pass
