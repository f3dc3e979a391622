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


async def waiting(slots: Slots, count: int):
    tasks = [asyncio.create_task(slots.acquire()) for _ in range(count)]
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


async def test_a_free_slot_is_not_lost_behind_a_waiter_that_was_cancelled_and_has_not_run_yet():
    slots = Slots(1)
    await slots.acquire()
    (first,) = await waiting(slots, 1)

    first.cancel()
    slots.release()
    async with asyncio.timeout(1):
        await slots.acquire()  # comes while the cancelled one is still counted

    assert (slots.used, slots.waiting) == (1, 0)


async def test_waiting_too_long_is_a_time_out():
    slots = Slots(1, wait_s=0.001)
    await slots.acquire()

    with pytest.raises(TimeoutError):
        await slots.acquire()

    assert (slots.used, slots.waiting) == (1, 0)
    slots.release()
    assert slots.used == 0


@pytest.fixture
async def at(monkeypatch):
    """Set the running loop's time, in seconds from the start of the test."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def set_to(seconds: float) -> None:
        monkeypatch.setattr(loop, "time", lambda: start + seconds)
        await settle()

    return set_to


async def test_everybody_waits_equally_long_from_when_they_came(at):
    slots = Slots(1, wait_s=5.0)
    await slots.acquire()
    await at(0)
    (first,) = await waiting(slots, 1)
    await at(2)
    second, third = await waiting(slots, 2)
    await at(4)
    second.cancel()
    (fourth,) = await waiting(slots, 1)

    seen = []
    for seconds in (4.9, 5.1, 6.9, 7.1, 8.9, 9.1):
        await at(seconds)
        seen.append([task.done() for task in (first, third, fourth)])

    assert seen == [
        [False, False, False],
        [True, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, False],
        [True, True, True],
    ]
    assert all(isinstance(task.exception(), TimeoutError) for task in (first, third, fourth))
    assert (slots.used, slots.waiting, len(slots._deadlines)) == (1, 0, 0)


async def test_whoever_is_left_of_many_waits_as_long_as_it_was_promised(at):
    slots = Slots(1, wait_s=5.0)
    await slots.acquire()
    await at(0)
    many = await waiting(slots, 20)
    await at(4)
    (late,) = await waiting(slots, 1)

    for task in many:
        task.cancel()
    await at(6)
    assert not late.done()
    await at(9.1)

    assert isinstance(late.exception(), TimeoutError)


async def test_the_time_of_who_was_served_ends_nobody_elses_wait(at):
    slots = Slots(1, wait_s=5.0)
    await slots.acquire()
    await at(0)
    (first,) = await waiting(slots, 1)
    await at(3)
    (second,) = await waiting(slots, 1)

    slots.release()
    await at(6)

    assert first.done()
    assert not second.done()
    slots.release()
    await second


def test_waits_end_in_a_second_event_loop_too():
    slots = Slots(1, wait_s=0.001)

    async def wait_in_vain() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await slots.acquire()

    async def leave_a_timer_behind() -> None:
        await slots.acquire()
        (waiter,) = await waiting(slots, 1)
        waiter.cancel()
        await settle()

    asyncio.run(leave_a_timer_behind())
    asyncio.run(wait_in_vain())

    assert (slots.used, slots.waiting) == (1, 0)


@pytest.mark.parametrize("order", ["time-out first", "turn first"])
async def test_a_time_out_in_the_moment_of_the_turn_loses_no_slot(order, at):
    slots = Slots(1, wait_s=5.0)
    await slots.acquire()
    (first,) = await waiting(slots, 1)

    if order == "turn first":
        slots.release()
    else:
        asyncio.get_running_loop().call_soon(slots.release)
    await at(10)  # the deadline is over: fires next round
    await asyncio.wait({first})

    if first.exception() is None:
        slots.release()  # it got the slot after all
    else:
        assert isinstance(first.exception(), TimeoutError)
    assert (slots.used, slots.waiting) == (0, 0)


async def test_errors_of_ones_own_are_raised():
    slots = Slots(1, max_waiting=1, wait_s=0.001, full=KeyError, late=LookupError)
    await slots.acquire()
    (waiter,) = await waiting(slots, 1)

    with pytest.raises(KeyError):
        await slots.acquire()
    with pytest.raises(LookupError):
        await waiter


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
    slots = Slots(1, wait_s=60.0)
    await slots.acquire()
    tasks = await waiting(slots, 3)

    slots.close(ClosedError)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == 3 * [ClosedError]
    assert outcomes[0] is not outcomes[1]
    assert slots.waiting == 0
    assert slots._expiry is None
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

    @precondition(lambda self: self.held and 0 < self.slots.waiting < 6)
    @rule(data=st.data())
    def leave_give_up_and_come_at_once(self, data) -> None:
        index = data.draw(st.integers(0, len(self.line) - 1))
        self.run(self._come_before_the_cancelled_has_run(index))

    async def _come_before_the_cancelled_has_run(self, index: int) -> None:
        self.line.append(asyncio.create_task(self.slots.acquire()))
        self.held -= 1
        self.line[index].cancel()
        self.slots.release()
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
