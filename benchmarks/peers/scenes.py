"""What clients do when tokens die under many callers, and when an answer never comes.

One client is put through it in a process of its own, which prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.logins import SPREAD_S, Org, emulated_org
from benchmarks.peers.actors import ACTOR_BY_NAME, Act, Actor

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Scene:
    """How one client came through.

    Attributes:
        cold_logins: Logins at the first calls, all made at once.
        revoked_logins: Logins after the token was revoked under calls spread over half a second.
        failed: How many of those calls raised, by the error's name.
        sends: How often an account was sent to be created, whose connection broke then.
        told: The error's name that the caller got for it.
    """

    client: str
    callers: int
    cold_logins: int
    revoked_logins: int
    failed: dict[str, int]
    sends: int
    told: str


async def play(actor: Actor, *, callers: int | None = None) -> Scene:
    """Put a client through it, against an emulator of its own."""
    async with emulated_org() as org:
        task = {"client": actor.name, "callers": callers or actor.callers, "facts": org.facts}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, json.dumps(task), cwd=ROOT, stdout=-1
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        message = f"{actor.name} did not come through"
        raise RuntimeError(message)
    return Scene(**json.loads(printed))


async def _work(task: dict[str, Any]) -> Scene:
    actor, callers, facts = ACTOR_BY_NAME[task["client"]], task["callers"], task["facts"]
    login = {name: facts[name] for name in ("login_url", "client_id", "client_secret")}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        org = Org(facts, http)
        await org.control("POST", "reset")
        actions = await stack.enter_async_context(actor.connect(login, callers))
        await _call(actions.limits, callers, spread_s=0.0)
        cold = await org.logins()
        await org.control("POST", "reset")
        await org.control("POST", "tokens/revoke")
        # Every answer takes as long as it takes to send all requests, so that all of them carry
        # the dead token and their refusals come in over the same time.
        await org.control("POST", "latency", {"ms": SPREAD_S * 1000})
        failed = await _call(actions.limits, callers, spread_s=SPREAD_S)
        revoked = await org.logins()
    sends, told = await _create(actor)
    return Scene(actor.name, callers, cold, revoked, failed, sends, told)


async def _call(limits: Act, callers: int, *, spread_s: float) -> dict[str, int]:
    """Let so many call; give the names of the errors that they got."""

    async def one(number: int) -> None:
        await asyncio.sleep(number * spread_s / callers)
        await limits()

    ended = await asyncio.gather(*map(one, range(callers)), return_exceptions=True)
    return Counter(type(end).__name__ for end in ended if isinstance(end, BaseException))


async def _create(actor: Actor) -> tuple[int, str]:
    """Create one record on a server that hangs up; give its number of sends, and the error."""
    async with _hanging_up() as (url, sends), actor.connect({"login_url": url}, 1) as actions:
        try:
            await actions.create()
        except Exception as error:  # noqa: BLE001  # whatever a client may raise is shown
            return len(sends), type(error).__name__
    return len(sends), "none"


@asynccontextmanager
async def _hanging_up() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server that reads each request, and closes the connection instead of an answer."""
    heads: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        body = b""
        while b"Acme" not in body and (piece := await reader.read(1000)):
            body += piece
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_work(json.loads(sys.argv[1]))))))
