"""Whole calls over real sockets: what is sent how often when the wire fails."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect import Connector
from sfconnect.errors import (
    ConnectionLostError,
    OutcomeUnknownError,
    PoolClosed,
    ResponseError,
    SfConnectError,
)
from sfconnect.messages import Replay
from sfconnect.retry import RetryPolicy
from sfconnect.testing import ScriptedStrategy

AT_ONCE = RetryPolicy(initial_s=0.0, max_s=0.0)


@pytest.fixture
def connect(monkeypatch, tmp_path):
    """Describe a connection to a test server."""
    monkeypatch.chdir(tmp_path)

    def make(server, **options):
        options.setdefault("retry", AT_ONCE)
        return Connector.connect(
            ScriptedStrategy(instance_url=server.url), base_url=server.url, **options
        )

    return make


def failing(times, how):
    """Fail the first requests in a way; answer the others."""
    seen = 0

    async def handler(connection):
        nonlocal seen
        while True:
            await connection.request()
            seen += 1
            if seen <= times:
                await how(connection)
                return
            await connection.answer(b'{"id": 1}')

    return handler


async def reset(connection):
    connection.reset()


async def hang_up(connection):
    return


async def cut(connection):
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


async def never(connection):
    await connection.reader.read()


WAYS = {"reset": reset, "hang up": hang_up, "cut body": cut, "no answer": never}


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
async def test_an_unsafe_post_is_sent_once_and_its_outcome_is_unknown(serve, connect, how):
    server = await serve(failing(1, how))

    async with connect(server, read_timeout_s=0.05) as api:
        with pytest.raises(OutcomeUnknownError) as caught:
            await api.post("/things", json={"name": "canary"})

        assert len(server.requests) == 1
        assert isinstance(caught.value.__cause__, SfConnectError)
        assert "canary" not in str(caught.value)
        assert await api.post("/things", json={}) == {"id": 1}  # the next call works


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_may_be_repeated_is_sent_again(serve, connect, how, method):
    server = await serve(failing(2, how))

    async with connect(server, read_timeout_s=0.05) as api:
        assert await api.request(method, "/things/1") == {"id": 1}
        assert sum(api.stats().retries.values()) == 2

    assert len(server.requests) == 3


async def test_an_upsert_with_a_key_is_sent_again(serve, connect):
    server = await serve(failing(1, reset))

    async with connect(server) as api:
        call = api.patch("/things/Ext__c/1", json={}, replay=Replay.KEYED)
        assert await call == {"id": 1}

    assert len(server.requests) == 2


async def test_attempts_end(serve, connect):
    server = await serve(failing(100, reset))

    async with connect(server, retry=RetryPolicy(max_attempts=3, initial_s=0, max_s=0)) as api:
        with pytest.raises(ConnectionLostError):
            await api.get("/things")

    assert len(server.requests) == 3


async def test_503s_are_repeated_for_reads_and_told_for_creates(serve, connect):
    async def handler(connection):
        while True:
            await connection.request()
            await connection.answer(status=503 if len(server.requests) < 3 else 200)

    server = await serve(handler)

    async with connect(server) as api:
        assert await api.get("/things") == {}
        assert len(server.requests) == 3


async def test_a_revoked_token_under_200_calls_costs_one_login(serve, connect):
    async def handler(connection):
        while True:
            request = await connection.request()
            dead = request.headers["authorization"] == "Bearer token-1" and revoked
            await asyncio.sleep(0.001)
            await connection.answer(status=401 if dead else 200)

    revoked = False
    server = await serve(handler)

    async with connect(server, max_connections=20) as api:
        await api.get("/warm")
        revoked = True
        await api.gather((api.post(f"/{number}") for number in range(200)), concurrency=200)

        assert api.stats().logins == 2
    # Those who stood in line when the token died went out with the new one.
    assert len(server.requests) <= 1 + 200 + 2 * 20


async def test_8000_calls_stand_in_line_and_all_are_answered(serve, connect):
    server = await serve()

    async with connect(server, max_connections=10) as api:
        values = await asyncio.gather(*(api.get("/x").send() for _ in range(8_000)))

    assert len(values) == 8_000
    assert server.connections <= 10


async def test_a_fan_out_keeps_all_connections_busy_and_the_line_short(serve, connect):
    server = await serve()
    lengths, in_flight = [], []

    async with connect(server, max_connections=10) as api:
        limiter = api._session._limiter
        calls = (api.get("/x") for _ in range(2_000))
        async with api.fan_out(calls, concurrency=1_000) as outcomes:
            async for outcome in outcomes:
                outcome.unwrap()
                lengths.append(limiter.waiting)
                in_flight.append(limiter.in_flight)

    assert len(lengths) == 2_000
    assert 5 < max(lengths) <= 20
    assert max(in_flight) == 10
    assert sum(in_flight[100:1900]) >= 1800 * 8


async def test_a_fan_out_takes_part_where_others_fill_the_line(serve, connect):
    server = await serve()

    async with connect(server, max_connections=10) as api:
        crowd = [asyncio.create_task(api.get("/crowd").send()) for _ in range(500)]
        calls = (api.get("/fan-out") for _ in range(100))
        async with api.fan_out(calls, concurrency=50) as outcomes:
            outcomes_num = len([outcome.unwrap() async for outcome in outcomes])
        await asyncio.gather(*crowd)

    targets = [request.target for request in server.requests]
    # Ten of its calls stand in line at once, behind the crowd and not one by one behind it.
    assert outcomes_num == 100
    assert targets[510:520].count("/fan-out") >= 5


async def test_closing_while_calls_are_under_way_leaves_nothing(serve, connect):
    server = await serve(failing(1000, never))
    api = connect(server, max_connections=3)
    await api.open()
    tasks = [asyncio.create_task(api.get(f"/{number}").send()) for number in range(10)]
    await server.has(3)

    await api.aclose()

    async with asyncio.timeout(2):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {PoolClosed, ConnectionLostError}
    await server.has_no_connection()


async def test_leaving_a_fan_out_early_hangs_up_what_is_in_flight(serve, connect):
    async def handler(connection):
        request = await connection.request()
        if request.target == "/0":
            await connection.answer()
        await connection.reader.read()

    server = await serve(handler)

    async with connect(server) as api:
        async with api.fan_out((api.get(f"/{n}") for n in range(100)), concurrency=5) as outcomes:
            async for _ in outcomes:
                await server.has(5)
                break
        await api.get("/0")

    await server.has_no_connection()


async def test_a_body_that_is_not_json_is_an_error_of_the_call(serve, connect):
    async def handler(connection):
        await connection.request()
        await connection.answer(b"<html>canary</html>", headers={"Content-Type": "text/html"})

    server = await serve(handler)

    async with connect(server) as api:
        with pytest.raises(ResponseError, match="text/html") as caught:
            await api.get("/things")

    assert "canary" not in str(caught.value)
