"""The limiter of one process, beside others in the same one, over a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sfconnect import Connector, Secret
from sfconnect.auth import LIMITERS, ApiKey, options_of, resolve
from sfconnect.errors import (
    ConfigurationError,
    PoolClosed,
    PoolError,
    PoolTimeout,
    TooManyRequests,
)
from sfconnect.limits import LaneStats, LimiterContext
from sfconnect_limits_redis import RedisLimiter
from sfconnect_limits_redis.book import Book, Terms, book_name, holder_name
from sfconnect_limits_redis.server import Server
from sfconnect_limits_redis.slots import SharedSlots

BUDGET = 6
NOWHERE = "redis://:canary@127.0.0.1:1/0"
CONTEXT = LimiterContext("test")


async def opened(url: str, budget: int = BUDGET, **options: Any) -> SharedSlots:
    context = options.pop("context", CONTEXT)
    limiter = await RedisLimiter(url, budget, **options).open(context)
    assert isinstance(limiter, SharedSlots)
    return limiter


async def take(limiter: SharedSlots, count: int, lane: str = "rest") -> None:
    async with asyncio.timeout(10):
        for _ in range(count):
            await limiter.acquire(lane)


def give(limiter: SharedSlots, count: int, lane: str = "rest") -> None:
    for _ in range(count):
        limiter.release(lane, 0.1, None)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # of a task that tells nobody
            await asyncio.sleep(0.005)


def has_at_least(limiter: SharedSlots, count: int) -> bool:
    return limiter.in_flight >= count


async def test_calls_of_one_process_have_the_whole_budget(url: str) -> None:
    limiter, most = await opened(url), 0

    async def call() -> None:
        nonlocal most
        if not limiter.try_acquire("rest"):
            await limiter.acquire("rest")
        most = max(most, limiter.in_flight)
        await asyncio.sleep(0.002)
        limiter.release("rest", 0.002, None)

    await asyncio.gather(*(call() for _ in range(120)))

    assert most == BUDGET
    assert (limiter.in_flight, limiter.waiting) == (0, 0)
    await limiter.aclose()


async def test_it_tells_how_full_each_lane_is(url: str) -> None:
    limiter = await opened(url, redis_lanes=("bulk<=2", "bulk>=1"))
    await take(limiter, 2, "bulk")
    await take(limiter, 1)
    third = asyncio.create_task(limiter.acquire("bulk"))
    await until(lambda: limiter.waiting)

    assert limiter.lane_stats == {"bulk": LaneStats(2, 1, 2), "*": LaneStats(1, 0, None)}

    third.cancel()
    await asyncio.wait({third})
    await limiter.aclose()


async def test_the_limits_of_lanes_are_its_own_while_others_cannot_be_asked() -> None:
    limiter = await opened(NOWHERE, redis_lanes=("bulk>=2",), redis_outage_limit=5)

    limits = {name: lane.limit for name, lane in limiter.lane_stats.items()}

    assert limits == {"bulk": 1, "*": 4}  # it might be one of many
    assert limiter.limit == 5
    await limiter.aclose()


async def test_a_slot_that_is_there_is_taken_without_asking(url: str) -> None:
    limiter = await opened(url)
    await take(limiter, 1)
    give(limiter, 1)

    assert limiter.try_acquire("rest")
    await limiter.aclose()


async def test_what_one_does_not_use_is_there_for_the_other(url: str) -> None:
    idle, busy = await opened(url), await opened(url)
    await take(idle, BUDGET)
    give(idle, BUDGET)

    await take(busy, BUDGET)

    assert (idle.granted, busy.in_flight) == (0, BUDGET)
    await idle.aclose()
    await busy.aclose()


async def test_a_greedy_one_makes_room_for_a_newcomer_as_its_calls_end(url: str) -> None:
    greedy, newcomer = await opened(url), await opened(url)
    await take(greedy, BUDGET)
    more = [asyncio.create_task(greedy.acquire("rest")) for _ in range(BUDGET)]
    new = [asyncio.create_task(newcomer.acquire("rest")) for _ in range(BUDGET)]
    await until(lambda: greedy.granted == BUDGET // 2)
    assert newcomer.in_flight == 0

    for number in range(BUDGET // 2):
        give(greedy, 1)
        await until(partial(has_at_least, newcomer, number + 1))
        assert greedy.in_flight + newcomer.in_flight <= BUDGET

    assert greedy.in_flight == newcomer.in_flight == BUDGET // 2
    for task in (*more, *new):
        task.cancel()
    await asyncio.gather(*more, *new, return_exceptions=True)
    await greedy.aclose()
    await newcomer.aclose()


async def patient(url: str, budget: int) -> SharedSlots:
    """One that would ask by itself in minutes only, so that what happens sooner has a cause."""
    terms = Terms(budget, {}, lease_s=3000.0, turn_s=3000.0)
    book = Book(Server(Secret(url), timeout_s=5), "test", holder_name())
    made = SharedSlots(book, terms, CONTEXT, timeout_s=5, on_outage="local", outage_limit=None)
    await made.open()
    return made


async def test_who_waits_is_woken_and_need_not_ask_again(url: str) -> None:
    first, second = await patient(url, 1), await patient(url, 1)
    await take(first, 1)
    waiter = asyncio.create_task(second.acquire("rest"))
    await asyncio.sleep(0.1)
    assert not waiter.done()

    give(first, 1)

    await asyncio.wait_for(waiter, 10)
    await first.aclose()
    await second.aclose()


async def test_a_waiter_cancelled_as_it_gets_its_slot_leaves_it_to_others(url: str) -> None:
    first, second = await patient(url, 2), await patient(url, 2)
    await take(first, 2)
    last = asyncio.create_task(first.acquire("rest"))
    others = [asyncio.create_task(second.acquire("rest")) for _ in range(2)]
    await until(lambda: first.granted == 1)
    give(first, 1)
    await until(lambda: second.in_flight == 1)
    await asyncio.sleep(0.1)  # all that was to be settled is

    give(first, 1)  # to the last in its line
    last.cancel()
    await asyncio.gather(last, return_exceptions=True)

    await asyncio.wait_for(asyncio.gather(*others), 10)
    assert (first.in_flight, second.in_flight) == (0, 2)
    await first.aclose()
    await second.aclose()


async def test_a_waiter_that_is_cancelled_leaves_its_slot_to_others(url: str) -> None:
    first, second = await opened(url), await opened(url)
    waiters = [asyncio.create_task(first.acquire("rest")) for _ in range(BUDGET)]
    await asyncio.sleep(0)
    for waiter in waiters:  # what was asked for is on its way
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)

    await take(second, BUDGET)

    assert first.in_flight == 0
    await first.aclose()
    await second.aclose()


@pytest.mark.parametrize("steps", range(8))
async def test_cancelling_at_any_step_leaves_nothing_taken(url: str, steps: int) -> None:
    limiter = await opened(url)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    for _ in range(steps):
        await asyncio.sleep(0 if steps < 4 else 0.0003)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    if not waiter.cancelled():
        give(limiter, 1)

    assert (limiter.in_flight, limiter.waiting) == (0, 0)
    await limiter.aclose()


@pytest.mark.parametrize("steps", range(0, 24, 3))
async def test_cancelling_opening_or_closing_at_any_step_leaves_nothing_running(
    url: str, steps: int
) -> None:
    opening = asyncio.create_task(opened(url, redis_lease_s=3.0))
    for _ in range(steps):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    limiter = await opened(url)
    closing = asyncio.create_task(limiter.aclose())
    for _ in range(steps):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await limiter.aclose()

    other = await opened(url)
    await take(other, BUDGET)

    if not opening.cancelled():
        await opening.result().aclose()
    await other.aclose()


async def test_lanes_have_their_reserve_and_their_limit(url: str) -> None:
    options: dict[str, Any] = {"redis_lanes": ("query>=2", "bulk<=1")}
    one, other = await opened(url, **options), await opened(url, **options)
    await take(one, 1, "bulk")
    waiters = [asyncio.create_task(other.acquire("rest")) for _ in range(BUDGET)]
    bulk = asyncio.create_task(other.acquire("bulk"))
    await until(lambda: other.in_flight == 3)

    await take(one, 2, "query")

    assert not one.try_acquire("query")
    assert not bulk.done()
    give(one, 1, "bulk")
    await asyncio.wait_for(bulk, 10)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await one.aclose()
    await other.aclose()


async def test_the_bounds_of_the_line_hold_and_the_hint_fits(url: str) -> None:
    context = LimiterContext("test", max_waiting=1, wait_s=0.05)
    limiter = await opened(url, 1, context=context)
    await take(limiter, 1)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)

    with pytest.raises(TooManyRequests, match="1 calls of all processes"):
        await limiter.acquire("rest")
    with pytest.raises(PoolTimeout, match="1 calls of all processes"):
        await waiter
    await limiter.aclose()


async def test_lanes_take_the_surfaces_that_they_take_elsewhere(url: str) -> None:
    limiter = await opened(url, redis_lanes=("interactive>=2", "bulk<=1", "query<=1"))

    await take(limiter, 1, "extract")
    await take(limiter, 1, "query")
    await take(limiter, 2, "rest")

    assert not any(map(limiter.try_acquire, ("extract", "bulk", "query")))
    await take(limiter, 1, "identity")
    await limiter.aclose()


async def test_a_fan_out_has_as_many_callers_as_the_budget_has_slots(url: str, api: Any) -> None:
    api.hold_s = 0.02
    limiter = RedisLimiter(url, BUDGET)
    login = ApiKey("k", api.url)

    async with Connector.connect(login, base_url=api.url, limiter=limiter) as connected:
        await connected.gather([connected.get("/x") for _ in range(100)])

    assert api.most == BUDGET


# Whose limit


async def test_the_name_of_the_limit_wins_over_whose_it_is(url: str, redis: Any) -> None:
    limiter = await opened(url, redis_limit_name="acme, all of it")

    assert await redis.keys("sfconnect:limit:*") == [book_name("acme, all of it").encode()]
    await limiter.aclose()
    assert await redis.keys("sfconnect:limit:*") == []


async def test_connections_share_it_by_their_settings(
    url: str, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFCONNECT_LIMITER", "redis")
    monkeypatch.setenv("SFCONNECT_REDIS_URL", url)
    monkeypatch.setenv("SFCONNECT_REDIS_BUDGET", "3")
    login = ApiKey("k", api.url)

    async with (
        Connector.connect(login, base_url=api.url) as one,
        Connector.connect(login, base_url=api.url) as other,
    ):
        calls = [[each.get("/x") for _ in range(40)] for each in (one, other)]
        await asyncio.gather(one.gather(calls[0]), other.gather(calls[1]))

    assert len(api.callers) == 80
    assert api.most == 3


def test_the_plugin_is_found_by_its_name_and_takes_rules_as_text() -> None:
    assert LIMITERS.load("redis") is RedisLimiter
    environ = {
        "SFCONNECT_LIMITER": "redis",
        "REDIS_URL": "redis://:canary@host/0",
        "SFCONNECT_REDIS_BUDGET": "25",
        "SFCONNECT_REDIS_LANES": "bulk<=5, query>=2",
        "SFCONNECT_REDIS_ON_OUTAGE": "fail",
    }

    made = resolve(ApiKey("k", "https://api.example.com"), environ=environ).limiter

    assert made == RedisLimiter(
        "redis://:canary@host/0",
        25,
        redis_lanes=("bulk<=5", "query>=2"),
        redis_on_outage="fail",
    )
    assert "canary" not in repr(made)
    assert all(spec.name.startswith("redis_") for spec in options_of(RedisLimiter))
    assert all(spec.help for spec in options_of(RedisLimiter))


def test_the_url_of_the_platform_yields_to_a_command_for_this_very_limit() -> None:
    environ = {
        "SFCONNECT_LIMITER": "redis",
        "REDIS_URL": "redis://of-the-platform/0",
        "SFCONNECT_REDIS_URL_COMMAND": "echo redis://of-this-limit/0",
        "SFCONNECT_REDIS_BUDGET": "25",
    }

    made = resolve(ApiKey("k", "https://api.example.com"), environ=environ).limiter

    assert made == RedisLimiter("redis://of-this-limit/0", 25)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"redis_budget": 0}, "redis_budget must be at least 1"),
        ({"redis_timeout_s": 0.0}, "redis_timeout_s must be above 0"),
        ({"redis_timeout_s": float("nan")}, "redis_timeout_s must be above 0"),
        ({"redis_lease_s": 2.9}, "redis_lease_s is 2.9, which is too short"),
        ({"redis_lease_s": float("nan")}, "too short"),
        ({"redis_outage_limit": 0}, "redis_outage_limit must be at least 1"),
        ({"redis_lanes": ("bulk",)}, "no rule of a lane"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        RedisLimiter(**{"redis_url": "redis://host", "redis_budget": 5, **options})


# Servers that are away


class Losses:
    """What a context is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str | None]] = []
        self.context = LimiterContext("test")
        object.__setattr__(self.context, "emitter", self)
        self.hooks = (self,)

    def emit(self, event: Any) -> None:
        assert event.limiter == "redis"
        self.told.append((event.limit, event.error))


async def test_without_a_server_one_slot_is_used_and_it_is_told() -> None:
    losses = Losses()

    limiter = await opened(NOWHERE, context=losses.context)

    await take(limiter, 1)
    assert not limiter.try_acquire("rest")
    assert limiter.problem == "ConnectionError"
    assert losses.told == [(1, "ConnectionError")]
    await limiter.aclose()


async def test_how_much_is_used_without_a_server_can_be_set() -> None:
    limiter = await opened(NOWHERE, redis_outage_limit=4)

    assert limiter.limit == 4
    await limiter.aclose()


async def test_without_a_server_calls_fail_at_once_if_they_are_told_to() -> None:
    limiter = await opened(NOWHERE, redis_on_outage="fail")

    assert not limiter.try_acquire("rest")
    with pytest.raises(PoolError, match="ConnectionError at Redis") as caught:
        await limiter.acquire("rest")
    assert caught.value.request_sent is False
    assert "canary" not in str(caught.value)
    await limiter.aclose()


async def test_a_server_that_comes_later_is_used(
    serve: Callable[..., Any],
) -> None:
    server, losses = serve(), Losses()
    server.stop()
    limiter = await opened(server.url, context=losses.context, redis_on_outage="fail")

    server.start()
    await until(lambda: limiter.problem is None)

    await take(limiter, BUDGET)
    assert losses.told == [(0, "ConnectionError"), (0, None)]
    await limiter.aclose()


async def test_a_lapsed_lease_is_a_loss_and_its_return_the_end_of_it(
    serve: Callable[..., Any],
) -> None:
    server, losses = serve(), Losses()
    options: dict[str, Any] = {"redis_lease_s": 1.0, "redis_timeout_s": 0.3}
    limiter = await opened(server.url, context=losses.context, **options)
    other = await opened(server.url, **options)
    await take(limiter, BUDGET)

    server.stop()
    # The lease still counts, and nobody needs to be told of a moment.
    assert limiter.problem is None
    await until(lambda: limiter.problem)
    assert limiter.limit == BUDGET // 2
    give(limiter, BUDGET - 1)
    server.start()
    await until(lambda: limiter.problem is None and other.problem is None)

    await take(other, 2)
    assert [error for _, error in losses.told] == ["ConnectionError", None]
    await limiter.aclose()
    await other.aclose()


async def test_those_in_line_are_sent_away_when_the_lease_lapses(
    serve: Callable[..., Any],
) -> None:
    server = serve()
    options: dict[str, Any] = {"redis_lease_s": 1.0, "redis_timeout_s": 0.3}
    limiter = await opened(server.url, redis_on_outage="fail", **options)
    await take(limiter, BUDGET)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)

    server.stop()

    with pytest.raises(PoolError, match="ConnectionError at Redis"):
        await asyncio.wait_for(waiter, 10)
    await limiter.aclose()


async def test_a_process_that_was_too_busy_to_renew_asks_before_it_goes_on(url: str) -> None:
    losses = Losses()
    options: dict[str, Any] = {"redis_lease_s": 1.0, "redis_timeout_s": 0.3}
    limiter = await opened(url, context=losses.context, **options)
    await take(limiter, BUDGET)

    stand_still(1.2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # what is due by now has run
    give(limiter, 1)
    assert not limiter.try_acquire("rest")

    await take(limiter, 1)
    assert losses.told == []
    await limiter.aclose()


def stand_still(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_a_slot_that_was_given_before_it_stood_still_is_asked_for_anew(url: str) -> None:
    options: dict[str, Any] = {"redis_lease_s": 1.0, "redis_timeout_s": 0.3}
    limiter = await opened(url, **options)
    await take(limiter, BUDGET)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)

    give(limiter, 1)  # to the one in line, who has not run on yet
    stand_still(1.2)
    await asyncio.sleep(0)

    assert not waiter.done()
    assert limiter.in_flight == BUDGET - 1
    await asyncio.wait_for(waiter, 10)
    assert limiter.in_flight == BUDGET
    give(limiter, BUDGET)
    await limiter.aclose()


async def test_who_stood_still_begins_nothing_before_the_loop_has_told_it_of_the_time(
    url: str,
) -> None:
    options: dict[str, Any] = {"redis_lease_s": 1.0, "redis_timeout_s": 0.3}
    limiter = await opened(url, **options)
    await take(limiter, 2)
    give(limiter, 1)
    stand_still(1.2)

    assert not limiter.try_acquire("rest")
    give(limiter, 1)
    assert limiter.granted == 0

    await take(limiter, BUDGET)
    give(limiter, BUDGET)
    await limiter.aclose()


async def test_a_slot_that_is_freed_after_it_stood_still_is_nobodys(url: str) -> None:
    options: dict[str, Any] = {"redis_lease_s": 1.0, "redis_timeout_s": 0.3}
    limiter = await opened(url, **options)
    await take(limiter, BUDGET)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)
    stand_still(1.2)

    give(limiter, 1)

    assert limiter.in_flight == BUDGET - 1
    await asyncio.wait_for(waiter, 10)
    give(limiter, BUDGET)
    await limiter.aclose()


async def test_a_password_that_is_changed_meanwhile_is_an_outage(
    serve: Callable[..., Any],
) -> None:
    server = serve()
    options: dict[str, Any] = {"redis_lease_s": 1.0, "redis_timeout_s": 0.3}
    limiter = await opened(server.url, **options)
    server.stop()
    server.options = ("--requirepass", "canary-new")
    server.start()

    await until(lambda: limiter.problem)

    assert limiter.problem == "ConfigurationError"
    await limiter.aclose()


async def test_a_wrong_password_is_told_when_it_is_opened(serve: Callable[..., Any]) -> None:
    server = serve("--requirepass", "canary-right")

    with pytest.raises(ConfigurationError, match="refuses the user"):
        await opened(f"redis://:canary-wrong@127.0.0.1:{server.port}/0")


async def test_a_server_that_dies_while_nothing_runs_is_noticed(
    serve: Callable[..., Any],
) -> None:
    server = serve()
    limiter = await opened(server.url, redis_lease_s=30.0)

    server.stop()
    await until(lambda: limiter._failures)  # long before the next renewal

    await limiter.aclose()


# Closing


async def test_closing_gives_everything_back_at_once(url: str) -> None:
    one, other = await opened(url), await opened(url)
    await take(one, BUDGET)
    give(one, BUDGET)

    await one.aclose()
    await one.aclose()

    await take(other, BUDGET)
    assert not one.try_acquire("rest")
    with pytest.raises(PoolClosed):
        await one.acquire("rest")
    await other.aclose()


async def test_closing_sends_away_who_waits(url: str) -> None:
    limiter = await opened(url, 1)
    await take(limiter, 1)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0)

    await limiter.aclose()

    with pytest.raises(PoolClosed):
        await waiter


async def test_calls_in_flight_still_count_after_closing(url: str) -> None:
    one, other = await opened(url), await opened(url)
    await take(one, 2)

    await one.aclose()

    await take(other, BUDGET - 2)
    waiter = asyncio.create_task(other.acquire("rest"))
    await asyncio.sleep(0.05)
    assert not waiter.done()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    give(one, 2)  # they end, and it is nobody's business any more
    await other.aclose()


@pytest.mark.parametrize("state", ["frozen", "killed"])
async def test_closing_ends_in_time_whatever_the_server_does(
    serve: Callable[..., Any], state: str
) -> None:
    server = serve()
    limiter = await opened(server.url, redis_timeout_s=0.3)
    await take(limiter, 1)
    if state == "frozen":
        os.kill(server.pid, signal.SIGSTOP)
    else:
        server.stop()
    began = time.monotonic()

    await limiter.aclose()

    assert time.monotonic() - began < 3 * 0.3 + 0.5


async def test_closing_in_the_middle_of_a_question_ends_in_time(
    serve: Callable[..., Any],
) -> None:
    server = serve()
    limiter = await opened(server.url, redis_timeout_s=0.5)
    os.kill(server.pid, signal.SIGSTOP)
    waiter = asyncio.create_task(limiter.acquire("rest"))
    await asyncio.sleep(0.05)
    began = time.monotonic()

    await limiter.aclose()

    assert time.monotonic() - began < 2
    with pytest.raises(PoolClosed):
        await waiter


async def test_opening_a_server_that_hangs_takes_one_time_out(
    serve: Callable[..., Any],
) -> None:
    server = serve()
    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()

    limiter = await opened(server.url, redis_timeout_s=0.3)

    assert time.monotonic() - began < 1
    assert limiter.problem == "TimeoutError"
    await limiter.aclose()


async def test_a_socket_in_the_file_system_works_too(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "s"
    serve("--unixsocket", str(path))
    limiter = await opened(f"unix://{path}")

    await take(limiter, BUDGET)

    assert limiter.problem is None
    await limiter.aclose()


def test_the_address_is_a_secret_from_the_first_moment() -> None:
    assert RedisLimiter("redis://:canary@host", 5).redis_url == Secret("redis://:canary@host")
