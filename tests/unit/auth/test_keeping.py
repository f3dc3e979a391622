"""Credentials that were got beside a store are kept in it, in the place of older ones."""

from __future__ import annotations

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.keeping import keep
from sfconnect.auth.store import MemoryStore, identity_key
from sfconnect.errors import TokenStoreError
from sfconnect.salesforce.auth import RefreshToken

LOGIN = RefreshToken("https://acme.my.salesforce.com", "3MVG9app", "5Aep-first")
FIRST = Credentials(Secret("one"), "https://acme.my.salesforce.com")
SECOND = Credentials(Secret("two"), "https://acme.my.salesforce.com")


async def test_the_newest_login_is_what_the_store_has():
    store = MemoryStore()

    for credentials in (FIRST, SECOND):
        await keep(store, LOGIN, credentials)

        record = await store.get(identity_key(LOGIN))
        assert record is not None
        assert record.credentials == credentials


async def test_a_store_that_somebody_else_wrote_to_says_so():
    class Contended(MemoryStore):
        async def compare_and_swap(self, key, expected, credentials):
            return None

    with pytest.raises(TokenStoreError, match="Log in again") as caught:
        await keep(Contended(), LOGIN, FIRST)

    assert caught.value.docs_key == "store-contended"
