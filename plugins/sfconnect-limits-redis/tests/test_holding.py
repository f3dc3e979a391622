"""What a process asks for and gives back, by a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sfconnect.errors import PoolTimeout
from sfconnect.limits import FixedLimiter, Lane
from sfconnect_limits_redis.book import Answer, Grant, Need, Terms
from sfconnect_limits_redis.holding import IDLE_S, Holding, Share
from sfconnect_limits_redis.lanes import OTHERS

BUDGET = 10


class Process:
    """A process whose answers the test writes."""

    def __init__(self, *lanes: str) -> None:
        self.now = 1000.0
        terms = Terms(BUDGET, {name: Lane() for name in lanes}, lease_s=9.0, turn_s=1.0)
        lines = {name: FixedLimiter(1) for name in (*lanes, OTHERS)}
        for line in lines.values():
            line.resize(0)
        self.holding = Holding(terms, lines, self.now)
        self.waiters: list[asyncio.Task[None]] = []

    @property
    def share(self) -> Share:
        return self.holding.shares[OTHERS]

    def answer(self, slots: int, part: int | None = None, *, book: int = 7) -> dict[str, Need]:
        needs = self.holding.needs()
        grant = Grant(slots, slots if part is None else part)
        grants = {name: Grant(0, 0) for name in needs} | {OTHERS: grant}
        self.holding.take(Answer(grants, book, holders=2), needs, self.now)
        return needs

    def take(self, count: int) -> None:
        for _ in range(count):
            assert self.share.line.try_acquire("rest")
        self.share.peak = max(self.share.peak, self.share.line.in_flight)

    async def line_up(self, count: int) -> None:
        for _ in range(count):
            self.waiters.append(asyncio.create_task(self.share.line.acquire("rest")))
        await asyncio.sleep(0)

    def end(self, count: int) -> None:
        for _ in range(count):
            self.share.line.release("rest", 0.1, None)

    def due_after(self, seconds: float) -> bool:
        self.now += seconds
        return self.holding.due(self.now)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    for waiter in made.waiters:
        waiter.cancel()


async def test_calls_that_wait_have_the_book_asked(process: Process) -> None:
    process.answer(0)
    assert not process.due_after(0)

    await process.line_up(3)

    assert process.due_after(0)
    assert process.answer(3)[OTHERS] == Need(0, 3)
    await asyncio.sleep(0)
    assert process.share.line.in_flight == 3
    assert not process.due_after(0)


async def test_more_than_the_budget_is_never_asked_for(process: Process) -> None:
    await process.line_up(50)

    assert process.answer(BUDGET)[OTHERS].wanted == BUDGET
    await process.line_up(50)
    assert not process.due_after(0)


async def test_who_has_its_fair_part_does_not_ask_for_each_new_waiter(process: Process) -> None:
    await process.line_up(6)
    process.answer(4, 4)

    await process.line_up(20)

    assert not process.due_after(0)


async def test_who_lacks_slots_asks_once_a_turn(process: Process) -> None:
    await process.line_up(6)
    process.answer(4, 4)

    assert not process.due_after(0.9)
    assert process.holding.pause_s(process.now) == pytest.approx(0.1)
    assert process.due_after(0.1)


async def test_a_lease_is_renewed_three_times_before_it_ends(process: Process) -> None:
    process.answer(0)

    assert not process.due_after(2.9)
    assert process.due_after(0.1)
    assert process.holding.lapses_at == 1009.0


async def test_a_wake_has_the_book_asked(process: Process) -> None:
    process.answer(0)
    process.holding.woken = True

    assert process.due_after(0)
    process.answer(0)
    assert not process.due_after(0)


async def test_slots_above_the_fair_part_go_back_as_calls_end(process: Process) -> None:
    process.answer(6)
    process.take(6)
    await process.line_up(5)

    assert process.answer(6, 4)[OTHERS] == Need(6, 10)
    assert not process.due_after(0)
    process.end(1)

    # The one in line did not get it.
    assert (process.share.line.in_flight, process.share.line.waiting) == (5, 5)
    assert process.due_after(0)
    assert process.answer(5, 4)[OTHERS] == Need(5, 10)
    process.end(2)
    assert process.answer(4, 4)[OTHERS] == Need(4, 8)
    assert process.share.line.in_flight == 4


async def test_slots_that_were_idle_for_a_while_go_back(process: Process) -> None:
    process.answer(6)
    process.take(6)
    process.end(6)
    assert not process.due_after(0)
    assert process.holding.pause_s(process.now) == IDLE_S

    assert not process.due_after(IDLE_S)  # they were used within this while
    process.take(2)
    process.end(2)
    assert process.due_after(IDLE_S)

    assert process.answer(2)[OTHERS] == Need(2, 2)
    assert process.due_after(IDLE_S)
    assert process.answer(0)[OTHERS] == Need(0, 0)
    assert not process.due_after(IDLE_S)
    assert process.holding.pause_s(process.now) > IDLE_S


async def test_slots_in_use_are_never_idle(process: Process) -> None:
    await process.line_up(6)
    process.answer(6)

    assert not process.due_after(IDLE_S)
    assert not process.due_after(IDLE_S)
    assert process.holding.pause_s(process.now) == pytest.approx(3.0 - 2 * IDLE_S)


async def test_a_waiter_that_is_cancelled_leaves_its_slot_to_others(process: Process) -> None:
    await process.line_up(3)
    for waiter in process.waiters:
        waiter.cancel()
    await asyncio.sleep(0)

    process.answer(3)

    assert process.share.line.in_flight == 0
    assert not process.due_after(0)
    assert process.due_after(IDLE_S)
    assert process.answer(0)[OTHERS] == Need(0, 0)


async def test_on_its_own_it_uses_what_it_is_told_and_no_more(process: Process) -> None:
    process.answer(6)
    process.take(6)

    process.holding.go_alone({OTHERS: 2})
    process.end(4)
    assert not process.share.line.try_acquire("rest")
    process.end(1)
    assert process.share.line.try_acquire("rest")

    assert process.answer(5)[OTHERS].keep == 2
    assert process.holding.limit == 5


async def test_a_lane_without_a_cap_of_its_own_stops_while_alone() -> None:
    process = Process("bulk")
    process.answer(6)

    process.holding.go_alone({"bulk": 1})

    assert (process.holding.shares["bulk"].line.limit, process.share.line.limit) == (1, 0)
    assert process.holding.limit == 1


async def test_who_waits_can_be_sent_away(process: Process) -> None:
    await process.line_up(1)

    process.holding.dismiss(lambda: PoolTimeout("away"))

    with pytest.raises(PoolTimeout, match="away"):
        await process.waiters[0]
    assert (process.holding.waiting, process.holding.in_flight) == (0, 0)
