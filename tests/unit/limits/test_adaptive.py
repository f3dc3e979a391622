"""The limiter that adapts: it finds capacities in simulated time, and says what it does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    NotFoundError,
    PoolTimeout,
    QuotaExceededError,
    RequestTimeoutError,
    ServerError,
    SfConnectError,
    ThrottledError,
    TooManyRequests,
)
from sfconnect.instrumentation import Emitter, Event, LimitChanged
from sfconnect.limits import ENDED_BY_CALLER, AdaptiveLimiter, FixedLimiter, Lane
from sfconnect.testing import FakeClock
from tests.unit.limits.simulation import SimulatedApi

LEARN_S, MEASURE_S = 20.0, 10.0


@pytest.mark.parametrize("refuses", [False, True], ids=["it queues", "it refuses"])
def test_it_finds_a_capacity_that_changes_both_ways(refuses):
    limiter = AdaptiveLimiter(maximum=300)
    api = SimulatedApi(limiter, capacity=20, refuses=refuses)

    for capacity in (20, 60, 8, 40):
        api.capacity = capacity
        api.run(LEARN_S)
        found = api.run(MEASURE_S)

        assert found.throughput >= 0.9 * capacity / api.service_s
        assert max(found.limits) <= 2.2 * capacity
        assert min(found.limits) >= 0.5 * capacity


def test_it_beats_a_fixed_cap_that_is_too_low_in_throughput():
    adaptive = SimulatedApi(AdaptiveLimiter(maximum=300), capacity=40).run(20)
    low = SimulatedApi(FixedLimiter(5), capacity=40).run(20)

    assert adaptive.throughput > 5 * low.throughput


def test_it_beats_a_fixed_cap_that_is_too_high_in_errors_and_in_latency():
    refused, queued = (
        {
            name: SimulatedApi(limiter, capacity=40, refuses=refuses).run(5)
            for name, limiter in (
                ("adaptive", AdaptiveLimiter(maximum=300)),
                ("high", FixedLimiter(300)),
            )
        }
        for refuses in (True, False)
    )

    assert refused["adaptive"].refused < 0.01 * refused["high"].refused
    assert refused["adaptive"].throughput > 0.8 * refused["high"].throughput
    assert queued["adaptive"].latency_s < 0.4 * queued["high"].latency_s
    assert queued["adaptive"].throughput > 0.95 * queued["high"].throughput


def lost() -> SfConnectError:
    return ConnectionLostError("Cut.")


def failed(status: int, *, retry_safe: bool | None = None) -> SfConnectError:
    error = ServerError("Failed.", status=status)
    error.retry_safe = retry_safe
    return error


def flood_with(
    limiter: AdaptiveLimiter, error: SfConnectError | None, rounds: int = 40
) -> list[int]:
    """Fill the limit again and again with calls that all end so; give the limits there were."""
    limits = []
    for _ in range(rounds):
        taken = 0
        while limiter.try_acquire("query"):
            taken += 1
        assert limiter.in_flight == taken
        for _ in range(taken):
            limiter.release("query", 0.05, error)
        limits.append(limiter.limit)
    return limits


@pytest.mark.parametrize(
    "error",
    [failed(503), failed(500), failed(504), lost(), RequestTimeoutError("Late.")],
    ids=lambda error: f"{type(error).__name__}-{error.status}",
)
def test_an_api_that_fails_every_call_gets_fewer(error):
    limits = flood_with(AdaptiveLimiter(initial=16), error)

    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 2


@pytest.mark.parametrize("error", [ENDED_BY_CALLER, ConnectError("Refused.")])
def test_attempts_that_tell_nothing_of_the_api_change_nothing(error):
    assert set(flood_with(AdaptiveLimiter(initial=16), error)) == {16}


@pytest.mark.parametrize("error", [failed(500, retry_safe=False), NotFoundError("x", status=404)])
def test_an_error_that_is_the_calls_own_is_an_answer(error):
    assert flood_with(AdaptiveLimiter(initial=16, maximum=64), error)[-1] == 64


def test_a_failure_now_and_then_does_not_lower_the_limit():
    limiter = AdaptiveLimiter(initial=40, maximum=40, lanes={})

    for number in range(4000):
        assert limiter.try_acquire("query")
        limiter.release("query", 0.05, lost() if number % 20 == 0 else None)

    assert limiter.limit == 40


def test_a_limit_that_failures_lowered_rises_when_they_are_over():
    events: list[Event] = []
    limiter = AdaptiveLimiter(initial=16, maximum=64, emitter=Emitter([events.append]))
    flood_with(limiter, failed(503))

    assert flood_with(limiter, None, rounds=2000)[-1] == 64
    assert isinstance(events[0], LimitChanged)
    assert events[0].reason == "failing"


def test_an_api_that_becomes_slower_is_in_time_told_from_one_that_is_full():
    limiter = AdaptiveLimiter(maximum=300)
    api = SimulatedApi(limiter, capacity=40)
    api.run(LEARN_S)

    api.service_s *= 3
    api.run(2 * LEARN_S)
    found = api.run(MEASURE_S)

    assert found.throughput >= 0.9 * 40 / api.service_s


def mixed(kind: str) -> Callable[[], float]:
    """Times of calls that are not alike, as multiples of the shortest."""
    dice = random.Random(11)
    draws: dict[str, Callable[[], float]] = {
        "one in ten takes twenty times": lambda: 20.0 if dice.random() < 0.1 else 1.0,
        "one in a hundred takes minutes": lambda: 400.0 if dice.random() < 0.01 else 1.0,
        "any length": lambda: dice.lognormvariate(0, 1),
    }
    return draws[kind]


MIXES = ["one in ten takes twenty times", "one in a hundred takes minutes", "any length"]


@pytest.mark.parametrize("mix", MIXES)
def test_calls_that_are_not_alike_are_no_sign_of_load(mix):
    adaptive = SimulatedApi(AdaptiveLimiter(), capacity=10_000, draw=mixed(mix)).run(60)
    fixed = SimulatedApi(FixedLimiter(100), capacity=10_000, draw=mixed(mix)).run(60)

    assert adaptive.throughput > 0.9 * fixed.throughput


@pytest.mark.parametrize("mix", MIXES)
def test_a_full_api_is_found_also_where_calls_are_not_alike(mix):
    adaptive = SimulatedApi(AdaptiveLimiter(), capacity=40, draw=mixed(mix)).run(60)
    fixed = SimulatedApi(FixedLimiter(100), capacity=40, draw=mixed(mix)).run(60)

    assert adaptive.throughput > 0.85 * fixed.throughput
    assert adaptive.latency_s < 0.75 * fixed.latency_s


def test_a_daily_quota_that_is_used_up_is_not_taken_for_load():
    limiter = AdaptiveLimiter(initial=20)

    run_window(limiter, QuotaExceededError("used up"))

    assert limiter.limit >= 20


def test_a_refusal_counts_at_once_and_not_when_its_window_ends():
    limiter = AdaptiveLimiter(initial=20)
    limiter.try_acquire("rest")

    limiter.release("rest", 0.1, ThrottledError("busy"))

    assert limiter.limit == 16


def test_surfaces_may_share_a_lane():
    limiter = AdaptiveLimiter(lanes={"batch": Lane(limit=3, surfaces=("extract", "load"))})

    taken = [limiter.try_acquire(surface) for surface in ("extract", "load", "batch", "extract")]

    assert taken == [True, True, True, False]


def test_without_demand_it_does_not_grow():
    limiter = AdaptiveLimiter(initial=16, maximum=300)
    api = SimulatedApi(limiter, capacity=100)
    api.demand = 5

    api.run(LEARN_S)

    assert limiter.limit == 16


def test_it_stays_within_its_bounds():
    generous = AdaptiveLimiter(initial=4, maximum=10)
    SimulatedApi(generous, capacity=100).run(LEARN_S)
    strict = AdaptiveLimiter(initial=4, minimum=3)
    SimulatedApi(strict, capacity=0, refuses=True).run(LEARN_S)

    assert (generous.limit, strict.limit) == (10, 3)


def run_window(limiter: AdaptiveLimiter, error=None, elapsed_s=0.1, lane="rest") -> None:
    """Let one window of calls pass, all slots in use."""
    for _ in range(limiter._before_change + limiter._window):
        while limiter.try_acquire(lane):
            pass
        limiter.release(lane, elapsed_s, error)


def drain(limiter: AdaptiveLimiter, lane="rest") -> None:
    while limiter.in_flight:
        limiter.release(lane, 0.0, None)


def test_calls_under_way_at_a_change_do_not_count_as_trouble_of_the_new_limit():
    limiter = AdaptiveLimiter(initial=20)
    for _ in range(20):
        limiter.try_acquire("rest")

    for _ in range(20):
        limiter.release("rest", 0.1, ThrottledError("busy"))
        limiter.try_acquire("rest")
    of_the_old = limiter.limit
    limiter.release("rest", 0.1, ThrottledError("busy"))

    assert (of_the_old, limiter.limit) == (16, 12)


@pytest.mark.parametrize("error", [ConnectError("x"), None])
def test_what_is_no_sign_of_load_takes_nothing_away(error):
    limiter = AdaptiveLimiter(initial=20)

    run_window(limiter, error)

    assert limiter.limit >= 20


def test_changes_are_told_with_their_reason():
    events: list[Event] = []
    limiter = AdaptiveLimiter(initial=10, emitter=Emitter([events.append]))

    run_window(limiter)
    drain(limiter)
    limiter.try_acquire("rest")
    limiter.release("rest", 0.1, ThrottledError("busy"))
    run_window(limiter)
    drain(limiter)
    run_window(limiter, elapsed_s=0.5)

    assert events == [
        LimitChanged("all", 20, "room"),
        LimitChanged("all", 16, "throttled"),
        LimitChanged("all", 17, "room"),
        LimitChanged("all", 11, "slow"),
    ]


def test_a_lane_whose_calls_run_long_is_held_to_the_long_limit():
    limiter = AdaptiveLimiter(initial=50, long_limit=5)
    for _ in range(30):
        assert limiter.try_acquire("report")

    for _ in range(30):
        limiter.release("report", 25.0, None)
    taken = sum(limiter.try_acquire("report") for _ in range(30))

    assert taken == 5
    assert limiter.try_acquire("rest")


def test_a_lane_that_becomes_quick_again_is_free_again():
    limiter = AdaptiveLimiter(initial=50, long_limit=5)
    limiter.try_acquire("report")
    limiter.release("report", 25.0, None)

    for _ in range(10):
        limiter.try_acquire("report")
        limiter.release("report", 0.1, None)

    assert sum(limiter.try_acquire("report") for _ in range(20)) == 20


def test_a_reserve_is_there_for_its_lane_however_busy_the_others_are():
    limiter = AdaptiveLimiter(initial=10, lanes={"interactive": Lane(reserve=2)})

    assert sum(limiter.try_acquire("bulk") for _ in range(20)) == 8
    assert sum(limiter.try_acquire("interactive") for _ in range(20)) == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.sampled_from(["rest", "extract", "report"])),
        st.tuples(st.just("leave"), st.integers(0, 50)),
        st.tuples(st.just("end"), st.integers(0, 50), st.sampled_from([None, "busy", "unused"])),
        st.tuples(st.just("pass_time"), st.sampled_from([0.05, 1.0, 25.0])),
    ),
    max_size=150,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_whatever_calls_do_every_slot_comes_back_and_everybody_comes_to_his_turn(steps):
    asyncio.run(live(steps))


async def live(steps: list[tuple[Any, ...]]) -> None:
    life = Life()
    for step, *what in steps:
        await getattr(life, step)(*what)
        await life.look()
    while life.held:
        await life.end(0, None)
        await life.look()
    assert (life.limiter.in_flight, life.limiter.waiting) == (0, 0)


class Life:
    """Calls that come, go, and end well or not, of which some run long; each step by its name."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limiter = AdaptiveLimiter(
            initial=3, minimum=1, maximum=8, long_limit=2, clock=self.clock
        )
        self.waiting: list[tuple[str, asyncio.Task[None]]] = []
        self.held: list[tuple[str, float]] = []

    async def come(self, lane: str) -> None:
        if self.limiter.try_acquire(lane):
            self.held.append((lane, self.clock.monotonic()))
        else:
            self.waiting.append((lane, asyncio.ensure_future(self.limiter.acquire(lane))))

    async def leave(self, which: int) -> None:
        if self.waiting:
            self.waiting[which % len(self.waiting)][1].cancel()

    async def end(self, which: int, how: str | None) -> None:
        if self.held:
            lane, since = self.held.pop(which % len(self.held))
            elapsed_s = 0.0 if how == "unused" else max(0.01, self.clock.monotonic() - since)
            error = ThrottledError("busy") if how == "busy" else None
            self.limiter.release(lane, elapsed_s, error)

    async def pass_time(self, seconds: float) -> None:
        await self.clock.advance(seconds)

    async def look(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        now, limiter = self.clock.monotonic(), self.limiter
        done = [(lane, task) for lane, task in self.waiting if task.done()]
        self.held += [(lane, now) for lane, task in done if not task.cancelled()]
        self.waiting = [(lane, task) for lane, task in self.waiting if not task.done()]
        assert (limiter.in_flight, limiter.waiting) == (len(self.held), len(self.waiting))
        assert 1 <= limiter.limit <= 8
        assert self.held or not self.waiting, "nobody is in flight, and some wait"


def flood(limiter: AdaptiveLimiter, lane: str, rounds: int = 60) -> int:
    """Take as many slots as there are, round after round; the most that were in flight."""
    most = 0
    for _ in range(rounds):
        taken = 0
        while limiter.try_acquire(lane):
            taken += 1
        most = max(most, taken)
        for _ in range(taken):
            limiter.release(lane, 0.1, None)
    return most


def test_a_batch_alone_makes_the_limit_grow_and_has_nearly_all_of_it():
    limiter = AdaptiveLimiter(initial=16, maximum=100)

    assert flood(limiter, "extract") == 90
    assert limiter.limit == 100


def test_a_lane_that_is_full_by_a_bound_of_its_own_does_not_make_the_limit_grow():
    """So few calls in flight say nothing of how many the API would take."""
    limiter = AdaptiveLimiter(initial=16, lanes={"bulk": Lane(limit=3)})

    assert flood(limiter, "bulk") == 3
    assert limiter.limit == 16


async def test_a_full_line_refuses():
    limiter = AdaptiveLimiter(initial=2, max_waiting=0)
    assert limiter.try_acquire("rest")
    assert limiter.try_acquire("rest")

    with pytest.raises(TooManyRequests, match="0 calls wait already, and 2 are in flight"):
        await limiter.acquire("rest")


async def test_a_wait_that_is_too_long_is_told():
    limiter = AdaptiveLimiter(initial=2, wait_s=0)
    assert limiter.try_acquire("rest")
    assert limiter.try_acquire("rest")

    with pytest.raises(PoolTimeout, match="takes no more at the moment"):
        await limiter.acquire("rest")
    assert limiter.waiting == 0


async def test_growing_serves_those_in_line():
    limiter = AdaptiveLimiter(initial=10)
    for _ in range(10):
        limiter.try_acquire("rest")
    waiters = [asyncio.create_task(limiter.acquire("rest")) for _ in range(15)]
    await asyncio.sleep(0)

    for _ in range(10):
        limiter.release("rest", 0.1, None)
    await asyncio.gather(*waiters)

    assert (limiter.limit, limiter.in_flight) == (20, 15)


@pytest.mark.parametrize("bounds", [(0, 1, 1), (3, 2, 5), (2, 6, 5)])
def test_bounds_that_contradict_each_other_are_refused(bounds):
    minimum, initial, maximum = bounds

    with pytest.raises(ConfigurationError, match="A limit cannot go from"):
        AdaptiveLimiter(minimum=minimum, initial=initial, maximum=maximum)
