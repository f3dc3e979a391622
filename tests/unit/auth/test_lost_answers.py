"""Refresh tokens that rotate, while answers are lost, others are faster and programs end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.chain import Chain
from sfconnect.auth.login import LANDING_S
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore, identity_key
from sfconnect.errors import (
    AuthConfigurationError,
    ConnectError,
    ConnectionLostError,
    CredentialUnavailableError,
    PoolClosed,
    ReauthorizationRequired,
    RequestTimeoutError,
    ResponseError,
    SfConnectError,
    TransientAuthError,
)
from sfconnect.salesforce.auth import RefreshToken
from sfconnect.testing import FakeClock

BAD_GATEWAY = TransientAuthError("bad gateway", status=502)
REFUSED = ReauthorizationRequired("expired access/refresh token", code="invalid_grant", status=400)
LOST = [
    ConnectionLostError("cut"),
    RequestTimeoutError("no answer"),
    ResponseError("half an answer"),
]


class Rotating:
    """Its server gives a new refresh token each time; a script says what becomes of the answers.

    ``None`` in the script is an answer that arrives. With a lost one the token is rotated all the
    same if ``rotates_when_lost``.
    """

    def __init__(self, *script: SfConnectError | None, rotates_when_lost: bool = False) -> None:
        self.refresh_token = "r0"
        self.script = list(script)
        self.rotates_when_lost = rotates_when_lost
        self.valid = "r0"
        self.number = 0
        self.used: list[str] = []
        self.login_s = 0.0

    async def authenticate(self, context):
        return await self._answer(context, "r0")

    async def refresh(self, context, credentials):
        return await self._answer(context, credentials.refresh_token.reveal())

    async def _answer(self, context, token):
        self.used.append(token)
        outcome = self.script.pop(0) if self.script else None
        rotates = token == self.valid and (outcome is None or self.rotates_when_lost)
        if token != self.valid:
            outcome = outcome or REFUSED
        if rotates:
            self.number += 1
            self.valid = f"r{self.number}"
        await context.clock.sleep(self.login_s)
        if outcome is not None:
            raise outcome
        return Credentials(
            Secret(f"a{self.number}"), "https://org", refresh_token=Secret(self.valid)
        )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def manage(clock, store):
    made: list[CredentialManager] = []

    async def no_network(request):
        raise AssertionError("scripted strategies send nothing")

    def make(strategy, store=store) -> CredentialManager:
        made.append(CredentialManager(strategy, send=no_network, clock=clock, store=store))
        return made[-1]

    yield make
    for manager in made:
        closing = asyncio.ensure_future(manager.aclose())
        await clock.advance(LANDING_S)
        await closing


async def outcome(
    clock: FakeClock, work: Coroutine[None, None, Credentials]
) -> Credentials | BaseException:
    """What comes of it, with enough time for all its tries."""
    task = asyncio.ensure_future(work)
    await clock.advance(30.0)
    assert task.done()
    return task.exception() or task.result()


def token_of(result: Credentials | BaseException) -> str:
    assert isinstance(result, Credentials), result
    return result.access_token.reveal()


def required(result: Credentials | BaseException) -> ReauthorizationRequired:
    assert isinstance(result, ReauthorizationRequired), result
    return result


@pytest.mark.parametrize("with_store", [True, False], ids=["store", "alone"])
@pytest.mark.parametrize("lost", LOST, ids=lambda error: type(error).__name__)
async def test_an_answer_that_is_lost_is_asked_for_once_more_and_quickly(
    manage, clock, lost, with_store
):
    strategy = Rotating(lost)
    manager = manage(strategy) if with_store else manage(strategy, None)
    waiter = asyncio.ensure_future(manager.get())

    await clock.advance(0.2)

    assert token_of(await waiter) == "a1"
    assert strategy.used == ["r0", "r0"]


async def test_a_token_that_was_rotated_while_the_answer_was_lost_needs_a_person(manage, clock):
    strategy = Rotating(LOST[0], rotates_when_lost=True)
    manager = manage(strategy)

    error = required(await outcome(clock, manager.get()))

    assert strategy.used == ["r0", "r0"]
    assert "The answer to a renewal was lost" in error.message
    assert "may have been rotated" in error.message
    assert "Authorise the app again" in (error.hint or "")
    assert (error.code, error.status, error.docs_key) == ("invalid_grant", 400, "rotated-and-lost")
    assert error.__cause__ is not None


async def test_an_answer_that_is_lost_twice_is_not_asked_for_a_third_time(manage, clock):
    strategy = Rotating(LOST[0], LOST[1])
    manager = manage(strategy)

    error = required(await outcome(clock, manager.get()))

    assert strategy.used == ["r0", "r0"]
    assert "neither answer arrived" in error.message
    assert "may have been rotated and the answer lost" in error.message
    assert error.docs_key == "renewal-lost"


async def test_a_renewal_in_doubt_that_was_not_rotated_works_later(manage, clock):
    """The doubt is not kept for ever: a network that was away comes back."""
    manager = manage(Rotating(LOST[0], LOST[1]))
    required(await outcome(clock, manager.get()))

    await clock.advance(60.0)

    assert token_of(await outcome(clock, manager.get())) == "a1"


async def test_a_network_that_is_gone_after_the_loss_is_told_as_such(manage, clock):
    """What was never sent can have changed nothing."""
    away = ConnectError("refused")
    strategy = Rotating(LOST[0], away, away, away)
    manager = manage(strategy)

    assert isinstance(await outcome(clock, manager.get()), ConnectError)
    assert strategy.used == ["r0"] * 3


async def test_a_gateways_error_is_retried_and_remembered_as_a_reason(manage, clock):
    strategy = Rotating(BAD_GATEWAY, rotates_when_lost=True)
    manager = manage(strategy)

    assert required(await outcome(clock, manager.get())).docs_key == "rotated-and-lost"
    assert strategy.used == ["r0", "r0"]


async def test_a_refusal_out_of_the_blue_keeps_its_own_words(manage, clock):
    manager = manage(Rotating(REFUSED))

    assert str(required(await outcome(clock, manager.get()))) == str(REFUSED)


@pytest.mark.parametrize("error", [LOST[0], BAD_GATEWAY], ids=["lost", "gateway"])
async def test_a_login_that_spends_no_refresh_token_knows_no_such_doubt(clock, manage, error):
    class Plain:
        started = 0

        async def authenticate(self, context):
            self.started += 1
            raise error

    strategy = Plain()

    result = await outcome(clock, manage(strategy).get())

    assert type(result) is type(error)
    assert strategy.started == (1 if error is LOST[0] else 3)


async def test_one_that_is_in_use_elsewhere_is_tried_again_after_a_look_into_the_store(
    manage, clock, store
):
    """Salesforce refuses a second request with a refresh token that it is working on."""
    busy = TransientAuthError("token request is already being processed", code="invalid_grant")
    strategy = Rotating(busy)
    manager = manage(strategy)
    waiter = asyncio.ensure_future(manager.get())
    await clock.settle()
    theirs = Credentials(Secret("theirs"), "https://org", refresh_token=Secret("r7"))
    await store.compare_and_swap(manager.identity, None, theirs)

    await clock.advance(0.5)

    assert await waiter == theirs
    assert strategy.used == ["r0"]


async def test_tries_are_spread_so_that_two_processes_do_not_meet_again(manage, clock):
    """Ten of them failed at the same moment; the next try comes at ten moments."""
    times: list[float] = []

    class Busy(Rotating):
        async def _answer(self, context, token):
            times.append(context.clock.monotonic())
            return await super()._answer(context, token)

    waiters = [
        asyncio.ensure_future(manage(Busy(TransientAuthError("busy")), None).get())
        for _ in range(10)
    ]
    await clock.advance(1.0)
    await asyncio.gather(*waiters)

    assert len(set(times)) == 11
    assert max(times) - min(times) <= 0.5


class Overtaken(MemoryStore):
    """Somebody writes without this process's lock, after it has read."""

    def __init__(self, theirs: Credentials) -> None:
        super().__init__()
        self.theirs = theirs
        self.reads = 0

    async def get(self, key):
        self.reads += 1
        if self.reads == 2:
            record = await super().get(key)
            await super().compare_and_swap(key, record.generation if record else None, self.theirs)
        return await super().get(key)


async def test_a_refused_token_is_no_error_where_the_store_has_a_newer_one(manage, clock):
    theirs = Credentials(Secret("theirs"), "https://org", refresh_token=Secret("r7"))
    strategy = Rotating(REFUSED)
    manager = manage(strategy, Overtaken(theirs))

    assert await outcome(clock, manager.get()) == theirs
    assert strategy.used == ["r0"]
    assert manager.logins == 0


async def test_a_newer_refresh_token_is_used_where_its_access_token_has_expired(manage, clock):
    theirs = Credentials(
        Secret("theirs"), "https://org", expires_at=clock.time() - 1, refresh_token=Secret("r7")
    )
    strategy = Rotating(REFUSED)
    manager = manage(strategy, Overtaken(theirs))
    strategy.valid = "r7"

    assert token_of(await outcome(clock, manager.get())) == "a1"
    assert strategy.used == ["r0", "r7"]


async def test_a_write_that_kept_the_refresh_token_does_not_make_it_newer(manage, clock):
    """Else a refused token would be sent again."""
    strategy = Rotating(None, REFUSED, REFUSED)
    held = Credentials(
        Secret("other"), "https://org", expires_at=clock.time() - 1, refresh_token=Secret("r1")
    )
    store = Overtaken(held)
    manager = manage(strategy, store)
    first = await manager.get()
    store.reads = 0

    required(await outcome(clock, manager.replace(first)))

    assert strategy.used == ["r0", "r1"]


async def test_stores_that_change_all_the_time_end_the_tries_all_the_same(manage, clock):
    class Restless(MemoryStore):
        number = 0

        async def get(self, key):
            self.number += 1
            token = Secret(f"x{self.number}")
            past = clock.time() - 1
            stored = Credentials(token, "https://org", expires_at=past, refresh_token=token)
            record = await super().get(key)
            await super().compare_and_swap(key, record.generation if record else None, stored)
            return await super().get(key)

    strategy = Rotating()
    manager = manage(strategy, Restless())

    required(await outcome(clock, manager.get()))

    assert len(strategy.used) == 2


async def test_closing_waits_for_a_rotated_token_that_is_on_its_way(manage, clock, store):
    """The server has changed it already; only the answer can tell the new one."""
    strategy = Rotating()
    strategy.login_s = 5.0
    manager = manage(strategy)
    waiter = asyncio.ensure_future(manager.get())
    await clock.settle()

    closing = asyncio.ensure_future(manager.aclose())
    await clock.advance(4.9)
    assert not closing.done()
    await clock.advance(0.1)
    await closing

    record = await store.get(manager.identity)
    assert record is not None
    assert record.credentials.refresh_token == Secret("r1")
    assert isinstance(waiter.exception(), PoolClosed)
    assert clock.sleepers == 0


async def test_closing_waits_no_longer_than_it_should(manage, clock, store):
    strategy = Rotating()
    strategy.login_s = 3600.0
    manager = manage(strategy)
    waiter = asyncio.ensure_future(manager.get())
    await clock.settle()

    closing = asyncio.ensure_future(manager.aclose())
    await clock.advance(LANDING_S)
    await closing

    assert await store.get(manager.identity) is None
    assert isinstance(waiter.exception(), PoolClosed)


async def test_closing_without_a_store_waits_for_nothing(manage, clock):
    """The new token would be gone with the process anyhow."""
    strategy = Rotating()
    strategy.login_s = 3600.0
    manager = manage(strategy, None)
    waiter = asyncio.ensure_future(manager.get())
    await clock.settle()

    await manager.aclose()

    assert isinstance(waiter.exception(), PoolClosed)


async def test_a_renewal_that_fails_while_the_program_ends_is_no_complaint(
    manage, clock, store, caplog
):
    strategy = Rotating(AuthConfigurationError("app is gone"))
    strategy.login_s = 5.0
    manager = manage(strategy)
    waiter = asyncio.ensure_future(manager.get())
    await clock.settle()

    closing = asyncio.ensure_future(manager.aclose())
    await clock.advance(5.0)
    await closing
    del strategy, manager

    assert isinstance(waiter.exception(), PoolClosed)
    assert caplog.records == []


def test_a_changed_app_or_host_or_token_is_another_record():
    """A record is found only by the login that it was made for."""
    login = RefreshToken("https://acme.my.salesforce.com", "app", "r0")
    changed = [
        replace(login, client_id="other"),
        replace(login, login_url="https://other.my.salesforce.com"),
        replace(login, refresh_token="r1"),
    ]

    assert len({identity_key(one) for one in (login, *changed)}) == 4
    assert identity_key(replace(login, client_secret="rotated")) == identity_key(login)


class Idle:
    """A login that logs in by itself; here it must not be asked."""

    def __init__(self, token: str = "of another user") -> None:
        self.token = token
        self.asked = 0

    async def authenticate(self, context):
        self.asked += 1
        return Credentials(Secret(self.token), "https://other")


class Missing(Idle):
    async def authenticate(self, context):
        self.asked += 1
        raise CredentialUnavailableError("not installed")


class TestChain:
    """A chain of which one login rotates its refresh token."""

    @pytest.mark.parametrize("lost", LOST, ids=lambda error: type(error).__name__)
    async def test_a_lost_answer_is_asked_for_again_and_not_handed_on(self, manage, clock, lost):
        rotating, other = Rotating(lost), Idle()
        manager = manage(Chain(Missing(), rotating, other))

        result = await outcome(clock, manager.get())

        assert token_of(result) == "a1"
        assert rotating.used == ["r0", "r0"]
        assert other.asked == 0

    async def test_a_token_that_was_rotated_and_lost_is_told_of(self, manage, clock):
        rotating, other = Rotating(LOST[0], rotates_when_lost=True), Idle()
        manager = manage(Chain(rotating, other))

        error = required(await outcome(clock, manager.get()))

        assert error.docs_key == "rotated-and-lost"
        assert other.asked == 0
        assert required(await outcome(clock, manager.get())).docs_key == "rotated-and-lost"
        assert rotating.used == ["r0", "r0"]  # no third time, whoever asks

    async def test_a_renewal_whose_answer_was_lost_stays_with_its_login(self, manage, clock):
        rotating, other = Rotating(None, LOST[1], LOST[1]), Idle()
        manager = manage(Chain(rotating, other))
        first = await manager.get()

        error = required(await outcome(clock, manager.replace(first)))

        assert error.docs_key == "renewal-lost"
        assert rotating.used == ["r0", "r1", "r1"]
        assert other.asked == 0

    async def test_an_answer_on_its_way_is_kept_when_the_program_ends(self, manage, clock, store):
        rotating = Rotating()
        rotating.login_s = 5.0
        manager = manage(Chain(rotating))
        waiter = asyncio.ensure_future(manager.get())
        await clock.advance(1.0)

        closing = asyncio.ensure_future(manager.aclose())
        await clock.advance(4.0)
        await closing

        with pytest.raises(PoolClosed):
            await waiter
        record = await store.get(manager.identity)
        assert record is not None
        assert record.credentials.refresh_token == Secret("r1")

    async def test_a_lost_answer_of_a_login_without_one_is_no_reason_to_ask_a_person(
        self, manage, clock
    ):
        class Lossy(Idle):
            async def authenticate(self, context):
                self.asked += 1
                raise ConnectionLostError("cut")

        lossy, rotating = Lossy(), Rotating()
        manager = manage(Chain(lossy, rotating))

        result = await outcome(clock, manager.get())

        assert isinstance(result, ConnectionLostError)
        assert (lossy.asked, rotating.used) == (1, [])
