"""Carrying a failed call on: how often, after which waits, and with what end."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from sfconnect.errors import (
    ApiError,
    ConnectError,
    ConnectionLostError,
    OutcomeUnknownError,
    RequestTimeoutError,
    ServerError,
    SfConnectError,
    ThrottledError,
)
from sfconnect.instrumentation import Emitter, RetryScheduled
from sfconnect.messages import Replay, Request
from sfconnect.retry import RetryBudget, RetryExecutor, RetryPolicy
from sfconnect.testing import FakeClock

GET = Request("GET", "/rows?q=canary")
CREATE = Request("POST", "/rows?q=canary", content=b"{}")
UPSERT = Request("PATCH", "/rows/Ext__c/1", content=b"{}", replay=Replay.KEYED)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def events() -> list[RetryScheduled]:
    return []


@pytest.fixture
def budget() -> RetryBudget:
    return RetryBudget()


@pytest.fixture
def executor(clock, events, budget) -> RetryExecutor:
    policy = RetryPolicy(max_attempts=4, initial_s=1.0, random=lambda: 1.0)
    return RetryExecutor(policy, budget, clock=clock, emitter=Emitter([events.append]))


class Script:
    """Attempts that end as told."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.numbers: list[int] = []

    async def __call__(self, request: Request, number: int) -> object:
        self.numbers.append(number)
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end


async def run(executor, clock, request, first, script):
    task = asyncio.create_task(executor.resume(request, first, script))
    await clock.advance(1000)
    return await task


async def test_a_retry_that_works_gives_its_answer(executor, clock, events):
    script = Script("answer")

    assert await run(executor, clock, GET, ConnectionLostError("Cut."), script) == "answer"

    assert script.numbers == [2]
    assert events == [RetryScheduled("GET", "/rows", "rest", "ConnectionLostError", 1, 1000.0)]
    assert executor.retries == {"ConnectionLostError": 1}


async def test_nothing_is_sent_before_the_wait_is_over(executor, clock):
    script = Script("answer")
    task = asyncio.create_task(executor.resume(GET, ConnectError("x"), script))

    await clock.advance(0.999)
    assert script.numbers == []
    await clock.advance(0.001)

    assert await task == "answer"


async def test_attempts_end_with_the_last_error(executor, clock, events):
    errors = [ConnectionLostError(str(number)) for number in range(4)]
    script = Script(*errors[1:])

    with pytest.raises(ConnectionLostError) as caught:
        await run(executor, clock, GET, errors[0], script)

    assert caught.value is errors[3]
    assert script.numbers == [2, 3, 4]
    assert [event.wait_ms for event in events] == [1000, 2000, 4000]
    assert [event.attempt for event in events] == [1, 2, 3]


async def test_a_useless_repeat_is_not_made(executor, clock, events):
    script = Script()
    first = ApiError("No such field.", code="INVALID_FIELD")

    with pytest.raises(ApiError) as caught:
        await run(executor, clock, GET, first, script)

    assert caught.value is first
    assert (script.numbers, events) == ([], [])


async def test_a_later_error_that_repeating_cannot_help_ends_the_call(executor, clock):
    script = Script(ApiError("No."), "never")

    with pytest.raises(ApiError):
        await run(executor, clock, GET, ConnectError("x"), script)

    assert script.numbers == [2]


@pytest.mark.parametrize(
    "first",
    [
        ConnectionLostError("Cut."),
        RequestTimeoutError("Late."),
        ServerError("Broken.", retry_safe=None, status=500, code="UNKNOWN_EXCEPTION"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_ambiguous_create_is_not_repeated_and_says_so(
    executor, clock, events, first: SfConnectError
):
    script = Script()
    first.request_id = "r1"

    with pytest.raises(OutcomeUnknownError, match="POST /rows ") as caught:
        await run(executor, clock, CREATE, first, script)

    error = caught.value
    assert error.__cause__ is first
    assert error.request is CREATE
    assert (error.code, error.status, error.request_id) == (first.code, first.status, "r1")
    assert "canary" not in str(error)
    assert (script.numbers, events) == ([], [])


async def test_a_create_that_was_never_sent_is_repeated(executor, clock):
    script = Script(ConnectError("x"), "created")

    assert await run(executor, clock, CREATE, ConnectError("x"), script) == "created"
    assert script.numbers == [2, 3]


async def test_a_create_that_becomes_ambiguous_on_a_retry_is_not_repeated_again(executor, clock):
    script = Script(RequestTimeoutError("Late."), "never")

    with pytest.raises(OutcomeUnknownError):
        await run(executor, clock, CREATE, ConnectError("x"), script)

    assert script.numbers == [2]


async def test_an_upsert_is_repeated_after_an_ambiguous_end(executor, clock):
    script = Script("upserted")

    assert await run(executor, clock, UPSERT, RequestTimeoutError("Late."), script) == "upserted"


async def produced():
    yield b"x"


@pytest.mark.parametrize("replay", [Replay.SAFE, Replay.UNSAFE])
async def test_a_body_that_was_a_stream_is_not_sent_again(executor, clock, replay):
    request = Request("PUT", "/rows", content=produced(), replay=replay)

    with pytest.raises(SfConnectError):
        await run(executor, clock, request, ConnectionLostError("Cut."), Script())


async def test_an_unknown_outcome_of_a_streamed_body_can_be_pickled(executor, clock):
    request = Request("POST", "/rows", content=produced())

    with pytest.raises(OutcomeUnknownError) as caught:
        await run(executor, clock, request, ConnectionLostError("Cut."), Script())

    twin = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(twin, OutcomeUnknownError)
    assert isinstance(twin.request, Request)
    assert (twin.request.method, twin.request.path) == ("POST", "/rows")


async def test_the_server_sets_the_shortest_wait(executor, clock, events):
    busy = ThrottledError("Busy.", retry_safe=True, retry_after=30, code="BUSY")

    await run(executor, clock, CREATE, busy, Script("created"))

    assert 30_000 <= events[0].wait_ms <= 31_000
    assert events[0].reason == "BUSY"
    assert executor.retries == {"BUSY": 1}


async def test_a_wait_beyond_the_cap_ends_the_call_at_once(executor, clock, events):
    busy = ThrottledError("Busy.", retry_safe=True, retry_after=121)
    script = Script("never")

    with pytest.raises(ThrottledError):
        await run(executor, clock, GET, busy, script)

    assert (script.numbers, events) == ([], [])


async def test_an_empty_budget_ends_calls_with_their_own_error(executor, clock, budget):
    budget.tokens = 15.0
    script = Script(ConnectionLostError("second"), "never")

    with pytest.raises(ConnectionLostError, match="second"):
        await run(executor, clock, GET, ConnectionLostError("first"), script)

    assert script.numbers == [2]
    assert budget.tokens == 5.0


async def test_an_empty_budget_does_not_make_an_outcome_unknown(executor, clock, budget):
    budget.tokens = 0.0

    with pytest.raises(ConnectError):
        await run(executor, clock, CREATE, ConnectError("x"), Script())


async def test_two_calls_at_once_do_not_share_errors_or_counts(executor, clock):
    first = Script(ConnectionLostError("first 2"), "first")
    second = Script(ConnectError("second 2"), ApiError("second 3"))

    tasks = [
        asyncio.create_task(executor.resume(GET, ConnectionLostError("first 1"), first)),
        asyncio.create_task(executor.resume(GET, ConnectError("second 1"), second)),
    ]
    await clock.advance(100)

    assert await tasks[0] == "first"
    with pytest.raises(ApiError, match="second 3"):
        await tasks[1]
    assert (first.numbers, second.numbers) == ([2, 3], [2, 3])


async def test_cancelling_ends_the_wait_at_once(executor, clock):
    script = Script("never")
    task = asyncio.create_task(executor.resume(GET, ConnectError("x"), script))
    await clock.settle()

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert clock.sleepers == 0
    await clock.advance(100)
    assert script.numbers == []


async def test_a_cancelled_attempt_is_not_repeated(executor, clock):
    script = Script(asyncio.CancelledError(), "never")

    with pytest.raises(asyncio.CancelledError):
        await run(executor, clock, GET, ConnectError("x"), script)

    assert script.numbers == [2]


async def test_a_bug_in_an_attempt_is_not_repeated(executor, clock):
    script = Script(ZeroDivisionError(), "never")

    with pytest.raises(ZeroDivisionError):
        await run(executor, clock, GET, ConnectError("x"), script)


async def test_without_hooks_retries_are_counted_all_the_same(clock, budget):
    executor = RetryExecutor(RetryPolicy(), budget, clock=clock)

    await run(executor, clock, GET, ConnectError("x"), Script(ConnectError("x"), "answer"))

    assert executor.retries == {"ConnectError": 2}


async def final_error(executor, clock, request, *ends):
    """Let a call fail and go on as told, with time passing as it wants; give its error."""
    first, *rest = ends
    task = asyncio.create_task(executor.resume(request, first, Script(*rest)))
    while not task.done():
        await clock.advance(1.0)
    error = task.exception()
    assert isinstance(error, SfConnectError)
    return error


async def test_the_last_error_tells_of_all_attempts_with_their_times(executor, clock):
    began = clock.time()
    down = ServerError("a", status=503, retry_safe=None)
    busy = ThrottledError("busy", code="UNABLE_TO_LOCK_ROW", status=400, retry_safe=True)

    error = await final_error(executor, clock, GET, down, busy, ConnectError("b"), busy)

    assert [(one.number, one.reason, one.status) for one in error.attempts] == [
        (1, "ServerError", 503),
        (2, "UNABLE_TO_LOCK_ROW", 400),
        (3, "ConnectError", None),
        (4, "UNABLE_TO_LOCK_ROW", 400),
    ]
    assert [one.at - began for one in error.attempts] == [0.0, 1.0, 3.0, 7.0]
    assert str(error).endswith(
        "(4 attempts within 7.0 s: ServerError, UNABLE_TO_LOCK_ROW, ConnectError, "
        "UNABLE_TO_LOCK_ROW)"
    )
    assert pickle.loads(pickle.dumps(error)).attempts == error.attempts


async def test_an_unknown_outcome_tells_of_the_attempts_before_it(executor, clock):
    error = await final_error(executor, clock, CREATE, ConnectError("a"), ConnectionLostError("b"))

    assert isinstance(error, OutcomeUnknownError)
    assert [one.reason for one in error.attempts] == ["ConnectError", "ConnectionLostError"]


async def test_a_call_that_was_sent_once_has_no_history(executor, clock):
    error = await final_error(executor, clock, GET, ApiError("no", status=400))

    assert error.attempts == ()
    assert "attempts" not in str(error)
