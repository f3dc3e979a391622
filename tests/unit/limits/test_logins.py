"""The lane of logins: bounded, counted, and beside the limit of calls."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.errors import ConfigurationError, PoolTimeout
from sfconnect.limits import (
    AdaptiveLimiter,
    FixedLimiter,
    Lane,
    LaneStats,
    LoginLane,
    PacedLimiter,
    Pacer,
    QuotaGuard,
    QuotaShare,
    login_lane,
)
from sfconnect.messages import Request, Response

REQUEST = Request("POST", "https://login.example.com/token", surface="auth")


class Server:
    """A token endpoint that answers when it is told to."""

    def __init__(self) -> None:
        self.under_way = 0
        self.go_on = asyncio.Event()

    async def send(self, request: Request) -> Response:
        self.under_way += 1
        try:
            await self.go_on.wait()
        finally:
            self.under_way -= 1
        return Response(200, {}, b"{}")


async def logins(lane: LoginLane, server: Server, number: int) -> list[asyncio.Task[Response]]:
    send = lane.carrying(server.send)
    tasks = [asyncio.ensure_future(send(REQUEST)) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


async def test_a_few_are_under_way_and_the_others_wait():
    lane, server = LoginLane(2), Server()
    tasks = await logins(lane, server, 5)

    assert (server.under_way, lane.stats()) == (2, LaneStats(2, 3, 2, 2))
    server.go_on.set()
    answers = await asyncio.gather(*tasks)

    assert [answer.status for answer in answers] == [200] * 5
    assert lane.stats() == LaneStats(0, 0, 2, 2)


async def test_cancelling_one_that_waits_or_is_under_way_loses_no_slot():
    lane, server = LoginLane(1), Server()
    first, second, third = await logins(lane, server, 3)

    second.cancel()
    first.cancel()
    for _ in range(3):
        await asyncio.sleep(0)

    assert (server.under_way, lane.stats()) == (1, LaneStats(1, 0, 1, 1))
    server.go_on.set()
    assert (await third).status == 200
    assert lane.stats() == LaneStats(0, 0, 1, 1)


async def test_one_that_is_cancelled_as_its_turn_comes_passes_it_on():
    lane, server = LoginLane(1), Server()
    first, second, third = await logins(lane, server, 3)

    server.go_on.set()
    await first
    second.cancel()
    answers = await asyncio.gather(second, third, return_exceptions=True)

    assert isinstance(answers[1], Response)
    assert lane.stats() == LaneStats(0, 0, 1, 1)


async def test_a_request_that_fails_gives_its_slot_back():
    lane = LoginLane(1)

    async def fail(request: Request) -> Response:
        raise OSError("no route")

    for _ in range(2):
        with pytest.raises(OSError, match="no route"):
            await lane.carrying(fail)(REQUEST)

    assert lane.stats().in_flight == 0


async def test_too_long_a_wait_says_that_nothing_was_sent():
    lane, server = LoginLane(1, wait_s=0), Server()
    first, second = await logins(lane, server, 2)

    with pytest.raises(
        PoolTimeout, match="The login waited 0 s behind others; 1 are under way"
    ) as e:
        await second

    assert e.value.request_sent is False
    server.go_on.set()
    await first


def test_a_lane_for_none_is_refused():
    with pytest.raises(ConfigurationError, match="at least one"):
        LoginLane(0)


@pytest.mark.parametrize("limiter", [FixedLimiter(1), AdaptiveLimiter()], ids=["fixed", "adaptive"])
def test_limiters_have_one_that_is_found_within_others(limiter):
    paced = PacedLimiter(limiter, Pacer(1))
    guard = QuotaGuard(paced, QuotaShare(share_percent=50))

    assert login_lane(guard) is login_lane(paced) is limiter.logins


def test_a_program_may_bring_its_own():
    lane = LoginLane(2)

    assert FixedLimiter(1, logins=lane).logins is AdaptiveLimiter(logins=lane).logins is lane


def test_a_limiter_that_knows_of_none_gets_one_from_its_connection():
    assert login_lane(object(), 3.0).stats() == LaneStats(0, 0, 4, 4)


def test_a_lane_of_calls_by_that_name_is_refused():
    with pytest.raises(ConfigurationError, match="lane of their own"):
        AdaptiveLimiter(lanes={"login": Lane(reserve=2)})
