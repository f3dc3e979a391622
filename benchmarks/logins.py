"""How often the client logs in when a token dies under many callers, by the emulator's count."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from benchmarks.login_processes import PROCESSES, crew
from sfconnect import ClientCredentials, Salesforce

CALLERS = 500
SPREAD_S = 0.5
COMMAND = str(Path(sys.executable).with_name("sfconnect-emulator"))


@dataclass(frozen=True, slots=True)
class Logins:
    """Logins that the org counted while so many callers made one call each."""

    situation: str
    callers: int
    logins: int


@dataclass(frozen=True, slots=True)
class Org:
    """A running emulator."""

    facts: dict[str, Any]
    http: aiohttp.ClientSession

    def auth(self) -> ClientCredentials:
        """The login that the org accepts."""
        names = ("login_url", "client_id", "client_secret")
        return ClientCredentials(**{name: self.facts[name] for name in names})

    async def control(self, method: str, operation: str, body: object = None) -> Any:
        """Ask the emulator's control API."""
        url = f"{self.facts['control_url']}/{operation}"
        async with self.http.request(method, url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def logins(self) -> int:
        """Tokens issued since the last reset."""
        return sum((await self.control("GET", "stats"))["logins"].values())


@asynccontextmanager
async def emulated_org() -> AsyncIterator[Org]:
    """Run the emulator as a process, as a user would."""
    arguments = ("serve", "--host", "127.0.0.1", "--port", "0", "--rows", "Account=10")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(COMMAND, *arguments, stdout=pipe)
    try:
        assert process.stdout is not None
        facts = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession() as http:
            yield Org(facts, http)
    finally:
        process.terminate()
        await process.wait()


async def measure() -> list[Logins]:
    """Cold starts, and revoked tokens met at once or over half a second; then by processes."""
    async with emulated_org() as org:
        return [*await _in_one_process(org), *await _in_several_processes(org)]


async def _in_one_process(org: Org) -> list[Logins]:
    async with Salesforce.connect(org.auth(), max_connections=CALLERS) as client:
        call = client.limits

        async def at_once() -> None:
            await client.gather([call() for _ in range(CALLERS)], concurrency=CALLERS)

        async def spread() -> None:
            # Every answer takes as long as it takes to send all requests, so that all of
            # them carry the dead token and their refusals come in over the same time.
            await org.control("POST", "latency", {"ms": SPREAD_S * 1000})
            async with asyncio.TaskGroup() as group:
                for number in range(CALLERS):
                    group.create_task(_later(number * SPREAD_S / CALLERS, call))

        return [
            await _count(org, "cold start", at_once),
            await _count(org, "token revoked, all call at once", at_once, revoke=True),
            await _count(org, "token revoked, refusals spread over 0.5 s", spread, revoke=True),
        ]


async def _in_several_processes(org: Org) -> list[Logins]:
    """Four processes with one store of tokens in files; last with a token for one use."""
    names = ("login_url", "client_id")
    client = {name: org.facts[name] for name in (*names, "client_secret")}
    refresh = {name: org.facts[name] for name in (*names, "refresh_token")}
    rotate = {"rotate_refresh_tokens": True}
    await org.control("PATCH", f"apps/{org.facts['client_id']}", rotate)
    with TemporaryDirectory() as folder:
        async with crew(client, Path(folder), CALLERS) as processes:
            cold = await _count(org, f"{PROCESSES} processes, cold start", processes.call)
        async with crew(refresh, Path(folder), CALLERS) as processes:
            await processes.call()
            situation = f"{PROCESSES} processes, token revoked, rotating refresh token"
            revoked = await _count(org, situation, processes.call, revoke=True)
    return [cold, revoked]


async def _later(seconds: float, call: Callable[[], Awaitable[object]]) -> None:
    await asyncio.sleep(seconds)
    await call()


async def _count(
    org: Org, situation: str, work: Callable[[], Awaitable[None]], *, revoke: bool = False
) -> Logins:
    await org.control("POST", "reset")
    if revoke:
        await org.control("POST", "tokens/revoke")
    await work()
    return Logins(situation, CALLERS, await org.logins())
