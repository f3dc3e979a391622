"""Quotas that only some calls use up: who is stopped, what counts, and what is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    QuotaExceededError,
    ServerError,
)
from sfconnect.instrumentation import Emitter, QuotaSeen
from sfconnect.limits import AllocatingService, Allocations, Quota, QuotaShare, ShareStats
from sfconnect.limits.allocations import Exchange
from sfconnect.messages import Request, Response
from sfconnect.retry.deadline import SENT
from sfconnect.testing import FakeClock

DAY_S = 86_400.0
QUESTION = Request("GET", "/limits")
JOB, LOAD, POLL = (Request(*one) for one in (("POST", "/job"), ("POST", "/load"), ("GET", "/job")))
OK = Response(200, {}, b"{}")


class Jobs:
    """An API with jobs: each takes one of ``jobs``, and some of ``space``; loads take ``rows``."""

    question = QUESTION
    allocated_surface = "bulk"
    allocated: Mapping[str, bool] = {"jobs": True, "space": False, "rows": False}

    def allocation(self, request: Request) -> Sequence[str]:
        if request.method != "POST":
            return ()
        return ("jobs", "space") if request.path == "/job" else ("rows",)

    def read_allocations(self, response: Response) -> Sequence[Quota]:
        return [Quota(name, used, most) for name, (used, most) in response.json().items()]

    def decode_error(self, request: Request, response: Response) -> ApiError:
        if response.status == 400:
            return ApiError("Wrong.")
        if response.status >= 500:
            return ServerError("Broken.", retry_safe=True if response.content == b"busy" else None)
        error = QuotaExceededError("No more.", hint="Wait.")
        error.quota, error.window_s = response.content.decode(), DAY_S
        return error


def spent(quota: str) -> Response:
    """Refuse for a quota that is used up."""
    return Response(403, {}, quota.encode())


class Api:
    """Answers what it is asked, by a script, and tells readings that a test may change."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.questions = 0
        self.readings: dict[str, tuple[int, int]] = {"jobs": (0, 100), "space": (0, 100)}
        self.script: list[Response | BaseException] = []
        self.may_ask = True

    async def execute(self, request: Request) -> Response:
        self.questions += 1
        await asyncio.sleep(0)
        if not self.may_ask:
            raise AccessDeniedError("No.", status=403)
        parts = (f'"{name}":[{used},{most}]' for name, (used, most) in self.readings.items())
        return Response(200, {}, ("{" + ",".join(parts) + "}").encode())

    async def exchange(self, request: Request, token: str, number: int) -> tuple[Response, str]:
        self.sent.append(request.path)
        answer = self.script.pop(0) if self.script else OK
        if isinstance(answer, BaseException):
            raise answer
        return answer, token


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def made(clock: FakeClock, request: pytest.FixtureRequest) -> Callable[..., Allocations]:
    def make(*shares: QuotaShare, **options: Any) -> Allocations:
        options.setdefault("scope", request.node.nodeid)
        return Allocations(Jobs(), shares=shares, clock=clock, **options)

    return make


async def send(allocations: Allocations, api: Api, request: Request = JOB) -> Response:
    sending: Exchange[str] = allocations.heeding(api.exchange, request, api)
    answer, token = await sending(request, "token", 1)
    assert token == "token"
    return answer


async def refusal(allocations: Allocations, api: Api, request: Request = JOB) -> QuotaExceededError:
    sent = len(api.sent)
    with pytest.raises(QuotaExceededError) as caught:
        await send(allocations, api, request)
    assert len(api.sent) == sent
    return caught.value


def jobs(**options: Any) -> QuotaShare:
    return QuotaShare(quota="jobs", **options)


def test_the_double_is_such_a_service() -> None:
    assert isinstance(Jobs(), AllocatingService)


def test_what_uses_up_nothing_is_sent_as_it_is(made, api) -> None:
    exchange = api.exchange

    assert made(jobs(share_percent=1)).heeding(exchange, POLL, api) is exchange


@pytest.mark.parametrize("quota", ["jobs", "space"])
async def test_a_refusal_stops_the_calls_of_its_kind_and_no_others(made, api, clock, quota) -> None:
    allocations = made()
    api.script = [spent(quota)]
    assert (await send(allocations, api)).status == 403

    error = await refusal(allocations, api)
    await send(allocations, api, LOAD)
    await send(allocations, api, POLL)

    assert (error.code, error.quota, error.request_sent) == ("QUOTA_USED_UP", quota, False)
    assert error.hint == "Wait. A call is tried once a minute."
    assert error.resets_at == clock.time() + DAY_S
    assert error.retry_after == pytest.approx(60)
    assert allocations.stats() == {quota: ShareStats("default", 0, None, 0.0, "QUOTA_USED_UP")}
    assert api.questions == 0


async def test_one_call_a_minute_sees_whether_there_is_room_again(made, api, clock) -> None:
    allocations = made()
    api.script = [spent("jobs"), spent("jobs"), OK]
    await send(allocations, api)
    await refusal(allocations, api)
    await clock.advance(61)

    still = await send(allocations, api)
    await refusal(allocations, api)
    await clock.advance(61)
    again = await send(allocations, api)
    await send(allocations, api)

    assert (still.status, again.status, len(api.sent)) == (403, 200, 4)
    assert allocations.stats() == {}


async def test_of_many_calls_only_one_tries(made, api, clock) -> None:
    allocations = made()
    api.script = [spent("jobs")]
    await send(allocations, api)
    await clock.advance(61)
    waiting = asyncio.Event()

    async def slow(request: Request, token: str, number: int) -> tuple[Response, str]:
        await waiting.wait()
        return OK, token

    first = asyncio.create_task(allocations.heeding(slow, JOB, api)(JOB, "token", 1))
    await clock.settle()
    await refusal(allocations, api)
    waiting.set()

    assert (await first)[0] is OK


@pytest.mark.parametrize("answer", [Response(400, {}, b"jobs"), spent("rows"), spent("calls")])
async def test_other_refusals_stop_nothing(made, api, answer) -> None:
    allocations = made()
    api.script = [answer]

    for _ in range(3):
        await send(allocations, api)

    assert len(api.sent) == 3


async def test_a_share_counts_what_was_made_and_nothing_else(made, api) -> None:
    allocations = made(jobs(name="nightly", share_percent=3))
    lost, unsent = ConnectionLostError("x"), ConnectError("x")
    refused = [Response(400, {}, b"wrong"), Response(503, {}, b"busy")]
    api.script = [OK, *refused, unsent, lost, Response(500, {}, b"")]

    for _ in range(6):
        try:
            await send(allocations, api)
        except (ConnectError, ConnectionLostError):
            continue
    for _ in range(10):
        await send(allocations, api, LOAD)

    error = await refusal(allocations, api)
    assert error.code == "QUOTA_SHARE_SPENT"
    assert "'nightly' of 3 %" in error.message
    assert allocations.stats()["jobs"] == ShareStats("nightly", 3, 3, 0.0, "QUOTA_SHARE_SPENT")


async def test_a_call_that_was_cancelled_counts_if_it_was_out(made, api) -> None:
    allocations = made(jobs(share_percent=50))
    out = asyncio.CancelledError()
    out.add_note(SENT)
    api.script = [asyncio.CancelledError(), out]

    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await send(allocations, api)

    assert allocations.stats()["jobs"].used == 1


async def test_a_share_has_room_when_its_calls_are_a_day_old(made, api, clock) -> None:
    allocations = made(jobs(share_percent=1))
    await send(allocations, api)
    error = await refusal(allocations, api)

    await clock.advance(error.retry_after)
    await send(allocations, api)

    assert error.resets_at is not None
    assert error.retry_after == pytest.approx(DAY_S, abs=601)


async def test_calls_that_wait_for_readings_share_the_failure(made, api) -> None:
    allocations = made(jobs(share_percent=50))
    api.may_ask = False

    ends = await asyncio.gather(
        *(send(allocations, api) for _ in range(10)), return_exceptions=True
    )

    assert {type(end) for end in ends} == {AccessDeniedError}
    assert (api.questions, api.sent) == (1, [])


async def test_what_a_share_goes_by_is_asked_for_once_in_five_minutes(made, api, clock) -> None:
    allocations = made(jobs(share_percent=50))

    await asyncio.gather(*(send(allocations, api) for _ in range(10)))
    first = api.questions
    await clock.advance(301)
    await send(allocations, api)
    await send(allocations, api, LOAD)

    assert (first, api.questions) == (1, 2)


async def test_readings_that_the_program_asked_for_are_used(made, api) -> None:
    events: list[Any] = []
    allocations = made(jobs(share_percent=50), emitter=Emitter([events.append]))
    allocations.note([Quota("jobs", 40, 80)])

    await send(allocations, api)

    assert api.questions == 0
    assert allocations.readings["jobs"] == Quota("jobs", 41, 80)
    assert events == [QuotaSeen("jobs", 40, 80)]


@pytest.mark.parametrize("quota", ["jobs", "space"])
async def test_a_reserve_stops_where_the_org_has_used_the_rest(made, api, clock, quota) -> None:
    allocations = made(QuotaShare(quota=quota, reserve_percent=20))
    api.readings[quota] = (85, 100)

    error = await refusal(allocations, api)
    stats = allocations.stats()[quota]
    api.readings[quota] = (70, 100)
    await clock.advance(error.retry_after)
    await send(allocations, api)

    assert error.code == "QUOTA_RESERVE_REACHED"
    assert "85 of 100" in error.message
    assert "20 % are for others" in error.message
    assert stats.stopped == "QUOTA_RESERVE_REACHED"
    assert allocations.stats()[quota].stopped is None


async def test_own_calls_reach_the_reserve_before_the_next_reading_tells(made, api) -> None:
    allocations = made(jobs(reserve_percent=97))

    for _ in range(3):
        await send(allocations, api)

    await refusal(allocations, api)


async def test_it_may_wait_for_room(made, api, clock) -> None:
    allocations = made(jobs(reserve_percent=20, wait=True))
    api.readings["jobs"] = (85, 100)
    waiter = asyncio.create_task(send(allocations, api))
    await clock.advance(290)
    before = waiter.done()

    api.readings["jobs"] = (10, 100)
    await clock.advance(20)

    assert (before, (await waiter).status) == (False, 200)


async def test_who_waits_for_room_can_be_cancelled(made, api, clock) -> None:
    allocations = made(jobs(share_percent=1, wait=True))
    await send(allocations, api)
    waiter = asyncio.create_task(send(allocations, api))
    await clock.settle()

    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)

    assert (waiter.cancelled(), allocations.stats()["jobs"].used) == (True, 1)


async def test_who_may_not_ask_is_told_why_that_matters(made, api) -> None:
    allocations = made(jobs(reserve_percent=20))
    api.may_ask = False

    with pytest.raises(AccessDeniedError) as caught:
        await send(allocations, api)

    assert "share of jobs" in str(caught.value.hint)
    assert api.sent == []


async def test_a_quota_that_the_org_does_not_tell_cannot_be_shared(made, api) -> None:
    allocations = made(jobs(reserve_percent=20))
    del api.readings["jobs"]

    with pytest.raises(ConfigurationError, match="tells nothing of jobs"):
        await send(allocations, api)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (QuotaShare(share_percent=5), "'api-usage' cannot be kept"),
        (QuotaShare(quota="space", share_percent=5), "How much of space"),
        (QuotaShare("another", quota="jobs", reserve_percent=5), "two shares of jobs"),
    ],
)
def test_a_share_that_cannot_be_kept_is_refused(made, share, words) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        made(jobs(share_percent=5), share)

    assert caught.value.hint


async def test_connections_of_one_scope_use_a_share_together(made, api) -> None:
    first, second = (
        made(jobs(share_percent=2), scope="org"),
        made(jobs(share_percent=2), scope="org"),
    )
    other = made(jobs(share_percent=2), scope="another org")
    await send(first, api)
    await send(second, api)

    await refusal(first, api)
    await send(other, api)

    assert first.stats()["jobs"].used == 2


async def test_before_anything_was_asked_the_stats_tell_what_was_counted(made, api) -> None:
    allocations = made(jobs(share_percent=50, name="etl"))

    assert allocations.stats() == {"jobs": ShareStats("etl", 0, None, 0.0, None)}
