"""A program that logs in too often is warned, then stopped, however many managers it makes."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.login_rate import LoginLimits, LoginRates, login_rates
from sfconnect.auth.manager import CredentialManager
from sfconnect.clock import SYSTEM_CLOCK
from sfconnect.errors import LoginRateLimited, TransientAuthError
from sfconnect.instrumentation import Emitter, LoginRateHigh
from sfconnect.messages import Request
from sfconnect.testing import FakeClock, ScriptedSender, ScriptedStrategy, answer

HOUR_S = 3600.0
LOGIN = Request("POST", "https://login.example.com/token")


class Asking:
    """A login of one request; fails as long as it is told to."""

    def __init__(self, *errors: Exception, requests: int = 1) -> None:
        self.errors = list(errors)
        self.requests = requests
        self.number = 0

    async def authenticate(self, context):
        for _ in range(self.requests):
            await context.send(LOGIN)
        if self.errors:
            raise self.errors.pop(0)
        self.number += 1
        return Credentials(Secret(f"token-{self.number}"), "https://org")

    async def revoke(self, context, credentials):
        await context.send(LOGIN)


@pytest.fixture
def rates(clock) -> LoginRates:
    return LoginRates(clock)


@pytest.fixture
def events() -> list[object]:
    return []


@pytest.fixture
def network() -> ScriptedSender:
    return ScriptedSender(*[answer({}) for _ in range(2000)])


@pytest.fixture
async def connect(clock, rates, events, network):
    """Make a manager as a new connection of the same program does."""
    made: list[CredentialManager] = []

    def make(strategy=None, **limits) -> CredentialManager:
        manager = CredentialManager(
            strategy or Asking(), send=network, clock=clock, emitter=Emitter([events.append]),
            limits=LoginLimits(**limits), rates=rates,
        )  # fmt: skip
        made.append(manager)
        return manager

    yield make
    for manager in made:
        await manager.aclose()


def warnings_of(events: list[object]) -> list[tuple[int, bool]]:
    return [(one.logins, one.stopped) for one in events if isinstance(one, LoginRateHigh)]


async def test_the_defaults_warn_at_60_and_stop_at_600_logins_an_hour(connect, events, network):
    for _ in range(600):
        await connect().get()

    with pytest.raises(LoginRateLimited, match="Too many logins by this program: 600") as caught:
        await connect().get()

    assert warnings_of(events) == [(60, False), (600, True)]
    assert len(network.requests) == 600
    assert caught.value.retry_after == HOUR_S
    assert "token_store" in (caught.value.hint or "")


async def test_a_stopped_program_may_log_in_again_when_the_hour_is_over(connect, clock):
    await connect(stop_per_hour=2).get()
    await clock.advance(1000.0)
    await connect(stop_per_hour=2).get()
    manager = connect(stop_per_hour=2)
    with pytest.raises(LoginRateLimited) as caught:
        await manager.get()
    assert caught.value.retry_after == pytest.approx(HOUR_S - 1000.0)

    await clock.advance(HOUR_S - 1000.1)
    with pytest.raises(LoginRateLimited):
        await manager.get()
    await clock.advance(0.2)

    assert await manager.get()
    with pytest.raises(LoginRateLimited):
        await connect(stop_per_hour=2).get()


async def test_another_identity_is_counted_for_itself(connect):
    class Other(Asking):
        pass

    await connect(stop_per_hour=1).get()

    assert await connect(Other(), stop_per_hour=1).get()
    with pytest.raises(LoginRateLimited):
        await connect(stop_per_hour=1).get()


async def test_a_warning_is_repeated_after_an_hour_at_the_earliest(connect, clock, events):
    for _ in range(4):
        await connect(warn_per_hour=2).get()
    await clock.advance(HOUR_S)
    for _ in range(4):
        await connect(warn_per_hour=2).get()

    assert warnings_of(events) == [(2, False), (2, False)]


async def test_each_try_of_a_login_counts(connect, clock, network):
    manager = connect(Asking(TransientAuthError("busy"), TransientAuthError("busy")))
    manager._limits = LoginLimits(stop_per_hour=2)

    waiter = _started(manager)
    await clock.advance(10.0)

    with pytest.raises(LoginRateLimited):
        await waiter
    assert len(network.requests) == 2


def _started(manager: CredentialManager) -> asyncio.Future[Credentials]:

    return asyncio.ensure_future(manager.get())


async def test_a_login_of_several_requests_counts_once(connect):
    assert await connect(Asking(requests=5), stop_per_hour=1).get()


async def test_what_sends_nothing_is_no_login_to_anybody(connect, events):
    """A given token, an API key or a command costs the login server nothing."""
    for _ in range(5):
        await connect(ScriptedStrategy(), stop_per_hour=1, warn_per_hour=1).get()

    assert warnings_of(events) == []


async def test_revoking_is_no_login(connect, network):
    manager = connect(stop_per_hour=1)
    await manager.get()

    assert await manager.revoke() is True

    assert len(network.requests) == 2


async def test_no_limit_is_no_limit(connect, events):
    for _ in range(700):
        await connect(warn_per_hour=None, stop_per_hour=None).get()

    assert warnings_of(events) == []


async def test_a_limit_of_none_at_all_sends_nothing(connect, network):
    with pytest.raises(LoginRateLimited):
        await connect(stop_per_hour=0).get()

    assert network.requests == []


def test_the_machines_clock_has_one_count_for_the_whole_process():
    assert login_rates(SYSTEM_CLOCK) is login_rates(SYSTEM_CLOCK)
    assert login_rates(clock := FakeClock()) is not login_rates(clock)


async def test_identities_that_are_long_gone_are_forgotten(rates, clock):
    limits = LoginLimits()
    for number in range(1000):
        rates.admit(f"user {number}", limits)
    await clock.advance(HOUR_S)

    rates.admit("another", limits)

    assert list(rates._recent) == ["another"]
