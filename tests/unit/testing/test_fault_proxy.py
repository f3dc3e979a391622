"""The proxy that makes the network's trouble, seen by a plain client and by the server."""

from __future__ import annotations

import asyncio
import gzip
import random
from io import BytesIO

import aiohttp
import pytest
from aiohttp import web

from sfconnect.testing import FakeTokenServer, answer
from sfconnect.testing.fault_proxy import (
    CorruptGzip,
    CutBody,
    Drip,
    Duplicate,
    Fault,
    FaultProxy,
    HalfOpen,
    IdleClose,
    Instead,
    ResetAfter,
    ResetBefore,
    Stall,
    Vanish,
)
from tests.unit.testing.network import BODY, Client, until


async def test_without_faults_everything_passes_as_it_is(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, tls=tls) as proxy:
        assert await client.post(proxy) == (200, BODY)

    (seen,) = server.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/a/b", "c=d e")
    (exchange,) = proxy.exchanges
    assert (exchange.fault, exchange.forwarded, exchange.status) == (None, 1, 200)
    assert exchange.path == "/a/b?c=d%20e"
    assert exchange.body == "ä\0".encode()


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def test_large_bodies_pass_whole_both_ways(client: Client, tls: bool) -> None:
    large = random.Random(1).randbytes(3_000_000)
    app = web.Application(client_max_size=len(large) + 1)
    app.router.add_post("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with FaultProxy(upstream, tls=tls) as proxy:
        trust = proxy.trust()
        async with client.session.post(proxy.url, data=BytesIO(large), ssl=trust) as got:
            assert await got.read() == large
    await runner.cleanup()

    assert proxy.exchanges[0].body == large


BROKEN: list[tuple[Fault, type[Exception], int]] = [
    (ResetBefore(), aiohttp.ClientOSError, 0),
    (ResetAfter(), aiohttp.ClientOSError, 1),
    (CutBody(after=10), aiohttp.ClientPayloadError, 1),
    (CutBody(after=0), aiohttp.ClientPayloadError, 1),
    (CutBody(after=10, chunked=True), aiohttp.ClientPayloadError, 1),
    (CutBody(after=10, ends="reset"), aiohttp.ClientPayloadError, 1),
    (CorruptGzip(), aiohttp.ClientPayloadError, 1),
]


@pytest.mark.parametrize("broken", BROKEN, ids=[repr(each[0]) for each in BROKEN])
async def test_a_broken_exchange_is_an_error_and_tells_whether_the_server_acted(
    server: FakeTokenServer,
    client: Client,
    broken: tuple[Fault, type[Exception], int],
    tls: bool,
) -> None:
    fault, error, reached = broken
    async with FaultProxy(server.url, [fault], tls=tls) as proxy:
        with pytest.raises(error):
            await client.post(proxy)
        assert await client.post(proxy) == (200, BODY)

    assert len(server.requests) == reached + 1
    assert [one.forwarded for one in proxy.exchanges] == [reached, 1]
    assert [one.fault for one in proxy.exchanges] == [fault, None]


@pytest.mark.parametrize("acts", [True, False])
async def test_a_stall_lasts_until_the_client_gives_up(
    server: FakeTokenServer, client: Client, acts: bool, tls: bool
) -> None:
    async with FaultProxy(server.url, [Stall(acts=acts)], tls=tls) as proxy:
        waiting = asyncio.create_task(client.post(proxy))
        await until(lambda: bool(server.requests if acts else proxy.exchanges))
        assert not waiting.done()

        waiting.cancel()
        await asyncio.wait({waiting})
        assert await client.post(proxy) == (200, BODY)

    assert [one.forwarded for one in proxy.exchanges] == [int(acts), 1]


async def test_leaving_ends_a_stall(server: FakeTokenServer, client: Client, tls: bool) -> None:
    async with FaultProxy(server.url, [Stall()], tls=tls) as proxy:
        waiting = asyncio.create_task(client.post(proxy))
        await until(lambda: bool(server.requests))

    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_a_body_that_drips_is_whole(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, [Drip(size=7, pause_s=0)], tls=tls) as proxy:
        assert await client.post(proxy) == (200, BODY)


@pytest.mark.parametrize("acts", [True, False])
async def test_another_answer_takes_the_servers_place(
    server: FakeTokenServer, client: Client, acts: bool, tls: bool
) -> None:
    page = Instead(503, "<title>Down</title>", headers=(("Retry-After", "7"),), acts=acts)

    async with (
        FaultProxy(server.url, [page], tls=tls) as proxy,
        client.session.get(proxy.url, ssl=proxy.trust()) as got,
    ):
        assert (got.status, await got.text()) == (503, "<title>Down</title>")
        assert (got.content_type, got.headers["Retry-After"]) == ("text/html", "7")

    assert len(server.requests) == int(acts)


async def test_who_reads_slowly_gets_all_of_a_large_body(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    large = b"x" * 12_000_000
    server._script.clear()
    server.script(answer(large))
    async with (
        FaultProxy(server.url, tls=tls) as proxy,
        client.session.get(proxy.url, ssl=proxy.trust()) as got,
    ):
        await asyncio.sleep(0.1)  # the buffers on the way fill up
        assert await got.read() == large


async def test_a_body_that_came_compressed_is_spoilt_too(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    packed = answer(gzip.compress(BODY.encode()), headers={"Content-Encoding": "gzip"})
    server._script.clear()
    server.script(packed, packed)
    async with FaultProxy(server.url, [CorruptGzip()], tls=tls) as proxy:
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.post(proxy)
        assert await client.post(proxy) == (200, BODY)


async def test_a_duplicate_reaches_the_server_twice(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, [Duplicate()], tls=tls) as proxy:
        assert await client.post(proxy) == (200, BODY)

    assert len(server.requests) == 2
    assert proxy.exchanges[0].forwarded == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [(HalfOpen(), aiohttp.ClientOSError), (IdleClose(), aiohttp.ServerDisconnectedError)],
    ids=repr,
)
async def test_a_connection_that_was_given_up_ends_with_its_next_request(
    server: FakeTokenServer, client: Client, fault: Fault, error: type[Exception], tls: bool
) -> None:
    async with FaultProxy(server.url, [fault], tls=tls) as proxy:
        assert await client.post(proxy) == (200, BODY)
        with pytest.raises(error):
            await client.post(proxy)
        assert await client.post(proxy) == (200, BODY)

    assert [one.fault for one in proxy.exchanges] == [fault, fault, None]
    assert [one.connection for one in proxy.exchanges] == [0, 0, 1]
    assert len(server.requests) == 2


@pytest.mark.parametrize("acts", [True, False])
async def test_who_has_vanished_does_not_notice_that_the_client_gives_up(
    server: FakeTokenServer, client: Client, acts: bool, tls: bool
) -> None:
    async def gives_up() -> None:
        seen = len(proxy.exchanges)
        waiting = asyncio.create_task(client.post(proxy))
        await until(lambda: len(proxy.exchanges) > seen and proxy.exchanges[-1].forwarded == acts)
        waiting.cancel()
        await asyncio.wait({waiting})

    async with FaultProxy(server.url, [Vanish(acts=acts), Stall(acts=acts)], tls=tls) as proxy:
        await gives_up()
        await gives_up()
        await until(lambda: proxy.connections[1].closed)

        assert not proxy.connections[0].closed

    assert [one.forwarded for one in proxy.exchanges] == [int(acts)] * 2


async def test_a_body_can_stop_coming_without_an_end(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, [CutBody(after=10, ends="silence")], tls=tls) as proxy:
        async with client.session.get(proxy.url, ssl=proxy.trust()) as got:
            assert await got.content.readexactly(10) == b"x" * 10
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await got.content.readany()
        await asyncio.sleep(0.01)

        assert not proxy.connections[0].closed


async def test_a_plan_is_asked_about_each_request(server: FakeTokenServer, client: Client) -> None:
    dice = random.Random(7)

    async with FaultProxy(server.url, lambda _: dice.choice([None, Instead(429)])) as proxy:
        statuses = [(await client.post(proxy))[0] for _ in range(8)]

    assert set(statuses) == {200, 429}
    assert statuses.count(200) == len(server.requests)


async def test_a_server_that_is_gone_is_a_bad_gateway(client: Client) -> None:
    async with FakeTokenServer() as server:
        url = server.url

    async with FaultProxy(url) as proxy:
        status, _ = await client.post(proxy)

    assert status == 502
