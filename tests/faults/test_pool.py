"""The pool over real sockets: reuse, waiting in line, opening and closing, counters."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.errors import (
    ConfigurationError,
    ConnectionLostError,
    PoolClosed,
    PoolTimeout,
    TooManyRequests,
)
from sfconnect.messages import Request
from sfconnect.transport import ConnectionPool, Tls


@pytest.fixture
def gate() -> asyncio.Event:
    """Held back answers are given once this is set."""
    return asyncio.Event()


@pytest.fixture
async def gated(serve, gate):
    async def handler(connection):
        while True:
            received = await connection.request()
            await gate.wait()
            await connection.answer(received.target.encode())

    return await serve(handler)


async def begun(pool, server, count):
    """Send this many requests, and give their tasks once all that may be in flight are."""
    number = len(server.requests)
    tasks = [
        asyncio.create_task(pool.send(server.get(f"/{number + index}"))) for index in range(count)
    ]
    await server.has(number + min(count, pool.stats().connections_max))
    return tasks


async def test_requests_one_after_the_other_use_one_connection(serve, pool):
    server = await serve()

    for _ in range(20):
        await pool.send(server.get())

    assert server.connections == 1
    assert pool.stats().connections_opened == 1
    assert pool.stats().requests_num == 20


async def test_a_connection_that_was_unused_too_long_is_not_used_again(serve, make_pool):
    server = await serve()
    pool = await make_pool(idle_s=0.0)

    await pool.send(server.get())
    await asyncio.sleep(0.01)
    await pool.send(server.get())

    assert server.connections == 2


async def test_no_more_requests_are_in_flight_than_connections_are_allowed(gated, gate, make_pool):
    pool = await make_pool(max_connections=3)

    tasks = await begun(pool, gated, 10)

    assert len(gated.requests) == 3
    assert pool.stats().requests_in_flight == 3
    assert pool.stats().requests_waiting == 7
    gate.set()
    await asyncio.gather(*tasks)
    assert gated.connections == 3
    assert pool.stats().requests_in_flight == pool.stats().requests_waiting == 0
    assert pool.stats().requests_queued == 7
    assert pool.stats().requests_wait_ms > 0


async def test_those_who_wait_are_served_in_the_order_in_which_they_came(gated, gate, make_pool):
    pool = await make_pool(max_connections=1)

    tasks = await begun(pool, gated, 20)
    gate.set()
    await asyncio.gather(*tasks)

    assert [request.target for request in gated.requests] == [f"/{i}" for i in range(20)]


async def test_a_full_line_refuses_and_says_what_to_do(gated, gate, make_pool):
    pool = await make_pool(max_connections=1, max_waiting=2)
    tasks = await begun(pool, gated, 3)

    with pytest.raises(TooManyRequests, match="max_waiting") as caught:
        await pool.send(gated.get())

    assert caught.value.request_sent is False
    assert caught.value.retry_safe is False
    assert pool.stats().requests_refused == 1
    gate.set()
    await asyncio.gather(*tasks)
    assert len(gated.requests) == 3


async def test_waiting_too_long_is_an_error_that_sends_nothing(gated, gate, make_pool):
    pool = await make_pool(max_connections=1, wait_s=0.01)
    tasks = await begun(pool, gated, 1)

    with pytest.raises(PoolTimeout, match="wait_s") as caught:
        await pool.send(gated.get())

    assert caught.value.request_sent is False
    assert pool.stats().requests_waiting == 0
    gate.set()
    await asyncio.gather(*tasks)
    assert len(gated.requests) == 1


async def test_cancelling_while_waiting_loses_no_slot(gated, gate, make_pool):
    pool = await make_pool(max_connections=1)
    first, second, third = await begun(pool, gated, 3)

    second.cancel()
    gate.set()

    await first
    await third
    assert second.cancelled()
    assert [request.target for request in gated.requests] == ["/0", "/2"]
    assert pool.stats().requests_in_flight == 0


async def test_cancelling_while_reading_the_answer_gives_the_connection_up(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await connection.reader.read()  # until the client hangs up

    server = await serve(handler)
    task = asyncio.create_task(pool.send(server.get()))
    await server.has(1)
    await asyncio.sleep(0.01)

    task.cancel()

    await asyncio.wait({task})
    assert task.cancelled()
    assert pool.stats().requests_in_flight == 0
    await server.has_no_connection()


async def test_closing_ends_what_is_in_flight_and_refuses_who_waits(gated, make_pool):
    pool = await make_pool(max_connections=2)
    tasks = await begun(pool, gated, 5)

    await pool.aclose()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == 2 * [ConnectionLostError] + 3 * [PoolClosed]
    assert pool.stats().requests_in_flight == pool.stats().requests_waiting == 0


async def test_draining_lets_those_finish_who_came_before(gated, gate, make_pool):
    pool = await make_pool(max_connections=1)
    tasks = await begun(pool, gated, 3)

    draining = [asyncio.create_task(pool.drain()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(PoolClosed):
        await pool.send(gated.get())
    assert not any(task.done() for task in draining)
    gate.set()

    await asyncio.gather(*draining)
    assert [(await task).status for task in tasks] == [200, 200, 200]


async def test_draining_an_unused_pool_ends_at_once(pool):
    await pool.drain()

    with pytest.raises(PoolClosed):
        await pool.open()


async def test_growing_serves_those_who_wait(gated, gate, make_pool):
    pool = await make_pool(max_connections=1)
    tasks = await begun(pool, gated, 4)

    pool.resize(3)
    await gated.has(3)

    assert pool.stats().connections_max == 3
    gate.set()
    await asyncio.gather(*tasks)


async def test_shrinking_leaves_alone_what_is_in_flight(gated, gate, make_pool):
    pool = await make_pool(max_connections=3)
    tasks = await begun(pool, gated, 3)

    pool.resize(1)
    later = asyncio.create_task(pool.send(gated.get()))
    gate.set()

    await asyncio.gather(*tasks, later)
    assert pool.stats().connections_max == 1


@pytest.mark.parametrize("number", [0, -1])
def test_a_pool_without_connections_is_refused(number):
    with pytest.raises(ConfigurationError, match="max_connections"):
        ConnectionPool(max_connections=number)
    with pytest.raises(ConfigurationError, match="max_connections"):
        ConnectionPool().resize(number)


async def test_an_unopened_or_closed_pool_says_so(serve):
    server = await serve()
    pool = ConnectionPool()

    with pytest.raises(PoolClosed, match="async with"):
        await pool.send(server.get())
    async with pool:
        await pool.send(server.get())
    with pytest.raises(PoolClosed):
        await pool.send(server.get())
    with pytest.raises(PoolClosed):
        async with pool.stream(server.get()):
            pass
    with pytest.raises(PoolClosed):
        await pool.open()
    assert pool.stats().requests_in_flight == 0


async def test_opening_and_closing_twice_does_no_harm(serve):
    server = await serve()
    pool = ConnectionPool()

    await asyncio.gather(pool.open(), pool.open())
    await pool.open()
    await pool.send(server.get())
    await asyncio.gather(pool.aclose(), pool.aclose())
    await pool.aclose()


async def test_opening_twice_at_once_makes_one_session():
    async with ConnectionPool(tls=Tls()) as pool:
        made = pool._session

        await asyncio.gather(pool.open(), pool.open())

        assert pool._session is made

    other = ConnectionPool(tls=Tls())
    await asyncio.gather(other.open(), other.open())
    await other.aclose()


async def test_closing_while_opening_leaves_nothing_open(tmp_path):
    pool = ConnectionPool(tls=Tls())
    opening = asyncio.create_task(pool.open())
    await asyncio.sleep(0)

    await pool.aclose()

    with pytest.raises(PoolClosed):
        await opening


def test_making_a_pool_needs_no_event_loop():
    assert ConnectionPool(tls=Tls()).stats().requests_num == 0


async def test_a_kept_connection_that_the_server_closed_meets_no_request(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.answer()  # and hang up without saying so

    server = await serve(handler)

    for _ in range(3):
        await pool.send(server.get())
        await asyncio.sleep(0.01)  # let the end of the connection arrive

    assert server.connections == 3


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_nothing_is_sent_again_behind_our_back_when_a_kept_connection_breaks(
    serve, pool, method
):
    async def handler(connection):
        await connection.request()
        await connection.answer()
        await connection.request()
        connection.reset()

    server = await serve(handler)
    await pool.send(server.get())

    with pytest.raises(ConnectionLostError):
        await pool.send(Request(method, server.url + "/"))

    assert len(server.requests) == 2
    assert server.connections == 1


async def test_the_user_agent_names_library_and_caller(serve, make_pool):
    server = await serve()
    pool = await make_pool(user_agent="acme-etl/3.1")

    await pool.send(server.get())

    assert server.requests[0].headers["user-agent"].startswith("acme-etl/3.1 sfconnect/")
    assert server.requests[0].headers["accept"] == "application/json"


async def test_no_cookie_goes_from_one_answer_to_another_request(serve, pool):
    async def handler(connection):
        while True:
            await connection.request()
            await connection.answer(headers={"Set-Cookie": "sid=1; Path=/"})

    server = await serve(handler)

    await pool.send(server.get())
    await pool.send(server.get())

    assert "cookie" not in server.requests[1].headers


async def test_parameters_are_encoded_once_and_encoded_paths_stay_as_they_are(serve, pool):
    server = await serve()

    await pool.send(server.get("/a%2Fb%20c/%2e%2e", params={"q": "x & y+z", "all": True, "n": 5}))

    assert server.requests[0].target == "/a%2Fb%20c/%2e%2e?q=x%20%26%20y%2Bz&all=true&n=5"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers_and_are_not_followed(serve, pool, status):
    async def handler(connection):
        await connection.request()
        await connection.answer(status=status, headers={"Location": "/elsewhere"})

    server = await serve(handler)

    answer = await pool.send(server.get())

    assert answer.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "request_facts",
    [
        {"headers": {"X-Note": "a\r\nX-Injected: yes"}},
        {"headers": {"X-Note\r\nX-Injected": "yes"}},
        {"headers": {"X-Note": "a\x00b"}},
    ],
    ids=["value", "name", "nul"],
)
async def test_a_header_that_would_end_early_is_refused_before_it_is_sent(
    serve, pool, request_facts
):
    server = await serve()

    with pytest.raises(ConfigurationError) as caught:
        await pool.send(server.get(**request_facts))

    assert "Injected" not in str(caught.value)
    assert server.requests == []
    assert pool.stats().requests_in_flight == 0


@pytest.mark.parametrize("url", ["http://", "http://host:99999/", "no-url", "ftp://host/"])
async def test_an_impossible_url_is_a_configuration_error(pool, url):
    with pytest.raises(ConfigurationError):
        await pool.send(Request("GET", url))

    assert pool.stats().requests_in_flight == 0
