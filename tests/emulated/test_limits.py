"""Limits over sockets: what the org refuses, what it tells, and what a program leaves to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sfconnect import ClientCredentials, Salesforce
from sfconnect.errors import QuotaExceededError
from sfconnect.instrumentation import Event, LimitChanged, QuotaSeen
from sfconnect.limits import AdaptiveLimiter, Quota
from sfconnect.retry import RetryPolicy
from sfconnect.testing import FakeClock
from sfconnect_emulator import Emulator
from sfconnect_emulator.capacity import Capacity, Overload


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 5}, seed=7) as emulator:
        yield emulator


@asynccontextmanager
async def connection(org: Emulator, **options: Any) -> AsyncIterator[Salesforce]:
    auth = ClientCredentials(
        login_url=org.login_url, client_id=org.client_id, client_secret=org.client_secret
    )
    async with Salesforce.connect(auth, **options) as sf:
        yield sf


async def test_an_org_that_refuses_for_load_lowers_the_limit(org: Emulator) -> None:
    events: list[Event] = []
    org.control.set_capacity(Capacity(3, Overload.REFUSE))
    org.control.set_latency(5)
    limiter = AdaptiveLimiter(initial=20, maximum=40)
    retry = RetryPolicy(max_attempts=50, initial_s=0.01, max_s=0.05)

    async with connection(org, limiter=limiter, hooks=[events.append], retry=retry) as sf:
        await sf.gather([sf.request("GET", "limits") for _ in range(100)], concurrency=40)
        stats = sf.stats()

    reasons = {event.reason for event in events if isinstance(event, LimitChanged)}
    assert "throttled" in reasons
    assert limiter.limit < 10
    assert stats.throttled > 0
    assert stats.limit == limiter.limit
    assert "throttled" in str(stats)


async def test_a_refused_stream_lowers_the_limit_too(org: Emulator) -> None:
    limiter = AdaptiveLimiter(initial=20)
    org.control.add_faults(
        {"match": {"path": "/limits", "times": 1}, "action": {"type": "respond", "status": 429}}
    )

    async with (
        connection(org, limiter=limiter) as sf,
        sf.stream("GET", f"/services/data/v{sf.api_version}/limits") as answer,
    ):
        assert answer.status == 200

    assert limiter.limit == 16


async def test_when_the_days_requests_are_used_up_one_call_finds_that_out(org: Emulator) -> None:
    clock = FakeClock()
    async with connection(org, clock=clock) as sf:
        await sf.request("GET", "limits")
        org.control.set_daily_api_requests(1)
        with pytest.raises(QuotaExceededError) as first:
            await sf.request("GET", "limits")
        sent = sf.stats().attempts
        with pytest.raises(QuotaExceededError) as second:
            await sf.gather([sf.request("GET", "limits") for _ in range(500)])
        not_sent = sf.stats().attempts - sent
        org.control.set_daily_api_requests(1000)
        await clock.advance(61)
        await sf.gather([sf.request("GET", "limits") for _ in range(5)], concurrency=1)

    assert (first.value.code, second.value.code) == ("REQUEST_LIMIT_EXCEEDED", "QUOTA_USED_UP")
    assert first.value.resets_at == clock.time() - 61 + 86_400
    assert (not_sent, second.value.request_sent) == (0, False)


async def test_a_share_and_what_is_left_to_others_hold_over_sockets(org: Emulator) -> None:
    events: list[Event] = []
    org.control.set_daily_api_requests(50)
    share = {"quota_share_percent": 20, "quota_share_name": "nightly-etl"}

    async with connection(org, hooks=[events.append], **share) as sf:
        with pytest.raises(QuotaExceededError, match="nightly-etl"):
            await sf.gather([sf.request("GET", "limits") for _ in range(50)], concurrency=1)
        quotas = sf.stats().quotas
    async with connection(org, quota_reserve_percent=60) as sf:
        with pytest.raises(QuotaExceededError, match="for others"):
            await sf.gather([sf.request("GET", "limits") for _ in range(50)], concurrency=1)

    assert quotas["api-usage"] == Quota("api-usage", 10, 50)
    assert QuotaSeen("api-usage", 10, 50) in events
    assert org.control.statistics()["api_usage"] == 21  # 40 % of 50, and one that saw it


async def test_so_many_requests_a_second_and_no_more(org: Emulator) -> None:
    clock = FakeClock()
    async with connection(org, max_per_second=2, clock=clock) as sf:
        await sf.request("GET", "limits")
        second = sf.request("GET", "limits")
        at = clock.monotonic()

        async with sf.fan_out([second] * 3) as outcomes:
            for _ in range(3):
                while clock.sleepers == 0:
                    await clock.settle()
                await clock.advance(0.5)
            numbers = [outcome.index async for outcome in outcomes]

    assert numbers == [0, 1, 2]
    assert clock.monotonic() - at == pytest.approx(1.5)


async def test_quotas_of_the_org_are_values(org: Emulator) -> None:
    async with connection(org) as sf:
        quotas = await sf.quotas()

    assert quotas["DailyApiRequests"].maximum == 5_000_000
    assert quotas["DailyApiRequests"].used == 1
