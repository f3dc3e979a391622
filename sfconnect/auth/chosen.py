"""The token store and the limiter that a connection is told to use, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sfconnect.auth.chosen_plugin import Choice, ChosenPlugin
from sfconnect.auth.registry import LIMITERS, TOKEN_STORES
from sfconnect.auth.store import MemoryStore

if TYPE_CHECKING:
    from sfconnect.auth.base import TokenStore

STORE: Final = Choice("token_store", TOKEN_STORES, "token store")
LIMITER: Final = Choice("limiter", LIMITERS, "limiter")

_SHARED: Final[dict[str, MemoryStore]] = {}


def build_store(chosen: ChosenPlugin[TokenStore]) -> TokenStore | None:
    """Make the store.

    Raises:
        ConfigurationError: An option of it is missing or does not fit.
    """
    made = chosen.build()
    # Otherwise each connection would have a memory of its own, and share nothing.
    return _SHARED.setdefault(str(chosen.name), made) if isinstance(made, MemoryStore) else made
