"""A session's streams: opened with the care that calls get, then the reader's."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.errors import ConnectionLostError, NotFoundError, OutcomeUnknownError
from sfconnect.instrumentation import RequestFinished
from sfconnect.limits import FixedLimiter
from tests.unit.small_api import CREATE, GET, QuotaService, answer, read, run


async def test_a_stream_is_given_once_its_status_means_success(world, scripted, stream_of):
    limiter = FixedLimiter(1)
    made = world(
        scripted(stream_of(answer(X_Quota="1/9"), [b"ab", b"cde"])),
        limiter=limiter,
        service=QuotaService(),
    )

    async with made.session.stream(GET) as stream:
        assert limiter.in_flight == 1
        pieces = [piece async for piece in stream.iter_bytes()]

    assert pieces == [b"ab", b"cde"]
    assert (limiter.in_flight, made.transport.open_streams) == (0, 0)
    stats = made.session.stats()
    assert (stats.calls, stats.attempts, stats.bytes_in) == (1, 1, 5)
    assert stats.quotas["calls"].used == 1
    assert made.events[-1].status == 200


async def test_a_stream_can_be_read_whole(world, scripted, stream_of):
    made = world(scripted(stream_of(answer(), [b"ab", b"cde"])))

    async with made.session.stream(GET) as stream:
        assert (await stream.read()).content == b"abcde"

    assert made.session.stats().bytes_in == 5


async def test_a_stream_is_opened_again_after_a_dead_token_a_fault_and_a_redirect(
    world, scripted, stream_of
):
    made = world(
        scripted(
            401,
            ConnectionLostError("Cut."),
            answer(302, Location="/end"),
            stream_of(answer(), [b"ab"]),
        )
    )

    assert await run(made, read(made.session)) == b"ab"

    assert made.transport.tokens == ["token-1", "token-2", "token-2", "token-2"]
    assert made.transport.paths == ["/rows", "/rows", "/rows", "/end"]
    told = [event.attempt for event in made.events if isinstance(event, RequestFinished)]
    assert told == [1, 1, 2, 2]
    assert made.transport.open_streams == 0


async def test_a_stream_that_is_refused_raises_and_holds_nothing(world, scripted):
    limiter = FixedLimiter(1)
    made = world(scripted(404), limiter=limiter)

    with pytest.raises(NotFoundError):
        await read(made.session)

    assert (limiter.in_flight, made.transport.open_streams) == (0, 0)


async def test_a_streamed_action_in_doubt_is_sent_once(world, scripted):
    made = world(scripted(ConnectionLostError("Cut."), 200))

    with pytest.raises(OutcomeUnknownError):
        await run(made, read(made.session, CREATE))

    assert len(made.transport.requests) == 1


async def test_what_breaks_while_a_stream_is_read_is_the_readers(world, scripted, stream_of):
    limiter = FixedLimiter(1)
    cut = ConnectionLostError("Cut.")
    made = world(scripted(stream_of(answer(), [b"ab", cut])), limiter=limiter)

    with pytest.raises(ConnectionLostError):
        await read(made.session)

    assert len(made.transport.requests) == 1
    assert limiter.in_flight == 0
    assert (made.events[-1].status, made.events[-1].error) == (200, "ConnectionLostError")


async def test_an_error_of_the_reader_passes_through(world):
    made = world()

    with pytest.raises(OSError, match="disk full"):
        async with made.session.stream(GET):
            raise OSError("disk full")

    assert made.transport.open_streams == 0


async def test_streams_wait_in_line_like_calls(world):
    limiter = FixedLimiter(1)
    made = world(limiter=limiter)

    async with made.session.stream(GET):
        other = asyncio.create_task(read(made.session))
        await made.clock.settle()
        assert limiter.waiting == 1
        await made.manager.replace(await made.manager.get())

    assert await other == b"{}"
    assert made.transport.tokens == ["token-1", "token-2"]
