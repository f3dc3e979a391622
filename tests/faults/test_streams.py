"""Bodies that are read, and bodies that are sent, piece by piece."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from sfconnect.errors import (
    ConnectionLostError,
    NotFoundError,
    PoolClosed,
    RequestTimeoutError,
    ResponseError,
)
from sfconnect.messages import Request, Timeout

BODY = b"0123456789" * 20_000


async def big(connection):
    while True:
        await connection.request()
        await connection.answer(BODY)


async def read_all(pool, request, chunk_size=65536, *, each=None):
    """Read a stream to its end, giving each piece to a function."""
    async with pool.stream(request) as answer:
        async for piece in answer.iter_bytes(chunk_size):
            if each is not None:
                each(piece)


async def test_a_stream_gives_the_whole_body_in_bounded_pieces(serve, pool):
    server = await serve(big)

    async with pool.stream(server.get()) as answer:
        pieces = [piece async for piece in answer.iter_bytes(1000)]

    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= 1000
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


async def test_a_stream_that_was_read_to_its_end_leaves_its_connection_for_others(serve, pool):
    server = await serve(big)

    for _ in range(3):
        async with pool.stream(server.get()) as answer:
            async for _ in answer.iter_bytes():
                pass

    assert server.connections == 1


async def test_the_rest_of_a_stream_can_be_read_at_once(serve, pool):
    server = await serve(big)

    async with pool.stream(server.get()) as answer:
        response = await answer.read()

    assert response.content == BODY
    assert response.status == 200


async def test_a_compressed_stream_is_unpacked_on_the_way(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.answer(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})

    server = await serve(handler)

    async with pool.stream(server.get()) as answer:
        assert b"".join([piece async for piece in answer.iter_bytes()]) == BODY


async def test_the_rest_of_a_compressed_stream_can_be_read_at_once(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.answer(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})

    server = await serve(handler)

    async with pool.stream(server.get()) as answer:
        pieces = answer.iter_bytes(1000)
        begun = await anext(pieces)
        rest = await answer.read()
        await pieces.aclose()

    assert len(begun) == 1000
    assert begun + rest.content == BODY


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_compressed_stream_that_ends_early_is_an_error(serve, pool, at_once):
    async def handler(connection):
        # The framing is intact: only the compressed form tells that more should have come.
        await connection.request()
        await connection.answer(gzip.compress(BODY)[:-9], headers={"Content-Encoding": "gzip"})

    server = await serve(handler)

    async with pool.stream(server.get()) as answer:
        pieces = answer.iter_bytes()
        if not at_once:
            assert await anext(pieces) == BODY
        with pytest.raises(ResponseError, match="cut or is corrupt"):
            await (answer.read() if at_once else anext(pieces))


async def test_leaving_a_stream_early_frees_its_slot_and_its_connection(serve, make_pool):
    server = await serve(big)
    pool = await make_pool(max_connections=1)

    async with pool.stream(server.get()) as answer:
        async for _ in answer.iter_bytes(10):
            break

    assert pool.stats().requests_in_flight == 0
    async with pool.stream(server.get()) as answer:
        assert (await answer.read()).content == BODY
    assert server.connections == 2


async def test_a_stream_holds_its_slot_until_its_block_ends(serve, make_pool):
    server = await serve(big)
    pool = await make_pool(max_connections=1)

    async with pool.stream(server.get()) as answer:
        await answer.read()
        other = asyncio.create_task(pool.send(server.get()))
        await asyncio.sleep(0)
        assert pool.stats().requests_waiting == 1

    assert (await other).status == 200


@pytest.mark.parametrize("kind", [OSError, TimeoutError, ValueError, ConnectionResetError])
async def test_an_error_of_the_reader_is_not_taken_for_the_transports(serve, pool, kind):
    server = await serve(big)
    own = kind("disk full")

    def fail(_):
        raise own

    with pytest.raises(kind) as caught:
        await read_all(pool, server.get(), each=fail)

    assert caught.value is own
    assert pool.stats().requests_in_flight == 0
    assert pool.stats().requests_errors == 0


async def test_a_stream_that_is_cut_raises_after_the_pieces_that_came(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40)

    server = await serve(handler)
    got: list[bytes] = []

    with pytest.raises(ResponseError) as caught:
        await read_all(pool, server.get(), 10, each=got.append)

    assert b"".join(got) == b"x" * sum(map(len, got))
    assert caught.value.request_sent is True
    assert pool.stats().requests_in_flight == 0


async def test_reading_a_cut_stream_at_once_raises_the_same(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40)

    server = await serve(handler)

    async with pool.stream(server.get()) as answer:
        with pytest.raises(ResponseError):
            await answer.read()


async def test_a_stream_whose_next_piece_does_not_come_is_a_time_out(serve, make_pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40)
        await connection.reader.read()

    server = await serve(handler)
    pool = await make_pool(timeout=Timeout(read_s=0.02))

    with pytest.raises(RequestTimeoutError):
        await read_all(pool, server.get())


async def test_a_reader_that_is_slow_meets_no_read_limit(serve, make_pool):
    server = await serve(big)
    pool = await make_pool(timeout=Timeout(read_s=0.02))
    got = 0

    async with pool.stream(server.get()) as answer:
        async for piece in answer.iter_bytes():
            got += len(piece)
            await asyncio.sleep(0.03)

    assert got == len(BODY)


async def test_a_stream_that_cannot_begin_raises_and_holds_nothing(serve, pool):
    async def handler(connection):
        await connection.request()

    server = await serve(handler)

    with pytest.raises(ConnectionLostError):
        async with pool.stream(server.get()):
            raise AssertionError("there is no answer to give")

    assert pool.stats().requests_in_flight == 0


async def test_cancelling_the_reader_frees_slot_and_connection(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await connection.reader.read()

    server = await serve(handler)

    task = asyncio.create_task(read_all(pool, server.get()))
    await server.has(1)
    await asyncio.sleep(0.01)
    task.cancel()

    await asyncio.wait({task})
    assert task.cancelled()
    assert pool.stats().requests_in_flight == 0


async def test_closing_the_pool_ends_a_stream_that_is_being_read(serve, pool):
    async def handler(connection):
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await connection.reader.read()

    server = await serve(handler)

    async def read_and_close():
        async with pool.stream(server.get()) as answer:
            async for _ in answer.iter_bytes():
                await pool.aclose()

    with pytest.raises((ConnectionLostError, ResponseError)):
        await read_and_close()
    with pytest.raises(PoolClosed):
        await pool.send(server.get())


class NoRowsError(Exception):
    """What a producer of rows might raise."""


async def rows(count, *, then=None):
    for number in range(count):
        yield b"row %d\n" % number
    if then is not None:
        raise then


async def test_a_body_may_be_produced_while_it_is_sent(serve, pool):
    server = await serve()

    await pool.send(server.post(content=rows(1000)))

    assert server.requests[0].headers["transfer-encoding"] == "chunked"
    assert server.requests[0].body == b"".join([b"row %d\n" % number for number in range(1000)])


async def test_a_large_body_of_bytes_arrives_whole_and_with_its_length(serve, pool):
    server = await serve()

    await pool.send(server.post(content=BODY * 10))

    assert server.requests[0].body == BODY * 10
    assert server.requests[0].headers["content-length"] == str(len(BODY) * 10)


@pytest.mark.parametrize(
    "own", [NoRowsError("no rows"), OSError("disk"), NotFoundError("gone"), TimeoutError("slow")]
)
async def test_an_error_of_the_producer_comes_back_as_it_was(serve, pool, own):
    server = await serve()

    with pytest.raises(type(own)) as caught:
        await pool.send(server.post(content=rows(3, then=own)))

    assert caught.value is own
    assert server.requests == []  # the server saw that the body was not complete
    assert pool.stats().requests_in_flight == 0


async def test_an_upload_that_the_server_cuts_is_a_lost_connection(serve, pool):
    async def handler(connection):
        await connection.head()
        connection.reset()

    server = await serve(handler)

    async def endless():
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0)

    with pytest.raises(ConnectionLostError):
        await pool.send(server.post(content=endless()))


async def test_cancelling_an_upload_ends_its_producer(serve, pool):
    async def handler(connection):
        await connection.head()
        await connection.reader.read()

    server = await serve(handler)
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def endless():
        try:
            while True:
                yield b"x"
                begun.set()
                await asyncio.sleep(0)
        finally:
            ended.set()

    task = asyncio.create_task(pool.send(Request("POST", server.url, content=endless())))
    await begun.wait()
    task.cancel()

    await asyncio.wait({task})
    async with asyncio.timeout(2):
        await ended.wait()
    assert pool.stats().requests_in_flight == 0
