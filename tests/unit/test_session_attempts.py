"""A session's attempts: retries, the line before the limiter, the budget."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sfconnect.errors import (
    ConnectError,
    ConnectionLostError,
    NotFoundError,
    OutcomeUnknownError,
    RequestTimeoutError,
    TooManyRequests,
)
from sfconnect.limits import ENDED_BY_CALLER, FixedLimiter
from sfconnect.messages import Replay, Request
from sfconnect.retry import RetryBudget, RetryPolicy
from sfconnect.service import HttpService
from tests.unit.small_api import BASE, CREATE, GET, answer, run


async def test_a_read_is_sent_again_until_it_works(world, scripted):
    made = world(scripted(ConnectionLostError("Cut."), 503, 200))

    response = await run(made, made.session.execute(GET))

    assert response.status == 200
    stats = made.session.stats()
    assert (stats.calls, stats.attempts) == (1, 3)
    assert stats.retries == {"ConnectionLostError": 1, "ServerError": 1}


@pytest.mark.parametrize(
    "end", [ConnectionLostError("Cut."), RequestTimeoutError("Late."), 500, 502, 503]
)
async def test_a_create_in_doubt_is_sent_once(world, scripted, end):
    made = world(scripted(end, 201))

    with pytest.raises(OutcomeUnknownError) as caught:
        await run(made, made.session.execute(CREATE))

    assert len(made.transport.requests) == 1
    assert caught.value.request is CREATE
    assert "token-1" not in repr(vars(caught.value))


async def test_a_create_that_was_refused_unread_is_sent_again(world, scripted):
    made = world(scripted(answer(429, Retry_After="5"), ConnectError("No."), 201))

    assert (await run(made, made.session.execute(CREATE))).status == 201


async def test_a_keyed_write_is_sent_again(world, scripted):
    made = world(scripted(RequestTimeoutError("Late."), 200))

    await run(made, made.session.execute(replace(CREATE, replay=Replay.KEYED)))

    assert len(made.transport.requests) == 2


async def test_no_slot_is_held_while_backing_off(world):
    ends: dict[str, list[object]] = {
        "/slow": [ConnectError("No."), answer()],
        "/quick": [answer()],
    }

    async def handle(request):
        end = ends[request.path.removeprefix(BASE)].pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    limiter = FixedLimiter(1)
    made = world(handle, limiter=limiter)
    slow = asyncio.create_task(made.session.execute(Request("GET", "/slow")))
    await made.clock.settle()

    assert limiter.in_flight == 0
    await made.session.execute(Request("GET", "/quick"))
    await made.clock.advance(5)

    assert (await slow).status == 200
    assert made.transport.paths == ["/slow", "/quick", "/slow"]


async def test_cancelling_during_back_off_ends_the_call(world, scripted):
    made = world(scripted(ConnectError("No."), 200))
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    call.cancel()
    await asyncio.wait({call})
    await made.clock.advance(100)

    assert call.cancelled()
    assert len(made.transport.requests) == 1


async def test_a_full_line_is_the_producers_to_hear_of(world):
    gate = asyncio.Event()

    async def handle(request):
        await gate.wait()
        return answer()

    made = world(handle, limiter=FixedLimiter(1, max_waiting=1))
    calls = [asyncio.create_task(made.session.execute(GET)) for _ in range(2)]
    await made.clock.settle()

    with pytest.raises(TooManyRequests):
        await made.session.execute(GET)

    gate.set()
    await asyncio.gather(*calls)
    assert made.session.stats().retries == {}


async def test_the_limiter_hears_who_ended_an_attempt(world):
    heard = []

    class Listener(FixedLimiter):
        def release(self, lane, elapsed_s, error):
            super().release(lane, elapsed_s, error)
            heard.append(error)

    async def never(_: Request):
        await asyncio.Event().wait()

    made = world(never, limiter=Listener(1))
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert heard == [ENDED_BY_CALLER]


async def test_a_call_that_one_of_its_attempts_sent_was_sent(world, scripted):
    made = world(scripted(ConnectionLostError("Cut."), *[ConnectError("No.")] * 3))

    with pytest.raises(ConnectError) as caught:
        await run(made, made.session.execute(Request("DELETE", "/rows/1")))

    assert caught.value.request_sent is True


async def test_a_service_that_cannot_read_an_answer_costs_no_slot(world, scripted):
    class Broken(HttpService):
        def decode_error(self, request, response):
            raise KeyError("a bug")

    limiter = FixedLimiter(1)
    made = world(scripted(500), limiter=limiter, service=Broken())

    with pytest.raises(KeyError):
        await run(made, made.session.execute(GET))

    assert limiter.in_flight == 0


async def test_the_limiter_hears_how_each_attempt_went(world, scripted):
    heard: list[tuple[str, float, str]] = []

    class Listener(FixedLimiter):
        __slots__ = ()

        def release(self, lane, elapsed_s, error):
            heard.append((lane, elapsed_s, type(error).__name__))
            super().release(lane, elapsed_s, error)

    async def handle(request):
        await made.clock.sleep(2)
        return await ends(request)

    ends = scripted(ConnectError("No."), 200)
    made = world(handle, limiter=Listener(1))

    await run(made, made.session.execute(replace(GET, surface="query")))

    assert heard == [("query", 2.0, "ConnectError"), ("query", 2.0, "NoneType")]


async def test_the_limiter_hears_what_an_answer_refuses(world, scripted):
    heard: list[str] = []

    class Listener(FixedLimiter):
        __slots__ = ()

        def release(self, lane, elapsed_s, error):
            heard.append(type(error).__name__)
            super().release(lane, elapsed_s, error)

    made = world(scripted(429, 404), limiter=Listener(1))

    with pytest.raises(NotFoundError):
        await run(made, made.session.execute(GET))

    assert heard == ["ThrottledError", "NotFoundError"]
    assert made.session.stats().throttled == 1


async def test_successes_refill_the_budget(world, scripted):
    budget = RetryBudget(100, cost=10, refund=2)
    made = world(scripted(ConnectError("No."), 200, 200, 404), budget=budget)

    await run(made, made.session.execute(GET))
    assert budget.tokens == 92
    await made.session.execute(GET)
    assert budget.tokens == 94
    with pytest.raises(NotFoundError):
        await made.session.execute(GET)
    assert budget.tokens == 94


async def test_a_session_may_never_retry(world, scripted):
    made = world(scripted(ConnectError("No."), 200), retry=RetryPolicy(max_attempts=1))

    with pytest.raises(ConnectError):
        await made.session.execute(GET)
