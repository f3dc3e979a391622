"""A session's tokens: dead ones are replaced once, whoever waits goes out with the newest."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    RequestTimeoutError,
    SessionExpiredError,
)
from sfconnect.limits import FixedLimiter
from sfconnect.messages import Request
from sfconnect.service import HttpService
from sfconnect.testing import ScriptedStrategy
from tests.unit.small_api import BASE, CREATE, GET, answer, read, run

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize("method", METHODS)
async def test_a_dead_token_is_replaced_and_any_request_sent_again(world, scripted, method):
    made = world(scripted(401, 200))

    response = await made.session.execute(Request(method, "/rows", content=b"{}"))

    assert response.status == 200
    assert made.transport.tokens == ["token-1", "token-2"]
    assert made.session.stats().logins == 2


@pytest.mark.parametrize("method", METHODS)
async def test_a_second_refusal_is_an_error_and_nothing_more_is_sent(world, scripted, method):
    made = world(scripted(401, 401, 200))

    with pytest.raises(SessionExpiredError):
        await run(made, made.session.execute(Request(method, "/rows")))

    assert len(made.transport.requests) == 2
    assert made.strategy.started == 2


async def test_a_call_replays_once_in_all_its_attempts(world, scripted):
    made = world(scripted(401, ConnectError("No."), 401, 200))

    with pytest.raises(SessionExpiredError):
        await run(made, made.session.execute(GET))

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]


async def test_an_attempt_after_a_fault_may_still_replay(world, scripted):
    made = world(scripted(ConnectError("No."), 401, 200))

    assert (await run(made, made.session.execute(GET))).status == 200
    assert made.transport.tokens == ["token-1", "token-1", "token-2"]


async def test_a_stream_replays_once_in_all_its_attempts(world, scripted):
    made = world(scripted(401, ConnectError("No."), 401, 200))

    with pytest.raises(SessionExpiredError):
        await run(made, read(made.session))

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]


async def test_nothing_is_sent_again_where_there_is_no_better_token(world, scripted):
    """The login gave the same token once more, so asking a third time is no help."""
    same = Credentials(Secret("same"), BASE)
    made = world(
        scripted(*[401] * 20), strategy=ScriptedStrategy(*[replace(same) for _ in range(20)])
    )

    for _ in range(3):
        with pytest.raises(SessionExpiredError, match="A new token was refused too"):
            await made.session.execute(GET)

    assert made.strategy.started == 2
    assert len(made.transport.requests) == 4


async def test_a_replay_that_succeeds_shows_that_logins_help(world, scripted):
    """A token that is revoked before each call is replaced before each of them."""
    made = world(scripted(*[401, 200] * 10))

    for _ in range(10):
        assert (await made.session.execute(GET)).status == 200

    assert made.strategy.started == 11


async def test_streams_show_it_too(world, scripted, stream_of):
    made = world(scripted(*[401, stream_of(answer(200), [b"{}"])] * 10))

    for _ in range(10):
        assert await read(made.session) == b"{}"

    assert made.strategy.started == 11


class Explaining(HttpService):
    """An API that knows why it refuses some tokens."""

    def explain_refusal(self, request, response, credentials):
        if request.path == "/strange" and credentials.access_token.reveal() == "token-1":
            return AuthError("of another kind")
        return None


async def test_a_refusal_that_the_credentials_explain_causes_no_login(world, scripted):
    made = world(scripted(401, 200, 401, 200), service=Explaining(BASE))

    with pytest.raises(AuthError, match="of another kind"):
        await made.session.execute(Request("GET", "/strange"))
    await made.session.execute(GET)
    await made.session.execute(GET)

    assert made.transport.tokens == ["token-1", "token-1", "token-1", "token-2"]


async def test_a_401_about_rights_is_not_the_tokens_fault(world, scripted):
    refusal = answer(401, WWW_Authenticate='Bearer error="insufficient_scope"')
    made = world(scripted(refusal))

    with pytest.raises(SessionExpiredError):
        await made.session.execute(GET)

    assert made.strategy.started == 1


async def produced():
    yield b"x"


async def test_a_streamed_body_is_not_replayed_empty_but_the_token_is_replaced(world, scripted):
    made = world(scripted(401, 200))
    request = replace(CREATE, content=produced())

    with pytest.raises(SessionExpiredError, match="call again"):
        await made.session.execute(request)

    assert len(made.transport.requests) == 1
    await made.session.execute(GET)
    assert made.transport.tokens == ["token-1", "token-2"]


async def test_a_failing_login_is_the_calls_error(world):
    made = world(strategy=ScriptedStrategy(AuthError("No such app.")))

    with pytest.raises(AuthError, match="No such app"):
        await made.session.execute(GET)

    assert made.transport.requests == []


@pytest.mark.parametrize(
    "fault", [RequestTimeoutError("Late."), ConnectionLostError("Cut."), ConnectError("No.")]
)
@pytest.mark.parametrize(
    ("logins", "ends"),
    [([], [201]), ([Credentials(Secret("old"), BASE)], [401, 201])],
    ids=["before the call", "after a 401"],
)
async def test_a_login_in_doubt_leaves_no_doubt_about_a_create(
    world, scripted, fault, logins, ends
):
    made = world(scripted(*ends), strategy=ScriptedStrategy(*logins, fault))

    response = await run(made, made.session.execute(CREATE))

    assert response.status == 201
    assert len(made.transport.requests) == len(ends)


async def test_the_token_is_read_for_each_attempt(world, scripted):
    made = world(scripted(ConnectError("No."), 200))
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    # While the call backs off, another one finds out that the token is dead.
    await made.manager.replace(await made.manager.get())
    await made.clock.advance(10)

    assert (await call).status == 200
    assert made.transport.tokens == ["token-1", "token-2"]


async def test_who_waited_in_line_goes_out_with_the_newest_token(world):
    gate = asyncio.Event()

    async def handle(request):
        await gate.wait()
        return answer()

    made = world(handle, limiter=FixedLimiter(1))
    calls = [asyncio.create_task(made.session.execute(GET)) for _ in range(3)]
    await made.clock.settle()

    await made.manager.replace(await made.manager.get())
    gate.set()
    await asyncio.gather(*calls)

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]


async def test_who_comes_to_the_head_of_the_line_during_a_login_waits_for_it_without_a_slot(world):
    limiter = FixedLimiter(1)

    async def handle(request):
        await made.clock.sleep(1)
        return answer(401 if request.headers["Authorization"].endswith("-1") else 200)

    made = world(handle, limiter=limiter, strategy=ScriptedStrategy(login_s=60, instance_url=BASE))
    calls = [asyncio.create_task(made.session.execute(GET)) for _ in range(20)]

    await made.clock.advance(61.5)
    assert made.transport.tokens == ["token-1"]
    await made.clock.advance(1)  # the 401 has come; everybody waits for the login it caused
    assert limiter.in_flight == 0
    assert made.transport.tokens == ["token-1"]
    await made.clock.advance(200)

    assert [(await call).status for call in calls] == [200] * 20
    assert made.transport.tokens == ["token-1"] + ["token-2"] * 20
    assert made.strategy.started == 2


async def test_the_head_of_the_line_loses_no_slot_when_its_login_fails(world, credentials_of):
    limiter = FixedLimiter(1)
    await limiter.acquire("rest")
    strategy = ScriptedStrategy(credentials_of("a"), AuthError("Gone."), credentials_of("b"))
    made = world(limiter=limiter, strategy=strategy)
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    with pytest.raises(AuthError):
        await made.manager.replace(await made.manager.get())
    limiter.release("rest", 0.0, None)

    assert (await call).status == 200
    assert made.transport.tokens == ["b"]
    assert limiter.in_flight == 0


async def test_who_cannot_be_sent_with_the_newest_token_gives_its_slot_back(world, credentials_of):
    limiter = FixedLimiter(1)
    await limiter.acquire("rest")
    strategy = ScriptedStrategy(credentials_of("a"), credentials_of("b\n"), credentials_of("c"))
    made = world(limiter=limiter, strategy=strategy)
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    await made.manager.replace(await made.manager.get())
    limiter.release("rest", 0.0, None)

    with pytest.raises(ConfigurationError):
        await call
    assert limiter.in_flight == 0


async def test_500_calls_whose_token_dies_under_them_cause_one_login(world):
    async def handle(request):
        number = int(request.path.rpartition("/")[2])
        await made.clock.sleep(0.001 * number)  # refusals come spread over half a second
        dead = request.headers["Authorization"] == "Bearer token-1"
        return answer(401 if dead else 200)

    strategy = ScriptedStrategy(login_s=0.2, instance_url=BASE)
    made = world(handle, strategy=strategy, limiter=FixedLimiter(500))
    await run(made, made.manager.get())

    calls = [made.session.execute(Request("POST", f"/{number}")) for number in range(500)]
    responses = await run(made, asyncio.gather(*calls))

    assert {response.status for response in responses} == {200}
    assert strategy.started == 2  # the first, and one for all 500
    assert made.session.stats().logins == 2
    assert len(made.transport.requests) == 1000


async def test_a_cold_start_of_500_calls_is_one_login(world):
    made = world(strategy=ScriptedStrategy(login_s=0.2, instance_url=BASE))

    await run(made, asyncio.gather(*(made.session.execute(GET) for _ in range(500))))

    assert made.strategy.started == 1
    assert made.transport.most_in_flight <= 100
