"""The adaptive limiter by name: from a profile or the environment to a connection."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sfconnect import Connector, Salesforce
from sfconnect.auth import LIMITERS
from sfconnect.instrumentation import Emitter, LimitChanged
from sfconnect.limits import Adaptive, AdaptiveLimiter, LimiterContext
from sfconnect.messages import Request, Response
from sfconnect.testing import ScriptedStrategy

BASE = "https://org.example.com"


async def ok(request: Request) -> Response:
    await asyncio.sleep(0)
    return Response(200, {}, b"{}")


def test_it_has_a_name():
    assert LIMITERS.load("adaptive") is Adaptive


@pytest.mark.parametrize(
    ("options", "connections", "limits"),
    [
        ({}, 100, (16, 100)),
        ({}, 5, (5, 5)),
        ({}, 1, (1, 1)),
        ({"adaptive_initial": 8, "adaptive_maximum": 40}, 100, (8, 40)),
    ],
)
async def test_it_lies_within_what_the_connection_may_open(options, connections, limits):
    limiter = await Adaptive(**options).open(LimiterContext("org", max_connections=connections))

    assert (limiter.limit, limiter._maximum) == limits


async def test_a_batch_leaves_slots_for_who_waits_for_a_record():
    limiter = await Adaptive().open(LimiterContext("org"))

    batch = sum(limiter.try_acquire("extract") for _ in range(50))
    reads = [limiter.try_acquire(surface) for surface in ("rest", "query", "identity", "rest")]

    assert (batch, reads) == (14, [True, True, False, False])


async def test_the_setting_chooses_it_and_its_options_stand_beside(fake_transport, monkeypatch):
    monkeypatch.setenv("SFCONNECT_LIMITER", "adaptive")
    monkeypatch.setenv("SFCONNECT_ADAPTIVE_INITIAL", "3")
    strategy = ScriptedStrategy(instance_url=BASE)

    async with Connector.connect(strategy, base_url=BASE, transport=fake_transport(ok)) as api:
        limiter = api._shared

    assert isinstance(limiter, AdaptiveLimiter)
    assert limiter.limit == 3


async def test_changes_are_told_to_the_listeners_of_every_connection(fake_transport):
    limiter = AdaptiveLimiter(initial=2)
    told: list[list[object]] = [[], []]
    first, second = (
        Connector.connect(
            ScriptedStrategy(instance_url=BASE),
            base_url=BASE,
            transport=fake_transport(ok),
            limiter=limiter,
            hooks=[events.append],
        )
        for events in told
    )

    async with first, second:
        await first.gather([first.get("/") for _ in range(30)], concurrency=8)

    changes = [[one for one in events if isinstance(one, LimitChanged)] for events in told]
    assert changes[0] == changes[1] != []


async def test_an_emitter_that_nobody_holds_is_not_kept(fake_transport):
    limiter = AdaptiveLimiter()
    emitter = Emitter()
    await limiter.open(LimiterContext("org", emitter=emitter))
    assert len(limiter._emitters) == 1

    del emitter
    gc.collect()

    assert len(limiter._emitters) == 0


@pytest.mark.parametrize(
    ("host", "long_limit"),
    [
        ("acme.my.salesforce.com", 25),
        ("acme--uat.sandbox.my.salesforce.com", 25),
        ("acme-dev-ed.develop.my.salesforce.com", 5),
        ("acme-dev-ed.my.salesforce.com", 5),
        ("curious-bear-1.scratch.my.salesforce.com", 5),
        ("playful-fox-2.trailblaze.my.salesforce.com", 5),
    ],
)
async def test_the_host_of_the_org_tells_how_many_calls_may_run_long(
    fake_transport, host, long_limit
):
    limiter = AdaptiveLimiter()
    strategy = ScriptedStrategy(instance_url=f"https://{host}")

    async with Salesforce.connect(strategy, transport=fake_transport(ok), limiter=limiter) as sf:
        await sf.request("GET", "limits")

    assert limiter.long_limit == long_limit
