"""Negative memory, the breaker for login rates, and bounded tries at passing faults."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from sfconnect.auth.base import Credentials
from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    ConnectError,
    ConnectionLostError,
    InvalidCredentialsError,
    LoginRateLimited,
    PluginError,
    PoolTimeout,
    ReauthorizationRequired,
    RequestTimeoutError,
    SfConnectError,
    TransientAuthError,
)
from sfconnect.testing import FakeClock, ScriptedStrategy
from tests.unit.auth.offline import no_network


@pytest.fixture
def strategy() -> ScriptedStrategy:
    return ScriptedStrategy()


@pytest.fixture
async def manager(strategy, clock):
    made = CredentialManager(strategy, send=no_network, clock=clock)
    yield made
    await made.aclose()


async def failure(manager: CredentialManager, clock: FakeClock) -> SfConnectError:
    """The error of one call, with enough time for all its tries."""
    waiter = asyncio.create_task(manager.get())
    await clock.advance(0.0)
    while not waiter.done():
        await clock.advance(1.0)
    error = waiter.exception()
    assert isinstance(error, SfConnectError)
    return error


HOPELESS = [
    AuthConfigurationError("no run-as user", code="invalid_grant", hint="set one"),
    InvalidCredentialsError("wrong secret"),
    ReauthorizationRequired("revoked"),
    AppAccessDenied("not for you"),
]


@pytest.mark.parametrize("error", HOPELESS, ids=lambda error: type(error).__name__)
async def test_a_hopeless_login_is_not_repeated_for_a_minute(manager, strategy, clock, error):
    strategy.script = [error]

    seen = [await failure(manager, clock) for _ in range(100)]

    assert strategy.started == 1
    assert {(type(one), str(one)) for one in seen} == {(type(error), str(error))}
    await clock.advance(60.0)
    await manager.get()
    assert strategy.started == 2


async def test_a_remembered_error_is_a_new_instance_without_old_frames(manager, strategy, clock):
    cause = ValueError("the reason")
    error = InvalidCredentialsError("wrong secret", code="invalid_client", status=401)
    error.__cause__ = cause
    strategy.script = [error]
    first = await failure(manager, clock)

    again = [await failure(manager, clock) for _ in range(2)]

    assert len({id(one) for one in (first, *again)}) == 3
    assert all(one.__cause__ is cause for one in again)
    assert all((one.code, one.status) == ("invalid_client", 401) for one in again)
    frames = 0
    trace = again[1].__traceback__
    while trace is not None:
        frames, trace = frames + 1, trace.tb_next
    assert frames <= 3


async def test_replace_meets_the_memory_too(manager, strategy, clock):
    credentials = await manager.get()
    strategy.script = [AuthConfigurationError("app removed")]
    with pytest.raises(AuthConfigurationError):
        await manager.replace(credentials)

    with pytest.raises(AuthConfigurationError):
        await manager.replace(credentials)

    assert strategy.started == 2


async def test_a_login_that_works_ends_the_memory(manager, strategy, clock):
    strategy.script = [LoginRateLimited("slow"), LoginRateLimited("slow")]
    await failure(manager, clock)
    await clock.advance(60.0)
    await failure(manager, clock)
    await clock.advance(120.0)
    credentials = await manager.get()

    strategy.script = [LoginRateLimited("slow")]
    with pytest.raises(LoginRateLimited):
        await manager.replace(credentials)
    await clock.advance(60.0)

    assert await manager.get()


async def test_too_many_logins_open_a_breaker_that_grows(manager, strategy, clock):
    strategy.script = [LoginRateLimited("slow down")] * 3

    for pause_s, logins in [(60.0, 1), (120.0, 2), (240.0, 3)]:
        await failure(manager, clock)
        await clock.advance(pause_s - 1)
        blocked = await failure(manager, clock)
        assert strategy.started == logins
        assert blocked.retry_after == pytest.approx(1.0)
        await clock.advance(1.0)

    await manager.get()
    assert strategy.started == 4


@pytest.mark.parametrize(
    ("asked_s", "kept_s"), [(7.0, 7.0), (10**6, 3600.0)], ids=["as asked", "at most an hour"]
)
async def test_the_breaker_keeps_the_time_that_the_server_asked_for(
    manager, strategy, clock, asked_s, kept_s
):
    strategy.script = [LoginRateLimited("slow down", retry_after=asked_s)]
    await failure(manager, clock)

    await clock.advance(kept_s - 0.1)
    assert isinstance(await failure(manager, clock), LoginRateLimited)
    await clock.advance(0.1)
    await manager.get()

    assert strategy.started == 2


PASSING = [TransientAuthError("busy"), ConnectError("refused")]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
async def test_a_passing_fault_is_tried_three_times_and_then_raised(
    manager, strategy, clock, error
):
    strategy.script = [error] * 100

    seen = await failure(manager, clock)

    assert type(seen) is type(error)
    assert strategy.started == 3
    await failure(manager, clock)
    assert strategy.started == 6, "a passing fault is not remembered"


async def test_tries_wait_as_long_as_the_server_asks_within_reason(manager, strategy, clock):
    patient, endless = TransientAuthError("busy"), TransientAuthError("busy")
    patient.retry_after, endless.retry_after = 5.0, 10**6
    strategy.script = [patient, endless]
    waiter = asyncio.create_task(manager.get())

    await clock.advance(4.9)
    assert strategy.started == 1
    await clock.advance(0.1)
    assert strategy.started == 2
    await clock.advance(30.0)

    assert (await waiter).access_token.reveal() == "token-3"


ONCE = [
    RequestTimeoutError("no answer"),
    ConnectionLostError("cut"),
    AuthError("who knows"),
    AuthConfigurationError("wrong"),
    LoginRateLimited("slow down"),
    PoolTimeout("full"),
]


@pytest.mark.parametrize("error", ONCE, ids=lambda error: type(error).__name__)
async def test_other_failures_are_not_tried_again_by_themselves(manager, strategy, clock, error):
    """A lost answer may have rotated a refresh token; the rest would fail again, or add load."""
    strategy.script = [error]

    seen = await failure(manager, clock)

    assert type(seen) is type(error)
    assert strategy.started == 1


async def test_a_waiter_that_is_cancelled_between_tries_leaves_them_to_others(
    manager, strategy, clock
):
    strategy.script = [TransientAuthError("busy")]
    leaving = asyncio.create_task(manager.get())
    staying = asyncio.create_task(manager.get())
    await clock.settle()

    leaving.cancel()
    await clock.advance(1.0)

    assert (await staying).access_token.reveal() == "token-2"
    assert strategy.started == 2


async def test_closing_during_the_wait_between_tries_ends_it(manager, strategy, clock):
    strategy.script = [TransientAuthError("busy")]
    waiter = asyncio.create_task(manager.get())
    await clock.settle()

    await manager.aclose()
    await clock.advance(10.0)

    assert strategy.started == 1
    assert waiter.exception() is not None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"access_token": "x"}, "gave dict instead of Credentials"),
        (None, "gave NoneType instead of Credentials"),
        (Credentials("plain", "https://a.example"), "not a Secret"),  # type: ignore[arg-type]  # so
    ],
    ids=["dict", "nothing", "plain-token"],
)
async def test_a_strategy_that_gives_no_credentials_is_named_and_nobody_is_left_waiting(
    clock, given, words
):
    class Wrong:
        async def authenticate(self, context):
            return given

    manager = CredentialManager(Wrong(), send=no_network, clock=clock)

    outcomes = await asyncio.gather(*(manager.get() for _ in range(5)), return_exceptions=True)

    assert all(isinstance(outcome, PluginError) for outcome in outcomes)
    assert {words in str(outcome) and "Wrong" in str(outcome) for outcome in outcomes} == {True}
    await manager.aclose()


async def refused_again(manager: CredentialManager, times: int) -> list[str]:
    """The tokens of a caller to whom the API refuses each one that it gets."""
    credentials, tokens = await manager.get(), []
    for _ in range(times):
        credentials = await manager.replace(credentials)
        tokens.append(credentials.access_token.reveal())
    return tokens


async def test_new_tokens_that_are_all_refused_stop_the_logins(manager, strategy, clock):
    """A missing right looks like a dead token, and would cause a login for every call."""
    tokens = await refused_again(manager, 8)

    assert tokens == [f"token-{number}" for number in (2, 3, 4, 5, 6, 6, 6, 6)]
    assert manager.current is not None


async def test_rejected_credentials_come_back_as_they_are_where_a_login_is_no_help(
    manager, strategy, clock
):
    await refused_again(manager, 5)
    held = await manager.get()

    assert await manager.replace(held) is held


async def test_pauses_grow_while_new_tokens_stay_no_help(manager, strategy, clock):
    """A call every 20 s for four hours; each pause is followed by one login, to see."""
    logins = []
    credentials = await manager.get()
    for second in range(0, 4 * 3600, 20):
        await clock.advance(20.0)
        before = strategy.started
        credentials = await manager.replace(credentials)
        logins += [second] * (strategy.started - before)

    gaps = [after - before for before, after in itertools.pairwise(logins)]
    assert gaps[:4] == [20] * 4
    assert [gap - 20 for gap in gaps[4:]] == [60, 120, 240, 480, 960, 1920, 3600, 3600]


async def test_tokens_that_lived_for_a_while_are_replaced_each_time(manager, strategy, clock):
    """Sessions that end every two minutes are a nuisance, and no missing right."""
    credentials = await manager.get()
    for _ in range(20):
        await clock.advance(61.0)
        credentials = await manager.replace(credentials)

    assert strategy.started == 21


async def test_after_a_quiet_minute_the_next_refusal_is_taken_for_a_dead_token(
    manager, strategy, clock
):
    await refused_again(manager, 7)
    await clock.advance(61.0)

    await refused_again(manager, 3)

    assert strategy.started == 9


async def test_new_tokens_that_the_api_accepts_are_a_help_however_often_they_die(
    manager, strategy, clock
):
    """An org under test revokes them by the second."""
    credentials = await manager.get()
    for _ in range(20):
        credentials = await manager.replace(credentials)
        manager.note_accepted()

    assert strategy.started == 21


async def test_many_calls_that_meet_one_dead_token_are_one_refusal(manager, strategy, clock):
    refused = await manager.get()
    for number in range(2, 6):
        given = await asyncio.gather(*(manager.replace(refused) for _ in range(100)))
        assert {one.access_token.reveal() for one in given} == {f"token-{number}"}
        refused = given[0]

    assert strategy.started == 5
