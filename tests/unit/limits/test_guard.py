"""Shares of a quota, the reserve of others, and what happens when it is used up."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from sfconnect.errors import ConfigurationError, ConnectError, QuotaExceededError, ThrottledError
from sfconnect.limits import (
    ENDED_BY_CALLER,
    AdaptiveLimiter,
    FixedLimiter,
    Quota,
    QuotaGuard,
    QuotaShare,
    ShareStats,
    calls_of_share,
)
from sfconnect.limits.guard import RecentCalls
from sfconnect.testing import FakeClock

DAY_S = 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def guard_of(clock):
    def make(used: int | None = 0, maximum: int = 100, **options: Any) -> QuotaGuard:
        guard = QuotaGuard(FixedLimiter(50), QuotaShare(**options), clock=clock)
        if used is not None:
            guard.note_quota([Quota("per-app", 1, 1), Quota("api-usage", used, maximum)])
        return guard

    return make


async def call(guard: QuotaGuard, error: Any = None, elapsed_s: float = 0.1) -> None:
    if not guard.try_acquire("rest"):
        await guard.acquire("rest")
    guard.release("rest", elapsed_s, error)


async def refusal(guard: QuotaGuard) -> QuotaExceededError:
    with pytest.raises(QuotaExceededError) as caught:
        await call(guard)
    return caught.value


def used_up() -> QuotaExceededError:
    error = QuotaExceededError("used up", code="REQUEST_LIMIT_EXCEEDED")
    error.window_s = DAY_S
    return error


async def test_a_share_is_what_it_says_and_the_error_tells_when_there_is_room(guard_of, clock):
    guard = guard_of(name="nightly-etl", share_percent=40)
    for _ in range(40):
        await call(guard)

    error = await refusal(guard)

    assert (error.code, error.request_sent, error.retry_safe) == ("QUOTA_SHARE_SPENT", False, False)
    assert "'nightly-etl' of 40 % is spent" in error.message
    assert DAY_S <= error.resets_at - clock.time() <= DAY_S + 600
    assert error.retry_after == pytest.approx(error.resets_at - clock.time())
    assert pickle.loads(pickle.dumps(error)).resets_at == error.resets_at
    assert guard.used == 40


async def test_a_share_has_room_again_as_its_calls_leave_the_window(guard_of, clock):
    guard = guard_of(share_percent=10)
    for _ in range(5):
        await call(guard)
    await clock.advance(DAY_S / 2)
    for _ in range(5):
        await call(guard)
    await refusal(guard)

    await clock.advance(DAY_S / 2 + 600)
    for _ in range(5):
        await call(guard)

    await refusal(guard)


async def test_calls_that_were_not_sent_are_given_back(guard_of):
    guard = guard_of(share_percent=10)
    for _ in range(50):
        await call(guard, elapsed_s=0.0)

    assert guard.used == 0


async def test_it_may_wait_instead(guard_of, clock):
    guard = guard_of(share_percent=1, wait=True)
    await call(guard)
    waiter = asyncio.create_task(call(guard))
    await clock.advance(DAY_S - 1200)
    before = waiter.done()

    await clock.advance(1800)
    await waiter

    assert (before, guard.used) == (False, 1)


async def test_waiting_can_be_cancelled_and_holds_no_slot(guard_of, clock):
    guard = guard_of(share_percent=1, wait=True)
    await call(guard)
    waiter = asyncio.create_task(call(guard))
    await clock.settle()
    in_flight = guard.inner.in_flight

    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)

    assert (in_flight, guard.inner.in_flight, guard.used) == (0, 0, 1)


async def test_many_that_wait_do_not_overrun_the_share(guard_of, clock):
    guard = guard_of(share_percent=2, wait=True)
    waiters = [asyncio.create_task(call(guard)) for _ in range(6)]
    done = []

    for _ in range(4):
        await clock.settle()
        done.append(sum(waiter.done() for waiter in waiters))
        await clock.advance(DAY_S + 1200)

    assert done == [2, 4, 6, 6]


async def test_what_is_reserved_for_others_is_left_to_them(guard_of, clock):
    guard = guard_of(used=79, reserve_percent=20)
    await call(guard)

    guard.note_quota([Quota("api-usage", 80, 100)])
    await call(guard)  # one sees whether it still is so
    error = await refusal(guard)

    assert error.code == "QUOTA_RESERVE_REACHED"
    assert error.retry_after == pytest.approx(60)
    assert "80 of 100" in error.message
    assert "once a minute" in (error.hint or "")


async def test_a_reserve_is_reached_at_its_very_border(guard_of):
    guard = guard_of(used=3, reserve_percent=97)
    await call(guard)

    assert (await refusal(guard)).code == "QUOTA_RESERVE_REACHED"


@pytest.mark.parametrize(("quota", "stops"), [("api-usage", True), ("DailyBulkV2QueryJobs", False)])
async def test_only_the_end_of_its_own_quota_stops_the_calls(guard_of, quota, stops):
    guard = guard_of(used=None)
    error = used_up()
    error.quota = quota

    await call(guard, error)

    assert guard._watching is stops


async def test_once_a_minute_a_call_sees_whether_there_is_room_again(guard_of, clock):
    guard = guard_of(used=90, reserve_percent=20)
    sent = 0

    for _ in range(30):
        try:
            await call(guard)
            sent += 1
        except QuotaExceededError:
            pass
        await clock.advance(10)
    guard.note_quota([Quota("api-usage", 70, 100)])
    for _ in range(10):
        await call(guard)

    assert sent == 5


async def test_a_quota_that_is_used_up_stops_the_calls_after_it(guard_of, clock):
    guard = guard_of(used=None)
    await call(guard, used_up())

    error = await refusal(guard)

    assert error.code == "QUOTA_USED_UP"
    assert error.retry_after == pytest.approx(60)
    assert error.resets_at == clock.time() + DAY_S


async def test_a_call_that_succeeds_afterwards_lets_all_through(guard_of, clock):
    guard = guard_of(used=None)
    await call(guard, used_up())
    await clock.advance(61)

    await call(guard)
    await call(guard)

    assert not guard._watching


@pytest.mark.parametrize(
    ("elapsed_s", "error"),
    [(0.2, ENDED_BY_CALLER), (0.0, ENDED_BY_CALLER), (0.2, ConnectError("Refused."))],
)
async def test_a_call_that_proves_nothing_lets_none_through(guard_of, clock, elapsed_s, error):
    guard = guard_of(used=None)
    await call(guard, used_up())
    await clock.advance(61)

    await guard.acquire("rest")
    guard.release("rest", elapsed_s, error)

    await refusal(guard)


async def test_a_call_that_is_refused_again_stops_them_for_another_minute(guard_of, clock):
    guard = guard_of(used=None)
    await call(guard, used_up())
    await clock.advance(61)
    await call(guard, used_up())

    await clock.advance(59)

    await refusal(guard)


@pytest.mark.parametrize("error", [QuotaExceededError("storage"), ThrottledError("busy"), None])
async def test_other_refusals_stop_nothing(guard_of, error):
    guard = guard_of(used=None)

    for _ in range(3):
        await call(guard, error)

    assert not guard._watching


async def test_slots_are_waited_for_with_room_in_the_quota_and_without(guard_of, clock):
    guards = [guard_of(), guard_of(share_percent=90)]
    for guard in guards:
        for _ in range(50):
            assert guard.try_acquire("rest")
        waiter = asyncio.create_task(guard.acquire("rest"))
        await clock.settle()
        assert not waiter.done()

        guard.release("rest", 0.1, None)
        await waiter

        assert guard.inner.in_flight == 50


async def test_a_share_that_others_spent_while_a_call_waited_for_its_slot_is_seen(guard_of, clock):
    guard = guard_of(share_percent=51)
    for _ in range(50):
        assert guard.try_acquire("rest")
    waiters = [asyncio.create_task(guard.acquire("rest")) for _ in range(2)]
    await clock.settle()

    for _ in range(2):
        guard.release("rest", 0.1, None)
    results = await asyncio.gather(*waiters, return_exceptions=True)

    assert [type(result) for result in results] == [type(None), QuotaExceededError]
    assert (guard.used, guard.inner.in_flight) == (51, 49)


async def test_without_a_reading_nothing_is_known_to_be_spent(guard_of):
    guard = guard_of(used=None, share_percent=1, reserve_percent=50)

    for _ in range(20):
        await call(guard)

    assert guard.used == 20


def test_connections_with_one_name_and_org_use_a_share_together():
    share, other = QuotaShare(name="etl", share_percent=5), QuotaShare(name="ui")

    same = calls_of_share("test-org", share) is calls_of_share("test-org", share)

    assert same
    assert calls_of_share("test-org", share) is not calls_of_share("test-org", other)
    assert calls_of_share("test-org", share) is not calls_of_share("other-org", share)


def test_calls_are_forgotten_when_they_leave_the_window():
    calls = RecentCalls(1440.0)
    for now in (5.0, 15.0, 1000.0):
        calls.add(now)

    for now, used in ((1444.0, 3), (1451.0, 2), (1461.0, 1), (5000.0, 0)):
        calls.forget_old(now)
        assert calls.used == used
    assert calls.room_in_s(5000.0) == pytest.approx(1450.0)


def test_what_a_service_says_of_long_calls_reaches_the_limiter_behind():
    inner = AdaptiveLimiter()

    QuotaGuard(inner, QuotaShare()).note_long_limit(5)
    QuotaGuard(FixedLimiter(1), QuotaShare()).note_long_limit(5)

    assert inner.long_limit == 5


@pytest.mark.parametrize(
    "options", [{"share_percent": 0}, {"share_percent": 101}, {"reserve_percent": 100}]
)
def test_a_share_that_is_none_is_refused(options):
    with pytest.raises(ConfigurationError, match="share"):
        QuotaShare(**options)


async def test_the_stats_of_a_share_tell_what_is_left_until_it_is_spent(guard_of):
    guard = guard_of(used=None, name="nightly", share_percent=2.5, reserve_percent=10)
    await call(guard)
    before = guard.share_stats

    guard.note_quota([Quota("api-usage", 0, 100)])
    await call(guard)
    with_room = guard.share_stats
    await call(guard)
    spent = guard.share_stats
    await refusal(guard)

    assert before == ShareStats("nightly", 1, None, 10, None)
    assert before.remaining is None
    assert str(before) == "nightly: 1, 10% of the quota for others"
    assert with_room == ShareStats("nightly", 2, 3, 10, None)
    assert str(with_room) == "nightly: 2 of 3, 1 left, 10% of the quota for others"
    assert (spent.remaining, spent.stopped) == (0, "QUOTA_SHARE_SPENT")
    assert str(spent).endswith(", stopped by QUOTA_SHARE_SPENT")


async def test_the_stats_of_a_share_forget_what_left_the_window(guard_of, clock):
    guard = guard_of(share_percent=1)
    await call(guard)
    assert guard.share_stats.stopped == "QUOTA_SHARE_SPENT"

    await clock.advance(DAY_S + 1_200)

    assert guard.share_stats == ShareStats("default", 0, 1, 0.0, None)


async def test_the_stats_tell_that_the_reserve_is_reached_also_while_a_call_is_tried(guard_of):
    guard = guard_of(used=80, reserve_percent=20)
    before = guard.share_stats.stopped
    await call(guard)

    assert (before, guard.share_stats.stopped) == ("QUOTA_RESERVE_REACHED",) * 2
    guard.note_quota([Quota("api-usage", 79, 100)])
    assert guard.share_stats.stopped is None


async def test_the_stats_tell_of_a_quota_that_is_used_up_also_without_a_share(guard_of, clock):
    guard = guard_of()
    silent = guard.share_stats
    await call(guard, used_up())
    stopped = guard.share_stats

    await clock.advance(60)
    await call(guard)

    assert silent is None
    assert str(stopped) == "default: 0, stopped by QUOTA_USED_UP"
    assert guard.share_stats is None
