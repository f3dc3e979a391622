"""The token store: short work in threads, under locks that hold for all processes of a user."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from anyio import to_thread

from sfconnect.auth import Credentials, StoredToken, option
from sfconnect.errors import ConfigurationError, TokenStoreError
from sfconnect_auth_keyring.locks import LockFile, default_folder
from sfconnect_auth_keyring.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_T = TypeVar("_T")

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5


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
        return await _to_its_end(partial(self._swap, key, expected, credentials))

    async def delete(self, key: str) -> None:
        """Forget a record; a missing one is no error.

        Raises:
            TokenStoreError: The keyring cannot be written.
        """
        await _to_its_end(partial(self._delete, key))

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Keep every other process of this user from logging in under this key.

        The lock of a process that dies is free at once.

        Raises:
            TokenStoreError: It did not become free in time, or the folder cannot be used.
        """
        lock = LockFile(self._folder() / f"{key}.lock")
        try:
            await self._acquire(lock)
            yield
        finally:
            lock.release()

    async def _acquire(self, lock: LockFile) -> None:
        pause_s = _FIRST_PAUSE_S
        try:
            async with asyncio.timeout(self.keyring_lock_timeout_s):
                while not await _to_its_end(lock.try_acquire):
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except TimeoutError:
            waited = f"{self.keyring_lock_timeout_s:g} s"
            message = f"Another process has been logging in for {waited} and holds {lock.path}."
            raise TokenStoreError(message, hint="See whether it hangs.") from None

    def _folder(self) -> Path:
        return self.keyring_lock_dir or default_folder()

    def _guard(self) -> LockFile:
        # One for all records: some keyrings rewrite one file for any change.
        return LockFile(self._folder() / "keyring.lock")

    def _read(self, key: str) -> StoredToken | None:
        with self._guard().held(self.keyring_lock_timeout_s):
            return Vault(self.keyring_service).read(key)

    def _swap(self, key: str, expected: int | None, credentials: Credentials) -> StoredToken | None:
        vault = Vault(self.keyring_service)
        with self._guard().held(self.keyring_lock_timeout_s):
            stored = vault.read(key)
            if (stored.generation if stored else None) != expected:
                return None
            record = StoredToken(credentials, (expected or 0) + 1)
            vault.write(key, record)
        return record

    def _delete(self, key: str) -> None:
        with self._guard().held(self.keyring_lock_timeout_s):
            Vault(self.keyring_service).delete(key)


async def _to_its_end(work: Callable[[], _T]) -> _T:
    """Do work in a thread; a caller who is cancelled hears of it when the work is done."""
    task = asyncio.ensure_future(to_thread.run_sync(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at, so that the loop does not complain of it
        raise
