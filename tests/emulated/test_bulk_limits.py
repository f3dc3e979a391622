"""Limits of the Bulk APIs over sockets: what they stop, and what goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sfconnect import ClientCredentials, Salesforce
from sfconnect.errors import ConfigurationError, OutcomeUnknownError, QuotaExceededError
from sfconnect.instrumentation import Event, QuotaSeen, RequestFinished
from sfconnect.limits import Adaptive, Quota, QuotaShare
from sfconnect.retry import RetryPolicy
from sfconnect.testing import FakeClock
from sfconnect_emulator import Emulator

JOBS, STORAGE = "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"
BATCHES = "DailyBulkApiBatches"
QUERY_JOB, INGEST_JOB = ("POST", "jobs/query"), ("POST", "jobs/ingest")
BATCH = ("POST", "/services/async/68.0/job/750A0000000xyz/batch")


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


def answer(org: Emulator, path: str, status: int, body: object, **match: Any) -> None:
    """Let the org answer a path so, since it has no Bulk API of its own."""
    org.control.add_faults(
        {
            "match": {"path": path, **match},
            "action": {"type": "respond", "status": status, "json": body},
        }
    )


def refuse(org: Emulator, path: str, code: str, message: str, **match: Any) -> None:
    key = ("exceptionCode", "exceptionMessage") if "async" in path else ("errorCode", "message")
    body = dict(zip(key, (code, message), strict=True))
    answer(org, path, 400, body if "async" in path else [body], **match)


def tell(org: Emulator, used: Mapping[str, tuple[int, int]]) -> None:
    body = {name: {"Max": most, "Remaining": most - n} for name, (n, most) in used.items()}
    answer(org, "/limits$", 200, body)


@pytest.mark.parametrize(
    ("stopped", "path", "refused", "goes_on"),
    [
        (
            QUERY_JOB,
            "/jobs/query$",
            (
                "LIMIT_EXCEEDED",
                "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)",
            ),
            (INGEST_JOB, BATCH, ("GET", "jobs/query/750A0000000xyz/results")),
        ),
        (
            INGEST_JOB,
            "/jobs/ingest$",
            ("EXCEEDEDQUOTA", "ApiBatchItems Limit exceeded."),
            (QUERY_JOB, ("PATCH", "jobs/ingest/750A0000000xyz")),
        ),
        (
            BATCH,
            "/services/async/68.0/job/.*/batch$",
            ("ExceededQuota", "ApiBatchItems Limit exceeded."),
            (QUERY_JOB, ("POST", "/services/async/68.0/job/750A0000000xyz")),
        ),
    ],
)
async def test_a_bulk_limit_that_is_spent_stops_its_calls_and_no_others(
    org: Emulator,
    stopped: tuple[str, str],
    path: str,
    refused: tuple[str, str],
    goes_on: tuple[tuple[str, str], ...],
) -> None:
    clock = FakeClock()
    refuse(org, path, *refused, times=1)
    answer(org, "/jobs/|/services/async/", 200, {})
    async with connection(org, clock=clock) as sf:
        with pytest.raises(QuotaExceededError) as first:
            await sf.request(*stopped)
        sent = sf.stats().attempts
        with pytest.raises(QuotaExceededError) as second:
            await sf.gather([sf.request(*stopped) for _ in range(100)])
        not_sent = sf.stats().attempts - sent
        shown = str(sf.stats())
        for one in goes_on:
            await sf.request(*one)
        await sf.query("SELECT Id FROM Account").all()
        await clock.advance(61)
        await sf.gather([sf.request(*stopped) for _ in range(5)], concurrency=1)

    assert (first.value.code, second.value.code) == (refused[0], "QUOTA_USED_UP")
    assert first.value.resets_at == clock.time() - 61 + 86_400
    assert (not_sent, second.value.quota) == (0, first.value.quota)
    assert f"{first.value.quota}: default: 0, stopped by QUOTA_USED_UP" in shown


async def test_the_days_requests_count_for_bulk_calls_too(org: Emulator) -> None:
    answer(org, "/jobs/", 200, {})
    async with connection(org) as sf:
        await sf.limits()
        org.control.set_daily_api_requests(1)
        with pytest.raises(QuotaExceededError, match="TotalRequests"):
            await sf.limits()
        with pytest.raises(QuotaExceededError) as caught:
            await sf.request(*QUERY_JOB)

    assert (caught.value.code, caught.value.quota) == ("QUOTA_USED_UP", "api-usage")


async def test_limits_tell_the_stats_and_the_hooks_of_the_bulk_quotas(org: Emulator) -> None:
    events: list[Event] = []
    async with connection(org, hooks=[events.append]) as sf:
        before = set(sf.stats().quotas)
        await sf.limits()
        quotas = sf.stats().quotas
        tell(org, {JOBS: (4, 10)})
        (await sf.quotas())[JOBS]
        after = sf.stats().quotas[JOBS]

    assert before == set()
    assert quotas[BATCHES] == Quota(BATCHES, 0, 15_000)
    assert set(quotas) == {"api-usage", BATCHES, JOBS, STORAGE}
    assert after == Quota(JOBS, 4, 10)
    assert QuotaSeen(JOBS, 4, 10) in events


async def test_a_share_of_the_query_jobs_counts_query_jobs_alone(org: Emulator) -> None:
    tell(org, {JOBS: (0, 10), STORAGE: (0, 10)})
    answer(org, "/jobs/", 200, {})
    share = QuotaShare("nightly", share_percent=20, quota=JOBS)
    async with connection(org, quota_shares=[share]) as sf:
        for _ in range(5):
            await sf.request("GET", "jobs/query/750A0000000xyz")
            await sf.request(*INGEST_JOB)
            await sf.query("SELECT Id FROM Account").all()
        for _ in range(2):
            await sf.request(*QUERY_JOB)
        stats = sf.stats()
        with pytest.raises(QuotaExceededError, match="nightly") as caught:
            await sf.request(*QUERY_JOB)
        await sf.request("GET", "jobs/query/750A0000000xyz/results")

    assert caught.value.code == "QUOTA_SHARE_SPENT"
    assert (stats.shares[JOBS].used, stats.shares[JOBS].maximum) == (2, 2)
    assert stats.quotas[JOBS].used == 2
    assert stats.share is None


async def test_a_reserve_of_the_results_storage_stops_queries_in_time(org: Emulator) -> None:
    tell(org, {JOBS: (0, 10), STORAGE: (95, 100)})
    answer(org, "/jobs/", 200, {})
    share = QuotaShare(reserve_percent=10, quota=STORAGE)
    async with connection(org, quota_shares=[share]) as sf:
        with pytest.raises(QuotaExceededError, match="95 of 100"):
            await sf.request(*QUERY_JOB)
        await sf.request(*INGEST_JOB)


async def test_a_share_that_cannot_be_kept_is_refused_before_anything_is_sent(
    org: Emulator,
) -> None:
    with pytest.raises(ConfigurationError, match="How much of DailyBulkApiBatches"):
        async with connection(org, quota_shares=[QuotaShare(share_percent=5, quota=BATCHES)]):
            pass

    assert org.control.statistics()["api_usage"] == 0


async def test_bulk_calls_have_a_surface_with_a_lane_and_a_policy_of_its_own(
    org: Emulator,
) -> None:
    events: list[Event] = []
    answer(org, "/jobs/ingest/.*/batches$", 503, [{"errorCode": "SERVER_UNAVAILABLE"}])
    answer(org, "/jobs/|/services/async/", 200, {})
    async with connection(
        org,
        hooks=[events.append],
        limiter=Adaptive(),
        retry_by_surface={"bulk": RetryPolicy(max_attempts=2, initial_s=0)},
    ) as sf:
        await sf.request(*BATCH)
        await sf.limits()
        async with sf.stream("GET", f"/services/data/v{sf.api_version}/jobs/query/1/results"):
            lanes = sf.stats().lanes
        with pytest.raises(Exception, match="2 attempts"):
            await sf.request("PUT", "jobs/ingest/1/batches")
        await sf.request("GET", "limits", surface="bulk")

    surfaces = [event.surface for event in events if isinstance(event, RequestFinished)]
    assert surfaces == ["bulk", "rest", "bulk", "bulk", "bulk", "bulk"]
    assert (lanes["bulk"].in_flight, lanes["interactive"].in_flight) == (1, 0)


async def test_a_job_whose_making_ends_with_a_server_error_is_not_made_twice(
    org: Emulator,
) -> None:
    refusal = [{"errorCode": "INTERNALSERVERERROR", "message": "x"}]
    answer(org, "/jobs/query$", 500, refusal)
    async with connection(org) as sf:
        with pytest.raises(OutcomeUnknownError):
            await sf.request(*QUERY_JOB)

        assert sf.stats().attempts == 1
