"""Troubles of connections, seen by a plain client and by the server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Literal

import aiohttp
import pytest

from sfconnect.testing import FakeTokenServer
from sfconnect.testing.fault_proxy import (
    Connection,
    ConnectionFault,
    CutHandshake,
    Deaf,
    DuplicateConnection,
    Ending,
    FaultProxy,
    Refuse,
    ResetMidway,
    WrongCertificate,
)
from tests.unit.testing.network import BODY, Client, until


async def test_a_port_can_be_closed_for_a_while_and_keeps_its_number(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, tls=tls) as proxy:
        url = proxy.url
        async with proxy.refusing():
            for _ in range(2):
                with pytest.raises(aiohttp.ClientConnectorError) as caught:
                    await client.post(proxy)
                assert isinstance(caught.value.os_error, ConnectionRefusedError)
        assert await client.post(proxy) == (200, BODY)

        assert proxy.url == url
    assert len(proxy.connections) == 1


async def test_connections_that_there_are_outlast_a_closed_port(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, tls=tls) as proxy:
        assert await client.post(proxy) == (200, BODY)
        async with proxy.refusing():
            assert await client.post(proxy) == (200, BODY)

    assert [one.connection for one in proxy.exchanges] == [0, 0]


async def test_a_connection_can_close_the_port(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, connections=[Refuse(for_s=60)], tls=tls) as proxy:
        with pytest.raises(aiohttp.ClientOSError):
            await client.post(proxy)
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await client.post(proxy)
        assert isinstance(caught.value.os_error, ConnectionRefusedError)

    assert [one.closed for one in proxy.connections] == [True]
    assert server.requests == []


async def test_a_port_that_a_connection_closed_opens_again(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, connections=[Refuse(for_s=0.01)], tls=tls) as proxy:
        with pytest.raises(aiohttp.ClientOSError):
            await client.post(proxy)
        await until(lambda: can_connect(proxy))
        assert await client.post(proxy) == (200, BODY)

    assert len(server.requests) == 1


def can_connect(proxy: FaultProxy) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) == 0


async def test_a_deaf_server_says_nothing_and_stays(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, connections=[Deaf()], tls=tls) as proxy:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.post(proxy)
        assert await client.post(proxy) == (200, BODY)

        deaf, well = proxy.connections
        assert (deaf.usable, deaf.received, deaf.closed) == (False, 0, False)
        assert (well.usable, well.closed) == (True, False)
        assert well.received > 100
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "cut",
    [CutHandshake(), CutHandshake(10), CutHandshake(500), CutHandshake(10, ends="close")],
    ids=repr,
)
async def test_a_handshake_can_be_cut(
    server: FakeTokenServer, client: Client, cut: CutHandshake, tls: bool
) -> None:
    async with FaultProxy(server.url, connections=[cut], tls=tls) as proxy:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post(proxy)
        assert await client.post(proxy) == (200, BODY)

        assert [one.usable for one in proxy.connections] == [False, True]
        assert proxy.connections[0].closed
    assert len(server.requests) == 1


async def test_so_many_bytes_of_a_handshake_come_as_were_asked_for(
    server: FakeTokenServer,
) -> None:
    async with FaultProxy(server.url, connections=[CutHandshake(37)], tls=True) as proxy:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = proxy.trust().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            hello.do_handshake()
        reader, writer = await asyncio.open_connection(*address(proxy))
        writer.write(outgoing.read())

        assert len(await reader.readexactly(37)) == 37
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_what_is_no_tls_is_hung_up_on(server: FakeTokenServer) -> None:
    async with FaultProxy(server.url, tls=True) as proxy:
        reader, writer = await asyncio.open_connection(*address(proxy))
        writer.write(b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n")
        with suppress(ConnectionResetError):
            await reader.read()
        writer.close()

        assert (proxy.connections[0].usable, proxy.connections[0].closed) == (False, True)


@pytest.mark.parametrize("polite", [True, False])
async def test_a_client_that_hangs_up_is_noticed(
    server: FakeTokenServer, polite: bool, tls: bool
) -> None:
    async with FaultProxy(server.url, tls=tls) as proxy:
        trust = proxy.trust() if tls else None
        _, writer = await asyncio.open_connection(*address(proxy), ssl=trust)
        await until(lambda: proxy.connections[0].usable)
        if polite:
            writer.close()
            await writer.wait_closed()
        else:
            writer.transport.abort()

        await until(lambda: proxy.connections[0].closed)


def address(proxy: FaultProxy) -> tuple[str, int]:
    host, _, port = proxy.url.rpartition("//")[2].partition(":")
    return host, int(port)


async def test_a_handshake_can_stop_halfway(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    half = CutHandshake(after=20, ends="silence")
    async with FaultProxy(server.url, connections=[half], tls=tls) as proxy:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.post(proxy)

        assert not proxy.connections[0].closed


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("untrusted", "unable to get local issuer certificate|self.signed"),
        ("expired", "expired"),
        ("other name", "not valid for '127.0.0.1'"),
    ],
)
async def test_a_wrong_certificate_is_wrong_in_the_way_that_was_asked_for(
    server: FakeTokenServer,
    client: Client,
    kind: Literal["untrusted", "expired", "other name"],
    reason: str,
) -> None:
    wrong = WrongCertificate(kind)
    async with FaultProxy(server.url, connections=[wrong], tls=True) as proxy:
        with pytest.raises(aiohttp.ClientConnectorCertificateError, match=reason):
            await client.post(proxy)
        assert await client.post(proxy) == (200, BODY)
        await until(lambda: proxy.connections[0].closed)

    assert len(server.requests) == 1


async def test_a_connection_can_end_in_the_middle_of_a_request(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    large = bytes(1_000_000)
    midway = ResetMidway(after=200_000)
    async with FaultProxy(server.url, connections=[midway], tls=tls) as proxy:
        with pytest.raises(aiohttp.ClientOSError):
            await client.post(proxy, large)
        assert await client.post(proxy, large) == (200, BODY)

        first, second = proxy.connections
        assert 200_000 <= first.received < len(large)
        assert second.received > len(large)
    assert len(server.requests) == 1
    assert len(proxy.exchanges) == 1


async def test_requests_before_the_reset_pass(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, connections=[ResetMidway(after=5000)], tls=tls) as proxy:
        assert await client.post(proxy) == (200, BODY)
        with pytest.raises(aiohttp.ClientOSError):
            await client.post(proxy, bytes(10_000))


async def test_a_duplicated_connection_sends_each_of_its_requests_twice(
    server: FakeTokenServer, client: Client, tls: bool
) -> None:
    async with FaultProxy(server.url, connections=[DuplicateConnection()], tls=tls) as proxy:
        for _ in range(2):
            assert await client.post(proxy) == (200, BODY)

    assert [one.forwarded for one in proxy.exchanges] == [2, 2]
    assert len(server.requests) == 4


async def test_a_plan_is_asked_about_each_connection(
    server: FakeTokenServer, client: Client
) -> None:
    asked: list[int] = []

    def plan(connection: Connection) -> ConnectionFault | None:
        asked.append(connection.number)
        return CutHandshake() if connection.number % 2 == 0 else None

    async with FaultProxy(server.url, connections=plan) as proxy:
        for _ in range(2):
            with pytest.raises(aiohttp.ClientOSError):
                await client.post(proxy)
            assert await client.post(proxy) == (200, BODY)
            client.session.connector._conns.clear()  # type: ignore[union-attr]  # forgets them

    assert asked == [0, 1, 2, 3]


async def test_a_plan_that_fails_is_told_at_the_end_and_leaves_nobody_waiting(
    server: FakeTokenServer, client: Client
) -> None:
    def plan(_: Connection) -> ConnectionFault | None:
        raise LookupError("a mistake")

    async def use() -> None:
        async with FaultProxy(server.url, connections=plan) as proxy:
            with pytest.raises(aiohttp.ClientError):
                await client.post(proxy)
            with pytest.raises(aiohttp.ClientConnectorError):
                await client.post(proxy)

    with pytest.raises(LookupError, match="a mistake"):
        await use()


@pytest.mark.parametrize("ends", ["reset", "close", "silence"])
async def test_leaving_waits_for_nobody(server: FakeTokenServer, ends: Ending, tls: bool) -> None:
    plan: list[ConnectionFault | None] = [Deaf(), CutHandshake(ends=ends), None]
    async with FaultProxy(server.url, connections=plan, tls=tls) as proxy:
        links = [await asyncio.open_connection(*address(proxy)) for _ in plan]
        await until(lambda: len(proxy.connections) == 3)

    assert proxy.ca_file is None
    for _, writer in links:
        writer.close()


async def test_the_server_behind_may_speak_tls_too(
    client: Client, tls: bool, tmp_path, monkeypatch
) -> None:
    async with FakeTokenServer() as plain, FaultProxy(plain.url, tls=True) as server:
        async with FaultProxy(server.url, tls=tls, upstream_ca_file=server.ca_file) as proxy:
            status, _ = await client.post(proxy)
        async with FaultProxy(server.url, tls=tls) as proxy:
            refused = await client.post(proxy)

    assert status == 200
    assert refused == (502, "ClientConnectorCertificateError")


async def test_the_file_of_the_authority_goes_with_the_proxy(server: FakeTokenServer) -> None:
    async with FaultProxy(server.url, tls=True) as proxy:
        file = proxy.ca_file
        assert file is not None
        assert file.read_text().startswith("-----BEGIN CERTIFICATE")
        assert proxy.url.startswith("https://")

    assert not file.exists()


async def test_without_trustme_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    from sfconnect import ConfigurationError

    monkeypatch.setitem(sys.modules, "trustme", None)

    with pytest.raises(ConfigurationError, match="trustme") as caught:
        async with FaultProxy("http://127.0.0.1:1", tls=True):
            raise AssertionError("it opened")

    assert caught.value.hint == "pip install 'sfconnect[testing]'"
