"""Slots for several parties: in turn between them, in order within each, and none is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

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


def give_back(slots: FairSlots) -> None:
    """Free a slot of the party that has held one for longest."""
    slots.release(next(iter(slots._held)))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_parties_are_served_in_turn_and_each_in_the_order_of_coming():
    slots, served = FairSlots(1), list[str]()
    assert slots.try_acquire("x")
    tasks = await in_line(slots, "aaaabbc", served)

    for _ in tasks:
        give_back(slots)
        await settle()

    assert served == ["a0", "b4", "c6", "a1", "b5", "a2", "a3"]


async def test_the_few_of_one_are_served_before_the_storm_of_another():
    slots, served = FairSlots(10), list[str]()
    for _ in range(10):
        slots.try_acquire("x")
    tasks = await in_line(slots, "a" * 5_000 + "b" * 10, served)

    for _ in range(30):
        give_back(slots)
        await settle()

    assert served[:21].count("b4999") == 0
    assert sum(name.startswith("b") for name in served[:20]) == 10
    await end(tasks)


async def test_whoever_waits_is_counted_by_party():
    slots, served = FairSlots(1), list[str]()
    slots.try_acquire("x")
    tasks = await in_line(slots, "aab", served)

    await end(tasks[:1])

    assert slots.waiting_by_key() == {"a": 1, "b": 1}
    await end(tasks)
    assert slots.waiting_by_key() == {}


async def test_who_left_is_passed_over_without_costing_a_turn():
    slots, served = FairSlots(1), list[str]()
    slots.try_acquire("x")
    tasks = await in_line(slots, "aaabb", served)
    await end(tasks[:1])

    for _ in range(4):
        give_back(slots)
        await settle()

    assert served == ["a1", "b3", "a2", "b4"]


async def test_too_long_a_wait_ends_it_in_the_order_of_coming():
    slots = FairSlots(1, wait_s=0.01)
    slots.try_acquire("x")

    results = await asyncio.gather(*(slots.acquire(key) for key in "aab"), return_exceptions=True)

    assert [type(result) for result in results] == [TimeoutError] * 3
    assert slots.waiting == 0


async def test_the_line_is_bounded_over_all_parties():
    slots, served = FairSlots(1, max_waiting=2), list[str]()
    slots.try_acquire("x")
    tasks = await in_line(slots, "ab", served)

    with pytest.raises(LineFullError):
        await slots.acquire("c")

    await end(tasks)


async def test_closing_refuses_every_party():
    slots = FairSlots(1)
    slots.try_acquire("x")
    waiting = [asyncio.create_task(slots.acquire(key)) for key in "aab"]
    await settle()

    slots.close(lambda: RuntimeError("closed"))

    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(result) for result in results] == ["closed"] * 3


async def test_the_lines_do_not_keep_those_that_left():
    slots, served = FairSlots(1), list[str]()
    slots.try_acquire("x")
    (patient,) = await in_line(slots, "a", served)

    for _ in range(50):
        await end(await in_line(slots, "ab", served))

    assert sum(len(line) for line in slots._lines.values()) <= 3
    assert len(slots._line) <= 3
    await end([patient])


async def test_of_several_parties_none_takes_all_that_there_is():
    slots = FairSlots(100)
    slots.shared = True

    taken = [sum(slots.try_acquire(key) for _ in range(100)) for key in "abcd"]

    assert taken == [90, 9, 1, 0]


async def test_many_that_stall_at_once_leave_a_slot_for_who_comes_new():
    slots, served = FairSlots(100), list[str]()
    slots.shared = True
    tasks = await in_line(slots, "abcdefghij" * 50, served)

    async with asyncio.timeout(1):
        await slots.acquire("k")

    assert (len(served), slots.used) == (99, 100)
    await end(tasks)


async def test_one_party_alone_may_have_every_slot():
    slots = FairSlots(100)

    assert sum(slots.try_acquire("a") for _ in range(101)) == 100


@pytest.mark.parametrize("capacity", [1, 2, 9])
async def test_of_few_slots_none_is_kept_back(capacity):
    slots = FairSlots(capacity)
    slots.shared = True

    assert sum(slots.try_acquire("a") for _ in range(capacity + 1)) == capacity


async def test_who_comes_new_passes_those_who_have_enough():
    slots, served = FairSlots(10), list[str]()
    slots.shared = True
    for _ in range(9):
        assert slots.try_acquire("a")
    tasks = await in_line(slots, "aaab", served)
    await settle()
    assert served == ["b3"]

    slots.release("a")  # nine of ten are in use, and a has eight of them
    await settle()
    assert served == ["b3", "a0"]
    slots.release("b")
    await settle()

    assert served == ["b3", "a0"]
    assert slots.waiting_by_key() == {"a": 2}
    await end(tasks)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.sampled_from("abc")),
        st.tuples(st.sampled_from(["release", "leave"]), st.integers(0, 30)),
        st.tuples(st.just("resize"), st.integers(1, 24)),
        st.tuples(st.just("share"), st.booleans()),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens_no_slot_is_lost_and_none_is_given_twice(steps):
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, object]]) -> None:
    slots, held, waiting = FairSlots(2), list[str](), list[asyncio.Task[str]]()
    for step, what in steps:
        if step == "acquire":
            waiting.append(asyncio.create_task(held_by(slots, str(what))))
        elif step == "resize":
            slots.resize(int(str(what)))
        elif step == "share":
            slots.shared = bool(what)
            slots.resize(slots.capacity)
        elif step == "release" and held:
            slots.release(held.pop(int(str(what)) % len(held)))
        elif step == "leave" and waiting:
            task = waiting.pop(int(str(what)) % len(waiting))
            await end([task])
            held += [] if task.cancelled() else [task.result()]
        await settle()
        held += [task.result() for task in waiting if task.done()]
        waiting = [task for task in waiting if not task.done()]
        check(slots, Counter(held), len(waiting))
    await end(waiting)
    for key in held:
        slots.release(key)
    assert (slots.used, slots.waiting, slots._lines, slots._held) == (0, 0, {}, {})


async def held_by(slots: FairSlots, key: str) -> str:
    await slots.acquire(key)
    return key


def check(slots: FairSlots, held: Counter[str], waiting: int) -> None:
    assert (slots.used, slots.waiting) == (held.total(), waiting)
    assert slots._held == held
    assert sum(slots.waiting_by_key().values()) == waiting
    free = slots.capacity - slots.used
    if waiting and free > 0:
        assert slots.shared
        assert all(held[key] >= 9 * free for key in slots.waiting_by_key())
