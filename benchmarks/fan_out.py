"""What a call costs when many wait in line for a connection: it should not grow with the line."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.clients import PATH, salesforce
from benchmarks.static_server import static_server
from sfconnect import Salesforce

CONNECTIONS = 100


@dataclass(frozen=True, slots=True)
class Queued:
    """Cost per call with so many calls under way on 100 connections.

    ``made_by`` says who makes them: a fan-out, or tasks of the program's own.

    ``ratios`` are, round by round, against the first number measured in the same round.
    """

    made_by: str
    under_way: int
    cpu_ms: float
    calls_per_s: float
    ratios: tuple[float, ...]


async def measure(
    under_way: list[int], *, calls: int, rounds: int, made_by: str = "fan_out"
) -> list[Queued]:
    """Make the same number of calls with each number under way, in turns."""
    samples: dict[int, list[tuple[float, float]]] = {number: [] for number in under_way}
    make = _fan_out if made_by == "fan_out" else _in_tasks
    with static_server() as url:
        async with salesforce(url, connections=CONNECTIONS) as client:
            await make(client, CONNECTIONS, calls=CONNECTIONS * 5)
            for _ in range(rounds):
                for number in under_way:
                    samples[number].append(await make(client, number, calls=calls))
    base = [cpu for cpu, _ in samples[under_way[0]]]
    return [
        Queued(
            made_by,
            number,
            median(cpu for cpu, _ in pairs),
            median(rate for _, rate in pairs),
            tuple(cpu / first for (cpu, _), first in zip(pairs, base, strict=True)),
        )
        for number, pairs in samples.items()
    ]


async def _fan_out(client: Salesforce, concurrency: int, *, calls: int) -> tuple[float, float]:
    """Send the calls; give CPU milliseconds per call and calls per second."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    requests = (client.request("GET", PATH) for _ in range(calls))
    async with client.fan_out(requests, concurrency=concurrency) as outcomes:
        async for outcome in outcomes:
            outcome.unwrap()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu * 1000 / calls, calls / wall


async def _in_tasks(client: Salesforce, concurrency: int, *, calls: int) -> tuple[float, float]:
    """The same by so many tasks, all but 100 of which really wait in line."""

    async def work() -> None:
        for _ in range(calls // concurrency):
            await client.request("GET", PATH)

    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu * 1000 / calls, calls / wall
