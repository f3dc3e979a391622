"""The book under a server's clock that is set: nobody dead is kept, and nobody alive forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from sfconnect_limits_redis.book import SCRIPT

CLOCK, KEY = "sfconnect:limit:{test}:clock", "sfconnect:limit:{test}"
BUDGET, LEASE_MS = 10, 9000
HOUR_MS = 3_600_000
# The server's own clock cannot be moved, so the script is told the time by a list beside.
TIMELESS = SCRIPT.replace("redis.call('TIME')", f"redis.call('LRANGE', '{CLOCK}', 0, -1)")


class Shown:
    """The book with a clock of the test's own; milliseconds."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.begin()

    def begin(self) -> None:
        self.redis.delete(KEY)
        self.now = 1_790_000_000_000
        self._numbers: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.began: dict[str, int] = {}

    def ask(self, name: str, wanted: int, *, keep: int | None = None) -> int:
        """Ask as a process does that keeps what it has; gives what it may use."""
        kept = self.held.get(name, 0) if keep is None else keep
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        asked = {
            "budget": BUDGET,
            "lease_ms": LEASE_MS,
            "turn_ms": HOUR_MS,
            "rules": {},
            "book": self.began.get(name, 0),
            "number": number,
            "leaving": False,
            "lanes": {"*": (kept, wanted)},
        }
        self.redis.delete(CLOCK)
        self.redis.rpush(CLOCK, self.now // 1000, self.now % 1000 * 1000)
        said = json.loads(self.redis.eval(TIMELESS, 1, KEY, name, json.dumps(asked)))
        self.began[name] = said["book"]
        self.held[name] = said["lanes"]["*"][0]
        return self.held[name]


@pytest.fixture
def shown(running: str) -> Iterator[Shown]:
    assert TIMELESS != SCRIPT
    client: Any = Redis.from_url(running)
    yield Shown(client)
    client.delete(CLOCK, KEY)
    client.close()


def test_after_a_clock_was_set_back_the_dead_are_kept_for_one_lease_and_no_longer(
    shown: Shown,
) -> None:
    shown.ask("dead", BUDGET)
    shown.now -= HOUR_MS

    assert shown.ask("living", BUDGET) == 0
    shown.now += LEASE_MS // 2
    assert shown.ask("living", BUDGET) == 0
    shown.now += LEASE_MS // 2 + 1
    assert shown.ask("living", BUDGET) == BUDGET


def test_after_a_clock_was_set_back_the_living_keep_what_they_have(shown: Shown) -> None:
    shown.ask("a", BUDGET)
    shown.now -= HOUR_MS

    for _ in range(6):
        assert shown.ask("b", BUDGET) == 0
        assert shown.ask("a", BUDGET) == BUDGET
        shown.now += LEASE_MS // 3


def test_a_loss_before_the_clock_was_set_back_stops_nobody_for_longer_than_a_lease(
    shown: Shown,
) -> None:
    shown.ask("a", 4)
    shown.redis.delete(KEY)
    shown.now += 10  # another time, another book
    shown.ask("a", 4)
    shown.now -= HOUR_MS

    assert shown.ask("b", BUDGET) == 0
    shown.now += LEASE_MS + 1
    shown.ask("a", 4)
    assert shown.ask("b", BUDGET) == BUDGET - 4


def test_after_a_clock_was_set_forward_the_book_is_right_once_the_holders_have_renewed(
    shown: Shown,
) -> None:
    shown.ask("a", BUDGET)
    shown.now += HOUR_MS

    assert shown.ask("b", 4) == 4  # whoever asks first takes the others for dead
    assert shown.ask("a", BUDGET) == BUDGET  # it is alive, and what it uses counts
    assert shown.ask("b", BUDGET) == 4
    shown.ask("a", BUDGET, keep=5)
    assert sum(shown.held.values()) <= BUDGET


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 2 * BUDGET),
            st.integers(0, BUDGET),
            st.integers(-HOUR_MS, LEASE_MS // 4),
        ),
        max_size=25,
    )
)
def test_whatever_is_set_back_no_more_is_given_than_there_is_and_all_of_it_comes_back(
    shown: Shown, steps: list[tuple[str, int, int, int]]
) -> None:
    shown.begin()

    for name, wanted, ends, passed in steps:
        for each in "abc":  # in time: what is not renewed may go to others
            shown.ask(each, shown.held.get(each, 0))
        shown.now += passed
        shown.ask(name, wanted, keep=max(0, shown.held.get(name, 0) - ends))
        assert sum(shown.held.values()) <= BUDGET

    # All of them die.
    shown.ask("heir", 0)
    shown.now += LEASE_MS + 1
    assert shown.ask("heir", BUDGET) == BUDGET
