"""Cancel at each suspension point in turn: no slot, task or socket is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any
from urllib.parse import urlsplit

import pytest

from sfconnect.errors import PoolClosed
from sfconnect.limits import LimiterContext
from sfconnect_limits_redis import RedisLimiter
from sfconnect_limits_redis.book import book_name
from sfconnect_limits_redis.pace import PacedSlots
from sfconnect_limits_redis.slots import SharedSlots

BUDGET = 3
NAME = book_name("test")
TIMEOUT_S = 0.4
EARLY, LATE = "while it waits", "in the moment of waking up"

pytestmark = pytest.mark.timeout(60)


class Struck:
    """Awaits something; at its suspension point number ``at`` its task is cancelled.

    LATE that happens when what is waited for is there already, but the task has not run on.
    ``strike`` is done in its stead, if it is given.
    """

    def __init__(
        self, work: Awaitable[Any], at: int, when: str, strike: Callable[[], Any] | None = None
    ) -> None:
        self.work = work
        self.at = at
        self.when = when
        self.strike = strike
        self.points = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self.work.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = inner.throw(thrown) if thrown else inner.send(None)
            except StopIteration as end:
                return end.value
            self.points += 1
            if self.points == self.at:
                self._strike(waited_for)
            try:
                thrown = yield waited_for
            except BaseException as error:  # noqa: BLE001  # thrown into the work
                thrown = error

    def _strike(self, waited_for: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        strike = self.strike or task.cancel
        if self.when == EARLY:
            strike()
        elif waited_for is None:
            asyncio.get_running_loop().call_soon(strike)
        else:
            waited_for.add_done_callback(lambda _: strike())


async def sweep(
    work: Callable[[], Awaitable[Any]], check: Callable[[], Awaitable[None]], when: str
) -> int:
    """Run the work again and again, cancelled one point later each time; give the points."""
    for at in range(1, 1000):
        run = Struck(work(), at, when)

        async def one(run: Struck = run) -> None:
            await run

        task = asyncio.create_task(one())
        async with asyncio.timeout(5):
            await asyncio.wait({task})
        if run.points < at:
            task.result()
            return run.points
        assert task.cancelled(), f"cancelled at point {at}, and yet it ended with {task!r}"
        async with asyncio.timeout(5):
            await check()
    raise AssertionError("the work has no end")


class Relay:
    """Stands before a server, counts who is connected, and falls silent when it is told to.

    Silent, it takes what comes and says nothing, as a host does whose process hangs.
    """

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._links: set[asyncio.Task[None]] = set()
        self.connected = 0
        self.silent = False

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user, at, _ = self._to.netloc.rpartition("@")
        self.url = self._to._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        self.connected += 1
        there = await asyncio.open_connection(self._to.hostname, self._to.port or 6379)
        back = asyncio.create_task(self._pump(there[0], writer))
        try:
            await self._pump(reader, there[1])
        finally:
            self.connected -= 1
            self._links.discard(link)
            back.cancel()
            writer.close()
            there[1].close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while said := await source.read(65536):
                if not self.silent:
                    target.write(said)
                    await target.drain()
        except OSError:
            pass


@pytest.fixture(params=[EARLY, LATE])
def when(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def relay(url: str) -> AsyncIterator[Relay]:
    async with Relay(url) as made:
        yield made


async def opened(url: str, **options: Any) -> SharedSlots:
    given = {"redis_timeout_s": 2.0, "redis_lease_s": 30.0, **options}
    limiter = await RedisLimiter(url, BUDGET, **given).open(LimiterContext("test"))
    assert isinstance(limiter, SharedSlots)
    return limiter


async def opened_with_rate(url: str, rate: float, **options: Any) -> PacedSlots:
    given = {"redis_timeout_s": 2.0, "redis_lease_s": 30.0, **options}
    limiter = RedisLimiter(url, BUDGET, redis_max_per_second=rate, **given)
    paced = await limiter.open(LimiterContext("test"))
    assert isinstance(paced, PacedSlots)
    return paced


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # of tasks and peers that tell nobody
            await asyncio.sleep(0.001)


def tasks_of_ours() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("sfconnect:")]


@pytest.fixture
def nothing_left(redis: Any, relay: Relay) -> Callable[[], Awaitable[None]]:
    """See that no slot is taken by anybody, and that no task and no socket is there any more."""

    async def check() -> None:
        assert tasks_of_ours() == []
        await until(lambda: relay.connected == 0)
        assert await redis.exists(NAME) == 0

    return check


Check = Callable[[], Awaitable[None]]


# Opening


async def test_opening(relay: Relay, nothing_left: Check, when: str) -> None:
    made: list[SharedSlots] = []

    async def work() -> None:
        made.append(await opened(relay.url))

    async def check() -> None:
        while made:  # cancelled in the last moment, it was there already
            await made.pop().aclose()
        await nothing_left()

    points = await sweep(work, check, when)
    await check()

    assert points >= 3  # to connect twice over, and to ask


async def test_opening_where_the_server_says_nothing(
    relay: Relay, nothing_left: Check, when: str
) -> None:
    relay.silent = True
    made: list[SharedSlots] = []

    async def work() -> None:
        made.append(await opened(relay.url, redis_timeout_s=0.1))

    async def check() -> None:
        while made:
            await made.pop().aclose()
        await nothing_left()

    points = await sweep(work, check, when)
    await check()

    assert points >= 2


# Acquiring


async def test_acquiring_what_is_held(
    relay: Relay, redis: Any, nothing_left: Check, when: str
) -> None:
    """All slots of the lease are in use, so the call stands in line until one ends."""
    limiter = await opened(relay.url)
    for _ in range(BUDGET):
        await limiter.acquire("rest")

    async def work() -> None:
        asyncio.get_running_loop().call_later(0.002, limiter.release, "rest", 0.1, None)
        await limiter.acquire("rest")

    async def check() -> None:
        await until(lambda: limiter.in_flight < BUDGET)
        assert (limiter.in_flight, limiter.waiting) == (BUDGET - 1, 0)
        await limiter.acquire("rest")

    assert await sweep(work, check, when) == 1
    for _ in range(BUDGET):
        limiter.release("rest", 0.1, None)
    await limiter.aclose()
    await nothing_left()


async def test_acquiring_what_is_to_be_asked_for(
    relay: Relay, redis: Any, nothing_left: Check, when: str
) -> None:
    limiter = await opened(relay.url)

    async def work() -> None:
        await limiter.acquire("rest")
        limiter.release("rest", 0.1, None)

    async def nobody_holds_any() -> None:
        assert (limiter.in_flight, limiter.waiting) == (0, 0)
        while await slots_in_book(redis):  # noqa: ASYNC110  # idle ones go back by themselves
            await asyncio.sleep(0.01)

    assert await sweep(work, nobody_holds_any, when) == 1
    await limiter.aclose()
    await nothing_left()


async def test_acquiring_while_the_server_says_nothing(
    relay: Relay, nothing_left: Check, when: str
) -> None:
    """Its lease has ended, and it goes on with the one slot that it has by itself."""
    relay.silent = True
    limiter = await opened(relay.url, redis_timeout_s=TIMEOUT_S)
    await limiter.acquire("rest")

    async def work() -> None:
        asyncio.get_running_loop().call_later(0.002, limiter.release, "rest", 0.1, None)
        await limiter.acquire("rest")

    async def check() -> None:
        await until(lambda: limiter.in_flight == 0)
        assert limiter.waiting == 0
        await limiter.acquire("rest")

    assert await sweep(work, check, when) == 1
    limiter.release("rest", 0.1, None)
    await limiter.aclose()
    await nothing_left()


# A time to go


@pytest.mark.parametrize("silent", [False, True])
async def test_acquiring_a_time_that_is_to_be_asked_for(
    relay: Relay, when: str, silent: bool
) -> None:
    """Each has a slot, and waits for its time; no slot is lost, and no time for long."""
    relay.silent = silent
    limiter = await opened_with_rate(relay.url, 200.0, redis_timeout_s=0.3)
    slots = limiter.inner
    assert isinstance(slots, SharedSlots)

    async def work() -> None:
        others.append(asyncio.create_task(limiter.acquire("rest")))
        await limiter.acquire("rest")
        limiter.release("rest", 0.1, None)

    async def check() -> None:
        while others:
            await others.pop()
            limiter.release("rest", 0.1, None)
        assert (slots.in_flight, slots.waiting, limiter.paced) == (0, 0, 0)

    others: list[asyncio.Task[None]] = []
    points = await sweep(work, check, when)
    await check()
    await limiter.aclose()

    assert points >= 1
    assert tasks_of_ours() == []
    await until(lambda: relay.connected == 0)


async def test_a_time_that_a_call_was_given_as_it_was_cancelled_is_not_used_later(
    url: str,
) -> None:
    limiter = await opened_with_rate(url, 2.0)
    await limiter.acquire("rest")
    limiter.release("rest", 0.1, None)  # its slot is there, so that the time alone is waited for
    late = Struck(limiter.acquire("rest"), 1, LATE)

    async def one() -> None:
        await late

    task = asyncio.create_task(one())
    await asyncio.wait({task})
    cancelled_at = time.monotonic()
    await asyncio.sleep(0.2)

    await limiter.acquire("rest")

    assert task.cancelled()
    assert time.monotonic() - cancelled_at > 0.4
    await limiter.aclose()


# What goes on beside the calls


class Tasks:
    """Makes the loop's tasks, and strikes one of those that it is told of."""

    def __init__(self, name: str, at: int, when: str, strike: Callable[[], Any]) -> None:
        self._name = name
        self._struck = (at, when, strike)

    def __call__(self, loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
        # Python 3.11 names a task only after it was made.
        if getattr(work, "__qualname__", "") == self._name:
            run = Struck(work, *self._struck)

            async def one() -> None:
                await run

            work = one()
        return asyncio.Task(work, loop=loop, **options)


async def busy(limiter: PacedSlots) -> None:
    """Have the book asked for more, given some back, and woken."""
    await asyncio.gather(*(limiter.acquire("rest") for _ in range(BUDGET)))
    await asyncio.sleep(0)
    for _ in range(BUDGET):
        limiter.release("rest", 0.1, None)


async def slots_in_book(redis: Any) -> int:
    """What the book says that is taken, by whomever."""
    rows = [json.loads(row) for name, row in (await redis.hgetall(NAME)).items() if name]
    return sum(held for row in rows for held, _ in row["lanes"].values())


@pytest.mark.parametrize(
    ("task", "least"),
    [("SharedSlots._keep", 6), ("SharedSlots._listen", 3), ("SharedPace._keep", 3)],
)
async def test_closing_at_each_point_of_what_goes_on(
    relay: Relay, redis: Any, when: str, task: str, least: int
) -> None:
    """The tasks of a limiter are cancelled by its closing alone, which begins at each point."""
    loop = asyncio.get_running_loop()
    for at in range(1, 100):
        strike = asyncio.Event()
        loop.set_task_factory(Tasks(task, at, when, strike.set))
        limiter = await opened_with_rate(relay.url, 1000.0)
        slots = limiter.inner
        assert isinstance(slots, SharedSlots)
        calls = asyncio.create_task(busy(limiter))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.4):
                await strike.wait()
        loop.set_task_factory(None)
        in_flight = slots.in_flight

        async with asyncio.timeout(3):
            await limiter.aclose()
        await asyncio.wait({calls})

        assert calls.exception() is None or isinstance(calls.exception(), PoolClosed)
        assert tasks_of_ours() == []
        await until(lambda: relay.connected == 0)
        assert await slots_in_book(redis) <= in_flight  # of calls that nobody can call back
        await redis.delete(NAME, f"{NAME}:rate")
        if not strike.is_set():
            assert at >= least
            return
    raise AssertionError("it never ends")


async def test_standing_still_at_any_point_of_a_question_loses_nothing(url: str) -> None:
    """An answer that is read when its lease is over already is worth nothing."""
    loop = asyncio.get_running_loop()
    for at in range(1, 6):
        loop.set_task_factory(Tasks("SharedSlots._keep", at, LATE, lambda: time.sleep(0.4)))
        limiter = await opened(url, redis_lease_s=0.3, redis_timeout_s=0.09)
        loop.set_task_factory(None)
        async with asyncio.timeout(8):
            for _ in range(3):
                await asyncio.gather(*(limiter.acquire("rest") for _ in range(BUDGET)))
                await asyncio.sleep(0.1)
                for _ in range(BUDGET):
                    limiter.release("rest", 0.1, None)

        assert (limiter.in_flight, limiter.waiting) == (0, 0)
        assert limiter.granted <= BUDGET
        await limiter.aclose()


# Closing


async def test_closing_one_with_a_rate(relay: Relay, nothing_left: Check, when: str) -> None:
    limiter: PacedSlots

    async def begin() -> None:
        nonlocal limiter
        limiter = await opened_with_rate(relay.url, 1000.0)
        await limiter.acquire("rest")
        limiter.release("rest", 0.1, None)

    async def work() -> None:
        await limiter.aclose()

    async def check() -> None:
        await limiter.aclose()
        await nothing_left()
        await begin()

    await begin()
    points = await sweep(work, check, when)

    assert points >= 3
    await nothing_left()


async def test_opening_one_with_a_rate(relay: Relay, nothing_left: Check, when: str) -> None:
    made: list[PacedSlots] = []

    async def work() -> None:
        made.append(await opened_with_rate(relay.url, 1000.0))

    async def check() -> None:
        while made:
            await made.pop().aclose()
        await nothing_left()

    await sweep(work, check, when)
    await check()


async def test_closing(relay: Relay, nothing_left: Check, when: str) -> None:
    limiter = await opened(relay.url)
    await limiter.acquire("rest")
    limiter.release("rest", 0.1, None)

    async def work() -> None:
        await limiter.aclose()

    async def check() -> None:
        nonlocal limiter
        other = await opened(relay.url)
        await limiter.aclose()
        # Having left already, it does not make the others wait until all leases have ended.
        for _ in range(BUDGET):
            await other.acquire("rest")
        for _ in range(BUDGET):
            other.release("rest", 0.1, None)
        await other.aclose()
        await nothing_left()
        limiter = await opened(relay.url)
        await limiter.acquire("rest")
        limiter.release("rest", 0.1, None)

    points = await sweep(work, check, when)

    assert points >= 3
    await nothing_left()


async def test_closing_where_the_server_says_nothing_any_more(relay: Relay, when: str) -> None:
    limiter: SharedSlots

    async def begin() -> None:
        nonlocal limiter
        relay.silent = False
        limiter = await opened(relay.url, redis_timeout_s=TIMEOUT_S)
        await until(lambda: limiter.problem is None)
        relay.silent = True

    async def work() -> None:
        await limiter.aclose()

    async def gone() -> None:
        await limiter.aclose()
        assert tasks_of_ours() == []
        await until(lambda: relay.connected == 0)

    async def check() -> None:
        await gone()
        await begin()

    await begin()
    points = await sweep(work, check, when)
    await gone()

    assert points >= 2


Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def say_nothing(writer: asyncio.StreamWriter) -> None:
    """Take all, and answer never."""


async def say_half(writer: asyncio.StreamWriter) -> None:
    """Promise more than comes."""
    writer.write(b"$100\r\n{")


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer a letter at a time, for ever."""
    writer.write(b"$100000000\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.005)


class Talker:
    """A server that says what it is told to, and counts who is connected."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.connected = 0

    async def __aenter__(self) -> Talker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        talk = asyncio.ensure_future(self._talk(writer))
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass
        self.connected -= 1
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
        writer.close()


@pytest.mark.parametrize("talk", [say_nothing, say_half, drip])
@pytest.mark.parametrize("delay_s", [0.0, 0.01, TIMEOUT_S + 0.05])
async def test_closing_ends_in_time_and_leaves_no_socket_whatever_the_server_says(
    talk: Talk, delay_s: float
) -> None:
    async with Talker(talk) as server:
        limiter = await opened(server.url, redis_timeout_s=TIMEOUT_S)
        await limiter.acquire("rest")
        waits = asyncio.create_task(limiter.acquire("rest"))
        await asyncio.sleep(delay_s)
        began = time.monotonic()

        await limiter.aclose()

        assert time.monotonic() - began < 3 * TIMEOUT_S + 0.5
        with pytest.raises(PoolClosed):
            await waits
        assert tasks_of_ours() == []
        await until(lambda: server.connected == 0)
