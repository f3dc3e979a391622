"""Calls per second from a server that takes 50 ms, with many in flight, beside bare aiohttp."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.clients import PATH, Fetch, bare, salesforce
from benchmarks.static_server import static_server
from sfconnect import Salesforce

LATENCY_MS = 50


@dataclass(frozen=True, slots=True)
class Throughput:
    """Calls per second; ``ideal`` is what latency alone would allow."""

    in_flight: int
    bare_per_s: float
    own_per_s: float
    ratios: tuple[float, ...]

    @property
    def ideal_per_s(self) -> float:
        """In flight, divided by the latency."""
        return self.in_flight * 1000 / LATENCY_MS


async def measure(in_flight: int, *, rounds: int, turns: int) -> Throughput:
    """Let both take turns, each with the same number in flight over ``turns`` latencies."""
    with static_server(delay_ms=LATENCY_MS) as url:
        async with (
            bare(url, connections=in_flight) as fetch,
            salesforce(url, connections=in_flight) as client,
        ):
            await _bare(fetch, in_flight, turns=2)
            await _own(client, in_flight, turns=2)
            pairs = [
                (await _bare(fetch, in_flight, turns), await _own(client, in_flight, turns))
                for _ in range(rounds)
            ]
    ratios = tuple(own / base for base, own in pairs)
    return Throughput(
        in_flight, median(base for base, _ in pairs), median(own for _, own in pairs), ratios
    )


async def _bare(fetch: Fetch, in_flight: int, turns: int) -> float:
    """So many tasks, each sending one call after the other: the least that aiohttp needs."""

    async def work() -> None:
        for _ in range(turns):
            await fetch()

    gc.collect()
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())
    return in_flight * turns / (time.perf_counter() - start)


async def _own(client: Salesforce, in_flight: int, turns: int) -> float:
    """One fan-out, as a user would write it."""
    calls = (client.request("GET", PATH) for _ in range(in_flight * turns))
    gc.collect()
    start = time.perf_counter()
    async with client.fan_out(calls, concurrency=in_flight) as outcomes:
        async for outcome in outcomes:
            outcome.unwrap()
    return in_flight * turns / (time.perf_counter() - start)
