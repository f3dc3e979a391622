"""Calls that run long: counted to the second, without a timer for each."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.errors import ConfigurationError, PoolTimeout
from sfconnect.limits import AdaptiveLimiter
from sfconnect.limits.long_calls import LONG_S, LongCalls
from sfconnect.testing import FakeClock


def test_a_call_counts_once_it_has_run_for_twenty_seconds():
    calls = LongCalls()
    calls.begin(100.0)
    calls.begin(110.0)

    assert [calls.under_way(now) for now in (119.0, 121.5, 131.5)] == [0, 1, 2]


def test_calls_that_end_leave_the_count_whether_they_ran_long_or_not():
    calls = LongCalls()
    for began in (100.0, 100.0, 130.0):
        calls.begin(began)
    assert calls.under_way(125.0) == 2

    calls.end(125.0, 25.0)
    calls.end(131.0, 1.0)

    assert [calls.under_way(now) for now in (131.0, 200.0)] == [1, 1]


def test_a_call_whose_time_was_taken_a_moment_after_it_began_is_found():
    calls = LongCalls()
    calls.begin(100.999)

    calls.end(103.0, 1.9)  # it says that it began at 101.1

    assert calls.under_way(200.0) == 0


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 120)), max_size=60))
def test_the_count_is_never_further_off_than_calls_near_the_border(spans):
    calls, spans = LongCalls(), sorted(spans)
    moments = sorted(
        [(began, 0, 0.0) for began, _ in spans] + [(began + took, 1, took) for began, took in spans]
    )
    for now, ends, took in moments:
        if ends:
            calls.end(now, took)
        else:
            calls.begin(now)

        ages = [now - one for one, length in spans if one <= now <= one + length]
        surely, perhaps = (sum(age > LONG_S + by for age in ages) for by in (3, -3))
        ending = sum(now == one + length for one, length in spans)
        assert surely - ending <= calls.under_way(now) <= perhaps
    assert calls.under_way(10_000.0) == 0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_while_as_many_run_long_as_may_nothing_is_begun(clock):
    limiter = AdaptiveLimiter(initial=50, long_limit=5, clock=clock)
    for _ in range(5):
        assert limiter.try_acquire("report")
    await clock.advance(10)
    assert limiter.try_acquire("rest")

    await clock.advance(12)
    refused = limiter.try_acquire("rest")
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await clock.settle()
    waits = not waiter.done()
    limiter.release("report", 22.0, None)
    await waiter

    assert (refused, waits) == (False, True)
    assert limiter.in_flight == 6


async def test_a_line_behind_long_calls_is_served_once_fewer_run_than_may(clock):
    limiter = AdaptiveLimiter(initial=50, long_limit=2, clock=clock)
    for _ in range(3):
        limiter.try_acquire("report")
    await clock.advance(25)
    waiters = [asyncio.create_task(limiter.acquire("rest")) for _ in range(4)]
    await clock.settle()

    limiter.release("report", 25.0, None)
    await clock.settle()
    after_one = sum(waiter.done() for waiter in waiters)
    limiter.release("report", 25.0, None)
    await asyncio.gather(*waiters)

    assert (after_one, limiter.in_flight) == (0, 5)


async def test_a_wait_behind_long_calls_ends_in_time(clock):
    limiter = AdaptiveLimiter(initial=50, long_limit=1, wait_s=0.0, clock=clock)
    limiter.try_acquire("report")
    await clock.advance(30)

    assert not limiter.try_acquire("rest")
    with pytest.raises(PoolTimeout):
        await limiter.acquire("rest")


def test_a_service_tells_how_many_may_run_long_unless_the_program_did():
    told, set_ = AdaptiveLimiter(), AdaptiveLimiter(long_limit=7)

    for limiter in (told, set_):
        limiter.note_long_limit(5)

    assert (AdaptiveLimiter().long_limit, told.long_limit, set_.long_limit) == (25, 5, 7)


def test_a_bound_that_lets_nothing_run_long_is_refused():
    with pytest.raises(ConfigurationError, match="long_limit"):
        AdaptiveLimiter(long_limit=0)
