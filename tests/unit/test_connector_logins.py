"""Logins of connections: a lane of their own with every limiter, whatever the calls do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sfconnect import Connector
from sfconnect.auth.base import AuthContext, AuthStrategy, Credentials
from sfconnect.auth.oauth2 import OAuth2ClientCredentials
from sfconnect.errors import SfConnectError
from sfconnect.limits import AdaptiveLimiter, FixedLimiter, LaneStats, LoginLane
from sfconnect.messages import Request, Response

BASE = "https://api.example.com"
TOKENS = "https://login.example.com/token"
TOKEN = Response(200, {}, b'{"access_token": "secret", "token_type": "Bearer"}')


async def until(condition: Callable[[], bool]) -> None:
    # Nothing announces that a line has grown.
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


class Alone:
    """A limiter of somebody else: one call at a time, and not a word of lanes or logins."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    def try_acquire(self, lane: str) -> bool:
        return False

    async def acquire(self, lane: str) -> None:
        await self._lock.acquire()

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        self._lock.release()


@dataclass
class Api:
    """An API and its token endpoint; ``gate`` holds the latter back."""

    token: Response = TOKEN
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    logins: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def handle(self, request: Request) -> Response:
        await asyncio.sleep(0)
        if request.path != TOKENS:
            return Response(200, {}, b"{}")
        self.logins += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        return self.token


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def connect(api, fake_transport, monkeypatch):
    for name in ("SFCONNECT_PROFILE", "SFCONNECT_AUTH", "SFCONNECT_CONFIG", "SFCONNECT_LIMITER"):
        monkeypatch.delenv(name, raising=False)
    transport = fake_transport(api.handle)

    def make(login: str | AuthStrategy = "app", **options: Any) -> Connector:
        auth = (
            login
            if not isinstance(login, str)
            else OAuth2ClientCredentials(client_id=login, client_secret="hush", token_url=TOKENS)
        )
        return Connector.connect(auth, base_url=BASE, transport=transport, **options)

    return make


LIMITERS: dict[str, Any] = {
    "connections": lambda: {"max_connections": 1},
    "fixed": lambda: {"limiter": FixedLimiter(1)},
    "adaptive": lambda: {"limiter": AdaptiveLimiter(initial=1, minimum=1, maximum=1)},
    "adaptive by name": lambda: {"limiter": None, "max_connections": 1},
    "paced": lambda: {"limiter": FixedLimiter(1), "max_per_second": 1e6},
    "another's": lambda: {"limiter": Alone()},
}


@pytest.mark.parametrize("name", LIMITERS)
async def test_five_hundred_calls_at_a_limit_of_one_wait_for_one_login(
    api, connect, monkeypatch, name
):
    if name == "adaptive by name":
        monkeypatch.setenv("SFCONNECT_LIMITER", "adaptive")
    async with connect(**LIMITERS[name]()) as client:
        calls = [asyncio.ensure_future(client.get("/").send()) for _ in range(500)]
        await until(lambda: api.logins > 0)
        while_logging_in = client.stats().lanes["login"]
        api.gate.set()
        answers = await asyncio.gather(*calls)
        after = client.stats()

    assert (len(answers), api.logins, after.logins) == (500, 1, 1)
    assert while_logging_in == LaneStats(1, 0, 4, 4)
    assert after.lanes["login"] == LaneStats(0, 0, 4, 4)


async def test_a_full_line_of_calls_is_not_in_the_way_of_a_login(api, connect):
    limiter = FixedLimiter(1, max_waiting=2)
    api.gate.set()
    async with connect(limiter=limiter) as client:
        assert limiter.try_acquire("rest")
        line = [asyncio.ensure_future(limiter.acquire("rest")) for _ in range(2)]
        await asyncio.sleep(0)

        credentials = await client.credentials()

        assert credentials.access_token.reveal() == "secret"
        for waiter in line:
            waiter.cancel()
        await asyncio.gather(*line, return_exceptions=True)


async def test_connections_that_share_a_limiter_log_in_a_few_at_a_time(api, connect):
    limiter = FixedLimiter(50)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connect(f"app-{n}", limiter=limiter)) for n in range(30)
        ]
        calls = [asyncio.ensure_future(client.get("/").send()) for client in clients]
        await until(lambda: api.at_once >= 4)
        lane = clients[-1].stats().lanes["login"]
        api.gate.set()
        await asyncio.gather(*calls)

    assert lane == LaneStats(4, 26, 4, 4)
    assert (api.logins, api.most_at_once) == (30, 4)


async def test_a_login_that_waits_in_its_lane_can_be_cancelled_by_closing(api, connect):
    lane = LoginLane(1)
    limiter = FixedLimiter(5, logins=lane)
    async with connect("first", limiter=limiter) as first:
        holder = asyncio.ensure_future(first.get("/").send())
        await until(lambda: api.logins > 0)
        async with connect("second", limiter=limiter) as second:
            waiting = asyncio.ensure_future(second.get("/").send())
            await until(lambda: lane.stats().waiting > 0)
        outcome = (await asyncio.gather(waiting, return_exceptions=True))[0]
        left = lane.stats()
        api.gate.set()
        await holder

    assert "closed" in str(outcome)
    assert (left, api.logins) == (LaneStats(1, 0, 1, 1), 1)
    assert lane.stats() == LaneStats(0, 0, 1, 1)


async def test_a_caller_that_goes_leaves_the_login_in_its_lane_to_the_others(api, connect):
    lane = LoginLane(1)
    limiter = FixedLimiter(5, logins=lane)
    async with connect("first", limiter=limiter) as first, connect("b", limiter=limiter) as second:
        holder = asyncio.ensure_future(first.get("/").send())
        await until(lambda: api.logins > 0)
        leaving, staying = (asyncio.ensure_future(second.get("/").send()) for _ in range(2))
        await until(lambda: lane.stats().waiting > 0)

        leaving.cancel()
        await asyncio.sleep(0)
        api.gate.set()
        await asyncio.gather(holder, staying)

    assert leaving.cancelled()
    assert (api.logins, lane.stats()) == (2, LaneStats(0, 0, 1, 1))


@dataclass(frozen=True, slots=True)
class Derived:
    """A login that builds on another one and sends a request of its own."""

    client_id: str

    async def authenticate(self, context: AuthContext) -> Credentials:
        base = OAuth2ClientCredentials(
            client_id=self.client_id, client_secret="hush", token_url=TOKENS
        )
        found = await context.child(base)
        await context.send(Request("POST", TOKENS, surface="auth"))
        return replace(found, instance_url=BASE)


async def test_logins_that_build_on_others_do_not_wait_for_themselves(api, connect):
    limiter = FixedLimiter(1, logins=LoginLane(1))
    api.gate.set()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connect(Derived(f"app-{n}"), limiter=limiter))
            for n in range(5)
        ]
        await asyncio.gather(*(client.get("/").send() for client in clients for _ in range(20)))

    assert (api.logins, api.most_at_once) == (10, 1)


async def test_what_becomes_of_logins_does_not_move_the_limit_of_calls(api, connect):
    limiter = AdaptiveLimiter(initial=16)
    api.token = Response(
        400, {}, b'{"error": "invalid_grant", "error_description": "login rate exceeded"}'
    )
    api.gate.set()
    async with connect(limiter=limiter) as client:
        outcomes = await asyncio.gather(
            *(client.get("/").send() for _ in range(100)), return_exceptions=True
        )
        stats = client.stats()

    assert len(outcomes) == 100
    assert all(isinstance(one, SfConnectError) for one in outcomes)
    assert (limiter.limit, stats.throttled, limiter.in_flight) == (16, 0, 0)
