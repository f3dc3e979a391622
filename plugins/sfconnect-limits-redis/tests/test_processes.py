"""Several processes: together they stay within the budget, whoever dies, server included."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from sfconnect_limits_redis.times import LASTS_S, TURN_S

BUDGET = 10
LEASE_S = 2.0
LONG_S = 0.012
"""A call's time where the workers' 6,000 calls have to outlast a lease twice, on any machine."""
WORKER = Path(__file__).with_name("worker.py")

pytestmark = pytest.mark.timeout(60)


class Worker:
    """A process of the test's own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def report(self) -> dict[str, Any]:
        """Wait for its end, and what it has to say."""
        async with asyncio.timeout(45):
            said, _ = await self._process.communicate()
        assert self._process.returncode == 0
        found: dict[str, Any] = json.loads(said)
        return found

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


Employ = Callable[..., Any]


@pytest.fixture
async def employ(api: Any) -> AsyncIterator[Employ]:
    """Start workers; those that a test leaves running are killed."""
    hired: list[Worker] = []

    async def start(name: str, url: str, calls: int, **options: object) -> Worker:
        given = {
            "redis_url": url,
            "redis_budget": BUDGET,
            "redis_limit_name": "test",
            "redis_lease_s": LEASE_S,
            "redis_timeout_s": 0.3,
            **options,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(WORKER),
            name,
            api.url,
            str(calls),
            json.dumps(given),
            stdout=asyncio.subprocess.PIPE,
        )
        hired.append(Worker(process))
        return hired[-1]

    yield start
    for worker in hired:
        await worker.kill()


async def test_four_processes_stay_within_one_budget_and_share_it(
    api: Any, employ: Employ, url: str
) -> None:
    workers = [await employ(name, url, 400) for name in "abcd"]

    reports = [await worker.report() for worker in workers]

    assert [report["outcomes"] for report in reports] == [{"done": 400}] * 4
    assert BUDGET - 2 <= api.most <= BUDGET
    # While all four have calls, none has much more than its quarter of them.
    first = {name: api.callers.index(name) for name in "abcd"}
    last = {name: len(api.callers) - api.callers[::-1].index(name) for name in "abcd"}
    together = api.callers[max(first.values()) : min(last.values())]
    if len(together) > 200:
        assert max(map(together.count, "abcd")) < 0.5 * len(together)


async def test_a_budget_smaller_than_the_processes_goes_round(
    api: Any, employ: Employ, url: str
) -> None:
    workers = [await employ(name, url, 5000, redis_budget=2, redis_lease_s=10) for name in "abcd"]

    for name in "abcd":
        await api.until_served(30, name)

    assert api.most == 2
    for worker in workers:
        await worker.kill()


async def test_the_slots_of_a_killed_process_come_back_after_its_lease(
    api: Any, employ: Employ, url: str
) -> None:
    doomed = await employ("doomed", url, 5000)
    await api.until_served(20, "doomed")
    heir = await employ("heir", url, 5000)
    await api.until_served(20, "heir")

    await doomed.kill()
    await asyncio.sleep(0.1)  # its last calls end on the server
    api.most = 0
    # What the dead one held is not used before its lease ends, and is used then.
    await api.until_served(len(api.callers) + 30)
    before = api.most
    async with asyncio.timeout(10):
        while api.most < BUDGET:  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.02)

    assert before < BUDGET
    assert api.most == BUDGET
    await heir.kill()


async def test_a_server_that_is_restarted_and_forgets_changes_nothing(
    api: Any, employ: Employ, serve: Callable[..., Any]
) -> None:
    server = serve()
    workers = [await employ(name, server.url, 1000) for name in "abcd"]
    for name in "abcd":
        await api.until_served(20, name)

    server.stop()
    await asyncio.sleep(0.1)  # shorter than a lease
    server.start()
    reports = [await worker.report() for worker in workers]

    assert [report["outcomes"] for report in reports] == [{"done": 1000}] * 4
    assert [report["lost"] for report in reports] == [[]] * 4
    assert api.most <= BUDGET


async def test_without_a_server_each_goes_on_with_its_part_until_it_is_back(
    api: Any, employ: Employ, serve: Callable[..., Any]
) -> None:
    server = serve()
    api.hold_s = LONG_S
    workers = [await employ(name, server.url, 1500) for name in "abcd"]
    for name in "abcd":
        await api.until_served(20, name)

    server.stop()
    await asyncio.sleep(1.5 * LEASE_S)  # longer than a lease
    assert api.in_flight > 0
    api.callers.clear()
    for name in "abcd":
        await api.until_served(20, name)
    server.start()
    reports = [await worker.report() for worker in workers]

    assert [report["outcomes"] for report in reports] == [{"done": 1500}] * 4
    assert [report["lost"] for report in reports] == [["ConnectionError", None]] * 4
    assert api.most <= BUDGET


async def test_a_server_that_hangs_is_as_good_as_none(
    api: Any, employ: Employ, serve: Callable[..., Any]
) -> None:
    server = serve()
    api.hold_s = LONG_S
    workers = [await employ(name, server.url, 1500) for name in "abcd"]
    for name in "abcd":
        await api.until_served(20, name)

    os.kill(server.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(1.5 * LEASE_S)
        api.callers.clear()
        for name in "abcd":
            await api.until_served(20, name)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    reports = [await worker.report() for worker in workers]

    assert [report["outcomes"] for report in reports] == [{"done": 1500}] * 4
    assert [report["lost"] for report in reports] == [["TimeoutError", None]] * 4
    assert api.most <= BUDGET


async def test_without_a_server_calls_fail_where_they_are_told_to(
    api: Any, employ: Employ, serve: Callable[..., Any]
) -> None:
    server = serve()
    worker = await employ("a", server.url, 5000, redis_on_outage="fail")
    await api.until_served(50, "a")

    server.stop()
    report = await worker.report()

    assert set(report["outcomes"]) == {"done", "PoolError"}
    assert sum(report["outcomes"].values()) == 5000
    assert report["lost"] == ["ConnectionError"]


async def test_a_process_that_was_frozen_beyond_its_lease_uses_nothing_of_what_it_had(
    api: Any, employ: Employ, url: str
) -> None:
    frozen = await employ("frozen", url, 20_000)
    await api.until_served(20, "frozen")
    others = [await employ(name, url, 20_000) for name in "ab"]
    for name in "ab":
        await api.until_served(20, name)

    frozen.signal(signal.SIGSTOP)
    await asyncio.sleep(0.1)  # what it had sent ends on the server
    api.most = 0
    async with asyncio.timeout(10):
        while api.most < BUDGET:  # noqa: ASYNC110  # the others have its slots by now
            await asyncio.sleep(0.02)
    await asyncio.sleep(LEASE_S)
    served = api.shares["frozen"]
    frozen.signal(signal.SIGCONT)
    await api.until_served(served + 100, "frozen")

    # It may have stood still in the moment between taking a slot and sending one call.
    assert api.most <= BUDGET + 1
    for worker in (frozen, *others):
        await worker.kill()


async def test_a_server_whose_data_is_flushed_again_and_again_changes_nothing(
    api: Any, employ: Employ, serve: Callable[..., Any]
) -> None:
    server = serve()
    workers = [await employ(name, server.url, 20_000) for name in "abcd"]
    for name in "abcd":
        await api.until_served(20, name)
    redis: Any = Redis.from_url(server.url)

    for _ in range(10):
        await redis.flushall()
        await asyncio.sleep(0.3)
    newcomer = await employ("new", server.url, 20_000)
    await redis.flushall()
    await api.until_served(50, "new")

    assert api.most <= BUDGET
    await redis.aclose()
    for worker in (*workers, newcomer):
        await worker.kill()


# A rate

RATE = 80.0
MOST = RATE * (1 + LASTS_S) + 1
"""In any second: the rate, and what may be as late as a time lasts."""


async def test_four_processes_keep_to_one_rate_and_share_it(
    api: Any, employ: Employ, url: str
) -> None:
    workers = [await employ(name, url, 100, redis_max_per_second=RATE) for name in "abcd"]

    reports = [await worker.report() for worker in workers]

    assert [report["outcomes"] for report in reports] == [{"done": 100}] * 4
    assert api.most_in_a_second <= MOST
    first = {name: api.callers.index(name) for name in "abcd"}
    last = {name: len(api.callers) - api.callers[::-1].index(name) for name in "abcd"}
    together = slice(max(first.values()), min(last.values()))
    counts = [api.callers[together].count(name) for name in "abcd"]
    if sum(counts) > 150:
        took = api.times[together][-1] - api.times[together][0]
        assert sum(counts) > 0.8 * RATE * took  # nothing of it is lost
        assert max(counts) < 2 * min(counts)


async def test_a_process_that_is_killed_or_frozen_leaves_its_part_of_the_rate_to_the_others(
    api: Any, employ: Employ, url: str
) -> None:
    options: dict[str, Any] = {"redis_max_per_second": RATE, "redis_budget": 60}
    doomed, frozen, free = [await employ(name, url, 2000, **options) for name in ("x", "y", "z")]
    for name in ("x", "y", "z"):
        await api.until_served(20, name)

    await doomed.kill()
    frozen.signal(signal.SIGSTOP)
    await asyncio.sleep(0.5)
    began, calls = time.time(), len(api.times)
    await asyncio.sleep(1.5)
    alone = len(api.times) - calls
    rate_alone = alone / (time.time() - began)
    frozen.signal(signal.SIGCONT)
    await api.until_served(api.shares["y"] + 30, "y")

    assert rate_alone > 0.8 * RATE
    assert api.most_in_a_second <= MOST
    for worker in (frozen, free):
        await worker.kill()


async def test_a_server_that_forgets_hardly_gives_a_time_twice(
    api: Any, employ: Employ, url: str, redis: Any
) -> None:
    options: dict[str, Any] = {"redis_max_per_second": RATE, "redis_budget": 60}
    workers = [await employ(name, url, 2000, **options) for name in "abc"]
    for name in "abc":
        await api.until_served(20, name)

    for _ in range(5):
        await asyncio.sleep(0.4)
        async for key in redis.scan_iter("sfconnect:limit:*:rate"):
            await redis.delete(key)
    await asyncio.sleep(1.0)

    # What each has in hand counts for itself at once, and for the others once it has asked.
    assert api.most_in_a_second <= MOST + 2 * RATE * TURN_S
    for worker in workers:
        await worker.kill()
