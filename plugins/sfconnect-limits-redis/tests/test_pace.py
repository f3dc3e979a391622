"""A rate that processes share, over a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest

from sfconnect import Connector
from sfconnect.auth import ApiKey
from sfconnect.errors import ConfigurationError, PoolClosed, PoolError
from sfconnect.limits import LimiterContext
from sfconnect_limits_redis import RedisLimiter
from sfconnect_limits_redis.pace import PacedSlots
from sfconnect_limits_redis.times import LASTS_S, LATE_S

BUDGET = 20
NOWHERE = "redis://127.0.0.1:1/0"

pytestmark = pytest.mark.timeout(40)

Open = Callable[..., Any]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    made: list[PacedSlots] = []

    async def opening(url: str, rate: float, **options: Any) -> PacedSlots:
        limiter = RedisLimiter(url, BUDGET, redis_max_per_second=rate, **options)
        limited = await limiter.open(LimiterContext("test"))
        assert isinstance(limited, PacedSlots)
        made.append(limited)
        return limited

    yield opening
    for one in made:
        await one.aclose()


class Callers:
    """Call again and again, and note when."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, name: str, limiter: PacedSlots, tasks: int, hold_s: float = 0.0) -> None:
        for _ in range(tasks):
            self._tasks.append(asyncio.create_task(self._call(name, limiter, hold_s)))

    async def _call(self, name: str, limiter: PacedSlots, hold_s: float) -> None:
        while True:
            if not limiter.try_acquire("rest"):
                await limiter.acquire("rest")
            self.calls.append((time.monotonic(), name))
            await asyncio.sleep(hold_s)
            limiter.release("rest", hold_s, None)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.end()

    @property
    def times(self) -> list[float]:
        return sorted(at for at, _ in self.calls)

    @property
    def by_name(self) -> Counter[str]:
        return Counter(name for _, name in self.calls)


def most_in_a_second(times: list[float]) -> int:
    first, most = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_allowed(rate: float) -> float:
    """In any second: the rate, and what may be as late as a time lasts."""
    return rate * (1 + LASTS_S) + 1


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # of a task that tells nobody
            await asyncio.sleep(0.005)


async def questions(redis: Any) -> int:
    """How often a script was asked."""
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))


async def test_one_process_has_the_whole_rate_evenly_spaced(url: str, opened: Open) -> None:
    limiter, callers = await opened(url, 100.0), Callers()

    callers.begin("a", limiter, 10)
    await callers.run(2.0)

    times = callers.times
    assert 170 <= len(times) <= 2 * most_allowed(100)
    assert most_in_a_second(times) <= most_allowed(100)
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    assert gaps[len(gaps) // 2] == pytest.approx(0.01, abs=0.004)


async def test_three_share_it_evenly_and_one_who_wants_little_need_not_wait_long(
    url: str, opened: Open
) -> None:
    greedy, callers = [await opened(url, 60.0) for _ in range(3)], Callers()
    modest = await opened(url, 60.0)
    for name, limiter in zip("abc", greedy, strict=True):
        callers.begin(name, limiter, 8)
    await asyncio.sleep(0.5)
    waits = []
    for _ in range(6):
        began = time.monotonic()
        await modest.acquire("rest")
        waits.append(time.monotonic() - began)
        modest.release("rest", 0.0, None)
        await asyncio.sleep(0.1)
    await callers.run(1.5)

    assert most_in_a_second(callers.times) <= most_allowed(60)
    assert max(waits) < 1.0
    counts = callers.by_name.values()
    assert max(counts) < 1.7 * min(counts)


async def test_redis_is_asked_far_less_than_there_are_calls(
    url: str, redis: Any, opened: Open
) -> None:
    limiter, callers = await opened(url, 400.0), Callers()
    before = await questions(redis)

    callers.begin("a", limiter, 40)
    await callers.run(1.0)

    assert len(callers.calls) > 200
    assert await questions(redis) - before < len(callers.calls) / 8


async def test_one_call_after_another_need_not_ask_each_time(
    url: str, redis: Any, opened: Open
) -> None:
    limiter, callers = await opened(url, 100.0), Callers()
    before = await questions(redis)

    callers.begin("a", limiter, 1, hold_s=0.015)
    await callers.run(1.5)

    assert len(callers.calls) > 40
    assert await questions(redis) - before < len(callers.calls) / 2


async def test_after_a_rest_no_more_go_at_once_than_may_be_late(url: str, opened: Open) -> None:
    limiter, callers = await opened(url, 100.0), Callers()
    callers.begin("a", limiter, 10)
    await callers.run(0.3)
    callers.calls.clear()
    await asyncio.sleep(0.5)

    callers.begin("a", limiter, 20)
    await callers.run(0.3)

    first = callers.times[0]
    assert sum(at - first < 0.005 for at in callers.times) <= 100 * LATE_S + 2


async def test_times_that_were_slept_through_are_lost(url: str, opened: Open) -> None:
    """A process that stood still does not make up for it: others had the rate meanwhile."""
    limiter, callers = await opened(url, 100.0), Callers()
    callers.begin("a", limiter, 20)
    await asyncio.sleep(0.4)

    blocked_until = time.monotonic() + 0.6
    while time.monotonic() < blocked_until:
        pass
    awake = time.monotonic()
    await callers.run(0.1)

    # What was there when it fell asleep may still be used if it is young enough.
    assert sum(at - awake < 0.02 for at in callers.times if at > awake) <= 100 * LASTS_S + 3
    assert most_in_a_second(callers.times) <= most_allowed(100)


async def test_who_is_cancelled_leaves_its_time_to_the_next(url: str, opened: Open) -> None:
    limiter = await opened(url, 5.0)
    await limiter.acquire("rest")
    began = time.monotonic()
    first = asyncio.create_task(limiter.acquire("rest"))
    second = asyncio.create_task(limiter.acquire("rest"))
    await until(lambda: limiter.paced == 2)
    await asyncio.sleep(0.05)  # its times are there

    first.cancel()
    await asyncio.wait_for(second, 5)

    assert first.cancelled()
    assert time.monotonic() - began < 0.35
    assert limiter.inner.in_flight == 2
    assert limiter.paced == 0


async def test_connections_keep_to_it_and_stats_tell_who_waits(url: str, api: Any) -> None:
    limiter = RedisLimiter(url, BUDGET, redis_max_per_second=50.0)
    login = ApiKey("k", api.url)

    async with (
        Connector.connect(login, base_url=api.url, limiter=limiter) as one,
        Connector.connect(login, base_url=api.url, limiter=limiter) as other,
    ):
        began = time.monotonic()
        calls = asyncio.gather(
            one.gather([one.get("/one") for _ in range(30)]),
            other.gather([other.get("/other") for _ in range(30)]),
        )
        await asyncio.sleep(0.3)
        assert one.stats().paced > 0
        await calls
        took = time.monotonic() - began

    assert took > 60 / most_allowed(50) - LASTS_S - LATE_S


# Servers that are away


async def test_without_a_server_it_goes_on_with_its_part(
    opened: Open, serve: Callable[..., Any]
) -> None:
    server = serve()
    options: dict[str, Any] = {"redis_timeout_s": 0.3, "redis_lease_s": 1.0}
    limiter, _ = (
        await opened(server.url, 80.0, **options),
        await opened(server.url, 80.0, **options),
    )
    await limiter.acquire("rest")  # it has learnt that there are two
    await asyncio.sleep(0.5)
    await limiter.acquire("rest")
    server.stop()
    await until(lambda: limiter.inner.problem)
    for _ in range(2):
        limiter.release("rest", 0.0, None)
    callers = Callers()

    callers.begin("a", limiter, 5)
    await asyncio.sleep(1.5)
    began = time.monotonic()
    await asyncio.sleep(2.0)
    alone = [at for at in callers.times if began <= at < began + 2.0]
    server.start()
    await until(lambda: limiter.inner.problem is None)
    await asyncio.sleep(1.5)
    again = time.monotonic()
    await callers.run(1.0)

    assert 55 <= len(alone) <= 2 * 40 + 8
    assert most_in_a_second(alone) <= most_allowed(40)
    assert len([at for at in callers.times if at >= again]) > 60
    assert most_in_a_second(callers.times) <= most_allowed(80)


async def test_a_server_that_hangs_stops_nobody_for_longer_than_a_time_out(
    opened: Open, serve: Callable[..., Any]
) -> None:
    server = serve()
    options: dict[str, Any] = {"redis_timeout_s": 0.3, "redis_lease_s": 20.0}
    limiter, callers = await opened(server.url, 50.0, **options), Callers()
    callers.begin("a", limiter, 5)
    await asyncio.sleep(0.5)

    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    await asyncio.sleep(3.0)
    os.kill(server.pid, signal.SIGCONT)
    await callers.end()

    gaps = [later - earlier for earlier, later in pairwise([began, *callers.times])]
    assert max(gaps) < 0.3 + 0.5
    assert most_in_a_second(callers.times) <= most_allowed(50)


async def test_who_never_reached_the_server_might_be_one_of_many(opened: Open) -> None:
    limiter, callers = await opened(NOWHERE, 100.0, redis_outage_limit=5), Callers()

    callers.begin("a", limiter, 5)
    await callers.run(2.0)

    assert 1 <= len(callers.calls) <= 2 * (100 / BUDGET) + 2


async def test_a_rate_below_one_is_kept_without_a_server_too(opened: Open) -> None:
    limiter, callers = await opened(NOWHERE, 8.0, redis_outage_limit=5), Callers()

    callers.begin("a", limiter, 5)  # its part is a call in two and a half seconds
    await callers.run(3.2)

    assert len(callers.calls) == 2


async def test_without_a_server_calls_fail_where_they_are_told_to(
    opened: Open, serve: Callable[..., Any]
) -> None:
    server = serve()
    options: dict[str, Any] = {"redis_timeout_s": 0.3, "redis_lease_s": 1.0}
    limiter = await opened(server.url, 0.1, redis_on_outage="fail", **options)
    await limiter.acquire("rest")
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await until(lambda: limiter.paced)
    server.stop()

    other = asyncio.create_task(limiter.acquire("rest"))
    await until(lambda: limiter.inner.problem)

    with pytest.raises(PoolError, match="at Redis"):
        await limiter.acquire("rest")
    for task in (waiter, other):
        task.cancel()
    await asyncio.gather(waiter, other, return_exceptions=True)


async def test_those_who_lack_a_time_are_sent_away_when_calls_are_to_fail(
    opened: Open, serve: Callable[..., Any]
) -> None:
    server = serve()
    options: dict[str, Any] = {"redis_timeout_s": 0.3, "redis_lease_s": 1.0}
    limiter = await opened(server.url, 100.0, redis_on_outage="fail", **options)
    await limiter.acquire("rest")
    os.kill(server.pid, signal.SIGSTOP)
    await asyncio.sleep(LASTS_S + 0.05)
    limiter.release("rest", 0.0, None)  # its slot is there, and its time is not
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await until(lambda: limiter.paced)

    with pytest.raises(PoolError, match="at Redis"):
        await asyncio.wait_for(waiter, 10)
    os.kill(server.pid, signal.SIGCONT)


# Closing


@pytest.mark.parametrize("state", ["well", "frozen", "killed"])
async def test_closing_ends_in_time_and_sends_away_who_waits(
    opened: Open, serve: Callable[..., Any], state: str
) -> None:
    server = serve()
    limiter = await opened(server.url, 0.5, redis_timeout_s=0.3)
    await limiter.acquire("rest")
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await until(lambda: limiter.paced)
    if state == "frozen":
        os.kill(server.pid, signal.SIGSTOP)
    elif state == "killed":
        server.stop()
    began = time.monotonic()

    await limiter.aclose()
    await limiter.aclose()

    assert time.monotonic() - began < 4 * 0.3 + 0.5
    with pytest.raises(PoolClosed):
        await waiter
    with pytest.raises(PoolClosed):
        await limiter.acquire("rest")
    assert not limiter.try_acquire("rest")


async def test_closing_leaves_no_slot_behind(url: str, redis: Any, opened: Open) -> None:
    limiter = await opened(url, 100.0)
    await limiter.acquire("rest")
    limiter.release("rest", 0.0, None)

    await limiter.aclose()

    (left,) = await redis.keys("sfconnect:limit:*")
    assert left.endswith(b":rate")
    assert 0 < await redis.pttl(left) < 15_000


@pytest.mark.parametrize("rate", [0.0, -1.0, 0.0009, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="redis_max_per_second must be"):
        RedisLimiter("redis://host", 5, redis_max_per_second=rate)
