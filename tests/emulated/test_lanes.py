"""Lanes over sockets: logins beside calls, people beside batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sfconnect import ClientCredentials, Salesforce
from sfconnect.limits import AdaptiveLimiter
from sfconnect_emulator import Emulator
from sfconnect_emulator.capacity import Capacity


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 5}, seed=7) as emulator:
        yield emulator


def connect(org: Emulator, **options: Any) -> Salesforce:
    auth = ClientCredentials(
        login_url=org.login_url, client_id=org.client_id, client_secret=org.client_secret
    )
    return Salesforce.connect(auth, **options)


async def test_a_login_does_not_wait_for_a_stream_that_holds_the_only_slot(org: Emulator) -> None:
    async with (
        connect(org, max_connections=1, wait_s=0.5) as sf,
        sf.stream("GET", f"/services/data/v{sf.api_version}/limits") as answer,
    ):
        await sf.revoke()
        credentials = await sf.credentials()
        lane = sf.stats().lanes["login"]
        await answer.read()

    assert credentials.instance_url == org.instance_url
    assert org.control.statistics()["logins"] == {"client_credentials": 2}
    assert lane.in_flight == 0


async def test_a_cold_start_at_a_limit_of_one_logs_in_once(org: Emulator) -> None:
    async with connect(org, max_connections=1) as sf:
        await sf.gather([sf.request("GET", "limits") for _ in range(500)], concurrency=500)
        stats = sf.stats()

    assert (stats.calls, stats.logins) == (500, 1)
    assert org.control.statistics()["logins"] == {"client_credentials": 1}


@pytest.mark.parametrize(
    ("storm", "visitor"), [("extract", "query"), ("query", "extract")], ids=["batch", "people"]
)
async def test_a_storm_of_one_lane_leaves_another_its_part(
    org: Emulator, storm: str, visitor: str
) -> None:
    """A few calls that come late do not wait until the many before them are done."""
    org.control.set_capacity(Capacity(20))
    limiter = AdaptiveLimiter(initial=10, minimum=10, maximum=10)
    done: list[str] = []

    async def ask(sf: Salesforce, surface: str) -> None:
        await sf.query("SELECT Id FROM Account LIMIT 1", surface=surface).all()
        done.append(surface)

    async with connect(org, limiter=limiter) as sf:
        await sf.credentials()
        many = [asyncio.ensure_future(ask(sf, storm)) for _ in range(200)]
        # Nothing announces that the line has grown.
        while (sf.stats().waiting or 0) < 150:  # noqa: ASYNC110
            await asyncio.sleep(0)
        few = [asyncio.ensure_future(ask(sf, visitor)) for _ in range(3)]
        await asyncio.gather(*few)
        before = done.count(storm)
        await asyncio.gather(*many)

    assert before < 100
    assert len(done) == 203
