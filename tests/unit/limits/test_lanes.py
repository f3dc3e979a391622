"""Slots for lanes: order, caps, reserves, and nothing lost on the way."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect._slots import LineFullError
from sfconnect.errors import ConfigurationError
from sfconnect.limits import USUAL_LANES, Lane, LaneStats
from sfconnect.limits.lanes import LaneSlots


async def in_line(slots: LaneSlots, *lanes: str) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(slots.acquire(lane)) for lane in lanes]
    await asyncio.sleep(0)
    return tasks


async def served(*tasks: asyncio.Task[None]) -> list[bool]:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_whoever_came_first_goes_first_across_lanes():
    slots = LaneSlots(1, {})
    assert slots.try_acquire("a")
    tasks = await in_line(slots, "b", "a", "b")

    slots.release("a")
    assert await served(*tasks) == [True, False, False]
    slots.release("b")
    assert await served(*tasks) == [True, True, False]

    await end(*tasks)


async def test_a_full_lane_is_passed_by_others():
    slots = LaneSlots(3, {"bulk": Lane(limit=1)})
    assert slots.try_acquire("bulk")
    tasks = await in_line(slots, "bulk")

    await slots.acquire("rest")
    assert await served(*tasks) == [False]
    slots.release("bulk")

    assert await served(*tasks) == [True]
    assert (slots.used_by("bulk"), slots.used_by("rest"), slots.used) == (1, 1, 2)


async def test_what_is_reserved_is_not_given_to_others():
    slots = LaneSlots(3, {"login": Lane(reserve=1)})
    assert [slots.try_acquire("rest") for _ in range(3)] == [True, True, False]
    (rest,) = await in_line(slots, "rest")

    await slots.acquire("login")
    slots.release("rest")

    assert await served(rest) == [True]
    assert slots.used == 3


async def test_a_limit_below_the_reserves_still_serves_everybody():
    slots = LaneSlots(5, {"login": Lane(reserve=3)})

    slots.resize(1)

    assert slots.try_acquire("rest")
    slots.release("rest")
    assert slots.try_acquire("login")


async def test_a_cap_for_a_while_is_lifted_again():
    slots = LaneSlots(9, {"bulk": Lane(limit=5)})
    slots.cap("bulk", 1)
    await slots.acquire("bulk")
    tasks = await in_line(slots, *["bulk"] * 6)

    assert sum(await served(*tasks)) == 0
    slots.cap("bulk", None)

    assert sum(await served(*tasks)) == 4
    await end(*tasks)
    assert slots.waiting == 0


async def test_a_waiter_that_leaves_gives_way():
    slots = LaneSlots(1, {})
    await slots.acquire("a")
    first, second = await in_line(slots, "a", "b")

    await end(first)
    slots.release("a")

    assert await served(second) == [True]
    assert slots.waiting == 0


async def test_a_waiter_that_leaves_as_it_is_served_passes_its_slot_on():
    slots = LaneSlots(1, {})
    await slots.acquire("a")
    first, second = await in_line(slots, "a", "b")

    slots.release("a")
    await end(first)

    assert await served(second) == [True]
    assert (slots.used_by("a"), slots.used_by("b")) == (0, 1)


async def test_the_line_does_not_keep_those_that_left():
    slots = LaneSlots(1, {})
    await slots.acquire("a")
    (patient,) = await in_line(slots, "a")

    for _ in range(50):
        await end(*await in_line(slots, "a", "b"))

    assert sum(len(state.line) for state in slots._lanes.values()) <= 3
    await end(patient)


async def test_too_long_a_wait_ends_it():
    slots = LaneSlots(1, {})
    await slots.acquire("a")

    with pytest.raises(TimeoutError):
        await slots.acquire("a", 0)

    assert slots.waiting == 0


async def test_the_line_of_one_lane_may_be_full_and_that_of_another_not():
    slots = LaneSlots(1, {}, max_waiting=1)
    await slots.acquire("a")
    (waiting,) = await in_line(slots, "a")

    with pytest.raises(LineFullError):
        await slots.acquire("a")
    (other,) = await in_line(slots, "b")

    assert slots.waiting == 2
    await end(waiting, other)


@pytest.mark.parametrize("lane", [(-1, None), (0, 0), (3, 2)])
def test_a_lane_that_contradicts_itself_is_refused(lane):
    with pytest.raises(ConfigurationError, match="0 <= reserve <= limit"):
        Lane(*lane)


def test_reserving_everything_is_refused():
    with pytest.raises(ConfigurationError, match="so others get none"):
        LaneSlots(4, {"a": Lane(reserve=2), "b": Lane(reserve=2)})


def test_percentages_without_a_rest_are_refused():
    with pytest.raises(ConfigurationError, match=r"reserve 100 % of the limit, so others get none"):
        LaneSlots(4, {"a": Lane(reserve_percent=50), "b": Lane(reserve_percent=50)})


@pytest.mark.parametrize(
    "percentages",
    [
        {"reserve_percent": -1},
        {"reserve_percent": 30, "limit_percent": 20},
        {"due_percent": 101},
        {"due_percent": 50, "limit_percent": 40},
        {"limit_percent": 120},
    ],
)
def test_percentages_that_contradict_each_other_are_refused(percentages):
    with pytest.raises(ConfigurationError, match="percentages from 0 to 100"):
        Lane(**percentages)


@pytest.mark.parametrize(
    ("capacity", "bulk", "kept"),
    [(1, 1, 0), (2, 1, 1), (5, 4, 1), (16, 14, 2), (40, 36, 4), (100, 90, 10)],
)
def test_usual_lanes_follow_the_limit_as_it_moves(capacity, bulk, kept):
    slots = LaneSlots(16, USUAL_LANES)

    slots.resize(capacity)

    assert sum(slots.try_acquire("extract") for _ in range(200)) == bulk
    assert sum(slots.try_acquire("query") for _ in range(200)) == kept


@pytest.mark.parametrize("capacity", [1, 2, 16, 100])
def test_a_lane_that_is_alone_has_all_that_nobody_else_has_kept(capacity):
    slots = LaneSlots(16, USUAL_LANES)
    slots.resize(capacity)

    assert sum(slots.try_acquire("rest") for _ in range(200)) == capacity


def test_of_a_number_and_a_percentage_the_stricter_counts():
    lane = Lane(reserve=4, reserve_percent=10, limit=20, limit_percent=50)

    assert [lane.reserve_of(capacity) for capacity in (16, 40, 100)] == [4, 4, 10]
    assert [lane.limit_of(capacity) for capacity in (1, 16, 40, 100)] == [1, 8, 20, 20]


async def test_what_is_due_to_a_lane_goes_before_who_came_earlier_and_no_more():
    slots = LaneSlots(4, {"bulk": Lane(due_percent=50)})
    for _ in range(4):
        await slots.acquire("rest")
    storm = await in_line(slots, *["rest"] * 10)
    late = await in_line(slots, *["bulk"] * 4)

    for _ in range(4):
        slots.release("rest")

    assert sum(await served(*late)) == 2
    assert sum(await served(*storm)) == 2
    await end(*storm, *late)


async def test_slots_that_are_held_back_are_handed_out_when_that_ends():
    slots = LaneSlots(2, {})
    slots.hold(held=True)
    assert not slots.try_acquire("a")
    tasks = await in_line(slots, "a", "b", "c")

    slots.hold(held=False)

    assert await served(*tasks) == [True, True, False]
    await end(*tasks)


async def test_who_has_left_and_does_not_know_it_yet_is_in_nobodys_way():
    slots = LaneSlots(1, {})
    await slots.acquire("a")
    (first,) = await in_line(slots, "a")

    # All in one step of the loop: the second comes before the first has noticed.
    second = asyncio.ensure_future(slots.acquire("a"))
    first.cancel()
    slots.release("a")

    assert await served(second) == [True]
    assert (slots.used, slots.waiting) == (1, 0)


def test_it_is_the_capacity_that_a_lane_is_short_of_or_a_bound_of_its_own():
    slots = LaneSlots(4, {"few": Lane(limit=1), "half": Lane(limit_percent=50)})
    assert not slots.is_short("few")
    assert slots.try_acquire("few")
    assert [slots.try_acquire("half") for _ in range(3)] == [True, True, False]

    assert (slots.is_short("few"), slots.is_short("half")) == (False, True)
    slots.hold(held=True)
    assert not slots.is_short("half")


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 5, 8, 16, 50])
async def test_in_storms_of_all_lanes_none_starves_and_each_gets_what_is_due(capacity):
    slots = LaneSlots(max(capacity, 2), USUAL_LANES)
    slots.resize(capacity)
    served_by: Counter[str] = Counter()
    holders: deque[str] = deque()

    async def call(lane: str) -> None:
        await slots.acquire(lane)
        served_by[lane] += 1
        holders.append(lane)

    storm = (("rest", 300), ("extract", 20), ("report", 10))
    callers = [asyncio.ensure_future(call(lane)) for lane, many in storm for _ in range(many)]
    await asyncio.sleep(0)
    for _ in range(400):
        await asyncio.sleep(0)
        lane = holders.popleft()
        slots.release(lane)
        callers.append(asyncio.ensure_future(call(lane)))
        await asyncio.sleep(0)

    held = slots.stats()
    assert min(served_by[lane] for lane in ("rest", "extract", "report")) > 0
    if capacity >= 8:
        assert held["bulk"].in_flight >= capacity // 4
        assert held["interactive"].in_flight >= capacity // 2
    await end(*callers)


LANES = {
    "a": Lane(reserve=2, due_percent=20),
    "b": Lane(limit=2),
    "c": Lane(),
    "d": Lane(limit_percent=50, reserve_percent=20, due_percent=30),
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["acquire", "try"]), st.sampled_from("abcd")),
        st.tuples(st.sampled_from(["release", "leave", "leave at once"]), st.integers(0, 30)),
        st.tuples(st.just("resize"), st.integers(1, 12)),
        st.tuples(st.just("cap"), st.one_of(st.none(), st.integers(1, 3))),
        st.tuples(st.just("hold"), st.booleans()),
        st.tuples(st.just("pause"), st.none()),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_no_slot_is_lost_no_lane_starves_and_no_reserve_is_touched(steps):
    asyncio.run(Play().run(steps))


class Play:
    """Random steps on slots, and what has to hold after each that lets tasks run."""

    def __init__(self) -> None:
        self.slots = LaneSlots(5, LANES)
        self.held: list[str] = []
        self.arrivals: dict[str, list[asyncio.Task[None]]] = {lane: [] for lane in LANES}
        self.is_held = False

    async def run(self, steps: list[tuple[str, Any]]) -> None:
        for step, what in steps:
            taken = self.do(step, what)
            if step != "leave at once":
                await self.look(taken)
        await self.look([])
        await self.finish()

    def do(self, step: str, what: Any) -> list[str]:
        waiting = [task for line in self.arrivals.values() for task in line]
        if step == "try" and self.slots.try_acquire(what):
            self.held.append(what)
            return [what]
        if step == "acquire":
            self.arrivals[what].append(asyncio.ensure_future(self.slots.acquire(what)))
        elif step == "resize":
            self.slots.resize(what)
        elif step == "cap":
            self.slots.cap("c", what)
        elif step == "hold":
            self.is_held = what
            self.slots.hold(held=what)
        elif step == "release" and self.held:
            self.slots.release(self.held.pop(what % len(self.held)))
        elif step.startswith("leave") and waiting:
            waiting[what % len(waiting)].cancel()
        return []

    async def look(self, taken: list[str]) -> None:
        """Let tasks run, see who was served, and compare with what may be."""
        for _ in range(4):
            await asyncio.sleep(0)
        for lane, line in self.arrivals.items():
            done = [task for task in line if task.done()]
            served = [task for task in done if not task.cancelled()]
            still = [task for task in line if not task.done()]
            # Nobody overtakes within a lane.
            assert not served or not still or line.index(served[-1]) < line.index(still[0])
            self.held += [lane] * len(served)
            taken += [lane] * len(served)
            self.arrivals[lane] = still
        slots, stats = self.slots, self.slots.stats()
        assert slots.used == len(self.held)
        assert slots.waiting == sum(map(len, self.arrivals.values()))
        for lane, state in stats.items():
            assert state.in_flight == self.held.count(lane)
            assert state.waiting == len(self.arrivals[lane])
            may_have = self.may_have_more(lane)
            assert not (state.waiting and may_have), f"{lane} waits for what is free"
            if lane in taken:
                assert state.limit is None or state.in_flight <= state.limit
                assert slots.used <= slots.capacity - self.kept_for_others(lane)

    def kept_for_others(self, lane: str) -> int:
        stats = self.slots.stats()
        others = [one for name, one in stats.items() if name != lane]
        return sum(max(0, one.reserve - one.in_flight) for one in others)

    def may_have_more(self, lane: str) -> bool:
        state = self.slots.stats()[lane]
        if self.is_held or (state.limit is not None and state.in_flight >= state.limit):
            return False
        return self.slots.used < self.slots.capacity - self.kept_for_others(lane)

    async def finish(self) -> None:
        """Whoever still waits comes to his turn, as long as slots come back."""
        self.do("hold", False)
        await self.look([])
        while self.slots.waiting:
            assert self.held
            self.do("release", 0)
            await self.look([])
        while self.held:
            self.do("release", 0)
        assert (self.slots.used, self.slots.waiting) == (0, 0)
        kept = self.kept_for_others("c")
        self.slots.cap("c", None)
        assert sum(self.slots.try_acquire("c") for _ in range(20)) == self.slots.capacity - kept


async def test_the_stats_of_a_lane_count_who_still_waits():
    slots = LaneSlots(3, {"bulk": Lane(limit=1, surfaces=("extract",)), "idle": Lane(reserve=1)})
    assert slots.try_acquire("extract")
    assert slots.try_acquire("rest")
    leaving, staying, other = await in_line(slots, "bulk", "extract", "rest")
    leaving.cancel()
    await served(leaving)

    assert slots.stats() == {
        "bulk": LaneStats(in_flight=1, waiting=1, limit=1),
        "idle": LaneStats(in_flight=0, waiting=0, limit=None, reserve=1),
        "rest": LaneStats(in_flight=1, waiting=1, limit=None),
    }
    assert [str(one) for one in slots.stats().values()] == [
        "1 of 1, 1 waiting",
        "0, 0 waiting",
        "1, 1 waiting",
    ]
    await end(staying, other)
