"""What large answers cost: compressed pages, and bulk results that are streamed.

Each case runs in a process of its own, which prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.certificates import certificate
from benchmarks.clients import bare, ours
from benchmarks.static_server import static_server
from sfconnect.messages import Request
from sfconnect.speed import new_event_loop
from sfconnect.transport import ConnectionPool, Tls

OURS = "new_event_loop"
"""uvloop as :mod:`sfconnect.speed` gives it."""
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Case:
    """One way to read one kind of body; ``piece`` is the size of the pieces of a stream."""

    body: str
    client: str
    loop: str = "asyncio"
    library: str = "isal"
    tls: bool = False
    piece: int = 0


PAGES = (
    Case("page", "bare aiohttp", library="zlib"),
    Case("page", "sfconnect", library="zlib"),
    Case("page", "sfconnect"),
    Case("page", "sfconnect", loop="uvloop"),
)
STREAMS = tuple(
    Case("csv", "sfconnect", loop=loop, tls=tls, piece=piece)
    for tls in (False, True)
    for piece in (2**16, 2**18)
    for loop in ("asyncio", "uvloop", OURS)
)


def measure(*, rounds: int, pages: int, streams: int) -> list[tuple[Case, float]]:
    """Give each case with CPU milliseconds per body; the cases take turns."""
    samples: dict[Case, list[float]] = {}
    with certificate() as (ca_file, cert_file):
        for _ in range(rounds):
            for case in (*PAGES, *STREAMS):
                number = pages if case.body == "page" else streams
                with static_server(
                    body=case.body, cert_file=cert_file if case.tls else None
                ) as url:
                    samples.setdefault(case, []).append(_run(case, url, ca_file, number))
    return [(case, median(each)) for case, each in samples.items()]


def _run(case: Case, url: str, ca_file: str, number: int) -> float:
    task = {**asdict(case), "url": url, "ca_file": ca_file, "number": number}
    command = [sys.executable, "-m", __name__, json.dumps(task)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)


async def _work(task: dict[str, Any]) -> float:
    async with AsyncExitStack() as stack:
        if task["body"] == "page":
            connect = bare if task["client"] == "bare aiohttp" else ours
            read: Callable[[], Awaitable[Any]] = await stack.enter_async_context(
                connect(task["url"])
            )
        else:
            tls = Tls(task["ca_file"]) if task["tls"] else None
            pool = ConnectionPool(tls=tls, proxies_from_environment=False)
            await stack.enter_async_context(pool)

            async def read() -> None:
                await _stream(pool, Request("GET", task["url"] + "/"), task["piece"])

        await read()
        gc.collect()
        started = time.process_time()
        for _ in range(task["number"]):
            await read()
        return (time.process_time() - started) * 1000 / float(task["number"])


async def _stream(pool: ConnectionPool, request: Request, piece: int) -> None:
    async with pool.stream(request) as answer:
        async for _ in answer.iter_bytes(piece):
            pass


def _main(task: dict[str, Any]) -> None:
    if task["library"] == "zlib":
        sys.modules["isal"] = None  # type: ignore[assignment]  # as if it were not installed
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if task["loop"] == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    elif task["loop"] == OURS:
        factory = new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(runner.run(_work(task)))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
