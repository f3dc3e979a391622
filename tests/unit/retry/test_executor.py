"""Carrying a failed call on: how often, after which waits, and with what end."""

from __future__ import annotations

import asyncio
import pickle
import traceback

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
from sfconnect.instrumentation import Emitter, RetryEnded, RetryScheduled
from sfconnect.messages import Replay, Request
from sfconnect.retry import RetryBudget, RetryExecutor, RetryPolicy
from sfconnect.retry.deadline import Deadline
from tests.unit.retry.attempts import CREATE, GET, UPSERT, Script, final_error


async def run(executor, clock, request, first, script):
    task = asyncio.create_task(executor.resume(request, first, script))
    await clock.advance(1000)
    return await task


async def test_a_retry_that_works_gives_its_answer(executor, clock, events):
    script = Script("answer")

    assert await run(executor, clock, GET, ConnectionLostError("Cut."), script) == "answer"

    assert script.numbers == [2]
    assert events == [
        RetryScheduled("GET", "/rows", "rest", "ConnectionLostError", 1, 1000.0, message="Cut.")
    ]
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
    *retries, end = events
    assert [event.wait_ms for event in retries] == [1000, 2000, 4000]
    assert [event.attempt for event in retries] == [1, 2, 3]
    assert end.name == "retry.ended"


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

    assert script.numbers == []
    assert [event.why for event in events] == ["the server asks to wait longer than 120 s"]


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
    assert [one.wait_s for one in error.attempts] == [1.0, 2.0, 4.0, None]
    assert str(error).endswith(
        "(4 attempts within 7.0 s: ServerError, UNABLE_TO_LOCK_ROW, ConnectError, "
        "UNABLE_TO_LOCK_ROW; not sent again: the policy allows 4 attempts)"
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


async def test_the_history_tells_when_attempts_began_and_their_request_ids(executor, clock):
    began = clock.time()
    down = ServerError("a", status=503, retry_safe=None, request_id="r1")

    async def slow(request, number):
        await clock.sleep(2.5)
        raise ServerError("b", status=503, retry_safe=False, request_id="r2")

    start = clock.monotonic()
    await clock.advance(0.5)
    task = asyncio.create_task(executor.resume(GET, down, slow, began=start))
    await clock.advance(1000)
    error = task.exception()

    assert isinstance(error, ServerError)
    assert [(one.began - began, one.at - began) for one in error.attempts] == [
        (0.0, 0.5),
        (1.5, 4.0),
    ]
    assert [one.request_id for one in error.attempts] == ["r1", "r2"]


async def test_each_retry_and_the_end_of_them_are_told_with_their_reasons(clock, budget):
    events: list[object] = []
    policy = RetryPolicy(max_attempts=2, initial_s=1.0, random=lambda: 1.0)
    executor = RetryExecutor(policy, budget, clock=clock, emitter=Emitter([events.append]))
    down = ServerError("a", status=503, retry_safe=None, request_id="r1")

    await final_error(executor, clock, GET, down, ConnectError("b"))

    assert events == [
        RetryScheduled("GET", "/rows", "rest", "ServerError", 1, 1000.0, "r1", "a"),
        RetryEnded("GET", "/rows", "rest", "ConnectError", 2, "the policy allows 2 attempts"),
    ]


async def test_an_error_that_no_repeat_can_help_tells_of_no_end_of_retries(executor, clock, events):
    error = await final_error(executor, clock, GET, ApiError("No."))

    assert (error.gave_up, events) == (None, [])


async def test_a_policy_of_one_attempt_needs_no_explanation(clock, budget):
    executor = RetryExecutor(RetryPolicy(max_attempts=1), budget, clock=clock)

    error = await final_error(executor, clock, GET, ConnectError("x"))

    assert (error.gave_up, str(error), budget.tokens) == (None, "x", budget.capacity)


async def test_an_empty_budget_is_named_as_the_reason(executor, clock, budget):
    budget.tokens = 0.0

    error = await final_error(executor, clock, GET, ConnectError("x"))

    assert "not sent again: the retry budget is used up" in str(error)


@pytest.mark.parametrize(
    ("error", "cost"),
    [(ConnectError("x"), 50), (ThrottledError("x", retry_safe=True), 100)],
    ids=["down", "throttled"],
)
async def test_in_an_outage_a_thousand_calls_send_at_most_a_tenth_more(clock, error, cost):
    executor = RetryExecutor(RetryPolicy(), RetryBudget(), clock=clock)
    sends = 0

    async def fails(request, number):
        nonlocal sends
        sends += 1
        raise error

    async def call():
        await executor.resume(GET, error, fails)

    calls = [asyncio.create_task(call()) for _ in range(1000)]
    await clock.advance(1000)
    await asyncio.gather(*calls, return_exceptions=True)

    assert sends == cost
    assert (1000 + sends) / 1000 <= 1.1


# Policies of surfaces and of single calls


async def test_the_policy_of_a_surface_goes_before_the_general_one(clock, budget):
    executor = RetryExecutor(
        RetryPolicy(max_attempts=5),
        budget,
        by_surface={"bulk": RetryPolicy(max_attempts=2)},
        clock=clock,
    )
    bulk = Request("GET", "/jobs", surface="bulk")
    own = Request("GET", "/jobs", surface="bulk", retry=RetryPolicy(max_attempts=3))

    counts = []
    for request in (GET, bulk, own):
        error = await final_error(executor, clock, request, *[ConnectError("x") for _ in range(9)])
        counts.append(len(error.attempts))

    assert counts == [5, 2, 3]


# A limit over the whole call


async def limited(executor, clock, limit_s, script, request=GET):
    """Run a call under a limit, with its first attempt failing at once."""
    deadline = Deadline(limit_s, clock)
    first = ConnectError("first")
    return await run_task(
        clock, deadline.bound(request, executor.resume(request, first, script, deadline=deadline))
    )


async def run_task(clock, work):
    task = asyncio.create_task(work)
    while not task.done():
        await clock.advance(1.0)
    return task


async def test_a_wait_that_would_end_after_the_limit_is_not_begun(executor, clock, budget):
    script = Script(ConnectError("second"), "never")
    before = clock.monotonic()

    task = await limited(executor, clock, 2.9, script)

    error = task.exception()
    assert isinstance(error, ConnectError)
    assert str(error).startswith("second (2 attempts")
    assert "the next wait, of 2.0 s, would end after the call's limit of 2.9 s" in str(error)
    assert clock.monotonic() - before < 2.9
    assert budget.capacity - budget.tokens == 10.0  # what was not begun was not paid for


async def test_a_wait_that_ends_in_time_is_made(executor, clock):
    task = await limited(executor, clock, 3.1, Script(ConnectError("second"), "answer"))

    assert task.result() == "answer"


async def test_a_wait_that_the_server_asks_for_counts_too(executor, clock):
    busy = ThrottledError("Busy.", retry_safe=True, retry_after=30)

    task = await limited(executor, clock, 20, Script(busy, "never"))

    assert task.exception() is busy


async def test_a_traceback_shows_the_last_attempt_and_nothing_that_only_carries_calls(
    executor, clock
):
    errors = [ConnectError(str(number)) for number in range(4)]

    error = await final_error(executor, clock, GET, *errors)

    text = "".join(traceback.format_exception(error))
    assert "in __call__" in text  # the script's own frame, where the attempt failed
    assert "tenacity" not in text.replace("sfconnect", "")
    assert "During handling" not in text
    assert text.count("Traceback") == 1
