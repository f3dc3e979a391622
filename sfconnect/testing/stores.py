"""Tests that every token store should pass; inherit them.

.. code-block:: python

    class TestVaultStore(StoreConformance):
        @pytest.fixture
        def store(self, tmp_path):
            return VaultStore(tmp_path)
"""

# Assertions with plain values are what this module is made of.
# ruff: noqa: S101

from __future__ import annotations

import asyncio
from types import MappingProxyType

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import PLUGIN_API, Credentials, StoredToken, TokenStore
from sfconnect.auth.options import options_of

KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
WRITERS = 20


class StoreConformance:
    """What the contract asks of any token store. Override the ``store`` fixture."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Stores run on asyncio."""
        return "asyncio"

    @pytest.fixture
    def store(self) -> TokenStore:
        """The store under test, empty."""
        raise NotImplementedError

    @pytest.fixture
    def second(self, store: TokenStore) -> TokenStore:
        """The store as another process would open it; override it where that is another object."""
        return store

    def test_it_is_written_for_this_contract(self, store: TokenStore) -> None:
        """The registry refuses any other."""
        assert store.plugin_api == PLUGIN_API

    def test_every_option_has_a_help_text(self, store: TokenStore) -> None:
        """Forms and listings show it."""
        cls = type(store)
        specs = options_of(cls) if hasattr(cls, "__dataclass_fields__") else ()

        assert [spec.name for spec in specs if not spec.help.strip()] == []

    async def test_what_was_never_written_is_none(self, store: TokenStore) -> None:
        """A cold start is no error."""
        assert await store.get(KEY) is None

    async def test_credentials_come_back_as_they_were(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """With all their members, in whatever alphabet."""
        written = await store.compare_and_swap(KEY, None, _whole())

        assert written == StoredToken(_whole(), 1)
        assert await second.get(KEY) == written

    async def test_members_that_are_not_known_stay_unknown(self, store: TokenStore) -> None:
        """An expiry that nobody told must not become a date."""
        plain = Credentials(Secret("a-token"), "https://acme.my.salesforce.com")

        await store.compare_and_swap(KEY, None, plain)

        assert await store.get(KEY) == StoredToken(plain, 1)

    async def test_a_token_of_many_thousand_characters_fits(self, store: TokenStore) -> None:
        """JWTs with many claims are that long."""
        long = Credentials(Secret("eyJ" + "aB3_" * 3_000), "https://acme.my.salesforce.com")

        await store.compare_and_swap(KEY, None, long)

        assert await store.get(KEY) == StoredToken(long, 1)

    async def test_each_write_is_a_new_generation(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """Managers tell by it whether somebody else has logged in."""
        first = await store.compare_and_swap(KEY, None, _numbered(1))
        assert first is not None
        later = await second.compare_and_swap(KEY, first.generation, _numbered(2))

        assert later is not None
        assert later.generation == first.generation + 1
        assert await store.get(KEY) == later

    @pytest.mark.parametrize("expected", [None, 0, 1, 3, 99])
    async def test_a_writer_with_an_old_view_changes_nothing(
        self, store: TokenStore, second: TokenStore, expected: int | None
    ) -> None:
        """A rotated refresh token must not be overwritten by the one before it."""
        await store.compare_and_swap(KEY, None, _numbered(1))
        newest = await store.compare_and_swap(KEY, 1, _numbered(2))

        assert await second.compare_and_swap(KEY, expected, _numbered(3)) is None
        assert await store.get(KEY) == newest

    async def test_nothing_is_written_over_what_is_gone(self, store: TokenStore) -> None:
        """Whoever expects a record does not know that the session was ended."""
        assert await store.compare_and_swap(KEY, 1, _numbered(1)) is None
        assert await store.get(KEY) is None

    async def test_of_many_writers_one_wins(self, store: TokenStore, second: TokenStore) -> None:
        """All of them expect what is there."""
        await store.compare_and_swap(KEY, None, _numbered(0))

        written = await asyncio.gather(
            *((store, second)[n % 2].compare_and_swap(KEY, 1, _numbered(n)) for n in range(WRITERS))
        )

        winners = [record for record in written if record is not None]
        assert len(winners) == 1
        assert await store.get(KEY) == winners[0]

    async def test_keys_have_nothing_to_do_with_each_other(self, store: TokenStore) -> None:
        """Each is another login."""
        await store.compare_and_swap(KEY, None, _numbered(1))
        await store.compare_and_swap(OTHER_KEY, None, _numbered(2))
        await store.delete(OTHER_KEY)

        assert await store.get(KEY) == StoredToken(_numbered(1), 1)
        assert await store.get(OTHER_KEY) is None

    async def test_what_is_deleted_is_gone_and_may_be_written_anew(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """Also for others, and deleting it twice is no error."""
        await store.compare_and_swap(KEY, None, _whole())
        await store.delete(KEY)
        await second.delete(KEY)

        assert await second.get(KEY) is None
        assert await second.compare_and_swap(KEY, None, _numbered(1)) is not None

    async def test_a_lock_has_one_holder_at_a_time(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """Otherwise two processes would use one refresh token at once."""
        inside, most = 0, 0

        async def visit(one: TokenStore) -> None:
            nonlocal inside, most
            async with one.lock(KEY):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.01)
                inside -= 1

        await asyncio.gather(*(visit((store, second)[n % 2]) for n in range(6)))

        assert most == 1

    async def test_a_lock_does_not_hinder_other_keys(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """They are other logins."""
        async with store.lock(KEY), asyncio.timeout(5), second.lock(OTHER_KEY):
            await store.compare_and_swap(OTHER_KEY, None, _numbered(1))

    async def test_the_holder_of_a_lock_reads_and_writes(self, store: TokenStore) -> None:
        """That is what it is for."""
        async with asyncio.timeout(5), store.lock(KEY):
            assert await store.get(KEY) is None
            assert await store.compare_and_swap(KEY, None, _numbered(1)) is not None
            await store.delete(KEY)

    async def test_an_error_frees_the_lock(self, store: TokenStore, second: TokenStore) -> None:
        """A login that failed must not be the last one."""
        with pytest.raises(ZeroDivisionError):
            async with store.lock(KEY):
                raise ZeroDivisionError

        async with asyncio.timeout(5), second.lock(KEY):
            pass

    async def test_a_cancelled_holder_frees_the_lock(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """Programs end in the middle of logins."""
        holds = asyncio.Event()
        holder = asyncio.create_task(_hold(store, holds))
        await holds.wait()

        holder.cancel()
        await asyncio.wait({holder})

        assert holder.cancelled()
        async with asyncio.timeout(5), second.lock(KEY):
            pass

    async def test_whoever_stops_waiting_for_a_lock_does_not_get_it(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """A lock that nobody knows of would never be freed."""
        async with store.lock(KEY):
            waiter = asyncio.create_task(_hold(second, asyncio.Event()))
            await asyncio.sleep(0.05)
            waiter.cancel()
            await asyncio.wait({waiter})

        assert waiter.cancelled()
        async with asyncio.timeout(5), second.lock(KEY):
            pass

    async def test_a_cancelled_write_is_whole_or_not_there(
        self, store: TokenStore, second: TokenStore
    ) -> None:
        """A half record would lose the refresh token of both."""
        before = await store.compare_and_swap(KEY, None, _numbered(1))
        write = asyncio.create_task(store.compare_and_swap(KEY, 1, _whole()))
        await asyncio.sleep(0)
        write.cancel()
        await asyncio.wait({write})

        assert await second.get(KEY) in (before, StoredToken(_whole(), 2))

    def test_event_loops_one_after_the_other_may_use_it(self, store: TokenStore) -> None:
        """As scripts do that call ``asyncio.run`` more than once."""

        async def write(expected: int | None) -> StoredToken | None:
            async with store.lock(KEY):
                return await store.compare_and_swap(KEY, expected, _numbered(1))

        assert asyncio.run(write(None)) == StoredToken(_numbered(1), 1)
        assert asyncio.run(write(1)) == StoredToken(_numbered(1), 2)

    async def test_it_shows_no_token(self, store: TokenStore) -> None:
        """Stores end up in logs like anything else."""
        record = await store.compare_and_swap(KEY, None, _whole())

        assert "canary" not in f"{store!r}{store}{record!r}{record}"


async def _hold(store: TokenStore, holds: asyncio.Event) -> None:
    async with store.lock(KEY):
        holds.set()
        await asyncio.sleep(60)


def _whole() -> Credentials:
    """Credentials with every member."""
    return Credentials(
        access_token=Secret("canary-token"),
        instance_url="https://acme.my.salesforce.com",
        token_type="Mac",
        issued_at=1_700_000_000.25,
        expires_at=1_700_007_200.5,
        refresh_token=Secret("canary-refresh-token"),
        identity_url="https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
        scopes=frozenset({"api", "refresh_token"}),
        extra=MappingProxyType(
            {"name": "Žofie 🦊", "list": [1, 2.5, None, True], "map": {"a": {}}}
        ),
    )


def _numbered(number: int) -> Credentials:
    return Credentials(Secret(f"token-{number}"), "https://acme.my.salesforce.com")
