"""Expiry, early renewal, refresh from the old credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.manager import CredentialManager, CredentialState
from sfconnect.errors import AuthConfigurationError, AuthError, ReauthorizationRequired
from sfconnect.instrumentation import Emitter, TokenFailed, TokenReplaced
from sfconnect.testing import ScriptedStrategy
from tests.unit.auth.offline import no_network

LIFE_S = 3600.0
EARLY_S = 300.0


@pytest.fixture
def strategy() -> ScriptedStrategy:
    return ScriptedStrategy(login_s=1.0, expires_in=LIFE_S)


@pytest.fixture
def events() -> list[object]:
    return []


@pytest.fixture
async def manager(strategy, clock, events) -> AsyncIterator[CredentialManager]:
    """A manager whose first login is done."""
    made = CredentialManager(
        strategy, send=no_network, clock=clock, emitter=Emitter([events.append])
    )
    waiter = asyncio.create_task(made.get())
    await clock.advance(1.0)
    await waiter
    yield made
    await made.aclose()


def token_of(credentials: Credentials) -> str:
    return credentials.access_token.reveal()


async def test_credentials_turn_stale_and_then_expire(manager, clock):
    seen = []
    for passing_s in (LIFE_S - EARLY_S - 0.5, 1.0, EARLY_S):
        await clock.advance(passing_s)
        seen.append((manager.state, manager.current is None))

    assert seen == [
        (CredentialState.FRESH, False),
        (CredentialState.STALE, True),
        (CredentialState.EXPIRED, True),
    ]


async def test_credentials_of_unknown_life_stay_fresh(clock):
    strategy = ScriptedStrategy()
    manager = CredentialManager(strategy, send=no_network, clock=clock)
    credentials = await manager.get()

    await clock.advance(10**9)

    assert manager.current is credentials
    await manager.aclose()


async def test_a_stale_token_is_used_while_one_task_renews_it(manager, strategy, clock, events):
    await clock.advance(LIFE_S - EARLY_S)

    given = [await manager.get() for _ in range(100)]

    assert {token_of(credentials) for credentials in given} == {"token-1"}
    await clock.advance(1.0)
    assert token_of(await manager.get()) == "token-2"
    assert strategy.started == 2
    assert [event.reason for event in events] == ["initial", "early"]


async def test_a_failed_early_renewal_is_swallowed_and_repeated_after_30_s(
    manager, strategy, clock, events
):
    strategy.script = [AuthError("busy"), AuthError("busy")]
    await clock.advance(LIFE_S - EARLY_S)

    tries = []
    for _ in range(46):
        assert token_of(await manager.get()) == "token-1"
        await clock.advance(1.0)
        tries.append(strategy.started - 1)

    assert tries[:30] == [1] * 30
    assert tries[-1] == 2
    assert [type(event) for event in events] == [TokenReplaced, TokenFailed, TokenFailed]
    await clock.advance(45.0)
    await manager.get()
    await clock.advance(1.0)
    assert manager.state is CredentialState.FRESH


async def test_processes_that_failed_together_do_not_try_again_together(clock):
    """Each waits a little longer than 30 s, and not the same."""
    times = set()

    class Failing(ScriptedStrategy):
        async def authenticate(self, context):
            if self.started == 2:
                times.add(clock.monotonic())
            return await super().authenticate(context)

    strategies = [Failing(expires_in=LIFE_S) for _ in range(8)]
    managers = [CredentialManager(one, send=no_network, clock=clock) for one in strategies]
    for one in managers:
        await one.get()
    for failing in strategies:
        failing.script = [AuthError("busy")]
    await clock.advance(LIFE_S - EARLY_S)

    start = clock.monotonic()
    while len(times) < 8 and clock.monotonic() < start + 60:
        for one in managers:
            await one.get()
        await clock.advance(0.1)

    assert len(times) > 4
    assert min(times) >= start + 30.0
    assert max(times) <= start + 45.2
    for one in managers:
        await one.aclose()


async def test_hopeless_early_renewals_pause_a_minute_and_fail_nobody(manager, strategy, clock):
    strategy.script = [AuthConfigurationError("app is gone")] * 10
    await clock.advance(LIFE_S - EARLY_S)

    for _ in range(59):
        assert token_of(await manager.get()) == "token-1"
        await clock.advance(1.0)

    assert strategy.started == 2


async def test_after_failed_renewals_the_error_reaches_callers_once_the_token_expired(
    manager, strategy, clock
):
    strategy.script = [AuthError("busy")] * 100
    await clock.advance(LIFE_S - EARLY_S)
    assert token_of(await manager.get()) == "token-1"
    await clock.advance(EARLY_S)

    waiter = asyncio.create_task(manager.get())
    await clock.advance(1.0)

    with pytest.raises(AuthError, match="busy"):
        await waiter


async def test_who_needs_a_login_joins_an_early_renewal_under_way(manager, strategy, clock, events):
    strategy.login_s = 20.0
    await clock.advance(LIFE_S - EARLY_S)
    old = await manager.get()
    await clock.advance(1.0)

    waiters = [asyncio.create_task(manager.replace(old)) for _ in range(10)]
    await clock.advance(20.0)

    assert {token_of(await waiter) for waiter in waiters} == {"token-2"}
    assert strategy.started == 2
    assert events[-1].reason == "early"


async def test_closing_cancels_an_early_renewal(manager, strategy, clock):
    await clock.advance(LIFE_S - EARLY_S)
    await manager.get()
    await clock.settle()

    await manager.aclose()

    assert (strategy.started, strategy.finished) == (2, 1)


async def test_an_expired_token_is_replaced_before_anybody_gets_one(
    manager, strategy, clock, events
):
    await clock.advance(LIFE_S)

    waiters = [asyncio.create_task(manager.get()) for _ in range(10)]
    await clock.advance(1.0)

    assert {token_of(await waiter) for waiter in waiters} == {"token-2"}
    assert events[-1].reason == "expired"


async def test_a_short_life_is_stale_for_its_last_fifth_only(clock):
    strategy = ScriptedStrategy(expires_in=100.0)
    manager = CredentialManager(strategy, send=no_network, clock=clock)
    await manager.get()

    seen = []
    for passing_s in (79.0, 2.0):
        await clock.advance(passing_s)
        seen.append(manager.state)

    assert seen == [CredentialState.FRESH, CredentialState.STALE]
    await manager.aclose()


async def test_a_token_that_arrives_expired_is_used_until_it_is_refused(clock):
    """A wrong clock must not end in a login for every call."""
    strategy = ScriptedStrategy(expires_in=-5.0)
    manager = CredentialManager(strategy, send=no_network, clock=clock)

    for _ in range(3):
        await manager.get()

    assert strategy.started == 1
    await manager.aclose()


async def test_a_wall_clock_that_jumps_ahead_renews_early_and_blocks_nobody(
    manager, strategy, clock
):
    clock.shift_wall(LIFE_S - EARLY_S)

    assert token_of(await manager.get()) == "token-1"
    await clock.advance(1.0)
    assert strategy.started == 2


async def test_a_wall_clock_that_is_set_back_does_not_make_a_token_live_longer(
    manager, strategy, clock
):
    clock.shift_wall(-24 * 3600.0)

    seen = []
    for passing_s in (LIFE_S - EARLY_S, EARLY_S):
        await clock.advance(passing_s)
        seen.append(manager.state)

    assert seen == [CredentialState.STALE, CredentialState.EXPIRED]
    waiter = asyncio.create_task(manager.get())
    await clock.advance(1.0)
    assert token_of(await waiter) == "token-2"


async def test_a_machine_that_slept_does_not_use_a_token_that_expired_meanwhile(
    manager, strategy, clock
):
    """Some monotonic clocks stand still during the sleep, and the wall clock does not."""
    clock.shift_wall(LIFE_S)

    assert manager.current is None
    waiter = asyncio.create_task(manager.get())
    await clock.advance(1.0)

    assert token_of(await waiter) == "token-2"
    assert manager.state is CredentialState.FRESH


async def test_a_token_of_unknown_life_may_be_given_one(clock):
    """Salesforce tells none, and ends sessions that nobody used for a while."""
    strategy = ScriptedStrategy()
    manager = CredentialManager(strategy, send=no_network, clock=clock, assumed_s=1000.0)
    await manager.get()

    seen = []
    for passing_s in (799.0, 2.0, 200.0):
        await clock.advance(passing_s)
        seen.append(manager.state)

    assert seen == [CredentialState.FRESH, CredentialState.STALE, CredentialState.EXPIRED]
    await manager.aclose()


async def test_a_known_life_counts_for_more_than_an_assumed_one(clock):
    strategy = ScriptedStrategy(expires_in=LIFE_S)
    manager = CredentialManager(strategy, send=no_network, clock=clock, assumed_s=10.0)
    await manager.get()

    await clock.advance(LIFE_S - EARLY_S - 1)

    assert manager.state is CredentialState.FRESH
    await manager.aclose()


class Rotating:
    """Renews from a refresh token that changes every time, or stays unsaid."""

    def __init__(self, *, rotates: bool) -> None:
        self.rotates = rotates
        self.used: list[str] = []

    async def authenticate(self, context):
        self.used.append("configured")
        return Credentials(Secret("a0"), "https://org", refresh_token=Secret("r0"))

    async def refresh(self, context, credentials):
        self.used.append(credentials.refresh_token.reveal())
        number = len(self.used) - 1
        rotated = Secret(f"r{number}") if self.rotates else None
        return Credentials(Secret(f"a{number}"), "https://org", refresh_token=rotated)


@pytest.mark.parametrize(
    ("rotates", "used"),
    [(True, ["configured", "r0", "r1"]), (False, ["configured", "r0", "r0"])],
    ids=["rotated", "kept"],
)
async def test_the_newest_refresh_token_is_used_next(clock, rotates, used):
    strategy = Rotating(rotates=rotates)
    manager = CredentialManager(strategy, send=no_network, clock=clock)

    credentials = await manager.get()
    for _ in range(2):
        credentials = await manager.replace(credentials)

    assert strategy.used == used
    assert credentials.refresh_token is not None
    await manager.aclose()


async def test_a_refused_refresh_token_is_not_followed_by_a_login_with_an_older_one(clock):
    class Refused(Rotating):
        async def refresh(self, context, credentials):
            await super().refresh(context, credentials)
            raise ReauthorizationRequired("revoked")

    strategy = Refused(rotates=True)
    manager = CredentialManager(strategy, send=no_network, clock=clock)
    credentials = await manager.get()

    with pytest.raises(ReauthorizationRequired):
        await manager.replace(credentials)
    await clock.advance(61.0)
    with pytest.raises(ReauthorizationRequired):
        await manager.get()

    assert strategy.used == ["configured", "r0", "r0"]
    await manager.aclose()
