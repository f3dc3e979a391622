"""The org on a real socket, seen by aiohttp's client and by raw sockets."""

from __future__ import annotations

import asyncio
import gzip
import stat
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sfconnect_emulator.capacity import Capacity, Overload
from sfconnect_emulator.emulator import Emulator
from sfconnect_emulator.http.server import HttpServer, check_loopback


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 20}) as running:
        yield running


@pytest.fixture
async def http(emulator: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A logged-in client that never repeats a request by itself."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(
        emulator.instance_url, connector=connector, auto_decompress=False
    ) as session:
        form = {
            "grant_type": "client_credentials",
            "client_id": emulator.client_id,
            "client_secret": emulator.client_secret,
        }
        async with session.post("/services/oauth2/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


LIMITS = "/services/data/v68.0/limits"


class TestFraming:
    async def test_is_chunked_without_content_length(self, http: aiohttp.ClientSession) -> None:
        async with http.get(LIMITS) as answer:
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert "Content-Length" not in answer.headers

    async def test_is_by_length_where_that_was_chosen(self) -> None:
        async with (
            Emulator(chunked=False) as emulator,
            aiohttp.ClientSession(emulator.instance_url) as session,
            session.get("/services/data", headers={"Accept-Encoding": "identity"}) as answer,
        ):
            assert int(answer.headers["Content-Length"]) == len(await answer.read())

    async def test_is_by_length_for_clients_of_http_1_0(self, emulator: Emulator) -> None:
        answer = await exchange(emulator, b"GET /services/data HTTP/1.0\r\n\r\n")

        assert b"chunked" not in answer
        assert b"Content-Length" in answer

    async def test_of_head_has_no_body(self, emulator: Emulator) -> None:
        head = b"HEAD /services/data HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

        answer = await exchange(emulator, head)

        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\n")
        assert answer.count(b"\r\n\r\n") == 1

    async def test_of_204_has_neither_body_nor_type(self, http: aiohttp.ClientSession) -> None:
        async with http.post("/services/data/v68.0/sobjects/Account", json={"Name": "x"}) as answer:
            location = answer.headers["Location"]
        async with http.patch(location, json={"Name": "y"}) as answer:
            assert answer.status == 204
            assert "Content-Type" not in answer.headers

    async def test_of_requests_may_be_compressed(self, http: aiohttp.ClientSession) -> None:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        body = gzip.compress(b'{"Name":"Packed"}')

        path = "/services/data/v68.0/sobjects/Account"
        async with http.post(path, data=body, headers=headers) as answer:
            assert answer.status == 201

    async def test_of_large_answers_is_compressed_for_those_who_accept_it(
        self, http: aiohttp.ClientSession
    ) -> None:
        path = "/services/data/v68.0/sobjects/Account/describe"
        async with http.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert b'"name":"Account"' in gzip.decompress(await answer.read())


class TestConnections:
    async def test_are_kept_and_serve_one_request_after_the_other(self, emulator: Emulator) -> None:
        request = b"GET /services/data HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = b"GET /services/data HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

        answer = await exchange(emulator, request + last)

        assert answer.count(b"HTTP/1.1 200 OK") == 2

    async def test_with_long_uris_get_a_page(self, emulator: Emulator) -> None:
        target = b"/services/data/v68.0/query?q=" + b"a" * 30_000
        request = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

        answer = await exchange(emulator, request)

        assert answer.startswith(b"HTTP/1.1 414 ")
        assert b"<h1>Bad Message 414</h1>" in answer

    async def test_see_paths_as_they_were_sent(self, emulator: Emulator) -> None:
        request = (
            b"GET /services/data/v68.0/../v68.0//%6cimits HTTP/1.1\r\n"
            b"Host: localhost\r\nConnection: close\r\n\r\n"
        )

        await exchange(emulator, request)

        # A server that resolved the dots would count this under /limits.
        assert emulator.control.statistics()["requests"] == {"GET /../v68.0": 1}

    async def test_end_when_the_org_stops(self) -> None:
        async with Emulator() as emulator:
            reader, writer = await connect(emulator)
            writer.write(b"GET /services/data HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n")

        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await writer.wait_closed()


class TestFaults:
    @pytest.mark.parametrize("action", ["reset", "act-then-reset"])
    async def test_reset_comes_without_a_byte(
        self, emulator: Emulator, http: aiohttp.ClientSession, action: str
    ) -> None:
        emulator.control.add_faults({"action": {"type": action}})

        with pytest.raises(aiohttp.ClientOSError):
            await http.post("/services/data/v68.0/sobjects/Account", json={"Name": "Acted"})

        emulator.control.clear_faults()
        acted = emulator.instance.store.count("Account") == 21
        assert acted is (action == "act-then-reset")

    @pytest.mark.parametrize("chunked", [True, False])
    async def test_cut_ends_the_connection_after_some_bytes(
        self, emulator: Emulator, http: aiohttp.ClientSession, chunked: bool
    ) -> None:
        emulator.control.add_faults(
            {"action": {"type": "cut", "after_bytes": 25, "chunked": chunked}}
        )

        async with http.get(LIMITS) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

            assert answer.status == 200
            assert ("Content-Length" in answer.headers) is not chunked

    async def test_cut_after_nothing_leaves_the_head(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        emulator.control.add_faults({"action": {"type": "cut"}})

        async with http.get(LIMITS) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    async def test_drip_sends_everything_in_pieces(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        async with http.get("/services/data") as answer:
            whole = await answer.read()
        emulator.control.add_faults({"action": {"type": "drip", "piece_bytes": 500, "pause_ms": 1}})

        async with http.get("/services/data", headers={"Accept-Encoding": "identity"}) as answer:
            pieces = [piece async for piece, _ in answer.content.iter_chunks()]

        assert b"".join(pieces) == whole or gzip.decompress(whole) == b"".join(pieces)
        assert len(pieces) > 1

    async def test_delay_leaves_the_answer_whole(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        emulator.control.add_faults({"action": {"type": "delay", "delay_ms": 1}})

        status, body = await fetch(http)

        assert status == 200
        assert b"DailyApiRequests" in (gzip.decompress(body) if body[:1] == b"\x1f" else body)

    async def test_delay_answers_late_and_acts_at_once(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        emulator.control.add_faults({"action": {"type": "delay", "delay_ms": 60_000}})
        path = "/services/data/v68.0/sobjects/Account"

        with pytest.raises(TimeoutError):
            await http.post(path, json={"Name": "x"}, timeout=aiohttp.ClientTimeout(total=0.2))

        assert emulator.instance.store.count("Account") == 21


class TestCapacity:
    async def test_refuses_what_comes_while_it_is_full(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        emulator.control.set_capacity(Capacity(2, Overload.REFUSE))
        emulator.control.set_latency(100)

        answers = await asyncio.gather(*[fetch(http) for _ in range(6)])

        assert sorted(status for status, _ in answers) == [200, 200, 403, 403, 403, 403]
        refusal = next(body for status, body in answers if status == 403)
        assert b"ConcurrentRequests" in refusal
        assert emulator.control.statistics()["most_in_flight"] == 6

    async def test_queues_what_comes_while_it_is_full(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        emulator.control.set_capacity(Capacity(2))
        emulator.control.set_latency(10)

        answers = await asyncio.gather(*[fetch(http) for _ in range(7)])

        assert {status for status, _ in answers} == {200}
        assert emulator.control.statistics()["in_flight"] == 0

    async def test_of_the_control_api_is_its_own(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        emulator.control.set_latency(60_000)

        async with http.get("/__control__/stats") as answer:
            assert answer.status == 200


class TestEmulator:
    async def test_names_where_it_answers(self, emulator: Emulator) -> None:
        seen = emulator.announcement

        assert seen.login_url == seen.instance_url == emulator.login_url
        assert emulator.instance_url.startswith("http://127.0.0.1:")
        assert emulator.control_url == f"{emulator.instance_url}/__control__"
        assert seen.api_version == "68.0"
        assert seen.org_id == emulator.instance.org.org_id

    async def test_keeps_its_key_in_a_private_file_while_it_runs(self) -> None:
        async with Emulator() as emulator:
            file = emulator.private_key_file
            mode = stat.S_IMODE(file.stat().st_mode)
            content = file.read_text(encoding="ascii")

        assert mode == 0o600
        assert content == emulator_key(content)
        assert not file.exists()
        assert not file.parent.exists()

    async def test_shows_nothing_when_it_does_not_run(self) -> None:
        emulator = Emulator()

        with pytest.raises(RuntimeError, match="open only inside"):
            _ = emulator.login_url
        with pytest.raises(RuntimeError, match="open only inside"):
            _ = emulator.private_key_file

    async def test_leaves_nothing_behind_when_the_port_is_taken(self, emulator: Emulator) -> None:
        port = int(emulator.instance_url.rpartition(":")[2])
        second = Emulator(port=port)

        with pytest.raises(OSError, match=str(port)):
            await second.__aenter__()

        with pytest.raises(RuntimeError):
            _ = second.engine

    async def test_listens_on_ipv6_loopback_too(self) -> None:
        async with (
            Emulator(host="::1") as emulator,
            aiohttp.ClientSession() as session,
            session.get(f"{emulator.instance_url}/services/data") as answer,
        ):
            assert emulator.instance_url.startswith("http://[::1]:")
            assert answer.status == 200

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.com"])
    def test_refuses_to_be_reachable_from_outside(self, host: str) -> None:
        with pytest.raises(ValueError, match="loopback"):
            check_loopback(host)

    async def test_takes_localhost_for_the_ipv4_loopback(self, emulator: Emulator) -> None:
        server = HttpServer(emulator.engine, "localhost")
        try:
            assert (await server.start()).startswith("http://127.0.0.1:")
        finally:
            await server.aclose()

    async def test_runs_twice_at_once_without_sharing_tokens(
        self, emulator: Emulator, http: aiohttp.ClientSession
    ) -> None:
        async with Emulator() as other:
            url = f"{other.instance_url}{LIMITS}"
            async with http.get(url) as answer:
                assert answer.status == 401


def emulator_key(content: str) -> str:
    assert content.startswith("-----BEGIN PRIVATE KEY-----")
    return content


async def fetch(http: aiohttp.ClientSession) -> tuple[int, bytes]:
    async with http.get(LIMITS) as answer:
        return answer.status, await answer.read()


async def connect(emulator: Emulator) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = int(emulator.instance_url.rpartition(":")[2])
    return await asyncio.open_connection("127.0.0.1", port)


async def exchange(emulator: Emulator, request: bytes) -> bytes:
    """Send bytes and read until the org closes."""
    reader, writer = await connect(emulator)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer
