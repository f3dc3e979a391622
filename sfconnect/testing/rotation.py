"""Tests that every strategy should pass whose server gives a new refresh token at each renewal.

.. code-block:: python

    class TestAcmeLogin(RotationConformance):
        @pytest.fixture
        def strategy(self, token_server):
            return AcmeLogin(token_server.url, refresh_token=token_server.refresh_token)
"""

# Assertions with plain values are what this module is made of.
# ruff: noqa: S101

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sfconnect.auth.base import AuthStrategy
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import ReauthorizationRequired
from sfconnect.testing.conformance import CALLERS, BrittleStore, StrategyConformance
from sfconnect.testing.token_server import RotatingTokenServer


class RotationConformance(StrategyConformance):
    """What is asked of a strategy whose refresh tokens are good for one use."""

    @pytest.fixture
    async def token_server(self) -> AsyncIterator[RotatingTokenServer]:
        """The endpoint to point the strategy at, and the refresh token to begin with."""
        async with RotatingTokenServer() as server:
            yield server

    async def test_it_belongs_to_no_event_loop(self, strategy: AuthStrategy) -> None:
        """Two logins with the token that it began with would be one too many here."""
        del strategy

    async def test_each_renewal_uses_the_newest_token(
        self, token_server: RotatingTokenServer, manager: CredentialManager
    ) -> None:
        """The configured one is dead after the first use."""
        credentials = await manager.get()

        for _ in range(3):
            credentials = await manager.replace(credentials)

        assert (token_server.renewals, token_server.reuses) == (4, 0)

    async def test_many_refused_callers_cause_one_renewal(
        self, token_server: RotatingTokenServer, manager: CredentialManager
    ) -> None:
        """A second use of the token would lock all of them out."""
        refused = await manager.get()
        token_server.delay_s = 0.02

        renewed = await asyncio.gather(*(manager.replace(refused) for _ in range(CALLERS)))

        assert len({one.access_token for one in renewed}) == 1
        assert (token_server.renewals, token_server.reuses) == (2, 0)

    async def test_programs_that_share_a_store_take_turns(
        self, token_server: RotatingTokenServer, manage: Callable[..., CredentialManager]
    ) -> None:
        """Each adopts what the other has got."""
        store = MemoryStore()
        programs = [manage(store) for _ in range(4)]

        first = await asyncio.gather(*(one.get() for one in programs))
        await asyncio.gather(*(one.replace(first[0]) for one in programs))

        assert (token_server.renewals, token_server.reuses) == (2, 0)

    async def test_a_token_that_could_not_be_stored_is_not_lost(
        self, token_server: RotatingTokenServer, manage: Callable[..., CredentialManager]
    ) -> None:
        """The store then holds an older one, which must not be used again."""
        program = manage(BrittleStore())

        await program.replace(await program.get())

        assert (token_server.renewals, token_server.reuses) == (2, 0)

    async def test_a_renewal_that_is_cancelled_is_kept_for_the_next(
        self, token_server: RotatingTokenServer, manager: CredentialManager
    ) -> None:
        """The server has changed the token already when the answer is on its way."""
        refused = await manager.get()
        token_server.delay_s = 0.05
        leaving = asyncio.create_task(manager.replace(refused))
        while not token_server.under_way:  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(0.001)

        leaving.cancel()
        renewed = await manager.replace(refused)

        assert renewed.access_token != refused.access_token
        assert (token_server.renewals, token_server.reuses) == (2, 0)

    async def test_a_token_that_somebody_else_has_used_needs_a_person(
        self,
        token_server: RotatingTokenServer,
        strategy: AuthStrategy,
        manager: CredentialManager,
    ) -> None:
        """Nothing can repair it, so nothing should be tried again."""
        refused = await manager.get()
        token_server.refresh_token = "another"
        sent = len(token_server.requests)

        with pytest.raises(ReauthorizationRequired):
            await manager.replace(refused)
        with pytest.raises(ReauthorizationRequired) as caught:
            await manager.replace(refused)

        assert caught.value.hint
        assert len(token_server.requests) == sent + 1
        assert "5Aep-fake" not in f"{caught.value} {caught.value!r}"
