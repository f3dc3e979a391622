"""The adaptive limiter and an org whose capacity changes: real sockets, time by a test's clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from heapq import heappop
from typing import Any

import pytest

from sfconnect import ClientCredentials, Salesforce
from sfconnect.errors import ThrottledError
from sfconnect.instrumentation import Event, RequestFinished
from sfconnect.limits import AdaptiveLimiter, FixedLimiter
from sfconnect.policy import NO_RETRY, RetryPolicy
from sfconnect.testing import FakeClock
from sfconnect_emulator import Emulator
from sfconnect_emulator.capacity import Capacity, Overload
from sfconnect_emulator.clock import Clock

SERVICE_S = 0.1


class Waves(FakeClock):
    """A clock that wakes those of one moment together, and lets them run once, not one by one."""

    async def advance(self, seconds: float) -> None:
        target = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            self._monotonic = self._sleepers[0][0]
            while self._sleepers and self._sleepers[0][0] == self._monotonic:
                _, _, future = heappop(self._sleepers)
                if not future.done():
                    future.set_result(None)
            await self.settle()
        self._monotonic = target


class OrgClock(Clock):
    """The org's clock, whose answers take their time by that of the test."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


@dataclass
class Load:
    """Callers without end, each with one call at a time, and what became of their calls."""

    org: Emulator
    clock: FakeClock
    limiter: Any
    answered: int = 0
    refused: int = 0
    failed: int = 0
    waited_s: float = 0.0
    """Of those answered, from the moment in which they were sent."""

    async def call(self, sf: Salesforce) -> None:
        while True:
            try:
                await sf.request("GET", "limits")
            except ThrottledError:
                self.failed += 1
                await self.clock.sleep(SERVICE_S)

    def note(self, event: Event) -> None:
        """Count an attempt by how it ended."""
        if isinstance(event, RequestFinished) and event.status == 200:
            self.answered += 1
            self.waited_s += event.elapsed_ms / 1000
        elif isinstance(event, RequestFinished) and event.status == 403:
            self.refused += 1

    async def run(self, seconds: float) -> None:
        """Let so much time pass by the clock, however long that takes."""
        for _ in range(round(seconds / SERVICE_S)):
            # What is on its way over sockets no clock can see: it comes to the org first.
            while self.org.control.statistics()["in_flight"] != self.limiter.in_flight:
                await self.clock.settle()
            await self.clock.advance(SERVICE_S)


@asynccontextmanager
async def load(
    limiter: Any, clock: FakeClock, callers: int, retry: RetryPolicy = NO_RETRY
) -> AsyncIterator[Load]:
    async with Emulator(seed=7, clock=OrgClock(clock)) as org:
        auth = ClientCredentials(
            login_url=org.login_url, client_id=org.client_id, client_secret=org.client_secret
        )
        made = Load(org, clock, limiter)
        options: dict[str, Any] = {
            "limiter": limiter,
            "retry": retry,
            "max_connections": callers,
        }
        async with Salesforce.connect(auth, clock=clock, hooks=[made.note], **options) as sf:
            await sf.request("GET", "limits")
            org.control.set_latency(SERVICE_S * 1000)
            tasks = [asyncio.ensure_future(made.call(sf)) for _ in range(callers)]
            await clock.settle()
            yield made
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # The org answers those who have gone, too; until it has, its tasks wait on the clock.
        org.control.set_capacity(Capacity())
        while org.control.statistics()["in_flight"]:
            await clock.advance(SERVICE_S)


PHASES = ((8, 4.0), (32, 7.0), (8, 4.0))


@pytest.mark.parametrize(
    ("over", "least", "most"),
    [(Overload.QUEUE, 1.0, 2.3), (Overload.REFUSE, 0.7, 1.25)],
    ids=["it queues", "it refuses"],
)
async def test_it_finds_a_capacity_that_rises_and_falls(
    over: Overload, least: float, most: float
) -> None:
    """Where an org lets calls queue, a limit somewhat above its capacity does no harm."""
    clock = Waves()
    limiter = AdaptiveLimiter(maximum=70, clock=clock)

    async with load(limiter, clock, callers=70) as made:
        for capacity, seconds in PHASES:
            made.org.control.set_capacity(Capacity(capacity, over))
            await made.run(seconds)
            before = made.answered
            await made.run(1.0)

            assert least * capacity <= limiter.limit <= most * capacity
            assert made.answered - before >= 0.7 * capacity / SERVICE_S
    assert limiter.in_flight == 0


@pytest.mark.timeout(90)  # three runs of a thousand requests and more
async def test_it_beats_a_limit_that_is_too_low_and_one_that_is_too_high() -> None:
    """Counted within the same seconds, with the usual retries: answers, refusals, failed calls.

    A refusal costs the org as much as an answer. Where refusing costs nothing, a limit that is too
    high loses no throughput by it, but has the refusals and the failed calls all the same.
    """
    done: dict[str, Load] = {}
    for name in ("low", "adaptive", "high"):
        clock, retry = Waves(), RetryPolicy(random=random.Random(7).random)
        limiters = {
            "low": FixedLimiter(3),
            "adaptive": AdaptiveLimiter(maximum=40, clock=clock),
            "high": FixedLimiter(40),
        }
        async with load(limiters[name], clock, callers=40, retry=retry) as made:
            for capacity, seconds in ((8, 3.0), (24, 6.0), (8, 3.0)):
                made.org.control.set_capacity(Capacity(capacity, Overload.REFUSE))
                await made.run(seconds)
        done[name] = made

    low, adaptive, high = done["low"], done["adaptive"], done["high"]
    assert adaptive.answered > 2 * low.answered
    assert adaptive.answered > 1.2 * high.answered
    assert adaptive.refused < 0.25 * high.refused
    assert adaptive.failed < 0.01 * adaptive.answered
    assert high.failed > adaptive.answered / 2


async def test_where_calls_queue_it_keeps_the_line_short_and_loses_nothing_by_that() -> None:
    answered, waited_s = {}, {}
    for name in ("adaptive", "high"):
        clock = Waves()
        adaptive = AdaptiveLimiter(maximum=40, clock=clock)
        async with load(adaptive if name == "adaptive" else FixedLimiter(40), clock, 40) as made:
            made.org.control.set_capacity(Capacity(8))
            await made.run(3.0)
            made.answered, made.waited_s = 0, 0.0
            await made.run(4.0)
        answered[name], waited_s[name] = made.answered, made.waited_s / made.answered

    assert answered["adaptive"] >= 0.95 * answered["high"]
    assert waited_s["adaptive"] < 0.6 * waited_s["high"]
