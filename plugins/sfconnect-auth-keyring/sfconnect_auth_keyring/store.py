"""The token store: short work in threads, under locks that hold for all processes of a user."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from anyio import to_thread

from sfconnect.auth import (
    Credentials,
    FileLock,
    StoredToken,
    option,
    run_to_its_end,
    state_folder,
)
from sfconnect.errors import ConfigurationError
from sfconnect_auth_keyring.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@dataclass(frozen=True, slots=True)
class KeyringStore:
    """Keep tokens in the keyring of the operating system, shared by all processes of a user.

    It holds nothing between calls, so it may be used after a fork and from any event loop.
    """

    plugin_api: ClassVar[int] = 1

    keyring_service: str = option(
        help="Name under which the keyring files the tokens.", default="sfconnect"
    )
    keyring_lock_dir: Path | None = option(
        help="Folder of the lock files; left out, one in the user's own state folder.",
        default=None,
    )
    keyring_lock_timeout_s: float = option(
        help="Seconds to wait for another process that is logging in.", default=120.0
    )

    def __post_init__(self) -> None:
        if not self.keyring_service.strip():
            raise ConfigurationError("keyring_service is empty.", hint="Leave it out, or name it.")
        if not self.keyring_lock_timeout_s > 0:
            message = (
                f"keyring_lock_timeout_s must be more than 0: {self.keyring_lock_timeout_s:g}."
            )
            raise ConfigurationError(message)

    async def get(self, key: str) -> StoredToken | None:
        """Read a record.

        Raises:
            TokenStoreError: There is no keyring, it is locked, or the record is damaged.
        """
        # A keyring may ask its user for leave, who may take his time: do not wait for a thread.
        return await to_thread.run_sync(partial(self._read, key), abandon_on_cancel=True)

    async def compare_and_swap(
        self, key: str, expected: int | None, credentials: Credentials
    ) -> StoredToken | None:
        """Write if the stored generation is ``expected``; else return None.

        A write that has begun is finished also if the caller is cancelled.

        Raises:
            TokenStoreError: The keyring cannot be written, or did not keep what it was given.
        """
        return await run_to_its_end(partial(self._swap, key, expected, credentials))

    async def delete(self, key: str) -> None:
        """Forget a record; a missing one is no error.

        Raises:
            TokenStoreError: The keyring cannot be written.
        """
        await run_to_its_end(partial(self._delete, key))

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Keep every other process of this user from logging in under this key.

        The lock of a process that dies is free at once.

        Raises:
            TokenStoreError: It did not become free in time, or the folder cannot be used.
        """
        lock = FileLock(self._folder() / f"{key}.lock", setting="keyring_lock_dir")
        async with lock.hold(self.keyring_lock_timeout_s):
            yield

    def _folder(self) -> Path:
        return self.keyring_lock_dir or state_folder("locks")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """One process at a time, for all records: some keyrings rewrite one file for any change."""
        limit_s = self.keyring_lock_timeout_s
        guard = FileLock(self._folder() / "keyring.lock", setting="keyring_lock_dir")
        with guard.hold_blocking(limit_s):
            yield

    def _read(self, key: str) -> StoredToken | None:
        with self._guarded():
            return Vault(self.keyring_service).read(key)

    def _swap(self, key: str, expected: int | None, credentials: Credentials) -> StoredToken | None:
        vault = Vault(self.keyring_service)
        with self._guarded():
            stored = vault.read(key)
            if (stored.generation if stored else None) != expected:
                return None
            record = StoredToken(credentials, (expected or 0) + 1)
            vault.write(key, record)
        return record

    def _delete(self, key: str) -> None:
        with self._guarded():
            Vault(self.keyring_service).delete(key)
