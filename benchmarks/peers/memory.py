"""Memory over very many calls of one fan-out that reads them from an async generator.

The process is started by :func:`measure`, and prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clients import PATH, salesforce
from benchmarks.static_server import static_server
from sfconnect import Call, Salesforce

ROOT = Path(__file__).parents[2]
IN_FLIGHT = 64
SAMPLES = 50


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory along the way, in MiB.

    ``samples`` are pairs of calls that were done and memory at that moment.
    """

    calls: int
    seconds: float
    idle_mib: float
    peak_mib: float
    samples: tuple[tuple[int, float], ...]

    def at(self, share: float) -> float:
        """Memory once this share of the calls was done."""
        return next(mib for done, mib in self.samples if done >= share * self.calls)


def measure(calls: int) -> Memory:
    """Make so many calls in a new process, of a server in another."""
    with static_server() as url:
        command = [sys.executable, "-m", __name__, url, str(calls)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    facts = json.loads(done.stdout)
    return Memory(**{**facts, "samples": tuple(map(tuple, facts["samples"]))})


async def _work(url: str, calls: int) -> dict[str, Any]:
    samples = []
    async with salesforce(url, connections=IN_FLIGHT) as client:
        await client.request("GET", PATH)
        idle, started, done = resident_mib(), time.perf_counter(), 0
        each = max(calls // SAMPLES, 1)
        async with client.fan_out(_endless(client, calls), concurrency=IN_FLIGHT) as outcomes:
            async for outcome in outcomes:
                outcome.unwrap()
                done += 1
                if done % each == 0:
                    samples.append((done, resident_mib()))
        seconds = time.perf_counter() - started
    return {
        "calls": done,
        "seconds": seconds,
        "idle_mib": idle,
        "peak_mib": peak_mib(),
        "samples": samples,
    }


async def _endless(client: Salesforce, calls: int) -> AsyncIterator[Call[Any]]:
    for _ in range(calls):
        yield client.request("GET", PATH)


def resident_mib() -> float:
    """Memory of this process that is in use now; its peak where the system tells only that."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak_mib()
    return pages * resource.getpagesize() / 2**20


def peak_mib() -> float:
    """The most that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_work(sys.argv[1], int(sys.argv[2])))))
