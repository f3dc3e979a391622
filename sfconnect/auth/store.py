"""Where tokens are kept: the key they are kept under, and the store in memory."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakValueDictionary

import msgspec

from sfconnect._types import Secret
from sfconnect.auth.base import PLUGIN_API, AuthStrategy, StoredToken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sfconnect.auth.base import Credentials

_KEY_CHARACTERS: Final = 32


def identity_key(strategy: AuthStrategy) -> str:
    """Name whose token a strategy gets: a hash of its class and its options.

    The key can be logged and used as a file name. Secret options take no part, so a rotated
    client secret finds the same token. Where nothing but a secret tells two users apart, as with
    refresh tokens, the strategy names that field in a class attribute ``identity_secrets``; then
    a digest of it does take part. That is for long random values only: a digest of a password
    could be guessed back. A login that is an option of another takes part by its own key. Options
    that say how a person is asked, and not for whose token, are named in ``identity_ignores``.
    """
    cls = type(strategy)
    parts: dict[str, Any] = {"strategy": f"{cls.__module__}.{cls.__qualname__}"}
    by_digest = getattr(cls, "identity_secrets", ())
    ignored = getattr(cls, "identity_ignores", ())
    for name, value, secret in _options(strategy):
        if name in by_digest:
            parts[name] = _digest(value)
        elif not secret and name not in ignored:
            parts[name] = _plain(value)
    text = msgspec.json.encode(parts, order="sorted")
    return hashlib.sha256(text).hexdigest()[:_KEY_CHARACTERS]


def secrets_of(strategy: object) -> list[str]:
    """The texts of a strategy's secret options, to be taken out of messages.

    Those of logins that it builds on are among them.
    """
    texts: list[str] = []
    for _, value, secret in _options(strategy):
        if secret:
            texts.append(value.reveal() if isinstance(value, Secret) else str(value or ""))
        for item in value if isinstance(value, tuple | list) else (value,):
            texts += secrets_of(item) if isinstance(item, AuthStrategy) else ()
    return [text for text in texts if text]


def _options(strategy: object) -> Iterator[tuple[str, object, bool]]:
    """Name, value and secrecy of each option; none where the strategy is no dataclass."""
    for option in fields(strategy) if is_dataclass(strategy) else ():
        value = getattr(strategy, option.name)
        marked = any(getattr(mark, "secret", False) for mark in option.metadata.values())
        yield option.name, value, marked or isinstance(value, Secret)


def _digest(value: object) -> str:
    text = value.reveal() if isinstance(value, Secret) else str(value)
    return hashlib.sha256(b"sfconnect identity\0" + text.encode()).hexdigest()


def _plain(value: object) -> Any:
    """A form of an option that is equal in every process, whatever kind of object it is."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, PurePath | Enum):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(str(_plain(item)) for item in value)
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return identity_key(value) if isinstance(value, AuthStrategy) else _described(value)


def _described(value: object) -> Any:
    """What tells an object from others of its kind: its values, or the name of its key."""
    if is_dataclass(value) and not hasattr(value, "sign"):
        return {name: _plain(own) for name, own, secret in _options(value) if not secret}
    key_id = getattr(value, "key_id", None)
    return [f"{type(value).__module__}.{type(value).__qualname__}", key_id and str(key_id)]


@dataclass(eq=False, repr=False)
class MemoryStore:
    """Keep tokens in this process: for connections that should share a login.

    It may be used from several event loops; its locks hold within one of them, and of two loops
    that log in at once each gets a token.
    """

    plugin_api: ClassVar[int] = PLUGIN_API

    def __post_init__(self) -> None:
        self._records: dict[str, StoredToken] = {}
        self._locks: WeakValueDictionary[tuple[object, str], asyncio.Lock] = WeakValueDictionary()

    async def get(self, key: str) -> StoredToken | None:
        """Read a record."""
        return self._records.get(key)

    async def compare_and_swap(
        self, key: str, expected: int | None, credentials: Credentials
    ) -> StoredToken | None:
        """Write if the stored generation is ``expected``; else return None."""
        stored = self._records.get(key)
        if (stored.generation if stored else None) != expected:
            return None
        record = StoredToken(credentials, (expected or 0) + 1)
        self._records[key] = record
        return record

    async def delete(self, key: str) -> None:
        """Forget a record; a missing one is no error."""
        self._records.pop(key, None)

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Let one holder at a time log in under this key."""
        # Nobody keeps an unused lock, so keys and loops that are gone leave nothing behind.
        lock = self._locks.setdefault((asyncio.get_running_loop(), key), asyncio.Lock())
        async with lock:
            yield
