"""The fixed limiter: a cap, and a bounded line before it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sfconnect.errors import ConfigurationError, ConnectError, PoolTimeout, TooManyRequests
from sfconnect.limits import FixedLimiter, has_use_for


async def in_line(limiter: FixedLimiter, count: int):
    tasks = [asyncio.create_task(limiter.acquire("rest")) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_all_lanes_share_one_cap():
    limiter = FixedLimiter(2)

    assert limiter.try_acquire("rest")
    await limiter.acquire("bulk")

    assert not limiter.try_acquire("query")
    assert (limiter.limit, limiter.in_flight, limiter.waiting) == (2, 2, 0)


@pytest.mark.parametrize("error", [None, ConnectError("x")])
async def test_a_slot_passes_to_the_first_in_line_however_the_call_ended(error):
    limiter = FixedLimiter(1)
    await limiter.acquire("rest")
    first, second = await in_line(limiter, 2)

    limiter.release("rest", 0.5, error)
    await first

    assert (limiter.in_flight, limiter.waiting) == (1, 1)
    limiter.release("rest", 0.0, None)
    await second


async def test_cancelling_in_line_loses_no_slot():
    limiter = FixedLimiter(1)
    await limiter.acquire("rest")
    first, second = await in_line(limiter, 2)

    first.cancel()
    limiter.release("rest", 0.0, None)

    await second
    assert limiter.in_flight == 1


async def test_a_full_line_refuses():
    limiter = FixedLimiter(1, max_waiting=1)
    await limiter.acquire("rest")
    (waiter,) = await in_line(limiter, 1)

    with pytest.raises(TooManyRequests, match="max_waiting") as caught:
        await limiter.acquire("rest")

    assert caught.value.request_sent is False
    limiter.release("rest", 0.0, None)
    await waiter


async def test_waiting_too_long_is_an_error():
    limiter = FixedLimiter(1, wait_s=0.001)
    await limiter.acquire("rest")

    with pytest.raises(PoolTimeout, match=r"0\.001 s"):
        await limiter.acquire("rest")

    assert limiter.waiting == 0


@pytest.mark.parametrize("limit", [0, -5])
def test_a_cap_that_lets_nobody_through_is_refused(limit):
    with pytest.raises(ConfigurationError):
        FixedLimiter(limit)


async def test_a_cap_can_be_lifted_and_lowered_to_nothing():
    limiter = FixedLimiter(1)
    assert limiter.try_acquire("rest")
    limiter.resize(0)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)

    limiter.release("rest", 0.1, None)
    await asyncio.sleep(0)
    assert (limiter.in_flight, limiter.waiting) == (0, 1)

    limiter.resize(2)
    await waiter
    assert (limiter.limit, limiter.in_flight) == (2, 1)


async def test_who_waits_can_be_sent_away_and_who_comes_later_waits_again():
    limiter = FixedLimiter(1)
    assert limiter.try_acquire("rest")
    first = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)

    limiter.dismiss(lambda: PoolTimeout("for a while"))
    with pytest.raises(PoolTimeout, match="for a while"):
        await first
    second = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)
    limiter.release("rest", 0.1, None)

    await second
    assert (limiter.in_flight, limiter.waiting) == (1, 0)


async def test_more_callers_are_of_use_until_as_many_wait_as_may_be_in_flight():
    limiter = FixedLimiter(2)
    assert has_use_for(limiter, 1)
    assert has_use_for(limiter, 10)  # nobody waits

    assert limiter.try_acquire("rest")
    assert limiter.try_acquire("rest")
    waiting = [asyncio.create_task(limiter.acquire("rest")) for _ in range(2)]
    await asyncio.sleep(0)

    assert has_use_for(limiter, 1)  # others fill the line: one stands in it too
    assert not has_use_for(limiter, 2)
    for _ in range(2):
        limiter.release("rest", 0.0, None)
    await asyncio.gather(*waiting)
    assert has_use_for(limiter, 2)


def test_a_limiter_that_does_not_tell_its_limit_has_use_for_everybody():
    silent: Any = object()

    assert has_use_for(silent, 10_000)
