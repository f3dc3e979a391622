"""What asking twice for late reads does to the slowest of them, and what it costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from benchmarks.clients import PATH
from benchmarks.static_server import static_server
from sfconnect import AccessToken, ConnectionPool, RetryPolicy, Salesforce
from sfconnect.policy import HedgePolicy

USUAL_MS = 10
SLOW_MS = 300
SLOW_EVERY = 50
IN_FLIGHT = 16
POLICIES = {
    "off": None,
    "after 40 ms": HedgePolicy(after_s=0.04),
    "after the 95th percentile": HedgePolicy(percentile=0.95, after_s=0.02),
    "after 40 ms, at most 1 %": HedgePolicy(after_s=0.04, share=0.01),
}


@dataclass(frozen=True, slots=True)
class Tail:
    """How long the reads of one run took, and how many requests they were."""

    hedge: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float
    requests_per_read: float
    connections: int


async def measure(*, reads: int) -> list[Tail]:
    """Read with each policy from a server of its own that is slow now and then."""
    tails = []
    for name, policy in POLICIES.items():
        with static_server(delay_ms=USUAL_MS, slow_every=SLOW_EVERY, slow_ms=SLOW_MS) as url:
            tails.append(await _tail(name, policy, url, reads))
    return tails


async def _tail(name: str, policy: HedgePolicy | None, url: str, reads: int) -> Tail:
    auth = AccessToken(instance_url=url, access_token="x")
    times: list[float] = []
    async with (
        ConnectionPool() as pool,
        Salesforce.connect(auth, transport=pool, retry=RetryPolicy(hedge=policy)) as sf,
    ):

        async def read_some() -> None:
            for _ in range(reads // IN_FLIGHT):
                started = time.perf_counter()
                await sf.request("GET", PATH)
                times.append((time.perf_counter() - started) * 1000)

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(read_some())
        stats = sf.stats()
        connections = pool.stats().connections_opened
    times.sort()
    return Tail(
        name,
        times[len(times) * 50 // 100],
        times[len(times) * 95 // 100],
        times[len(times) * 99 // 100],
        times[-1],
        stats.attempts / stats.calls,
        connections,
    )
