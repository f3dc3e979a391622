"""Answers that are late, cut, corrupt or no HTTP at all, and what the error says about them."""

from __future__ import annotations

import asyncio
import gzip
import threading
import traceback
import zlib

import pytest

from sfconnect.errors import (
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
    SfConnectError,
    TransportError,
)
from sfconnect.messages import Request, Timeout
from sfconnect.transport._inflate import AWAY_BYTES, inflate

CANARY = "00Dcanary!secret"
"""Stands in a query; no message may hold it."""


def facts(error: SfConnectError) -> tuple[bool | None, bool | None]:
    return error.request_sent, error.retry_safe


async def test_gzip_is_asked_for_and_unpacked(serve, pool):
    async def handler(connection):
        await connection.request()
        body = gzip.compress(b'{"rows": 5}')
        await connection.answer(body, headers={"Content-Encoding": "gzip"})

    server = await serve(handler)

    answer = await pool.send(server.get())

    assert answer.json() == {"rows": 5}
    assert "gzip" in server.requests[0].headers["accept-encoding"]


async def test_deflate_is_unpacked(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.answer(zlib.compress(b"{}"), headers={"Content-Encoding": "deflate"})

    server = await serve(handler)

    assert (await pool.send(server.get())).json() == {}


async def test_headers_are_found_whatever_their_case(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.answer(headers={"sforce-LIMIT-info": "api-usage=1/2"})

    server = await serve(handler)

    assert (await pool.send(server.get())).headers["Sforce-Limit-Info"] == "api-usage=1/2"


ZIPPED = gzip.compress(b"x" * 5000, mtime=0)
BAD_BODIES = {
    "cut before Content-Length": b"Content-Length: 10\r\n\r\nhalf",
    "cut inside a chunk": b"Transfer-Encoding: chunked\r\n\r\n10\r\nhalf",
    "cut between chunks": b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "cut before the last line": b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
    "a chunk without a size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n",
    "not gzip at all": b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
    "gzip with a flipped bit": (
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED)
        + ZIPPED[:12]
        + bytes([ZIPPED[12] ^ 0xFF])
        + ZIPPED[13:]
    ),
    "gzip with a wrong checksum": (
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED)
        + ZIPPED[:-8]
        + b"\0" * 8
    ),
}


@pytest.mark.parametrize("rest", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_body_that_is_cut_or_corrupt_is_never_given(serve, pool, rest):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n" + rest)

    server = await serve(handler)

    with pytest.raises(ResponseError) as caught:
        await pool.send(server.get("/rows", params={"q": CANARY}))

    assert facts(caught.value) == (True, None)
    assert CANARY not in str(caught.value)
    assert "/rows" in str(caught.value)
    assert pool.stats().requests_in_flight == 0
    assert pool.stats().requests_errors == 1


async def test_a_compressed_body_that_ends_early_is_never_given(serve, pool):
    async def handler(connection):
        # The framing is intact: only the compressed form tells that more should have come.
        await connection.request()
        body = gzip.compress(b'["%s"]' % (b"x" * 5000))[:-12]
        await connection.answer(body, headers={"Content-Encoding": "gzip"})

    server = await serve(handler)

    with pytest.raises(ResponseError, match="cut or is corrupt"):
        await pool.send(server.get())


async def test_an_encoding_that_was_not_asked_for_is_refused(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.answer(b"whatever", headers={"Content-Encoding": "br"})

    server = await serve(handler)

    with pytest.raises(ResponseError, match="cut or is corrupt"):
        await pool.send(server.get())


@pytest.mark.parametrize(("size", "away"), [(AWAY_BYTES - 1, False), (AWAY_BYTES, True)])
async def test_only_large_compressed_bodies_are_opened_in_a_thread(
    serve, pool, monkeypatch, size, away
):
    threads = []

    def noting(body, encoding):
        threads.append(threading.get_ident())
        return inflate(body, encoding)

    async def handler(connection):
        # The name of the file in gzip's head may be as long as one likes.
        await connection.request()
        head, rest = ZIPPED[:10], ZIPPED[10:]
        padding = b"x" * (size - len(ZIPPED) - 1) + b"\0"
        body = head[:3] + b"\x08" + head[4:] + padding + rest
        assert len(body) == size
        await connection.answer(body, headers={"Content-Encoding": "gzip"})

    monkeypatch.setattr("sfconnect.transport._inflate.inflate", noting)
    server = await serve(handler)

    answer = await pool.send(server.get())

    assert answer.content == b"x" * 5000
    assert len(threads) == 1
    assert (threads[0] != threading.get_ident()) is away


BAD_HEADS = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTML without a head": b"<html>Down for maintenance</html>\r\n\r\n",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: value\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a huge header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("head", BAD_HEADS.values(), ids=BAD_HEADS)
async def test_an_answer_that_is_not_http_is_a_transport_error(serve, pool, head):
    async def handler(connection):
        await connection.request()
        await connection.send(head)

    server = await serve(handler)

    with pytest.raises(TransportError) as caught:
        await pool.send(server.get("/rows", params={"q": CANARY}))

    assert facts(caught.value) == (True, None)
    assert pool.stats().requests_in_flight == 0


async def test_a_reset_after_the_request_was_read_leaves_the_outcome_open(serve, pool):
    async def handler(connection):
        await connection.request()
        connection.reset()

    server = await serve(handler)

    with pytest.raises(ConnectionLostError) as caught:
        await pool.send(server.post("/rows", params={"q": CANARY}))

    assert facts(caught.value) == (True, None)


async def test_hanging_up_without_an_answer_leaves_the_outcome_open(serve, pool):
    async def handler(connection):
        await connection.request()

    server = await serve(handler)

    with pytest.raises(ConnectionLostError) as caught:
        await pool.send(server.post())

    assert facts(caught.value) == (True, None)


async def test_a_reset_before_the_request_was_read_is_told_the_same_way(serve, pool):
    async def handler(connection):
        connection.reset()

    server = await serve(handler)

    with pytest.raises(ConnectionLostError) as caught:
        await pool.send(server.post(content=b"x" * 2_000_000))

    # What the server's machine took from the wire before, nobody here can know.
    assert facts(caught.value) == (True, None)


async def test_no_answer_within_the_read_limit_is_a_time_out(serve, make_pool):
    async def handler(connection):
        await connection.request()
        await connection.reader.read()

    server = await serve(handler)
    pool = await make_pool(timeout=Timeout(read_s=0.02))

    with pytest.raises(RequestTimeoutError) as caught:
        await pool.send(server.post("/slow", params={"q": CANARY}))

    assert facts(caught.value) == (True, None)
    assert "/slow" in str(caught.value)
    assert CANARY not in str(caught.value)


async def test_a_body_that_stops_coming_is_a_time_out(serve, make_pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await connection.reader.read()

    server = await serve(handler)
    pool = await make_pool(timeout=Timeout(read_s=0.02))

    with pytest.raises(RequestTimeoutError):
        await pool.send(server.get())


async def test_a_body_that_drips_for_ever_meets_the_total_limit(serve, make_pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await connection.send(b".")
            await asyncio.sleep(0.005)

    server = await serve(handler)
    pool = await make_pool(timeout=Timeout(read_s=1, total_s=0.05))

    with pytest.raises(RequestTimeoutError):
        await pool.send(server.get())


async def test_a_request_may_bring_limits_of_its_own(serve, make_pool):
    async def handler(connection):
        while True:
            await connection.request()
            await asyncio.sleep(0.03)
            await connection.answer()

    server = await serve(handler)
    pool = await make_pool(timeout=Timeout(read_s=0.01))
    patient = Timeout(read_s=None, total_s=None)

    with pytest.raises(RequestTimeoutError):
        await pool.send(server.get())
    assert (await pool.send(server.get(timeout=patient))).status == 200
    with pytest.raises(RequestTimeoutError):
        await pool.send(server.get(timeout=Timeout(total_s=0.005)))


async def test_no_chained_error_shows_the_query(serve, make_pool):
    async def handler(connection):
        await connection.request()
        await connection.send(BAD_HEADS["no HTTP"])

    server = await serve(handler)
    pool = await make_pool()

    with pytest.raises(TransportError) as caught:
        await pool.send(server.get("/x?q=" + CANARY))

    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_an_answer_that_comes_before_the_body_was_read_is_given(serve, pool):
    async def handler(connection):
        await connection.head()
        await connection.answer(b"[]", status=413)
        await connection.reader.read(1)
        await asyncio.Event().wait()  # neither read on nor hang up

    server = await serve(handler)

    async with asyncio.timeout(2):
        answer = await pool.send(server.post(content=b"x" * 20_000_000))

    assert answer.status == 413
    assert pool.stats().requests_in_flight == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_keeps_the_connection(serve, pool, method, status):
    async def handler(connection):
        while True:
            await connection.request()
            await connection.send(f"HTTP/1.1 {status} None\r\n\r\n".encode())

    server = await serve(handler)

    for _ in range(2):
        answer = await pool.send(Request(method, server.url + "/"))
        assert (answer.status, answer.content) == (status, b"")

    assert server.connections == 1
