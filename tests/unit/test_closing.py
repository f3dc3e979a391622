"""Closing a connection ends what waits, and draining lets it wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sfconnect import Connector
from sfconnect._closing import ClosingClock
from sfconnect.errors import OutcomeUnknownError, PoolClosed
from sfconnect.limits import FixedLimiter, Quota, QuotaGuard, QuotaShare
from sfconnect.messages import Request, Response
from sfconnect.retry import RetryPolicy
from sfconnect.testing import FakeClock, ScriptedStrategy

BASE = "https://org.example.com"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connect(fake_transport, clock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(status: int = 200, **options: Any) -> Connector:
        async def handle(request: Request) -> Response:
            return Response(status, {"Retry-After": "100"} if status == 503 else {}, b"{}")

        strategy = ScriptedStrategy(instance_url=BASE)
        transport = fake_transport(handle)
        return Connector.connect(
            strategy, base_url=BASE, transport=transport, clock=clock, **options
        )

    return make


async def begin(api: Connector, clock: FakeClock, count: int) -> list[asyncio.Task[Any]]:
    calls = [asyncio.create_task(api.get("/x").send()) for _ in range(count)]
    await clock.settle()
    return calls


async def test_calls_that_back_off_end_with_the_attempts_that_were_sent(connect, clock):
    api = connect(503, retry=RetryPolicy(retry_after_cap_s=120.0))
    await api.open()
    calls = await begin(api, clock, 3)
    before = [call.done() for call in calls]

    await api.aclose()
    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert before == [False] * 3
    closed = [end for end in ends if isinstance(end, PoolClosed)]
    assert [[one.status for one in end.attempts] for end in closed] == [[503]] * 3
    assert all(end.request_sent for end in closed)


async def test_calls_that_wait_for_their_time_end(connect, clock):
    api = connect(max_per_second=0.01)
    await api.open()
    calls = await begin(api, clock, 20)
    before = sum(call.done() for call in calls)

    await api.aclose()
    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert before == 1
    assert {type(end) for end in ends[1:]} == {PoolClosed}


async def test_draining_lets_calls_wait_for_their_time(connect, clock):
    api = connect(max_per_second=1)
    async with api:
        calls = await begin(api, clock, 3)
        draining = asyncio.create_task(api.drain())
        await clock.advance(5)

        assert await draining is True
        assert await asyncio.gather(*calls) == [{}] * 3


async def test_a_connection_that_is_opened_again_waits_again(connect, clock):
    api = connect(max_per_second=1)
    await api.open()
    await api.aclose()

    async with api:
        calls = await begin(api, clock, 2)
        await clock.advance(2)

        assert await asyncio.gather(*calls) == [{}] * 2


async def test_a_create_in_doubt_stays_in_doubt(connect):
    async with connect(504) as api:
        with pytest.raises(OutcomeUnknownError):
            await api.post("/x", json={})


async def test_a_closed_clock_lets_nobody_sleep(clock):
    waits = ClosingClock(clock)
    waits.close()
    waits.close()

    with pytest.raises(PoolClosed):
        await waits.sleep(86_400.0)


async def test_a_time_out_of_a_sleep_itself_is_not_taken_for_closing():
    class Broken(FakeClock):
        async def sleep(self, seconds: float) -> None:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await ClosingClock(Broken()).sleep(1.0)


async def test_whoever_cancels_a_sleeper_cancels_it(clock):
    waits = ClosingClock(clock)
    sleeper = asyncio.create_task(waits.sleep(10.0))
    await clock.settle()

    sleeper.cancel()
    await asyncio.wait([sleeper])

    assert sleeper.cancelled()


async def test_a_wait_for_room_in_a_quota_ends(clock):
    waits = ClosingClock(clock)
    guard = QuotaGuard(FixedLimiter(5), QuotaShare(share_percent=1, wait=True), clock=waits)
    guard.note_quota([Quota("api-usage", 1, 100)])
    await guard.acquire("rest")
    waiter = asyncio.create_task(guard.acquire("rest"))
    await clock.settle()
    before = waiter.done()

    waits.close()

    with pytest.raises(PoolClosed):
        await waiter
    assert not before
