"""Calls per second and CPU per call of one client, in a process of its own.

The process is started by :func:`measure` with its task as an argument, and prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clients import Fetch
from benchmarks.peers.clients import BY_NAME, Client

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one client did with so many calls in flight."""

    client: str
    in_flight: int
    calls_per_s: float
    cpu_ms: float


def measure(client: Client, base_url: str, *, seconds: float, **more: Any) -> list[Cell]:
    """Measure a client with each number in flight, in a new process.

    ``more`` may hold ``in_flight`` for other numbers, and ``ca_file``.
    """
    task = {"client": client.name, "base_url": base_url, "seconds": seconds, **more}
    command = [sys.executable, "-m", __name__, json.dumps(task)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return [Cell(**cell) for cell in json.loads(done.stdout)]


async def _cells(task: dict[str, Any]) -> list[dict[str, Any]]:
    client = BY_NAME[task["client"]]
    run = _in_threads if client.threads else _in_tasks
    cells = []
    for number in task.get("in_flight") or client.in_flight:
        opened = client.connect(task["base_url"], connections=number, ca_file=task.get("ca_file"))
        async with opened as fetch:
            await run(fetch, number, 0.0)
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            calls = await run(fetch, number, task["seconds"])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        cells.append(
            {
                "client": client.name,
                "in_flight": number,
                "calls_per_s": calls / wall,
                "cpu_ms": cpu * 1000 / calls,
            }
        )
    return cells


async def _in_tasks(fetch: Fetch, in_flight: int, seconds: float) -> int:
    """Call again and again in so many tasks, each once at least; give the number of calls."""
    end = time.perf_counter() + seconds

    async def work() -> int:
        calls = 0
        while not calls or time.perf_counter() < end:
            await fetch()
            calls += 1
        return calls

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for _ in range(in_flight)]
    return sum(task.result() for task in tasks)


async def _in_threads(fetch: Callable[[], Any], in_flight: int, seconds: float) -> int:
    """The same for a client that blocks; nothing else runs on the loop meanwhile."""
    end = time.perf_counter() + seconds

    def work(_: int) -> int:
        calls = 0
        while not calls or time.perf_counter() < end:
            fetch()
            calls += 1
        return calls

    with ThreadPoolExecutor(in_flight) as threads:
        return sum(threads.map(work, range(in_flight)))


def _main(task: dict[str, Any]) -> None:
    factory = None
    if BY_NAME[task["client"]].uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(_cells(task))))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
