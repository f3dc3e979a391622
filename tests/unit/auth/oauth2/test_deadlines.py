"""Waiting with an end, on a clock that only the test moves."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.auth.oauth2.deadlines import first_of, within


class Work:
    """Ends when it is told to, and notes whether it was cancelled."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.cancelled = False

    async def run(self, value: str) -> str:
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return value


async def value_of(value: str) -> str:
    return value


async def failing(error: Exception) -> str:
    raise error


async def test_work_that_ends_in_time_gives_its_value_and_leaves_no_alarm(clock):
    work = Work()
    waiting = asyncio.ensure_future(within(clock, 10, work.run("done")))
    await clock.advance(9.9)
    work.end.set()

    assert await waiting == "done"
    assert clock.sleepers == 0


async def test_work_that_does_not_end_is_cancelled(clock):
    work = Work()
    waiting = asyncio.ensure_future(within(clock, 10, work.run("done")))

    await clock.advance(10)

    with pytest.raises(TimeoutError):
        await waiting
    assert work.cancelled


async def test_an_error_passes(clock):
    with pytest.raises(ValueError, match="no"):
        await within(clock, 10, failing(ValueError("no")))
    assert clock.sleepers == 0


async def test_cancelling_whoever_waits_cancels_the_work(clock):
    work = Work()
    waiting = asyncio.ensure_future(within(clock, 10, work.run("done")))
    await clock.settle()

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert waiting.cancelled()
    assert work.cancelled
    assert clock.sleepers == 0


async def test_the_first_of_several_counts_and_the_others_are_cancelled():
    slow, other = Work(), Work()

    assert await first_of(slow.run("slow"), value_of("quick"), other.run("other")) == "quick"
    assert slow.cancelled
    assert other.cancelled


async def test_of_two_that_are_done_the_one_named_first_counts():
    assert await first_of(value_of("one"), failing(ValueError("late"))) == "one"
    with pytest.raises(ValueError, match="late"):
        await first_of(failing(ValueError("late")), value_of("one"))
