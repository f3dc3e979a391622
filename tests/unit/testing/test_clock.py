"""The clock under a test's control."""

from __future__ import annotations

import asyncio

from sfconnect.clock import Clock
from sfconnect.testing import FakeClock


def test_it_is_a_clock_whose_two_times_differ():
    clock: Clock = FakeClock(wall=5_000.0, monotonic=10.0)

    assert (clock.time(), clock.monotonic()) == (5_000.0, 10.0)


async def test_both_times_move_together():
    clock = FakeClock(wall=5_000.0, monotonic=10.0)

    await clock.advance(2.5)

    assert (clock.time(), clock.monotonic()) == (5_002.5, 12.5)


async def test_the_wall_clock_can_be_set_alone():
    clock = FakeClock(wall=5_000.0, monotonic=10.0)

    clock.shift_wall(-60.0)

    assert (clock.time(), clock.monotonic()) == (4_940.0, 10.0)


async def test_sleepers_wake_in_order_each_at_its_time():
    clock = FakeClock(monotonic=0.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in [("c", 3.0), ("a", 1.0), ("b", 1.0)]:
            tasks.create_task(sleeper(name, seconds))
        await clock.advance(2.0)
        assert (woken, clock.sleepers) == ([("a", 1.0), ("b", 1.0)], 1)
        await clock.advance(1.0)

    assert woken[-1] == ("c", 3.0)
    assert clock.monotonic() == 3.0


async def test_who_wakes_up_may_sleep_again_within_the_same_advance():
    clock = FakeClock(monotonic=0.0)
    ticks: list[float] = []

    async def tick() -> None:
        for _ in range(3):
            await clock.sleep(1.0)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(tick())
    await clock.advance(10.0)
    await task

    assert ticks == [1.0, 2.0, 3.0]
    assert clock.monotonic() == 10.0


async def test_no_wait_is_a_turn_of_the_loop():
    clock = FakeClock()

    await clock.sleep(0.0)
    await clock.sleep(-1.0)

    assert clock.sleepers == 0


async def test_a_cancelled_sleeper_is_passed_over():
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.settle()

    task.cancel()
    await clock.advance(2.0)

    assert task.cancelled()
    assert clock.sleepers == 0
