"""Processes that share a token store: each makes calls when it is told to, by a line on a pipe."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sfconnect import ClientCredentials, RefreshToken, Salesforce
from sfconnect.auth import FileStore

PROCESSES = 4


@dataclass(frozen=True, slots=True)
class Crew:
    """Several running processes."""

    processes: tuple[asyncio.subprocess.Process, ...]

    async def call(self) -> None:
        """Let all of them call at the same moment, and wait for their answers."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(b"call\n")
        await self.hear()

    async def hear(self) -> None:
        """Wait for a line of each."""
        for process in self.processes:
            assert process.stdout is not None
            if not await process.stdout.readline():
                message = "a process has failed"
                raise RuntimeError(message)


@asynccontextmanager
async def crew(login: Mapping[str, str], folder: Path, callers: int) -> AsyncIterator[Crew]:
    """Start processes with one login and one folder for tokens; each stands for some callers."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, str(Path(__file__)))
    started = [
        await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        for _ in range(PROCESSES)
    ]
    facts = {"login": dict(login), "folder": str(folder), "callers": callers // PROCESSES}
    try:
        for process in started:
            assert process.stdin is not None
            process.stdin.write(f"{json.dumps(facts)}\n".encode())
        made = Crew(tuple(started))
        await made.hear()
        yield made
    finally:
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


def _strategy(facts: Mapping[str, str]) -> ClientCredentials | RefreshToken:
    login_url, client_id = facts["login_url"], facts["client_id"]
    if "refresh_token" in facts:
        return RefreshToken(login_url, client_id, facts["refresh_token"])
    return ClientCredentials(login_url, client_id, facts["client_secret"])


async def _work() -> None:
    facts = json.loads(await asyncio.to_thread(sys.stdin.readline))
    callers = facts["callers"]
    auth, store = _strategy(facts["login"]), FileStore(Path(facts["folder"]))
    async with Salesforce.connect(auth, max_connections=callers, store=store) as sf:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while await asyncio.to_thread(sys.stdin.readline):
            await sf.gather([sf.limits() for _ in range(callers)], concurrency=callers)
            sys.stdout.write("called\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_work())
