"""The proxy that makes the network's trouble, seen by a plain client and by the server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sfconnect.testing import FakeTokenServer, answer
from sfconnect.testing.fault_proxy import (
    CorruptGzip,
    CutBody,
    Drip,
    Duplicate,
    Fault,
    FaultProxy,
    HalfOpen,
    Instead,
    ResetAfter,
    ResetBefore,
    Stall,
)

BODY = "x" * 1000


@pytest.fixture
async def server() -> AsyncIterator[FakeTokenServer]:
    async with FakeTokenServer() as running:
        running.script(*[answer(BODY) for _ in range(10)])
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(client: aiohttp.ClientSession, proxy: FaultProxy) -> tuple[int, str]:
    async with client.post(f"{proxy.url}/a/b?c=d%20e", data="ä\0".encode()) as got:
        return got.status, await got.text()


async def test_without_faults_everything_passes_as_it_is(
    server: FakeTokenServer, client: aiohttp.ClientSession
) -> None:
    async with FaultProxy(server.url) as proxy:
        assert await post(client, proxy) == (200, BODY)

    (seen,) = server.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/a/b", "c=d e")
    (exchange,) = proxy.exchanges
    assert (exchange.fault, exchange.forwarded, exchange.status) == (None, 1, 200)
    assert exchange.path == "/a/b?c=d%20e"
    assert exchange.body == "ä\0".encode()


@pytest.mark.parametrize(
    ("fault", "error", "reached"),
    [
        (ResetBefore(), aiohttp.ClientOSError, 0),
        (ResetAfter(), aiohttp.ClientOSError, 1),
        (CutBody(after=10), aiohttp.ClientPayloadError, 1),
        (CutBody(after=0), aiohttp.ClientPayloadError, 1),
        (CutBody(after=10, chunked=True), aiohttp.ClientPayloadError, 1),
        (CorruptGzip(), aiohttp.ClientPayloadError, 1),
    ],
    ids=repr,
)
async def test_a_broken_exchange_is_an_error_and_tells_whether_the_server_acted(
    server: FakeTokenServer,
    client: aiohttp.ClientSession,
    fault: Fault,
    error: type[Exception],
    reached: int,
) -> None:
    async with FaultProxy(server.url, [fault]) as proxy:
        with pytest.raises(error):
            await post(client, proxy)
        assert await post(client, proxy) == (200, BODY)

    assert len(server.requests) == reached + 1
    assert [one.forwarded for one in proxy.exchanges] == [reached, 1]
    assert [one.fault for one in proxy.exchanges] == [fault, None]


@pytest.mark.parametrize("acts", [True, False])
async def test_a_stall_lasts_until_the_client_gives_up(
    server: FakeTokenServer, client: aiohttp.ClientSession, acts: bool
) -> None:
    async with FaultProxy(server.url, [Stall(acts=acts)]) as proxy:
        waiting = asyncio.create_task(post(client, proxy))
        while not (server.requests if acts else proxy.exchanges):  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.001)
        assert not waiting.done()

        waiting.cancel()
        await asyncio.wait({waiting})
        assert await post(client, proxy) == (200, BODY)

    assert [one.forwarded for one in proxy.exchanges] == [int(acts), 1]


async def test_leaving_ends_a_stall(server: FakeTokenServer, client: aiohttp.ClientSession) -> None:
    async with FaultProxy(server.url, [Stall()]) as proxy:
        waiting = asyncio.create_task(post(client, proxy))
        while not server.requests:  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(0.001)

    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_a_body_that_drips_is_whole(
    server: FakeTokenServer, client: aiohttp.ClientSession
) -> None:
    async with FaultProxy(server.url, [Drip(size=7, pause_s=0)]) as proxy:
        assert await post(client, proxy) == (200, BODY)


@pytest.mark.parametrize("acts", [True, False])
async def test_another_answer_takes_the_servers_place(
    server: FakeTokenServer, client: aiohttp.ClientSession, acts: bool
) -> None:
    page = Instead(503, "<title>Down</title>", headers=(("Retry-After", "7"),), acts=acts)

    async with FaultProxy(server.url, [page]) as proxy, client.get(proxy.url) as got:
        assert (got.status, await got.text()) == (503, "<title>Down</title>")
        assert (got.content_type, got.headers["Retry-After"]) == ("text/html", "7")

    assert len(server.requests) == int(acts)


async def test_a_duplicate_reaches_the_server_twice(
    server: FakeTokenServer, client: aiohttp.ClientSession
) -> None:
    async with FaultProxy(server.url, [Duplicate()]) as proxy:
        assert await post(client, proxy) == (200, BODY)

    assert len(server.requests) == 2
    assert proxy.exchanges[0].forwarded == 2


async def test_a_forgotten_connection_resets_its_next_request(server: FakeTokenServer) -> None:
    one = aiohttp.TCPConnector(limit=1)
    async with (
        FaultProxy(server.url, [HalfOpen()]) as proxy,
        aiohttp.ClientSession(connector=one) as client,
    ):
        assert await post(client, proxy) == (200, BODY)
        with pytest.raises(aiohttp.ClientOSError):
            await post(client, proxy)
        assert await post(client, proxy) == (200, BODY)

    assert [type(one.fault) for one in proxy.exchanges] == [HalfOpen, HalfOpen, type(None)]
    assert len(server.requests) == 2


async def test_a_plan_is_asked_about_each_request(
    server: FakeTokenServer, client: aiohttp.ClientSession
) -> None:
    dice = random.Random(7)

    async with FaultProxy(server.url, lambda _: dice.choice([None, Instead(429)])) as proxy:
        statuses = [(await post(client, proxy))[0] for _ in range(8)]

    assert set(statuses) == {200, 429}
    assert statuses.count(200) == len(server.requests)


async def test_a_server_that_is_gone_is_a_bad_gateway(client: aiohttp.ClientSession) -> None:
    async with FakeTokenServer() as server:
        url = server.url

    async with FaultProxy(url) as proxy:
        status, _ = await post(client, proxy)

    assert status == 502
