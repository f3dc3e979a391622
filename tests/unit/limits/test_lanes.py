"""Slots for lanes: order, caps, reserves, and nothing lost on the way."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect._slots import LineFullError
from sfconnect.errors import ConfigurationError
from sfconnect.limits import Lane, LaneStats
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


async def test_too_long_a_wait_ends_it_and_too_long_a_line_too():
    slots = LaneSlots(1, {}, max_waiting=1)
    await slots.acquire("a")

    with pytest.raises(TimeoutError):
        await slots.acquire("a", 0)
    (waiting,) = await in_line(slots, "a")
    with pytest.raises(LineFullError):
        await slots.acquire("b")

    await end(waiting)


@pytest.mark.parametrize("lane", [(-1, None), (0, 0), (3, 2)])
def test_a_lane_that_contradicts_itself_is_refused(lane):
    with pytest.raises(ConfigurationError, match="0 <= reserve <= limit"):
        Lane(*lane)


def test_reserving_everything_is_refused():
    with pytest.raises(ConfigurationError, match="so others get none"):
        LaneSlots(4, {"a": Lane(reserve=2), "b": Lane(reserve=2)})


LANES = {"a": Lane(reserve=2), "b": Lane(limit=2), "c": Lane()}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.sampled_from("abc")),
        st.tuples(st.sampled_from(["release", "leave"]), st.integers(0, 30)),
        st.tuples(st.just("resize"), st.integers(1, 8)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens_no_slot_is_lost_and_none_is_given_twice(steps):
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, object]]) -> None:
    slots = LaneSlots(4, LANES)
    held: list[str] = []
    waiting: list[tuple[str, asyncio.Task[None]]] = []
    for step, what in steps:
        if step == "acquire":
            lane = str(what)
            waiting.append((lane, (await in_line(slots, lane))[0]))
        elif step == "resize":
            slots.resize(int(str(what)))
        elif step == "release" and held:
            slots.release(held.pop(int(str(what)) % len(held)))
        elif step == "leave" and waiting:
            lane, task = waiting.pop(int(str(what)) % len(waiting))
            await end(task)
            held += [lane] if not task.cancelled() else []
        await asyncio.sleep(0)
        held += [lane for lane, task in waiting if task.done()]
        waiting = [(lane, task) for lane, task in waiting if not task.done()]
        assert slots.used == len(held)
        assert slots.waiting == len(waiting)
        assert held.count("b") <= 2
        assert all(slots.used_by(lane) == held.count(lane) for lane in "abc")
    await end(*[task for _, task in waiting])
    for lane in held:
        slots.release(lane)
    assert (slots.used, slots.waiting) == (0, 0)
    assert all(slots.try_acquire("c") for _ in range(slots.capacity - min(2, slots.capacity - 1)))


async def test_the_stats_of_a_lane_count_who_still_waits():
    slots = LaneSlots(3, {"bulk": Lane(limit=1, surfaces=("extract",)), "idle": Lane(reserve=1)})
    assert slots.try_acquire("extract")
    assert slots.try_acquire("rest")
    leaving, staying, other = await in_line(slots, "bulk", "extract", "rest")
    leaving.cancel()
    await served(leaving)

    assert slots.stats() == {
        "bulk": LaneStats(in_flight=1, waiting=1, limit=1),
        "idle": LaneStats(in_flight=0, waiting=0, limit=None),
        "rest": LaneStats(in_flight=1, waiting=1, limit=None),
    }
    assert [str(one) for one in slots.stats().values()] == [
        "1 of 1, 1 waiting",
        "0, 0 waiting",
        "1, 1 waiting",
    ]
    await end(staying, other)
