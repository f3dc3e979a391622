"""Slots for several parties: in turn between them, in order within each, and none is lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect._fair_slots import FairSlots
from sfconnect._slots import LineFullError


async def in_line(slots: FairSlots, keys: str, served: list[str]) -> list[asyncio.Task[None]]:
    async def wait(name: str) -> None:
        await slots.acquire(name[0])
        served.append(name)

    tasks = [asyncio.create_task(wait(f"{key}{number}")) for number, key in enumerate(keys)]
    await asyncio.sleep(0)
    return tasks


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_parties_are_served_in_turn_and_each_in_the_order_of_coming():
    slots, served = FairSlots(1), list[str]()
    assert slots.try_acquire()
    tasks = await in_line(slots, "aaaabbc", served)

    for _ in tasks:
        slots.release()
        await settle()

    assert served == ["a0", "b4", "c6", "a1", "b5", "a2", "a3"]


async def test_the_few_of_one_are_served_before_the_storm_of_another():
    slots, served = FairSlots(10), list[str]()
    for _ in range(10):
        slots.try_acquire()
    tasks = await in_line(slots, "a" * 5_000 + "b" * 10, served)

    for _ in range(30):
        slots.release()
        await settle()

    assert served[:21].count("b4999") == 0
    assert sum(name.startswith("b") for name in served[:20]) == 10
    await end(tasks)


async def test_whoever_waits_is_counted_by_party():
    slots, served = FairSlots(1), list[str]()
    slots.try_acquire()
    tasks = await in_line(slots, "aab", served)

    await end(tasks[:1])

    assert slots.waiting_by_key() == {"a": 1, "b": 1}
    await end(tasks)
    assert slots.waiting_by_key() == {}


async def test_who_left_is_passed_over_without_costing_a_turn():
    slots, served = FairSlots(1), list[str]()
    slots.try_acquire()
    tasks = await in_line(slots, "aaabb", served)
    await end(tasks[:1])

    for _ in range(4):
        slots.release()
        await settle()

    assert served == ["a1", "b3", "a2", "b4"]


async def test_too_long_a_wait_ends_it_in_the_order_of_coming():
    slots = FairSlots(1, wait_s=0.01)
    slots.try_acquire()

    results = await asyncio.gather(*(slots.acquire(key) for key in "aab"), return_exceptions=True)

    assert [type(result) for result in results] == [TimeoutError] * 3
    assert slots.waiting == 0


async def test_the_line_is_bounded_over_all_parties():
    slots, served = FairSlots(1, max_waiting=2), list[str]()
    slots.try_acquire()
    tasks = await in_line(slots, "ab", served)

    with pytest.raises(LineFullError):
        await slots.acquire("c")

    await end(tasks)


async def test_closing_refuses_every_party():
    slots = FairSlots(1)
    slots.try_acquire()
    waiting = [asyncio.create_task(slots.acquire(key)) for key in "aab"]
    await settle()

    slots.close(lambda: RuntimeError("closed"))

    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(result) for result in results] == ["closed"] * 3


async def test_the_lines_do_not_keep_those_that_left():
    slots, served = FairSlots(1), list[str]()
    slots.try_acquire()
    (patient,) = await in_line(slots, "a", served)

    for _ in range(50):
        await end(await in_line(slots, "ab", served))

    assert sum(len(line) for line in slots._lines.values()) <= 3
    assert len(slots._line) <= 3
    await end([patient])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.sampled_from("abc")),
        st.tuples(st.sampled_from(["release", "leave"]), st.integers(0, 30)),
        st.tuples(st.just("resize"), st.integers(1, 6)),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens_no_slot_is_lost_and_none_is_given_twice(steps):
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, object]]) -> None:
    slots, held, waiting = FairSlots(2), 0, list[asyncio.Task[None]]()
    for step, what in steps:
        if step == "acquire":
            waiting.append(asyncio.create_task(slots.acquire(str(what))))
        elif step == "resize":
            slots.resize(int(str(what)))
        elif step == "release" and held:
            slots.release()
            held -= 1
        elif step == "leave" and waiting:
            task = waiting.pop(int(str(what)) % len(waiting))
            await end([task])
            held += not task.cancelled()
        await settle()
        held += sum(task.done() for task in waiting)
        waiting = [task for task in waiting if not task.done()]
        assert (slots.used, slots.waiting) == (held, len(waiting))
        assert not waiting or slots.used >= slots.capacity
        assert sum(slots.waiting_by_key().values()) == len(waiting)
    await end(waiting)
    for _ in range(held):
        slots.release()
    assert (slots.used, slots.waiting, len(slots._lines)) == (0, 0, 0)
