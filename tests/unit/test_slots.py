"""Slots: never more than there are, none lost, first come first served."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sfconnect._slots import LineFullError, Slots


class ClosedError(Exception):
    """What the slots of these tests refuse with."""


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(slots: Slots, count: int, wait_s: float | None = None):
    tasks = [asyncio.create_task(slots.acquire(wait_s)) for _ in range(count)]
    await settle()
    return tasks


async def test_free_slots_are_taken_without_waiting():
    slots = Slots(2)

    await slots.acquire()

    assert slots.try_acquire()
    assert not slots.try_acquire()
    assert slots.used == 2


async def test_a_freed_slot_passes_to_the_first_in_line():
    slots = Slots(1)
    await slots.acquire()
    first, second = await waiting(slots, 2)

    slots.release()
    await settle()

    assert first.done()
    assert not second.done()
    assert (slots.used, slots.waiting) == (1, 1)
    slots.release()
    await second


async def test_nobody_overtakes_those_in_line():
    slots = Slots(1)
    await slots.acquire()
    (first,) = await waiting(slots, 1)

    slots.release()

    assert not slots.try_acquire()  # the slot is the waiter's, though it has not run yet
    await first
    assert slots.used == 1


async def test_a_full_line_refuses():
    slots = Slots(1, max_waiting=1)
    await slots.acquire()
    (waiter,) = await waiting(slots, 1)

    with pytest.raises(LineFullError):
        await slots.acquire()

    slots.release()
    await waiter


async def test_a_line_of_length_zero_refuses_at_once():
    slots = Slots(1, max_waiting=0)
    await slots.acquire()

    with pytest.raises(LineFullError):
        await slots.acquire()


async def test_cancelling_a_waiter_leaves_its_place_to_the_next():
    slots = Slots(1)
    await slots.acquire()
    first, second = await waiting(slots, 2)

    first.cancel()
    await settle()
    assert slots.waiting == 1
    slots.release()

    await second
    assert slots.used == 1


async def test_a_waiter_cancelled_in_the_moment_of_its_turn_passes_the_slot_on():
    slots = Slots(1)
    await slots.acquire()
    first, second = await waiting(slots, 2)

    slots.release()  # gives the slot to the first, which has not run yet
    first.cancel()
    await settle()

    assert first.cancelled()
    assert second.done()
    assert (slots.used, slots.waiting) == (1, 0)


async def test_a_waiter_cancelled_just_before_its_turn_takes_no_slot():
    slots = Slots(1)
    await slots.acquire()
    (first,) = await waiting(slots, 1)

    first.cancel()
    slots.release()
    await settle()

    assert (slots.used, slots.waiting) == (0, 0)


async def test_waiting_too_long_is_a_time_out():
    slots = Slots(1)
    await slots.acquire()

    with pytest.raises(TimeoutError):
        await slots.acquire(0.001)

    assert (slots.used, slots.waiting) == (1, 0)
    slots.release()
    assert slots.used == 0


@pytest.mark.parametrize("order", ["time-out first", "turn first"])
async def test_a_time_out_in_the_moment_of_the_turn_loses_no_slot(order, monkeypatch):
    loop = asyncio.get_running_loop()
    slots = Slots(1)
    await slots.acquire()
    now = loop.time()
    (first,) = await waiting(slots, 1, 5.0)

    if order == "turn first":
        slots.release()
    monkeypatch.setattr(loop, "time", lambda: now + 10)  # the deadline is over: fires next round
    if order == "time-out first":
        loop.call_soon(slots.release)
    await asyncio.wait({first})

    if first.exception() is None:
        slots.release()  # it got the slot after all
    else:
        assert isinstance(first.exception(), TimeoutError)
    assert (slots.used, slots.waiting) == (0, 0)


async def test_growing_serves_as_many_as_fit():
    slots = Slots(1)
    await slots.acquire()
    tasks = await waiting(slots, 3)

    slots.resize(3)
    await settle()

    assert [task.done() for task in tasks] == [True, True, False]
    slots.release()
    await tasks[2]


async def test_shrinking_takes_nothing_away_and_gives_nothing_out_until_enough_is_free():
    slots = Slots(3)
    for _ in range(3):
        await slots.acquire()
    (waiter,) = await waiting(slots, 1)

    slots.resize(1)
    slots.release()
    slots.release()
    await settle()

    assert slots.used == 1
    assert not waiter.done()
    slots.release()
    await waiter
    assert slots.used == 1


async def test_refusing_keeps_those_in_line_and_turns_others_away():
    slots = Slots(1)
    await slots.acquire()
    (waiter,) = await waiting(slots, 1)

    slots.refuse(ClosedError)

    with pytest.raises(ClosedError):
        await slots.acquire()
    slots.release()
    await waiter
    slots.release()
    assert not slots.try_acquire()


async def test_closing_turns_everybody_away():
    slots = Slots(1)
    await slots.acquire()
    tasks = await waiting(slots, 3)

    slots.close(ClosedError)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == 3 * [ClosedError]
    assert outcomes[0] is not outcomes[1]
    assert slots.waiting == 0
    slots.release()
    assert slots.used == 0


async def test_a_waiter_that_is_cancelled_while_the_slots_close_is_cancelled():
    slots = Slots(1)
    await slots.acquire()
    first, second = await waiting(slots, 2)

    second.cancel()
    slots.close(ClosedError)
    first.cancel()
    await settle()

    assert first.cancelled()
    assert second.cancelled()
    assert slots.waiting == 0


async def test_the_line_stays_short_behind_one_who_waits_for_long():
    slots = Slots(1)
    await slots.acquire()
    (patient,) = await waiting(slots, 1)

    for _ in range(50):
        for task in await waiting(slots, 20):
            task.cancel()
        await settle()

    assert slots.waiting == 1
    assert len(slots._line) <= 50
    slots.release()
    await patient


async def test_cancelling_thousands_of_waiters_does_not_cost_their_square():
    slots = Slots(1)
    await slots.acquire()
    tasks = await waiting(slots, 5_000)

    for task in reversed(tasks):
        task.cancel()
    await asyncio.wait(tasks)

    assert (slots.waiting, len(slots._line)) == (0, 0)


@settings(max_examples=60, stateful_step_count=40)
class SlotsMachine(RuleBasedStateMachine):
    """Drive slots in any order, and compare them with a list of holders and a line of waiters."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.slots = Slots(2, max_waiting=6)
        self.line: deque[asyncio.Task[None]] = deque()
        self.held = 0

    def teardown(self) -> None:
        self.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        for task in self.line:
            task.cancel()
        await asyncio.gather(*self.line, return_exceptions=True)
        assert self.slots.waiting == 0

    def run(self, work):
        return self.runner.run(work)

    async def _step(self, action=None) -> None:
        if action is not None:
            action()
        await settle()
        # Those who got a slot are the first of the line, with no gap.
        while self.line and self.line[0].done():
            task = self.line.popleft()
            if not task.cancelled():
                task.result()
                self.held += 1
        assert not any(task.done() for task in self.line)

    async def _come(self) -> None:
        if self.slots.waiting >= 6:
            with pytest.raises(LineFullError):
                await self.slots.acquire()
            return
        self.line.append(asyncio.create_task(self.slots.acquire()))
        await self._step()

    @rule()
    def come(self) -> None:
        self.run(self._come())

    @rule()
    def try_to_come(self) -> None:
        if self.slots.try_acquire():
            assert not self.line
            self.held += 1

    @precondition(lambda self: self.held)
    @rule()
    def leave(self) -> None:
        self.held -= 1
        self.run(self._step(self.slots.release))

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def give_up(self, data) -> None:
        index = data.draw(st.integers(0, len(self.line) - 1))
        self.run(self._cancel(index))

    async def _cancel(self, index: int) -> None:
        task = self.line[index]
        task.cancel()
        await settle()
        assert task.cancelled()
        del self.line[index]
        await self._step()

    @precondition(lambda self: self.line and self.held)
    @rule(data=st.data())
    def leave_and_give_up_at_once(self, data) -> None:
        index = data.draw(st.integers(0, len(self.line) - 1))
        before = data.draw(st.booleans())
        self.run(self._leave_and_cancel(index, before=before))

    async def _leave_and_cancel(self, index: int, *, before: bool) -> None:
        task = self.line[index]
        self.held -= 1
        if before:
            task.cancel()
        self.slots.release()
        task.cancel()
        await settle()
        assert task.cancelled()
        del self.line[index]
        await self._step()

    @rule(capacity=st.integers(1, 4))
    def resize(self, capacity: int) -> None:
        self.run(self._step(lambda: self.slots.resize(capacity)))

    @invariant()
    def counts_agree(self) -> None:
        assert self.slots.used == self.held
        assert self.slots.waiting == len(self.line)

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        assert not self.line or self.slots.used >= self.slots.capacity


TestSlotsInAnyOrder = SlotsMachine.TestCase
