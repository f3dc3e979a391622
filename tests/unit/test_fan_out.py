"""Many calls at once: every outcome once, in order where asked, within bounds."""

from __future__ import annotations

import asyncio
import sys
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect.call import Call
from sfconnect.errors import NotFoundError, SfConnectError
from sfconnect.fan_out import FanOut, Outcome, gather
from sfconnect.messages import Request, Response
from tests.unit.told_calls import ANSWER, Gates, Sender, collect, fail_on, settle


class Choosy(Sender):
    """Has use for a number of callers."""

    def __init__(self, work, enough: int) -> None:
        super().__init__(work)
        self.enough = enough

    def has_use_for(self, callers: int) -> bool:
        return callers < self.enough


# What comes out


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 500])
async def test_every_call_has_one_outcome(count, ordered):
    sender = Sender()

    outcomes = await collect(FanOut(sender.calls(count), ordered=ordered))

    assert sorted(outcome.index for outcome in outcomes) == list(range(count))
    assert {outcome.unwrap() for outcome in outcomes} == set(range(count))
    assert sender.most <= 64


async def test_outcomes_come_as_they_finish():
    gates = Gates()
    sender = Sender(gates)
    got = []

    async with FanOut(sender.calls(3)) as outcomes:
        for number in (2, 0, 1):
            gates.open(number)
            outcome = await anext(outcomes)
            got.append((outcome.index, outcome.value))
        with pytest.raises(StopAsyncIteration):
            await anext(outcomes)

    assert got == [(2, 2), (0, 0), (1, 1)]


async def test_ordered_outcomes_wait_for_those_before_them():
    gates = Gates()
    sender = Sender(gates)

    async with FanOut(sender.calls(3), ordered=True) as outcomes:
        gates.open(2)
        gates.open(1)
        first = asyncio.create_task(anext(outcomes))
        await settle()
        assert not first.done()
        gates.open(0)
        rest = [await first] + [outcome async for outcome in outcomes]

    assert [outcome.index for outcome in rest] == [0, 1, 2]


@settings(max_examples=40, deadline=None)
@given(
    delays=st.lists(st.integers(0, 6), max_size=40),
    concurrency=st.integers(1, 8),
    window=st.one_of(st.none(), st.integers(1, 12)),
    ordered=st.booleans(),
)
async def test_bounds_and_order_hold_for_any_delays(delays, concurrency, window, ordered):
    async def work(number: int) -> None:
        for _ in range(delays[number]):
            await asyncio.sleep(0)

    sender = Sender(work)

    outcomes = await collect(
        FanOut(sender.calls(len(delays)), concurrency=concurrency, window=window, ordered=ordered)
    )

    indexes = [outcome.index for outcome in outcomes]
    assert sorted(indexes) == list(range(len(delays)))
    assert not ordered or indexes == sorted(indexes)
    assert sender.most <= concurrency
    assert sender.started == list(range(len(delays)))  # calls start in the order of the input


async def test_an_outcome_shows_neither_call_nor_value():
    call = Sender().call(1)

    assert "Call" not in repr(Outcome(0, call, 5))
    assert Outcome(0, call, 5).unwrap() == 5
    error = NotFoundError("x")
    with pytest.raises(NotFoundError) as caught:
        Outcome(0, call, None, error).unwrap()
    assert caught.value is error


async def test_a_call_may_give_none():
    call = Call(Request("GET", "1"), lambda _: None, Sender())

    assert await gather([call]) == [None]


# Bounds


async def test_no_more_calls_are_in_flight_than_allowed():
    gates = Gates()
    sender = Sender(gates)

    async with FanOut(sender.calls(100), concurrency=7):
        await settle()
        assert sender.under_way == 7
        assert len(sender.started) == 7


async def test_no_more_calls_wait_in_line_than_shorten_the_run():
    gates = Gates()
    sender = Choosy(gates, enough=6)

    async with FanOut(sender.calls(100), concurrency=50) as outcomes:
        await settle()
        assert sender.under_way == 6

        sender.enough = 20
        gates.open(0)  # the next call to start finds that there is room for more
        await settle()
        assert sender.under_way == 20

        for number in range(100):
            gates.open(number)
        results = [outcome async for outcome in outcomes]

    assert sorted(outcome.index for outcome in results) == list(range(100))


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_slow_consumer_slows_the_calls_down(ordered):
    sender = Sender()
    taken = 0

    async with FanOut(sender.calls(1000), concurrency=4, window=10, ordered=ordered) as outcomes:
        async for _ in outcomes:
            taken += 1
            await settle()
            assert len(sender.started) <= taken + 10

    assert taken == 1000


async def test_a_call_that_hangs_holds_ordered_outcomes_within_the_window():
    gates = Gates()

    async def work(number: int) -> None:
        if number == 0:
            await gates(number)

    sender = Sender(work)

    async with FanOut(sender.calls(1000), concurrency=4, window=16, ordered=True) as outcomes:
        await settle()
        assert len(sender.started) == 16
        gates.open(0)
        assert [outcome.index async for outcome in outcomes] == list(range(1000))


async def test_the_window_is_at_least_the_concurrency():
    gates = Gates()
    sender = Sender(gates)

    async with FanOut(sender.calls(100), concurrency=8, window=1):
        await settle()
        assert sender.under_way == 8


async def test_the_input_is_read_only_as_calls_start():
    read = 0

    def calls():
        nonlocal read
        for number in range(10_000):
            read += 1
            yield sender.call(number)

    gates = Gates()
    sender = Sender(gates)

    async with FanOut(calls(), concurrency=3):
        await settle()
        assert read == 3


async def test_several_consumers_share_the_outcomes():
    sender = Sender(fail_on)
    got: list[int] = []

    async def consume(outcomes) -> None:
        async for outcome in outcomes:
            got.append(outcome.index)
            await asyncio.sleep(0)

    async with FanOut(sender.calls(200), concurrency=5) as outcomes, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(consume(outcomes))

    assert sorted(got) == list(range(200))


class Quick(Sender):
    """Answers at once, and counts nothing."""

    async def execute(self, request: Request) -> Response:
        return ANSWER


@pytest.mark.timeout(90)  # on a busy machine
async def test_a_million_calls_from_a_generator_take_seconds():
    traced = sys.gettrace() is not None  # while coverage is measured, every line costs a lot
    count = 20_000 if traced else 1_000_000
    call = Quick().call(0)
    number = 0
    began = time.process_time()

    async with FanOut(call for _ in range(count)) as outcomes:
        async for _ in outcomes:
            number += 1

    assert number == count
    assert traced or time.process_time() - began < 20


@pytest.mark.parametrize("ordered", [False, True])
async def test_memory_does_not_grow_with_the_number_of_calls(ordered):
    sender = Quick()
    peaks = []

    tracemalloc.start()
    try:
        async with FanOut(map(sender.call, range(20_000)), ordered=ordered) as outcomes:
            async for outcome in outcomes:
                if outcome.index in {5_000, 19_000}:
                    peaks.append(tracemalloc.get_traced_memory()[1])
                    tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + 100_000
    assert peaks[1] < 3_000_000


async def test_gather_gives_values_in_the_order_of_the_input():
    async def work(number: int) -> None:
        for _ in range(20 - number):
            await asyncio.sleep(0)

    sender = Sender(work)

    assert await gather(sender.calls(20), concurrency=20) == list(range(20))
    assert await gather([]) == []


async def test_gather_raises_the_first_error_and_cancels_the_rest():
    async def work(number: int) -> None:
        await fail_on(number, 4)
        await asyncio.Event().wait()

    sender = Sender(work)

    with pytest.raises(SfConnectError, match="no 4"):
        await gather(sender.calls(100), concurrency=10)

    assert sender.under_way == 0
    assert set(sender.cancelled) == set(sender.started) - {4}
