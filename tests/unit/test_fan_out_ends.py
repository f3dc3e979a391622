"""Many calls at once, and how that ends: errors, bugs in the input, leaving early."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sfconnect.call import Call
from sfconnect.errors import ConfigurationError, NotFoundError, PoolClosed
from sfconnect.fan_out import FanOut
from sfconnect.messages import Request, Response
from tests.unit.told_calls import Gates, Sender, collect, fail_on, settle

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


async def test_a_call_that_was_sent_before_the_connection_closed_is_an_outcome():
    closed = PoolClosed("The connection is closed.")
    resent = PoolClosed("The connection is closed.")
    resent.request_sent = True

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        if number:
            raise resent if number == 1 else closed

    seen: dict[int, object] = {}

    async def run() -> None:
        async with FanOut(Sender(work).calls(3), concurrency=3) as outcomes:
            async for outcome in outcomes:
                seen[outcome.index] = outcome.error

    with pytest.raises(PoolClosed):
        await run()

    assert seen == {0: None, 1: resent}


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_decoder_that_says_stop_does_not_end_the_loop_as_if_all_were_done(ordered):
    def stop(_: Response) -> int:
        raise StopAsyncIteration

    sender = Sender()
    calls = [sender.call(0), Call(Request("GET", "1"), stop, sender), sender.call(2)]

    with pytest.raises(RuntimeError, match="StopAsyncIteration") as caught:
        await collect(FanOut(calls, ordered=ordered))

    assert isinstance(caught.value.__cause__, StopAsyncIteration)


async def left_after_one(fan_out: FanOut[int], error: Exception | None = None) -> None:
    async with fan_out as outcomes:
        await anext(outcomes)
        await settle()
        if error is not None:
            raise error


async def test_a_bug_that_the_loop_was_left_too_early_to_meet_leaves_the_block():
    def broken(_: Response) -> int:
        raise KeyError("a bug")

    sender = Sender()
    calls = [sender.call(0), Call(Request("GET", "1"), broken, sender)]

    with pytest.raises(KeyError):
        await left_after_one(FanOut(calls))


async def test_a_bug_in_the_clean_up_of_a_waiting_input_leaves_the_block():
    sender = Sender()

    async def source():
        try:
            yield sender.call(0)
            await asyncio.Event().wait()
        finally:
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        await left_after_one(FanOut(source()))


async def test_a_bug_does_not_replace_the_error_that_leaves_the_block():
    def broken(_: Response) -> int:
        raise KeyError("a bug")

    reports: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context))
    sender = Sender()
    calls = [sender.call(0), Call(Request("GET", "1"), broken, sender)]

    with pytest.raises(ZeroDivisionError):
        await left_after_one(FanOut(calls), ZeroDivisionError())

    loop.set_exception_handler(None)
    assert isinstance(reports[0]["exception"], KeyError)


@pytest.mark.parametrize("number", [0, -1, 2.5, "8"])
@pytest.mark.parametrize("name", ["concurrency", "window"])
def test_a_bound_that_is_no_count_is_refused(name, number):
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number"):
        FanOut([], **{name: number})


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
