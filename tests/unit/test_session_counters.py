"""What a session tells: events, counters, quotas, and the limiter's state."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.errors import ConnectError, ConnectionLostError, NotFoundError
from sfconnect.instrumentation import QuotaSeen, RequestFinished
from sfconnect.limits import (
    AdaptiveLimiter,
    Lane,
    LaneStats,
    PacedLimiter,
    Pacer,
    Quota,
    QuotaGuard,
    QuotaShare,
    ShareStats,
)
from sfconnect.messages import Request, Response
from sfconnect.testing import FakeClock
from tests.unit.small_api import BASE, GET, QuotaService, answer, run


async def test_stats_print_what_there_is_to_say(world, scripted):
    made = world(scripted(answer(X_Quota="5/100"), 429, 200), service=QuotaService())
    await made.session.execute(GET)
    await run(made, made.session.execute(GET))

    assert str(made.session.stats()).splitlines() == [
        "calls     2, and 1 attempts more",
        "in flight 0 of 100, 0 waiting",
        "retries   1 (ThrottledError 1)",
        "budget    496 of 500 tokens for retries left",
        "throttled 1",
        "logins    1",
        "received  2 bytes",
        "quota     calls: 5 of 100 (5%)",
    ]


async def test_stats_tell_of_the_limiter_through_what_is_around_it(world):
    async def stuck(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    clock = FakeClock()
    adaptive = AdaptiveLimiter(lanes={"bulk": Lane(limit=1, surfaces=("extract",))}, clock=clock)
    paced = PacedLimiter(adaptive, Pacer(1, clock=clock))
    guard = QuotaGuard(paced, QuotaShare("nightly", share_percent=50), clock=clock)
    guard.note_quota([Quota("api-usage", 0, 100)])
    made = world(stuck, limiter=guard)
    surfaces = ("rest", "extract", "extract")
    requests = [Request("GET", "/rows", surface=surface) for surface in surfaces]
    calls = [asyncio.create_task(made.session.execute(request)) for request in requests]
    await made.clock.settle()

    stats = made.session.stats()

    assert stats.lanes == {
        "bulk": LaneStats(1, 1, 1),
        "rest": LaneStats(1, 0, None),
        "login": LaneStats(0, 0, 4, 4),
    }
    assert stats.paced == 1
    assert stats.share == ShareStats("nightly", 1, 50, 0.0, None)
    assert (stats.limit, stats.in_flight, stats.waiting) == (16, 2, 1)
    assert (stats.retry_tokens, stats.retry_capacity) == (500, 500)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_stats_of_a_limiter_that_tells_little(world):
    stats = world().session.stats()

    assert (stats.share, stats.paced) == (None, 0)
    assert stats.lanes == {"login": LaneStats(0, 0, 4, 4)}


async def test_each_attempt_is_told(world, scripted):
    made = world(
        scripted(
            ConnectionLostError("Cut."),
            answer(401, X_Request_Id="r2"),
            answer(200, X_Request_Id="r3"),
        )
    )

    await run(made, made.session.execute(Request("GET", "/rows?q=canary", params={"a": "canary"})))

    told = [event for event in made.events if isinstance(event, RequestFinished)]
    assert [(e.status, e.error, e.attempt, e.request_id) for e in told] == [
        (None, "ConnectionLostError", 1, None),
        (401, None, 2, "r2"),
        (200, None, 2, "r3"),
    ]
    assert {(e.method, e.path, e.surface) for e in told} == {("GET", "/rows", "rest")}
    assert {(e.base_url, e.server) for e in told} == {(BASE, "org.example.com")}
    assert [type(e).__name__ for e in made.events] == [
        "TokenReplaced",
        "RequestFinished",
        "RetryScheduled",
        "RequestFinished",
        "TokenReplaced",
        "RequestFinished",
    ]
    assert "canary" not in repr(made.events)


async def test_a_cancelled_attempt_is_told_as_such(world):
    made = world(lambda request: asyncio.Event().wait())
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    call.cancel()
    await asyncio.wait({call})

    assert made.events[-1].error == "CancelledError"
    assert made.events[-1].status is None


async def test_nothing_is_built_when_nobody_listens(world, scripted, monkeypatch):
    def build(*args, **kwargs):
        raise AssertionError("an event was built")

    made = world(scripted(ConnectError("No."), 401, 200), hooks=False, service=QuotaService())
    for name in ("RequestFinished", "QuotaSeen"):
        monkeypatch.setattr(f"sfconnect.session.{name}", build)
    monkeypatch.setattr("sfconnect.retry.executor.RetryScheduled", build)

    await run(made, made.session.execute(GET))


async def test_a_hook_that_raises_changes_no_outcome(world):
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reports.append(context["message"])
    )
    made = world()

    def bad(event):
        raise ValueError("a bug in a hook")

    made.session._emitter.hooks = (bad,)

    assert (await made.session.execute(GET)).status == 200
    assert any("request.finished" in report for report in reports)


async def test_the_newest_quota_is_kept_and_told(world, scripted):
    made = world(
        scripted(answer(X_Quota="5/100"), answer(404, X_Quota="6/100"), answer()),
        service=QuotaService(),
    )
    assert made.session.stats().quotas == {}

    await made.session.execute(GET)
    with pytest.raises(NotFoundError):
        await made.session.execute(GET)
    await made.session.execute(GET)

    assert made.session.stats().quotas == {"calls": Quota("calls", 6, 100)}
    assert [event for event in made.events if isinstance(event, QuotaSeen)] == [
        QuotaSeen("calls", 5, 100),
        QuotaSeen("calls", 6, 100),
    ]


async def test_a_quota_is_kept_when_nobody_listens(world, scripted):
    made = world(scripted(answer(X_Quota="5/100")), service=QuotaService(), hooks=False)

    await made.session.execute(GET)

    assert made.session.stats().quotas["calls"].remaining == 95


async def test_the_counters_say_what_was_done(world, scripted):
    made = world(scripted(answer(content=b"12345"), 401, answer(content=b"123"), 404))

    await made.session.execute(GET)
    await made.session.execute(GET)
    with pytest.raises(NotFoundError):
        await made.session.execute(GET)

    stats = made.session.stats()
    assert (stats.calls, stats.attempts, stats.bytes_in, stats.logins) == (3, 4, 8, 2)
    assert stats.retries == {}
