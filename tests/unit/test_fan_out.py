"""Many calls at once: bounded, in order where asked, ended cleanly however they end."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect.call import Call
from sfconnect.errors import ConfigurationError, NotFoundError, SfConnectError
from sfconnect.fan_out import FanOut, Outcome, gather
from sfconnect.messages import Request, Response

ANSWER = Response(200, {}, b"")


class Sender:
    """Carries out calls as told, and counts how many are under way."""

    def __init__(self, work=None) -> None:
        self.work = work
        self.started: list[int] = []
        self.finished: list[int] = []
        self.cancelled: list[int] = []
        self.most = 0

    @property
    def under_way(self) -> int:
        return len(self.started) - len(self.finished) - len(self.cancelled)

    async def execute(self, request: Request) -> Response:
        number = int(request.path)
        self.started.append(number)
        self.most = max(self.most, self.under_way)
        try:
            if self.work is not None:
                await self.work(number)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        except BaseException:
            self.finished.append(number)
            raise
        self.finished.append(number)
        return ANSWER

    def call(self, number: int) -> Call[int]:
        return Call(Request("GET", str(number)), lambda _: number, self)

    def calls(self, count: int):
        return (self.call(number) for number in range(count))


class Choosy(Sender):
    """Has use for a number of callers."""

    def __init__(self, work, enough: int) -> None:
        super().__init__(work)
        self.enough = enough

    def has_use_for(self, callers: int) -> bool:
        return callers < self.enough


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def collect(fan_out: FanOut[int]) -> list[Outcome[int]]:
    async with fan_out as outcomes:
        return [outcome async for outcome in outcomes]


class Gates:
    """Calls that end when they are let go, one by one."""

    def __init__(self) -> None:
        self.events: dict[int, asyncio.Event] = {}

    async def __call__(self, number: int) -> None:
        await self.events.setdefault(number, asyncio.Event()).wait()

    def open(self, number: int) -> None:
        self.events.setdefault(number, asyncio.Event()).set()


async def fail_on(number: int, *bad: int) -> None:
    await asyncio.sleep(0)
    if number in bad:
        raise NotFoundError(f"no {number}")


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


# Errors


async def test_errors_are_outcomes_unless_asked_otherwise():
    sender = Sender(lambda number: fail_on(number, 2, 5))

    outcomes = await collect(FanOut(sender.calls(10)))

    assert len(outcomes) == 10
    assert {outcome.index for outcome in outcomes if outcome.error} == {2, 5}


async def test_the_first_error_can_be_raised_and_cancels_the_rest():
    async def work(number: int) -> None:
        await fail_on(number, 3)
        if number > 3:
            await asyncio.Event().wait()

    sender = Sender(work)

    with pytest.raises(NotFoundError, match="no 3"):
        await collect(FanOut(sender.calls(1000), concurrency=8, on_error="raise"))

    assert sender.under_way == 0
    assert set(sender.cancelled) == set(sender.started) - {0, 1, 2, 3}
    assert len(sender.started) < 20


async def test_an_error_can_stop_the_input_and_let_the_rest_finish():
    gates = Gates()

    async def work(number: int) -> None:
        await fail_on(number, 0)
        await gates(number)

    sender = Sender(work)
    seen = []

    async with FanOut(sender.calls(1000), concurrency=4, on_error="stop") as outcomes:
        seen.append(await anext(outcomes))
        begun = list(sender.started)
        for number in range(1000):
            gates.open(number)
        seen += [outcome async for outcome in outcomes]

    assert isinstance(seen[0].error, NotFoundError)
    # Calls that had begun by then, and no other.
    assert {outcome.index for outcome in seen} == set(begun) == set(sender.started)
    assert sender.cancelled == []


@pytest.mark.parametrize("ordered", [False, True])
async def test_stopping_does_not_wait_for_an_input_that_has_nothing_yet(ordered):
    closed = False

    async def calls():
        nonlocal closed
        try:
            yield sender.call(0)
            await asyncio.Event().wait()  # such as a queue that nobody fills any more
        finally:
            closed = True

    sender = Sender(lambda number: fail_on(number, 0))

    async with asyncio.timeout(2):
        outcomes = await collect(FanOut(calls(), on_error="stop", ordered=ordered))

    assert [outcome.index for outcome in outcomes] == [0]
    assert closed


async def test_a_call_whose_reading_was_under_way_at_the_stop_is_not_started():
    give = asyncio.Event()

    async def calls():
        yield sender.call(0)
        await give.wait()
        yield sender.call(1)

    sender = Sender(lambda number: fail_on(number, 0))

    async with FanOut(calls(), on_error="stop") as outcomes:
        await anext(outcomes)
        give.set()
        assert [outcome async for outcome in outcomes] == []

    assert sender.started == [0]


class BugError(Exception):
    """A bug in somebody's code."""


async def test_a_bug_in_the_input_is_raised_out_of_the_loop():
    def calls():
        yield sender.call(0)
        raise BugError

    sender = Sender()
    got = []

    async def read() -> None:
        async with FanOut(calls()) as outcomes:
            async for outcome in outcomes:
                got.append(outcome.index)  # noqa: PERF401  # kept when the loop raises

    with pytest.raises(BugError):
        await read()

    assert got == [0]


async def test_a_bug_in_an_asynchronous_input_is_raised_too():
    async def calls():
        yield Sender().call(0)
        raise BugError

    with pytest.raises(BugError):
        await collect(FanOut(calls()))


async def test_a_bug_in_a_decoder_is_raised_and_not_taken_for_an_outcome():
    def decode(_: Response) -> int:
        raise BugError

    call = Call(Request("GET", "1"), decode, Sender())

    with pytest.raises(BugError):
        await collect(FanOut([call]))


@pytest.mark.parametrize("item", [None, 5, "call", Sender, object()])
async def test_an_item_that_is_no_call_is_named_with_its_place(item):
    sender = Sender()

    with pytest.raises(ConfigurationError, match=rf"Item 1 .* {type(item).__name__}"):
        await collect(FanOut([sender.call(0), item, sender.call(2)]))


async def test_a_call_that_is_cancelled_from_inside_is_not_lost_silently():
    async def work(number: int) -> None:
        if number == 3:
            raise asyncio.CancelledError

    sender = Sender(work)

    with pytest.raises(RuntimeError, match="nobody had cancelled"):
        await collect(FanOut(sender.calls(10), ordered=True))


@pytest.mark.parametrize("calls", [5, None, Sender().call(1)])
async def test_what_cannot_be_iterated_over_is_refused(calls):
    with pytest.raises(ConfigurationError, match="iterable of calls"):
        FanOut(calls)


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"concurrency": -1}, {"on_error": "ignore"}]
)
async def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigurationError):
        FanOut([], **options)


@pytest.mark.parametrize("on_error", ["raise", "stop"])
async def test_no_call_begins_after_one_has_failed_however_slow_the_consumer_is(on_error):
    sender = Sender(lambda number: fail_on(number, 2))

    async with FanOut(
        sender.calls(1000), concurrency=1, window=100, on_error=on_error, ordered=True
    ) as outcomes:
        await settle()  # a consumer that takes nothing yet
        assert sender.started == [0, 1, 2]
        for index in range(2):
            assert (await anext(outcomes)).index == index


async def test_a_fan_out_outside_of_its_block_says_how_to_use_it():
    fan_out = FanOut(Sender().calls(5))

    with pytest.raises(ConfigurationError, match="inside its block"):
        await anext(fan_out)

    async with fan_out:
        pass
    async with asyncio.timeout(1):
        with pytest.raises(ConfigurationError, match="inside its block"):
            await anext(fan_out)


async def test_a_fan_out_is_entered_once():
    fan_out = FanOut(Sender().calls(1))
    await collect(fan_out)

    with pytest.raises(ConfigurationError, match="once"):
        await collect(fan_out)


def test_making_a_fan_out_needs_no_event_loop():
    FanOut(Sender().calls(1))


# Leaving early


@pytest.mark.parametrize("way", ["break", "raise", "never read"])
async def test_leaving_early_cancels_what_is_in_flight_at_once(way):
    closed = False

    def calls():
        nonlocal closed
        try:
            yield from sender.calls(1000)
        finally:
            closed = True

    async def work(number: int) -> None:
        if number:
            await asyncio.Event().wait()

    sender = Sender(work)

    with contextlib.suppress(BugError):
        async with FanOut(calls(), concurrency=5) as outcomes:
            if way == "never read":
                await settle()
            else:
                await anext(outcomes)
                await settle()
            if way == "raise":
                raise BugError

    assert sender.under_way == 0
    assert sender.cancelled
    assert closed


async def test_leaving_early_closes_an_asynchronous_generator_that_is_waiting():
    closed = asyncio.Event()

    async def calls():
        try:
            yield Sender().call(0)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # its clean-up may take a while
            closed.set()

    async with FanOut(calls()) as outcomes:
        await anext(outcomes)
        await settle()

    assert closed.is_set()


async def test_an_input_that_is_no_generator_stays_open():
    numbers = iter([Sender().call(number) for number in range(1000)])

    async with FanOut(numbers, concurrency=1) as outcomes:
        await anext(outcomes)

    assert isinstance(next(numbers), Call)


async def test_cancelling_from_outside_cancels_everything():
    sender = Sender(Gates())
    task = asyncio.create_task(collect(FanOut(sender.calls(100), concurrency=5)))
    await settle()

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert sender.under_way == 0
    assert len(sender.cancelled) == 5


async def test_a_time_limit_around_a_fan_out_ends_it():
    sender = Sender(Gates())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await collect(FanOut(sender.calls(100)))

    assert sender.under_way == 0


async def test_cancelling_while_the_calls_clean_up_still_waits_for_them():
    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.005)

    sender = Sender(work)

    async def use() -> None:
        async with FanOut(sender.calls(3)):
            await settle()

    task = asyncio.create_task(use())
    await settle()
    await settle()
    task.cancel()
    await asyncio.wait({task})

    assert sender.under_way == 0


async def test_cancelling_one_anext_loses_no_outcome():
    gates = Gates()
    sender = Sender(gates)

    async with FanOut(sender.calls(2)) as outcomes:
        waiting = asyncio.create_task(anext(outcomes))
        await settle()
        gates.open(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        got = [] if waiting.cancelled() else [waiting.result().index]
        gates.open(1)
        got += [outcome.index async for outcome in outcomes]

    assert sorted(got) == [0, 1]


async def test_fan_outs_nest():
    sender = Sender(fail_on)

    async def part(number: int) -> int:
        async with FanOut(sender.calls(10), concurrency=3) as inner:
            return sum([outcome.unwrap() async for outcome in inner])

    class Outer(Sender):
        async def execute(self, request: Request) -> Response:
            return Response(200, {}, str(await part(int(request.path))).encode())

    outer = Outer()
    calls = [Call(Request("GET", str(n)), lambda a: int(a.content), outer) for n in range(5)]

    assert [o.unwrap() for o in await collect(FanOut(calls, ordered=True))] == [45] * 5


async def test_an_eager_task_factory_does_no_harm():
    if not hasattr(asyncio, "eager_task_factory"):
        return  # Python 3.11
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        outcomes = await collect(FanOut(Sender().calls(200), concurrency=8))
    finally:
        loop.set_task_factory(None)

    assert len(outcomes) == 200


# gather


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
