"""Pages: in order, once each, a bounded number ahead, and nothing left running."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.errors import ConfigurationError, ConnectionLostError, PoolClosed
from sfconnect.messages import Request, Response
from sfconnect.paging import Page, PageStream


class Source:
    """Pages of three numbers each, under ``/0``, ``/1``, …; each is given when it is let go."""

    def __init__(self, pages: int, *, held: bool = False) -> None:
        self.pages = pages
        self.asked: list[int] = []
        self.given = asyncio.Semaphore(0 if held else 10_000)
        self.fail: dict[int, Exception] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.closed = False

    async def execute(self, request: Request) -> Response:
        number = int(request.path[1:])
        self.asked.append(number)
        await self.given.acquire()
        if number in self.fail:
            raise self.fail.pop(number)
        return Response(200, {}, str(number).encode())

    def spawn(self, work):
        if self.closed:
            work.close()
            raise PoolClosed("The connection is closed.")
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def decode(self, response: Response) -> Page[int]:
        number = int(response.content)
        last = number == self.pages - 1
        items = list(range(number * 3, number * 3 + 3))
        return Page(items, self.pages * 3, None if last else f"/{number + 1}")

    def stream(self, *, ahead: int = 2) -> PageStream[Page[int]]:
        return PageStream(
            self, Request("GET", "/0"), self.decode, lambda path: Request("GET", path), ahead=ahead
        )


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def first_of(page: Page[int]) -> int:
    return page.items[0] // 3


@pytest.mark.parametrize("ahead", [0, 1, 2, 10])
@pytest.mark.parametrize("pages", [1, 2, 3, 20])
async def test_all_pages_come_in_order(pages, ahead):
    source = Source(pages)

    got = [page async for page in source.stream(ahead=ahead)]

    assert [first_of(page) for page in got] == list(range(pages))
    assert source.asked == list(range(pages))
    assert got[-1].next is None
    assert got[0].total == pages * 3


async def test_nothing_is_asked_before_the_first_page_is():
    source = Source(3)

    source.stream()
    await settle()

    assert source.asked == []


@pytest.mark.parametrize("ahead", [0, 1, 3])
async def test_so_many_pages_are_fetched_ahead_and_no_more(ahead):
    source = Source(20)
    stream = source.stream(ahead=ahead)

    for number in range(10):
        await anext(stream)
        await settle()
        assert len(source.asked) == number + 1 + ahead

    await stream.aclose()


async def test_a_page_is_given_as_soon_as_it_is_there():
    source = Source(20, held=True)
    stream = source.stream(ahead=5)
    source.given.release()
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await settle()

    source.given.release()  # one page of the five that are wanted

    async with asyncio.timeout(1):
        assert first_of(await waiting) == 1
    await stream.aclose()


async def test_a_reader_that_stops_early_leaves_nothing_running():
    source = Source(20)
    stream = source.stream()

    async for _ in stream:
        break
    await settle()

    assert source.tasks == set()
    assert source.asked == [0, 1, 2]


async def test_closing_stops_a_fetch_that_is_under_way():
    source = Source(20, held=True)
    stream = source.stream()
    source.given.release()
    await anext(stream)
    await settle()
    assert len(source.tasks) == 1

    await stream.aclose()
    await stream.aclose()

    assert source.tasks == set()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_closing_before_the_fetch_has_begun_leaves_nothing_either():
    source = Source(20)
    stream = source.stream()
    await anext(stream)  # spawns the fetch, which has not run yet

    await stream.aclose()

    assert source.tasks == set()
    assert source.asked == [0]


async def test_closing_an_unused_stream_does_nothing():
    await Source(1).stream().aclose()


async def test_closing_ends_a_reader_that_waits():
    source = Source(20, held=True)
    stream = source.stream()
    source.given.release()
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await settle()

    await stream.aclose()

    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_closing_under_a_first_fetch_gives_no_page_afterwards():
    source = Source(20, held=True)
    stream = source.stream()
    waiting = asyncio.ensure_future(anext(stream))
    await settle()

    await stream.aclose()
    source.given.release()

    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_an_error_comes_after_the_pages_before_it():
    source = Source(5)
    source.fail[1] = ConnectionLostError("Cut.")
    stream = source.stream()

    assert first_of(await anext(stream)) == 0
    await settle()
    with pytest.raises(ConnectionLostError):
        await anext(stream)

    await settle()
    assert source.tasks == set()


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("bad", [0, 1, 3])
async def test_who_asks_again_after_an_error_gets_the_page_that_was_due(bad, ahead):
    source = Source(5)
    source.fail[bad] = ConnectionLostError("Cut.")
    stream = source.stream(ahead=ahead)
    got: list[int] = []
    errors = 0

    while len(got) < 5:
        try:
            got.append(first_of(await anext(stream)))
        except ConnectionLostError:
            errors += 1

    assert (got, errors) == ([0, 1, 2, 3, 4], 1)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_bug_in_the_decoder_is_raised_to_the_reader():
    source = Source(5)

    def decode(response: Response) -> Page[int]:
        page = source.decode(response)
        if first_of(page) == 1:
            raise ZeroDivisionError
        return page

    stream = PageStream(source, Request("GET", "/0"), decode, lambda path: Request("GET", path))
    await anext(stream)

    with pytest.raises(ZeroDivisionError):
        await anext(stream)


async def test_a_next_page_that_cannot_be_asked_for_is_an_error_and_not_the_end():
    source = Source(5)

    def follow(path: str) -> Request:
        raise ConfigurationError("no such place")

    stream = PageStream(source, Request("GET", "/0"), source.decode, follow)

    for _ in range(2):
        with pytest.raises(ConfigurationError):
            await anext(stream)


@pytest.mark.parametrize("ahead", [0, 2])
async def test_cancelling_a_reader_loses_no_page(ahead):
    source = Source(6, held=True)
    stream = source.stream(ahead=ahead)
    got: list[int] = []

    while len(got) < 6:
        waiting = asyncio.ensure_future(anext(stream))
        await settle()
        waiting.cancel()
        await asyncio.wait({waiting})
        if not waiting.cancelled():
            got.append(first_of(waiting.result()))
        source.given.release()

    assert got == [0, 1, 2, 3, 4, 5]


async def test_cancelling_a_reader_at_the_moment_its_page_comes_loses_no_page():
    source = Source(3, held=True)
    stream = source.stream()
    source.given.release()
    got = [first_of(await anext(stream))]
    waiting = asyncio.ensure_future(anext(stream))
    await settle()

    for _ in range(2):
        source.given.release()
    for _ in range(3):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})

    got += [] if waiting.cancelled() else [first_of(waiting.result())]
    got += [first_of(page) async for page in stream]
    assert got == [0, 1, 2]


@pytest.mark.parametrize("ahead", [0, 2])
async def test_several_readers_get_each_page_once(ahead):
    source = Source(30)
    stream = source.stream(ahead=ahead)
    got: list[int] = []

    async def read() -> None:
        async for page in stream:
            got.append(first_of(page))
            await asyncio.sleep(0)

    async with asyncio.timeout(2):
        await asyncio.gather(*(read() for _ in range(4)))

    assert got == list(range(30))
    assert source.asked == list(range(30))


async def test_a_source_that_is_closed_loses_no_page_that_was_fetched():
    source = Source(5)
    stream = source.stream()
    source.closed = True

    assert first_of(await anext(stream)) == 0


async def test_a_fetch_that_its_source_cancels_is_made_when_the_reader_asks():
    source = Source(5)
    stream = source.stream()
    await anext(stream)

    for task in list(source.tasks):
        task.cancel()  # as closing a session does; before the fetch has begun

    async with asyncio.timeout(1):
        assert first_of(await anext(stream)) == 1
    await stream.aclose()


def test_fetching_a_negative_number_ahead_is_refused():
    with pytest.raises(ConfigurationError):
        Source(1).stream(ahead=-1)


def test_a_page_does_not_show_its_items():
    assert "canary" not in repr(Page(["canary"], 1, None))
