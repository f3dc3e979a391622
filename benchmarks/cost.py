"""CPU time per call, as a ratio to bare aiohttp, both measured in turns in one run."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.clients import Fetch, bare, ours
from benchmarks.static_server import static_server

WARM_UP = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds per call at one concurrency; medians over rounds, ratio within rounds."""

    concurrency: int
    bare_ms: float
    own_ms: float
    ratios: tuple[float, ...]


async def measure(concurrency: int, *, rounds: int, requests: int) -> Cost:
    """Let both clients take turns on the same server and compare them round by round."""
    with static_server() as url:
        async with bare(url) as first, ours(url) as second:
            await _cpu_ms(first, concurrency, WARM_UP)
            await _cpu_ms(second, concurrency, WARM_UP)
            pairs = [
                (
                    await _cpu_ms(first, concurrency, requests),
                    await _cpu_ms(second, concurrency, requests),
                )
                for _ in range(rounds)
            ]
    bare_ms = median(pair[0] for pair in pairs)
    own_ms = median(pair[1] for pair in pairs)
    return Cost(concurrency, bare_ms, own_ms, tuple(own / base for base, own in pairs))


async def _cpu_ms(fetch: Fetch, concurrency: int, requests: int) -> float:
    """CPU of this process per request; the server's is not in it."""
    share = requests // concurrency

    async def work() -> None:
        for _ in range(share):
            await fetch()

    gc.collect()
    start = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    return (time.process_time() - start) * 1000 / (share * concurrency)
