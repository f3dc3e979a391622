"""So many calls a second: evenly, in order, and nothing used up by who left."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.errors import ConfigurationError
from sfconnect.limits import AdaptiveLimiter, FixedLimiter, PacedLimiter, Pacer, innermost, told_by
from sfconnect.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def passing(pacer: Pacer, clock: FakeClock, number: int, passed: list[tuple[int, float]]):
    if not pacer.try_pass():
        await pacer.wait()
    passed.append((number, round(clock.monotonic() - 1_000.0, 3)))


async def test_calls_pass_evenly_and_in_the_order_of_coming(clock):
    pacer = Pacer(4, clock=clock)
    passed: list[tuple[int, float]] = []

    tasks = [asyncio.create_task(passing(pacer, clock, n, passed)) for n in range(5)]
    await clock.advance(10)
    await asyncio.gather(*tasks)

    assert passed == [(0, 0.0), (1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)]


async def test_a_pause_saves_nothing_up(clock):
    pacer = Pacer(10, clock=clock)
    passed: list[tuple[int, float]] = []
    await clock.advance(60)

    tasks = [asyncio.create_task(passing(pacer, clock, n, passed)) for n in range(10)]
    await clock.advance(0.5)

    assert len(passed) <= 6
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("leaves", [0, 1, 2])
async def test_who_leaves_uses_up_nothing(clock, leaves):
    pacer = Pacer(1, clock=clock)
    passed: list[tuple[int, float]] = []
    assert pacer.try_pass()
    tasks = [asyncio.create_task(passing(pacer, clock, n, passed)) for n in range(3)]
    await clock.settle()

    tasks[leaves].cancel()
    await clock.advance(10)
    await asyncio.gather(*tasks, return_exceptions=True)

    assert [at for _, at in passed] == [1.0, 2.0]
    assert [number for number, _ in passed] == [n for n in range(3) if n != leaves]
    assert pacer.waiting == 0


async def test_a_wall_clock_that_is_set_changes_nothing(clock):
    pacer = Pacer(1, clock=clock)
    assert pacer.try_pass()

    clock.shift_wall(3600)

    assert not pacer.try_pass()


async def test_a_high_rate_is_reached_although_timers_are_late(clock):
    pacer, passed = Pacer(1000, clock=clock), 0

    for _ in range(100):
        await clock.advance(0.005)  # as late as a busy loop
        while pacer.try_pass():
            passed += 1

    assert 490 <= passed <= 510


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ConfigurationError, match="rate"):
        Pacer(rate)


async def test_a_slot_is_had_before_the_time_and_given_back_by_who_leaves(clock):
    inner = FixedLimiter(2)
    limiter = PacedLimiter(inner, Pacer(1, clock=clock))
    assert limiter.try_acquire("rest")
    assert not limiter.try_acquire("rest")
    assert inner.in_flight == 1
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await clock.settle()
    with_slot = inner.in_flight

    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)

    assert (with_slot, inner.in_flight) == (2, 1)


async def test_slots_and_rate_bound_together(clock):
    inner = FixedLimiter(1)
    limiter = PacedLimiter(inner, Pacer(1, clock=clock))
    await limiter.acquire("rest")
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await clock.advance(5)
    before = waiter.done()

    limiter.release("rest", 5.0, None)
    await waiter

    assert (before, inner.in_flight) == (False, 1)
    assert innermost(limiter) is inner


def test_what_a_service_says_of_long_calls_reaches_the_limiter_behind(clock):
    inner = AdaptiveLimiter()

    PacedLimiter(inner, Pacer(1, clock=clock)).note_long_limit(5)
    PacedLimiter(FixedLimiter(1), Pacer(1, clock=clock)).note_long_limit(5)

    assert inner.long_limit == 5


async def test_those_that_wait_for_their_time_are_told_through_all_layers(clock):
    paced = PacedLimiter(AdaptiveLimiter(), Pacer(1, clock=clock))
    limiter = PacedLimiter(paced, Pacer(1_000, clock=clock))
    assert paced.try_acquire("rest")
    tasks = [asyncio.create_task(paced.acquire("rest")) for _ in range(3)]
    await clock.settle()

    assert paced.paced == 3
    assert told_by(limiter, "paced") == 0  # the outer one's own
    assert told_by(limiter, "in_flight") == 4
    assert told_by(limiter, "share_stats") is None

    await clock.advance(3)
    await asyncio.gather(*tasks)
    assert paced.paced == 0
