"""A token store shared between managers: adopt, write first, survive its faults."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.manager import CredentialManager, CredentialState
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import PoolClosed, TokenStoreError
from sfconnect.instrumentation import Emitter, Event, TokenFailed, TokenReplaced
from sfconnect.testing import FakeClock, ScriptedStrategy
from tests.unit.auth.offline import no_network


@pytest.fixture
def strategy() -> ScriptedStrategy:
    return ScriptedStrategy(login_s=1.0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def processes(strategy, store, clock):
    """Four managers that stand for four processes with one store."""
    made = [
        CredentialManager(strategy, send=no_network, clock=clock, store=store) for _ in range(4)
    ]
    yield made
    for manager in made:
        await manager.aclose()


def token_of(credentials: Credentials) -> str:
    return credentials.access_token.reveal()


async def stored_in(store: MemoryStore, manager: CredentialManager) -> Credentials:
    record = await store.get(manager.identity)
    assert record is not None
    return record.credentials


async def all_of(clock: FakeClock, *waiters) -> set[str]:
    tasks = [asyncio.ensure_future(waiter) for waiter in waiters]
    await clock.advance(10.0)
    return {token_of(await task) for task in tasks}


async def test_four_processes_with_one_store_log_in_once(processes, strategy, clock):
    tokens = await all_of(clock, *(p.get() for p in processes for _ in range(25)))

    assert tokens == {"token-1"}
    assert strategy.started == 1
    assert sorted(p.logins for p in processes) == [0, 0, 0, 1]


async def test_four_processes_replace_one_rejected_token_once(processes, strategy, clock):
    await all_of(clock, *(p.get() for p in processes))
    rejected = processes[0].current

    tokens = await all_of(clock, *(p.replace(rejected) for p in processes for _ in range(25)))

    assert tokens == {"token-2"}
    assert strategy.started == 2


async def test_a_token_that_another_process_got_is_adopted_without_an_event(
    strategy, store, clock, processes
):
    events: list[object] = []
    await all_of(clock, processes[0].get())
    late = CredentialManager(
        strategy, send=no_network, clock=clock, store=store, emitter=Emitter([events.append])
    )

    assert await all_of(clock, late.get()) == {"token-1"}
    assert events == []
    await late.aclose()


async def test_an_expired_token_in_the_store_is_not_adopted(clock, store):
    strategy = ScriptedStrategy(expires_in=100.0)
    first, late = (
        CredentialManager(strategy, send=no_network, clock=clock, store=store) for _ in range(2)
    )
    await first.get()
    await clock.advance(101.0)

    assert token_of(await late.get()) == "token-2"
    await first.aclose()
    await late.aclose()


async def test_the_token_at_hand_is_no_news_however_often_it_was_written(clock, store):
    """Salesforce may give another process the very session that this one has."""
    strategy = ScriptedStrategy(expires_in=100.0)
    manager = CredentialManager(strategy, send=no_network, clock=clock, store=store)
    credentials = await manager.get()
    await store.compare_and_swap(manager.identity, 1, replace(credentials, expires_at=None))
    await clock.advance(101.0)

    assert token_of(await manager.get()) == "token-2"
    await manager.aclose()


async def test_a_valid_token_with_an_expiry_is_adopted(clock, store):
    strategy = ScriptedStrategy(expires_in=100.0)
    first, late = (
        CredentialManager(strategy, send=no_network, clock=clock, store=store) for _ in range(2)
    )
    await first.get()

    assert token_of(await late.get()) == "token-1"
    assert late.state is CredentialState.FRESH
    await first.aclose()
    await late.aclose()


async def test_the_stored_token_is_not_adopted_if_it_is_the_rejected_one(
    processes, strategy, store, clock
):
    await all_of(clock, processes[0].get())
    stored = await stored_in(store, processes[0])

    assert await all_of(clock, processes[1].replace(stored)) == {"token-2"}
    assert strategy.started == 2


class Rotating:
    """Refuses a refresh token that was used before, as rotation does."""

    def __init__(self) -> None:
        self.valid = "r0"
        self.number = 0

    async def authenticate(self, context):
        return await self._answer("r0")

    async def refresh(self, context, credentials):
        return await self._answer(credentials.refresh_token.reveal())

    async def _answer(self, refresh_token):
        assert refresh_token == self.valid, "a rotated token was used again"
        self.number += 1
        self.valid = f"r{self.number}"
        return Credentials(
            Secret(f"a{self.number}"), "https://org", refresh_token=Secret(self.valid)
        )


async def test_rotated_refresh_tokens_pass_between_processes(clock, store):
    strategy = Rotating()
    one, two = (
        CredentialManager(strategy, send=no_network, clock=clock, store=store) for _ in range(2)
    )

    await one.get()
    await two.get()
    for manager in (two, one, one, two, two, one):
        held = manager.current
        assert held is not None
        await manager.replace(held)

    assert strategy.number == 4
    assert one.logins + two.logins == 4, "the other replacements were adopted"
    await one.aclose()
    await two.aclose()


async def test_a_rotated_token_is_written_before_a_cancelled_login_ends(clock):
    """Closing in the worst moment, between the answer and the store, loses nothing."""

    class Slow(MemoryStore):
        async def compare_and_swap(self, key, expected, credentials):
            await clock.sleep(5.0)
            return await super().compare_and_swap(key, expected, credentials)

    store = Slow()
    manager = CredentialManager(ScriptedStrategy(), send=no_network, clock=clock, store=store)
    waiter = asyncio.create_task(manager.get())
    await clock.settle()

    closing = asyncio.create_task(manager.aclose())
    await clock.advance(5.0)
    await closing

    assert token_of(await stored_in(store, manager)) == "token-1"
    assert isinstance(waiter.exception(), PoolClosed)


class Broken(MemoryStore):
    """Fails where it is told to."""

    def __init__(self, failing: str) -> None:
        super().__init__()
        self.failing = failing

    async def get(self, key):
        if self.failing == "get":
            raise TokenStoreError("cannot be read")
        return await super().get(key)

    async def compare_and_swap(self, key, expected, credentials):
        if self.failing == "compare_and_swap":
            raise TokenStoreError("disk full")
        return await super().compare_and_swap(key, expected, credentials)


async def test_a_store_that_cannot_be_read_fails_the_login_before_anything_is_sent(clock, strategy):
    manager = CredentialManager(strategy, send=no_network, clock=clock, store=Broken("get"))

    with pytest.raises(TokenStoreError, match="cannot be read"):
        await manager.get()

    assert strategy.started == 0
    await manager.aclose()


async def test_a_token_that_cannot_be_written_is_used_all_the_same(clock):
    events: list[Event] = []
    store = Broken("compare_and_swap")
    manager = CredentialManager(
        ScriptedStrategy(),
        send=no_network,
        clock=clock,
        store=store,
        emitter=Emitter([events.append]),
    )

    assert token_of(await manager.get()) == "token-1"
    failed, replaced = events
    assert isinstance(failed, TokenFailed)
    assert (failed.reason, failed.error) == ("store", "TokenStoreError")
    assert isinstance(replaced, TokenReplaced)
    await manager.aclose()


async def test_a_refresh_token_that_could_not_be_written_is_still_the_newest(clock):
    strategy, store = Rotating(), Broken("")
    manager = CredentialManager(strategy, send=no_network, clock=clock, store=store)
    credentials = await manager.get()
    store.failing = "compare_and_swap"
    credentials = await manager.replace(credentials)
    store.failing = ""

    credentials = await manager.replace(credentials)

    assert token_of(credentials) == "a3"
    stored = await stored_in(store, manager)
    assert stored.refresh_token == Secret("r3")
    await manager.aclose()


async def test_losing_the_race_to_write_keeps_the_own_token(clock):
    """Only possible where a lock ran out; both tokens are good."""

    class Raced(MemoryStore):
        async def compare_and_swap(self, key, expected, credentials):
            other = replace(credentials, access_token=Secret("of the other"))
            await super().compare_and_swap(key, expected, other)
            return await super().compare_and_swap(key, expected, credentials)

    store = Raced()
    manager = CredentialManager(ScriptedStrategy(), send=no_network, clock=clock, store=store)

    assert token_of(await manager.get()) == "token-1"
    assert token_of(await stored_in(store, manager)) == "of the other"
    await manager.aclose()


async def test_revoke_forgets_the_stored_token_too(processes, strategy, store, clock):
    await all_of(clock, processes[0].get())
    revoking = asyncio.create_task(processes[0].revoke())
    await clock.advance(1.0)

    assert await revoking is True
    assert await store.get(processes[0].identity) is None


async def test_revoke_ends_the_session_of_a_process_before(processes, strategy, clock):
    """Nobody has logged in here yet, and the store has a token."""
    await all_of(clock, processes[0].get())
    revoking = asyncio.create_task(processes[1].revoke())
    await clock.advance(1.0)

    assert await revoking is True
    assert strategy.revoked == ["token-1"]


async def test_revoke_with_an_empty_store_has_nothing_to_end(processes, strategy):
    assert await processes[0].revoke() is False
    assert strategy.revoked == []
