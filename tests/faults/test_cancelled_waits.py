"""Cancel a call at each point of each wait that it may meet: it leaves none of its place behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sfconnect import AccessToken, Connector, RetryPolicy, Salesforce
from sfconnect.errors import PoolClosed
from sfconnect.limits import AdaptiveLimiter, FixedLimiter
from sfconnect.limits.guard import QuotaGuard
from sfconnect.limits.quota import Quota, QuotaShare
from sfconnect.policy import CircuitPolicy
from sfconnect.testing import ScriptedStrategy
from tests.faults.sweeping import EARLY, LATE, Memory, sweep

URL = "https://org.example.com"
AT_ONCE = RetryPolicy(initial_s=0.0, max_s=0.0)


@pytest.fixture(params=[EARLY, LATE])
def when(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


class Leaping:
    """A clock on which whoever sleeps is woken in the loop's next round, at the time it asked for.

    What waits on it waits for a future, so that a sweep can cancel between ringing and waking.
    """

    def __init__(self) -> None:
        self.now = 1_000.0
        self.sleepers = 0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_700_000_000.0

    async def sleep(self, seconds: float) -> None:
        rings = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(self._ring, rings, self.now + seconds)
        self.sleepers += 1
        self.sleeps.append(seconds)
        try:
            await rings
        finally:
            self.sleepers -= 1

    def _ring(self, rings: asyncio.Future[None], due: float) -> None:
        if not rings.done():
            self.now = max(self.now, due)
            rings.set_result(None)


async def settled(idle: Callable[[], bool]) -> None:
    """Give timers and freed slots the rounds of the loop that they take."""
    for _ in range(100):
        if idle():
            return
        await asyncio.sleep(0)
    raise AssertionError("something is left")


async def take_for_a_while(limiter: AdaptiveLimiter | FixedLimiter, rounds: int = 6) -> None:
    """Take a slot, and give it back some rounds of the loop later."""
    await limiter.acquire("rest")
    loop = asyncio.get_running_loop()

    def wait(left: int) -> None:
        if left:
            loop.call_soon(wait, left - 1)
        else:
            limiter.release("rest", 0.0, None)

    wait(rounds)


async def test_a_wait_for_room_in_the_quota_and_then_for_a_slot(when):
    """The org's use has reached the reserve, so that each call has to wait for its minute."""
    used_up = {"Sforce-Limit-Info": "api-usage=6000/10000"}
    transport, limiter, clock = Memory(200, headers=used_up), FixedLimiter(1), Leaping()
    sf = Salesforce.connect(
        AccessToken(instance_url=URL, access_token="x"),
        transport=transport,
        limiter=limiter,
        clock=clock,
        quota_reserve_percent=50,
        quota_wait=True,
    )

    async def work() -> None:
        await take_for_a_while(limiter)
        assert await sf.request("GET", "/rows") == {}

    async def check() -> None:
        await settled(lambda: not limiter.in_flight)
        assert (limiter.waiting, transport.in_flight, clock.sleepers) == (0, 0, 0)
        assert await sf.request("GET", "/next") == {}

    async with sf:
        for _ in range(2):
            await sf.request(
                "GET", "/"
            )  # the first tells of the use, and the second is let through
        clock.sleeps.clear()
        points = await sweep(work, check, when)

    assert points >= 5  # the minute, the line, and the answer
    assert set(clock.sleeps) == {60.0}
    assert len(clock.sleeps) > points


async def test_what_counts_of_a_share_is_what_was_let_through(when):
    limiter, clock = FixedLimiter(1), Leaping()
    guard = QuotaGuard(limiter, QuotaShare(share_percent=10, wait=True), clock=clock)
    guard.note_quota([Quota("api-usage", 0, 20)])
    passed: list[float] = []

    async def one() -> None:
        await guard.acquire("rest")
        passed.append(clock.now)
        guard.release("rest", 1.0, None)

    async def work() -> None:
        await take_for_a_while(limiter)
        await one()  # when a day is over, and the call before has ended

    async def check() -> None:
        await settled(lambda: not limiter.in_flight)
        oldest = clock.now // 600 - 144
        assert guard.used == sum(time // 600 >= oldest for time in passed) <= 2
        assert (limiter.waiting, clock.sleepers) == (0, 0)
        await one()
        await spend()

    async def spend() -> None:
        while guard.used < 2:
            await one()

    await spend()
    points = await sweep(work, check, when)

    assert points >= 2
    assert len(clock.sleeps) >= points


async def test_a_wait_for_its_time_behind_another_call(when):
    transport, limiter, clock = Memory(200), FixedLimiter(3), Leaping()
    api = Connector.connect(
        ScriptedStrategy(instance_url=URL),
        base_url=URL,
        transport=transport,
        limiter=limiter,
        clock=clock,
        max_per_second=1,
    )
    others: list[asyncio.Task[object]] = []

    async def work() -> None:
        others.append(asyncio.create_task(api.get("/ahead").send()))
        await asyncio.sleep(0)
        others.append(asyncio.create_task(api.get("/behind").send()))
        assert await api.get("/rows") == {}

    async def check() -> None:
        assert await asyncio.gather(*others) == [{}] * len(others)
        others.clear()
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        assert clock.sleepers == 0
        began = clock.now
        for _ in range(3):
            assert await api.get("/next") == {}
        assert clock.now - began <= 3.0  # whoever was cancelled has used up no second

    async with api:
        await api.get("/")
        points = await sweep(work, check, when)
        await check()

    assert points >= 5


async def test_a_place_in_the_adaptive_limiters_line(when):
    transport, limiter = Memory(200), AdaptiveLimiter(initial=1, minimum=1, maximum=1)
    api = Connector.connect(
        ScriptedStrategy(instance_url=URL), base_url=URL, transport=transport, limiter=limiter
    )
    others: list[asyncio.Task[object]] = []

    async def work() -> None:
        others.extend(asyncio.create_task(api.get("/ahead").send()) for _ in range(2))
        asyncio.get_running_loop().call_soon(come_last)
        await asyncio.sleep(0)
        assert await api.get("/rows") == {}

    def come_last() -> None:
        others.append(asyncio.create_task(api.get("/behind").send()))

    async def check() -> None:
        await settled(lambda: len(others) == 3)
        assert await asyncio.gather(*others) == [{}, {}, {}]
        others.clear()
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        assert await api.get("/next") == {}

    async with api:
        await api.get("/")
        points = await sweep(work, check, when)
        await check()

    assert points >= 5


async def test_an_open_circuits_wait_for_its_probe(when):
    """A probe that is cancelled gets no verdict; another follows it, and closes the circuit."""
    transport, limiter, clock = Memory(502, 200), FixedLimiter(1), Leaping()
    api = Connector.connect(
        ScriptedStrategy(instance_url=URL),
        base_url=URL,
        transport=transport,
        limiter=limiter,
        clock=clock,
        retry=AT_ONCE,
        circuit=CircuitPolicy(failures=1, open_s=1.0),
    )

    def states() -> list[str]:
        return [circuit.state for circuit in api.stats().circuits.values()]

    async def work() -> None:
        transport.sent = 0
        assert await api.get("/rows") == {}
        assert states() == ["closed"]

    async def check() -> None:
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        assert clock.sleepers == 0
        met.extend(states())
        transport.sent = 1  # the server is back
        assert await api.get("/next") == {}
        assert states() == ["closed"]

    met: list[str] = []
    async with api:
        points = await sweep(work, check, when)

    assert points >= 7  # an answer, the wait, and the other answer
    assert {"open", "half-open"} <= set(met)


async def test_a_gather(when):
    transport, limiter = Memory(200), FixedLimiter(2)
    api = Connector.connect(
        ScriptedStrategy(instance_url=URL), base_url=URL, transport=transport, limiter=limiter
    )

    async def work() -> None:
        calls = (api.get(f"/{number}") for number in range(7))
        assert await api.gather(calls, concurrency=3) == [{}] * 7

    async def check() -> None:
        # At once: whoever is out of it has nothing under way any more.
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        await work()

    async with api:
        await api.get("/")
        assert await sweep(work, check, when) >= 3


async def test_a_drain_that_is_cancelled_refuses_on_and_ends_nothing(when):
    transport, limiter = Memory(200), FixedLimiter(1)
    made: list[Connector] = []
    under_way: list[asyncio.Task[object]] = []

    async def begin() -> None:
        api = Connector.connect(
            ScriptedStrategy(instance_url=URL), base_url=URL, transport=transport, limiter=limiter
        )
        await api.open()
        made.append(api)
        under_way[:] = [asyncio.create_task(api.get("/rows").send()) for _ in range(2)]

    async def work() -> None:
        assert await made[-1].drain()

    async def end() -> None:
        with pytest.raises(PoolClosed):
            await made[-1].get("/next")
        assert await made[-1].drain()
        assert [call.result() for call in under_way] == [{}, {}]
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        await made[-1].aclose()

    async def check() -> None:
        assert when == LATE or not all(call.done() for call in under_way)
        await end()
        await begin()
        await asyncio.sleep(0)

    await begin()
    await asyncio.sleep(0)
    points = await sweep(work, check, when)
    await end()

    assert points >= 1
