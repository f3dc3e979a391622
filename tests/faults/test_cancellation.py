"""Cancel a call at each of its suspension points in turn: nothing is left, and the next works."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme

from sfconnect import Connector
from sfconnect.call import Call
from sfconnect.fan_out import FanOut
from sfconnect.limits import FixedLimiter
from sfconnect.messages import Request, Response
from sfconnect.paging import Page, PageStream
from sfconnect.policy import HedgePolicy
from sfconnect.retry import RetryPolicy
from sfconnect.testing import ScriptedStrategy
from sfconnect.transport import ConnectionPool, Tls
from tests.faults.sweeping import EARLY, LATE, Memory, sweep


@pytest.fixture(params=[EARLY, LATE])
def when(request) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


async def test_a_call_with_login_line_retry_replay_and_redirect(when):
    transport = Memory(401, 503, 302, 200)
    limiter = FixedLimiter(1)
    api = Connector.connect(
        ScriptedStrategy(login_s=0.0, instance_url="https://org.example.com"),
        base_url="https://org.example.com",
        transport=transport,
        limiter=limiter,
        retry=RetryPolicy(initial_s=0.0, max_s=0.0),
    )

    async def check() -> None:
        for _ in range(3):
            await asyncio.sleep(0)  # the slot that was taken below is given back
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        transport.sent = 3  # the next request is answered
        assert await api.get("/next") == {}
        transport.sent = 0

    async def work() -> None:
        await limiter.acquire("rest")  # so that the call has to stand in line
        asyncio.get_running_loop().call_later(0, limiter.release, "rest", 0.0, None)
        await api.get("/rows")

    async with api:
        transport.sent = 0
        points = await sweep(work, check, when)

    assert points > 12


class FirstHangs(Memory):
    """Answers every second request; the others hang until they are ended."""

    async def send(self, request: Request) -> Response:
        self.sent += 1
        self.in_flight += 1
        try:
            if self.sent % 2:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        return Response(200, {}, b"{}")


async def test_a_read_that_is_asked_for_twice(when):
    transport = FirstHangs()
    limiter = FixedLimiter(2)
    api = Connector.connect(
        ScriptedStrategy(instance_url="https://org.example.com"),
        base_url="https://org.example.com",
        transport=transport,
        limiter=limiter,
        retry=RetryPolicy(hedge=HedgePolicy(after_s=0.0, share=1.0)),
    )

    async def work() -> None:
        transport.sent = 0
        assert await api.get("/rows") == {}

    async def check() -> None:
        for _ in range(5):
            await asyncio.sleep(0)  # both are ended, if the work was cancelled while it did that
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        await work()

    async with api:
        points = await sweep(work, check, when)
        await check()

    assert points >= 3


async def test_a_call_over_sockets_with_reset_replay_and_body(serve, when):
    async def handler(connection):
        await connection.request()
        if len(server.requests) % 4 == 1:
            connection.reset()
            return
        await connection.answer(status=401 if len(server.requests) % 4 == 2 else 200)
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1234")
        await asyncio.sleep(0)
        await connection.send(b"5678")

    server = await serve(handler)
    pool = ConnectionPool(max_connections=1, proxies_from_environment=False)
    api = Connector.connect(
        ScriptedStrategy(instance_url=server.url),
        base_url=server.url,
        transport=pool,
        retry=RetryPolicy(initial_s=0.0, max_s=0.0),
    )

    async def work() -> None:
        server.requests.clear()
        await api.get("/rows")

    async def check() -> None:
        assert (pool.stats().requests_in_flight, pool.stats().requests_waiting) == (0, 0)
        server.requests.clear()
        await api.get("/next")

    async with pool, api:
        points = await sweep(work, check, when)

    assert points >= 4


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def test_a_cold_connection_with_tls(serve, authority, tmp_path, when):
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def handler(connection):
        await connection.request()
        await connection.answer(headers={"Connection": "close"})

    server = await serve(handler, tls=context)
    url = f"https://localhost:{server.port}/"

    pool = ConnectionPool(tls=Tls(ca_file), proxies_from_environment=False)

    async def work() -> None:
        await pool.send(Request("POST", url, content=b"x" * 100_000))

    async def check() -> None:
        assert pool.stats().requests_in_flight == 0
        assert (await pool.send(Request("GET", url))).status == 200

    async with pool:
        points = await sweep(work, check, when)

    assert points >= 3


async def test_a_stream_over_sockets(serve, when):
    async def handler(connection):
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1234")
            await asyncio.sleep(0)
            await connection.send(b"5678")

    server = await serve(handler)
    pool = ConnectionPool(max_connections=1, proxies_from_environment=False)
    limiter = FixedLimiter(1)
    api = Connector.connect(
        ScriptedStrategy(instance_url=server.url),
        base_url=server.url,
        transport=pool,
        limiter=limiter,
    )

    async def work() -> None:
        async with api.stream("GET", "/rows") as answer:
            assert b"".join([piece async for piece in answer.iter_bytes(2)]) == b"12345678"

    async def check() -> None:
        assert pool.stats().requests_in_flight == limiter.in_flight == 0
        await work()

    async with pool, api:
        await sweep(work, check, when)


class Numbers:
    """Answers with the number that it was asked for."""

    def __init__(self) -> None:
        self.under_way = 0

    async def execute(self, request: Request) -> Response:
        self.under_way += 1
        try:
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        return Response(200, {}, request.path.encode())

    def call(self, number: int) -> Call[int]:
        return Call(Request("GET", str(number)), lambda answer: int(answer.content), self)

    def spawn(self, work):
        return asyncio.get_running_loop().create_task(work)


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_fan_out_with_an_asynchronous_input(when, ordered):
    numbers = Numbers()
    open_inputs = 0

    async def calls():
        nonlocal open_inputs
        open_inputs += 1
        try:
            for number in range(6):
                await asyncio.sleep(0)
                yield numbers.call(number)
        finally:
            open_inputs -= 1

    async def work() -> None:
        async with FanOut(calls(), concurrency=2, ordered=ordered) as outcomes:
            got = [outcome.unwrap() async for outcome in outcomes]
        assert sorted(got) == list(range(6))

    async def check() -> None:
        assert (numbers.under_way, open_inputs) == (0, 0)

    assert await sweep(work, check, when) > 3


@pytest.mark.parametrize("ahead", [0, 2])
async def test_reading_pages_loses_none_wherever_its_reader_is_cancelled(when, ahead):
    numbers = Numbers()

    def decode(answer: Response) -> Page[int]:
        number = int(answer.content)
        return Page([number], None, str(number + 1) if number < 4 else None)

    streams: list[PageStream[Page[int]]] = []
    got: list[int] = []

    def begin() -> None:
        streams.append(
            PageStream(
                numbers, Request("GET", "0"), decode, lambda p: Request("GET", p), ahead=ahead
            )
        )
        got.clear()

    async def read() -> None:
        async for page in streams[-1]:
            got.extend(page.items)

    async def work() -> None:
        begin()
        await read()

    async def check() -> None:
        await read()  # the reader goes on where it was cancelled
        assert got == [0, 1, 2, 3, 4]
        await streams[-1].aclose()
        assert numbers.under_way == 0

    assert await sweep(work, check, when) > 2
