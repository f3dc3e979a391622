"""One login for all who wait, and replacement by the rejected token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.manager import CredentialManager, CredentialState
from sfconnect.errors import AuthError, ConfigurationError, PoolClosed, TransientAuthError
from sfconnect.instrumentation import Emitter, TokenFailed, TokenReplaced
from sfconnect.messages import Request
from sfconnect.testing import FakeClock, ScriptedSender, ScriptedStrategy, answer
from tests.unit.auth.offline import no_network


@pytest.fixture
def events() -> list[object]:
    return []


@pytest.fixture
def strategy() -> ScriptedStrategy:
    return ScriptedStrategy(login_s=1.0)


@pytest.fixture
async def manager(strategy, clock, events) -> AsyncIterator[CredentialManager]:
    made = CredentialManager(
        strategy, send=no_network, clock=clock, emitter=Emitter([events.append])
    )
    yield made
    await made.aclose()


def token_of(credentials: Credentials) -> str:
    return credentials.access_token.reveal()


def token(text: str) -> Credentials:
    return Credentials(Secret(text), "https://org.example.com")


async def logged_in(manager: CredentialManager, clock: FakeClock) -> Credentials:
    waiter = asyncio.create_task(manager.get())
    await clock.advance(1.0)
    return waiter.result()


def test_making_a_manager_needs_no_event_loop_and_logs_in_nowhere(strategy):
    manager = CredentialManager(strategy, send=no_network)

    assert manager.current is None
    assert manager.state is CredentialState.EXPIRED
    assert strategy.started == 0


async def test_a_cold_start_of_500_callers_logs_in_once(manager, strategy, clock):
    waiters = [asyncio.create_task(manager.get()) for _ in range(500)]

    await clock.advance(1.0)

    assert {token_of(await waiter) for waiter in waiters} == {"token-1"}
    assert strategy.started == 1
    assert manager.logins == 1


async def test_credentials_are_current_once_somebody_logged_in(manager, clock):
    credentials = await logged_in(manager, clock)

    assert manager.current is credentials
    assert manager.state is CredentialState.FRESH
    assert await manager.get() is credentials


async def test_staggered_401s_of_500_callers_cause_one_login(manager, strategy, clock):
    """The token is revoked; the callers notice at moments spread over half a second.

    Some of them notice while the login runs, some after it ended.
    """
    strategy.login_s = 0.2
    revoked = await logged_in(manager, clock)

    async def notice(after_s):
        await clock.sleep(after_s)
        return await manager.replace(revoked)

    callers = [asyncio.create_task(notice(number / 1000)) for number in range(500)]
    await clock.advance(1.0)

    assert {token_of(await caller) for caller in callers} == {"token-2"}
    assert strategy.started == 2


async def test_two_revocations_in_a_row_cause_one_login_each(manager, strategy, clock):
    first = await logged_in(manager, clock)

    for expected in ("token-2", "token-3"):
        rejected = manager.current or first
        callers = [asyncio.create_task(manager.replace(rejected)) for _ in range(50)]
        await clock.advance(1.0)
        assert {token_of(await caller) for caller in callers} == {expected}

    assert strategy.started == 3


async def test_replace_with_an_older_token_gives_the_new_one_without_a_login(
    manager, strategy, clock
):
    first = await logged_in(manager, clock)
    replacing = asyncio.create_task(manager.replace(first))
    await clock.advance(1.0)
    second = await replacing

    assert await manager.replace(first) is second
    assert strategy.started == 2


async def test_an_older_token_rejected_during_a_login_waits_for_that_login(
    manager, strategy, clock
):
    first = await logged_in(manager, clock)
    replacing = asyncio.create_task(manager.replace(first))
    await clock.advance(1.0)
    second = await replacing

    newest = asyncio.create_task(manager.replace(second))
    late = asyncio.create_task(manager.replace(first))
    await clock.advance(1.0)

    assert await late is await newest
    assert strategy.started == 3


async def test_replace_compares_tokens_not_objects(manager, strategy, clock):
    first = await logged_in(manager, clock)

    replacing = asyncio.create_task(manager.replace(token(token_of(first))))
    await clock.advance(1.0)

    assert token_of(await replacing) == "token-2"


async def test_a_rejected_token_is_no_longer_given_to_anybody(manager, clock):
    first = await logged_in(manager, clock)

    replacing = asyncio.create_task(manager.replace(first))
    waiting = asyncio.create_task(manager.get())
    await clock.settle()

    assert manager.current is None
    assert manager.state is CredentialState.EXPIRED
    await clock.advance(1.0)
    assert await waiting is await replacing


async def test_replace_before_any_login_logs_in(manager, strategy, clock):
    replacing = asyncio.create_task(manager.replace(token("from elsewhere")))
    await clock.advance(1.0)

    assert token_of(await replacing) == "token-1"


async def test_a_token_that_the_login_gives_again_is_not_asked_for_by_every_caller(clock):
    """Salesforce may hand the same session out again; if the API refuses it, a storm of logins
    would not change that."""
    same = token("same")
    strategy = ScriptedStrategy(*[same] * 10)
    manager = CredentialManager(strategy, send=no_network, clock=clock)
    first = await manager.get()

    for _ in range(5):
        assert await manager.replace(first) is same

    assert strategy.started == 2
    await clock.advance(60.0)
    assert await manager.replace(first) is same
    assert strategy.started == 3
    await manager.aclose()


async def test_a_cancelled_waiter_leaves_the_login_to_the_others(manager, strategy, clock):
    beginner = asyncio.create_task(manager.get())
    other = asyncio.create_task(manager.get())
    await clock.settle()

    beginner.cancel()
    await clock.advance(1.0)

    assert beginner.cancelled()
    assert token_of(await other) == "token-1"
    assert strategy.started == 1


async def test_a_login_that_nobody_waits_for_any_more_is_finished_and_kept(
    manager, strategy, clock
):
    waiters = [asyncio.create_task(manager.get()) for _ in range(3)]
    await clock.settle()

    for waiter in waiters:
        waiter.cancel()
    await clock.advance(1.0)

    assert strategy.finished == 1
    assert manager.current is not None
    assert token_of(await manager.get()) == "token-1"
    assert strategy.started == 1


@pytest.mark.parametrize("steps", range(8))
async def test_a_waiter_can_be_cancelled_at_any_await(manager, strategy, clock, steps):
    waiter = asyncio.create_task(manager.get())
    for _ in range(steps):
        await asyncio.sleep(0)

    waiter.cancel()
    await asyncio.wait({waiter})
    later = asyncio.create_task(manager.get())
    await clock.advance(1.0)

    assert waiter.cancelled()
    assert token_of(await later) == "token-1"
    assert strategy.started == 1


async def test_a_timeout_around_get_ends_the_wait_and_not_the_login(manager, clock):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await manager.get()

    await clock.advance(1.0)
    assert manager.current is not None


async def test_every_waiter_gets_the_error_of_a_failed_login(manager, strategy, clock):
    strategy.script = [AuthError("the org said no")]
    waiters = [asyncio.create_task(manager.get()) for _ in range(500)]

    await clock.advance(1.0)
    errors = await asyncio.gather(*waiters, return_exceptions=True)

    assert {str(error) for error in errors} == {"the org said no"}
    assert len({id(error) for error in errors}) == 500, "waiters must not share an instance"
    assert strategy.started == 1


async def test_waiters_share_no_growing_traceback(manager, strategy, clock):
    strategy.script = [AuthError("the org said no")]
    waiters = [asyncio.create_task(manager.get()) for _ in range(50)]
    await clock.advance(1.0)

    depths = set()
    for error in await asyncio.gather(*waiters, return_exceptions=True):
        depth, frame = 0, error.__traceback__
        while frame is not None:
            depth, frame = depth + 1, frame.tb_next
        depths.add(depth)

    assert len(depths) == 1


async def test_a_failed_login_is_tried_again_by_the_next_caller(manager, strategy, clock):
    strategy.script = [AuthError("only this once")]
    failing = asyncio.create_task(manager.get())
    await clock.advance(1.0)
    with pytest.raises(AuthError):
        await failing

    assert token_of(await logged_in(manager, clock)) == "token-2"


async def test_what_a_strategy_raises_against_its_contract_becomes_an_auth_error(clock, events):
    strategy = ScriptedStrategy(KeyError("token"))
    manager = CredentialManager(
        strategy, send=no_network, clock=clock, emitter=Emitter([events.append])
    )

    with pytest.raises(AuthError, match="ScriptedStrategy failed: KeyError") as caught:
        await manager.get()

    assert isinstance(caught.value.__cause__, KeyError)
    assert [type(event) for event in events] == [TokenFailed]
    await manager.aclose()


async def test_such_an_error_is_told_without_the_secrets_of_the_strategy(clock):
    @dataclass(frozen=True)
    class Careless:
        password: Secret

        async def authenticate(self, context):
            raise ValueError(f"cannot use {self.password.reveal()}")

    manager = CredentialManager(Careless(Secret("hunter2")), send=no_network, clock=clock)

    with pytest.raises(AuthError, match="Careless failed: ValueError: cannot use …"):
        await manager.get()
    await manager.aclose()


async def test_events_tell_why_a_login_was_made_and_name_no_secret(
    manager, strategy, clock, events
):
    first = await logged_in(manager, clock)
    replacing = asyncio.create_task(manager.replace(first))
    await clock.advance(1.0)
    second = await replacing
    strategy.script = [AuthError("refused", code="invalid_grant")]
    failing = asyncio.create_task(manager.replace(second))
    await clock.advance(1.0)
    await asyncio.wait({failing})

    name, key = "ScriptedStrategy", manager.identity
    assert events == [
        TokenReplaced(name, key, "initial", 1000.0),
        TokenReplaced(name, key, "rejected", 1000.0),
        TokenFailed(name, key, "rejected", "AuthError", "invalid_grant"),
    ]
    assert failing.exception() is not None


async def test_closing_stops_the_login_and_tells_those_who_wait(manager, strategy, clock):
    waiters = [asyncio.create_task(manager.get()) for _ in range(3)]
    await clock.settle()

    await manager.aclose()

    for waiter in waiters:
        with pytest.raises(PoolClosed):
            await waiter
    assert strategy.finished == 0


async def test_a_closed_manager_holds_no_credentials_and_gives_none(manager, strategy, clock):
    credentials = await logged_in(manager, clock)

    await manager.aclose()
    await manager.aclose()

    assert manager.current is None
    with pytest.raises(PoolClosed):
        await manager.get()
    with pytest.raises(PoolClosed):
        await manager.replace(credentials)
    assert strategy.started == 1


async def test_closing_while_a_login_ends_keeps_nothing(clock):
    class Stubborn:
        """It finishes its work although it is cancelled."""

        async def authenticate(self, context):
            try:
                await context.clock.sleep(1.0)
            except asyncio.CancelledError:
                return token("late")
            raise AssertionError

    manager = CredentialManager(Stubborn(), send=no_network, clock=clock)
    waiter = asyncio.create_task(manager.get())
    await clock.settle()

    await manager.aclose()

    assert manager.current is None
    assert token_of(await waiter) == "late"


async def test_revoke_ends_the_session_and_the_next_caller_logs_in(manager, strategy, clock):
    await logged_in(manager, clock)

    revoking = asyncio.create_task(manager.revoke())
    await clock.advance(1.0)

    assert await revoking is True
    assert strategy.revoked == ["token-1"]
    assert manager.state is CredentialState.EXPIRED
    assert token_of(await logged_in(manager, clock)) == "token-2"


async def test_revoke_ends_a_token_that_is_an_option(clock):
    class Bringing(ScriptedStrategy):
        identity_secrets = ("access_token",)

    strategy = Bringing()
    manager = CredentialManager(strategy, send=no_network, clock=clock)

    assert await manager.revoke() is True
    assert strategy.revoked == ["token-1"]
    assert manager.state is CredentialState.EXPIRED
    await manager.aclose()


async def test_revoke_logs_nobody_in_to_have_something_to_end(manager, strategy):
    assert await manager.revoke() is False
    assert strategy.started == 0


async def test_revoke_waits_for_a_login_under_way(manager, strategy, clock):
    waiter = asyncio.create_task(manager.get())
    await clock.settle()

    revoking = asyncio.create_task(manager.revoke())
    await clock.advance(2.0)

    assert await revoking is True
    assert strategy.revoked == ["token-1"]
    assert token_of(await waiter) == "token-1"


async def test_revoke_after_a_failing_login_has_nothing_to_end(manager, strategy, clock):
    strategy.script = [AuthError("no")]
    waiter = asyncio.create_task(manager.get())
    await clock.settle()
    revoking = asyncio.create_task(manager.revoke())
    await clock.advance(1.0)

    assert await revoking is False
    assert strategy.revoked == []
    with pytest.raises(AuthError):
        await waiter


async def test_a_login_made_while_revoking_is_kept(manager, strategy, clock):
    first = await logged_in(manager, clock)
    revoking = asyncio.create_task(manager.revoke())
    await clock.settle()
    strategy.login_s = 0.5
    replacing = asyncio.create_task(manager.replace(first))

    await clock.advance(1.0)

    assert await revoking is True
    assert manager.current is await replacing


async def test_revoke_without_a_way_to_tell_the_server_just_forgets(clock):
    class Given:
        async def authenticate(self, _context):
            return token("given")

    manager = CredentialManager(Given(), send=no_network, clock=clock)
    await manager.get()

    assert await manager.revoke() is False
    assert manager.current is None


async def test_equal_child_strategies_share_one_login(manager, clock):
    class Base(ScriptedStrategy):
        def __eq__(self, other):
            return isinstance(other, Base)

        def __hash__(self):
            raise AssertionError("options need not be hashable")

    base = Base(login_s=1.0)

    class Derived:
        async def authenticate(self, context):
            credentials = await context.child(base)
            await context.child(Base())
            return token("derived of " + token_of(credentials))

    derived = CredentialManager(Derived(), send=no_network, clock=clock)

    credentials = await logged_in(derived, clock)

    assert token_of(credentials) == "derived of token-1"
    assert base.started == 1
    assert derived.child(base) is derived.child(Base())
    await derived.aclose()
    with pytest.raises(PoolClosed):
        await derived.child(base).get()


async def test_unequal_child_strategies_have_logins_of_their_own(manager, clock):
    one, other = ScriptedStrategy(), ScriptedStrategy()

    await manager.child(one).get()
    await manager.child(other).get()

    assert (one.started, other.started) == (1, 1)


async def test_passing_faults_are_met_with_three_tries(manager, strategy, clock):
    strategy.script = [TransientAuthError("busy"), TransientAuthError("busy")]
    waiter = asyncio.create_task(manager.get())

    await clock.advance(5.0)

    assert token_of(await waiter) == "token-3"
    assert manager.logins == 1


class Sending:
    """A strategy that sends one request wherever it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def authenticate(self, context):
        await context.send(Request("POST", self.url))
        return token("sent")


@pytest.mark.parametrize(
    "url", ["http://auth.example.com/x?secret=1", "/path", "ftp://localhost.x"]
)
async def test_no_strategy_can_send_a_secret_readably(clock, url):
    manager = CredentialManager(Sending(url), send=no_network, clock=clock)

    with pytest.raises(ConfigurationError, match="it was not sent") as caught:
        await manager.get()

    assert "secret" not in caught.value.message
    await manager.aclose()


@pytest.mark.parametrize("url", ["https://auth.example.com/x?y=z", "http://127.0.0.1:80/x"])
async def test_https_and_loopback_are_sent(clock, url):
    sender = ScriptedSender(answer())
    manager = CredentialManager(Sending(url), send=sender, clock=clock)

    await manager.get()

    assert sender.last.path == url
    await manager.aclose()


async def test_the_log_of_strategies_redacts(manager):
    import structlog

    with structlog.testing.capture_logs() as captured:
        manager._context.log.warning("auth.note", client_secret="canary", count=1)

    assert captured == [
        {"event": "auth.note", "client_secret": "[redacted]", "count": 1, "log_level": "warning"}
    ]
