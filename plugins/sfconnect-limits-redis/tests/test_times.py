"""Times of a shared rate: the schedule against a model of it, and what a process makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from math import floor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from sfconnect_limits_redis.times import LASTS_S, LATE_S, SCRIPT, TURN_S, Permits, ServerClock

CLOCK, KEY = "sfconnect:limit:{test}:clock", "sfconnect:limit:{test}:rate"
SECOND = 1_000_000
START = 1_790_000_000 * SECOND
TURN, LATE = int(TURN_S * SECOND), int(LATE_S * SECOND)
# The server's own clock cannot be moved, so the script is told the time by a list beside.
TIMELESS = SCRIPT.replace("redis.call('TIME')", f"redis.call('LRANGE', '{CLOCK}', 0, -1)")


class Shown:
    """The script with a clock of the test's own."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self.now = START
        self.redis.delete(KEY)

    @property
    def redis(self) -> Any:
        return self._redis

    def ask(self, per_second: float, wanted: int, held: int = 0) -> list[float]:
        self._redis.delete(CLOCK)
        self._redis.rpush(CLOCK, self.now // SECOND, self.now % SECOND)
        asked = {
            "per_second": per_second,
            "wanted": wanted,
            "held_us": held,
            "turn_us": TURN,
            "late_us": LATE,
        }
        said = json.loads(self._redis.eval(TIMELESS, 1, KEY, json.dumps(asked)))
        assert int(said["now"]) == self.now
        return [float(said["first"]) + number * said["step"] for number in range(said["count"])]


@pytest.fixture
def shown(running: str) -> Iterator[Shown]:
    assert TIMELESS != SCRIPT
    client: Any = Redis.from_url(running)
    yield Shown(client)
    client.delete(CLOCK, KEY)
    client.close()


class Model:
    """What the schedule should do, in other words."""

    def __init__(self, per_second: float) -> None:
        self.step = SECOND / per_second
        self.after_the_last = 0.0

    def ask(self, now: int, wanted: int) -> list[float]:
        first = max(self.after_the_last, now - LATE)
        line = max(0, first - now)
        turn = TURN / self.step * TURN / (TURN + line)
        times = [first + n * self.step for n in range(min(wanted, max(1, floor(turn))))]
        self.after_the_last = float(round(first + len(times) * self.step))
        return times


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    per_second=st.one_of(st.integers(1, 2000), st.floats(0.05, 50)),
    asks=st.lists(
        st.tuples(st.integers(0, 2 * SECOND), st.integers(1, 300)), min_size=1, max_size=30
    ),
)
def test_no_second_has_more_times_than_the_rate_and_what_may_be_late(
    shown: Shown, per_second: float, asks: list[tuple[int, int]]
) -> None:
    shown.now = START
    shown.redis.delete(KEY)
    model = Model(per_second)
    times: list[float] = []

    for passed, wanted in asks:
        shown.now += passed
        given_now = shown.ask(per_second, wanted)
        assert given_now == pytest.approx(model.ask(shown.now, wanted), rel=0, abs=1e-3)
        times += given_now

    # By the clock, whoever asked: each has a place of its own.
    assert all(later - earlier >= model.step - 2 for earlier, later in pairwise(times))


def test_what_nobody_took_is_lost_but_for_a_moment(shown: Shown) -> None:
    shown.ask(100, 1)
    shown.now += 60 * SECOND

    times = shown.ask(100, 20)

    assert times[0] == shown.now - LATE
    assert sum(at <= shown.now for at in times) == 6


def test_a_clock_that_is_set_back_makes_nobody_wait(shown: Shown) -> None:
    shown.ask(100, 20)
    line = shown.ask(100, 20)[-1] - shown.now
    shown.now -= 3600 * SECOND

    first = shown.ask(100, 1)[0]

    assert first - shown.now == pytest.approx(line + SECOND / 100, abs=2)


def test_a_clock_that_is_set_forward_gives_no_heap(shown: Shown) -> None:
    shown.ask(100, 20)
    shown.now += 3600 * SECOND

    assert shown.ask(100, 20)[0] == shown.now - LATE


def test_what_one_has_counts_although_the_server_forgot_it(shown: Shown) -> None:
    last = shown.ask(100, 20)[-1]
    shown.redis.delete(KEY)

    first = shown.ask(100, 1, held=int(last - shown.now))[0]

    assert first >= last + SECOND // 100 - 2


def test_the_longer_the_line_the_less_is_given_at_once(shown: Shown) -> None:
    counts = [len(shown.ask(100, 1000)) for _ in range(12)]

    assert counts[0] == 20
    assert counts == sorted(counts, reverse=True)
    assert 1 <= counts[-1] <= 5


def test_a_schedule_that_nobody_uses_goes_away_by_itself(shown: Shown) -> None:
    shown.ask(0.1, 1)

    assert 10_000 < shown.redis.pttl(KEY) <= 20_001


# What one process makes of its times


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.floats(0, 1), st.integers(1, 20)),
            st.tuples(st.just("take"), st.floats(0, 0.3), st.just(0)),
        ),
        max_size=40,
    )
)
def test_each_time_lets_one_call_go_once_it_is_there_and_while_it_lasts(
    steps: list[tuple[str, float, int]],
) -> None:
    permits, now, there = Permits(), 100.0, list[float]()

    for what, number, count in steps:
        if what == "add":
            first = max(now + number, there[-1] + 0.01 if there else now)
            permits.add(first, 0.01, count)
            there += [first + each * 0.01 for each in range(count)]
        else:
            now += number
            there = [at for at in there if at >= now - LASTS_S]
            usable = [at for at in there if at <= now]
            assert permits.take(now) == bool(usable)
            if usable:
                there.remove(usable[0])
        assert permits.lacking(len(there), now) == 0
        assert permits.lacking(len(there) + 3, now) >= 3


def test_who_uses_all_is_given_twice_as_many_and_who_does_not_no_more_than_that() -> None:
    permits = Permits()
    assert permits.lacking(1, 0.0) == 1

    permits.add(0.0, 0.001, 4)
    assert all(permits.take(0.01) for _ in range(4))
    assert permits.lacking(1, 0.01) == 8

    permits.add(0.02, 0.001, 8)
    assert permits.take(0.03)
    assert permits.lacking(1, 5.0) == 1


def test_the_next_are_asked_for_shortly_before_the_last_is_there() -> None:
    permits = Permits()
    permits.add(10.0, 0.1, 5)

    assert permits.held_s(9.9) == pytest.approx(0.5)
    assert permits.ask_in_s(9.9) == pytest.approx(0.4)
    assert permits.ask_in_s(10.35) == 0
    assert permits.next_at() == 10.0
    permits.clear()
    assert (permits.next_at(), permits.held_s(10.0)) == (None, 0.0)


@given(
    ahead=st.floats(-1e6, 1e6),
    trips=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=10),
)
def test_the_servers_clock_is_known_as_well_as_its_quickest_answer_tells(
    ahead: float, trips: list[tuple[float, float]]
) -> None:
    clock, now = ServerClock(), 1000.0

    for there, back in trips:
        clock.note(now, now + there + ahead, now + there + back)
        now += 10

    quickest = min(there + back for there, back in trips)
    assert abs(clock.here(now + ahead) - now) <= quickest / 2 + 1e-5


def test_a_clock_that_was_set_is_learnt_anew() -> None:
    clock = ServerClock()
    clock.note(10.0, 500.0, 10.002)

    clock.note(20.0, 4110.0, 20.2)

    assert clock.here(4110.0) == pytest.approx(20.1)
