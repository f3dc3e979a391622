"""A server that goes away and comes back, over sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sfconnect import Connector, RetryPolicy
from sfconnect.auth import ApiKey
from sfconnect.errors import ConnectError, ServerError
from sfconnect.fan_out import Outcome
from sfconnect.instrumentation import CircuitClosed, CircuitOpened, Event
from sfconnect.policy import CircuitPolicy
from tests.faults.conftest import Connection, Server

POLICY = CircuitPolicy(failures=5, open_s=0.2, max_open_s=0.4)


def connect(server: Server, **options: Any) -> Connector:
    login = ApiKey(key="k", base_url=server.url)
    return Connector.connect(login, base_url=server.url, **options)


async def answer_503(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.answer(b"<h1>Down</h1>", status=503, headers={"Content-Type": "text/html"})


async def test_calls_under_way_survive_an_outage_that_the_server_hardly_notices(serve) -> None:
    back = asyncio.Event()

    async def down_then_up(connection: Connection) -> None:
        while True:
            await connection.request()
            if back.is_set():
                await connection.answer(b"{}")
            else:
                await connection.answer(b"down", status=502, headers={"Content-Type": "text/html"})

    server = await serve(down_then_up)
    events: list[Event] = []
    opened = asyncio.Event()

    def hear(event: Event) -> None:
        events.append(event)
        if isinstance(event, CircuitOpened) and event.probe_in_ms > 300:
            opened.set()  # a probe has failed too

    retry = RetryPolicy(max_attempts=20, initial_s=0.05, max_s=0.2)
    connected = connect(
        server,
        retry=retry,
        circuit=POLICY,
        hooks=[hear],
        max_connections=8,
    )
    async with connected as api, asyncio.timeout(15):
        calls = (api.get(f"/{number}") for number in range(200))
        async with api.fan_out(calls, concurrency=32) as outcomes:
            waiting = asyncio.ensure_future(collect(outcomes))
            await opened.wait()
            while_away = len(server.requests)
            back.set()
            done = await waiting

    assert [outcome.error for outcome in done] == [None] * 200
    assert while_away < 60  # of 32 calls that would else have been sent five times and more
    assert sum(isinstance(event, CircuitClosed) for event in events) == 1


async def collect(outcomes) -> list[Outcome[object]]:
    return [outcome async for outcome in outcomes]


async def test_with_one_attempt_calls_fail_fast_until_the_server_is_back(serve) -> None:
    server = await serve(answer_503)
    connected = Connector.connect(
        ApiKey(key="k", base_url=server.url),
        base_url=server.url,
        retry=RetryPolicy(max_attempts=1),
        circuit=POLICY,
    )
    async with connected as api:
        errors = []
        for _ in range(50):
            with pytest.raises((ServerError, ConnectError)) as caught:
                await api.get("/")
            errors.append(caught.value)

        assert [type(error) for error in errors[:6]] == [*[ServerError] * 5, ConnectError]
        assert errors[5].retry_after is not None
        assert len(server.requests) < 10


async def test_the_setting_turns_it_off(serve) -> None:
    server = await serve(answer_503)
    connected = connect(
        server,
        retry=RetryPolicy(max_attempts=1),
        circuit_breaker=False,
    )
    async with connected as api:
        for _ in range(30):
            with pytest.raises(ServerError, match="503"):
                await api.get("/")

        assert len(server.requests) == 30
        assert api.stats().circuits == {}
