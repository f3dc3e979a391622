"""Put credentials into a token store that were got without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfconnect.auth.store import identity_key
from sfconnect.errors import TokenStoreError

if TYPE_CHECKING:
    from sfconnect.auth.base import AuthStrategy, Credentials, TokenStore


async def keep(store: TokenStore, strategy: AuthStrategy, credentials: Credentials) -> None:
    """Write the credentials of a login, in the place of what the store holds of it.

    Programs with the same strategy take them up with their next login or renewal.

    Raises:
        TokenStoreError: The store cannot be written.
    """
    key = identity_key(strategy)
    async with store.lock(key):
        record = await store.get(key)
        before = None if record is None else record.generation
        if await store.compare_and_swap(key, before, credentials) is None:
            message = "Another program wrote to the token store at the same moment."
            raise TokenStoreError(message, hint="Log in again.", docs_key="store-contended")
