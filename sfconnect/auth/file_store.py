"""Tokens in files, one for each login: for all processes of a user on one machine."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from sfconnect._types import Secret
from sfconnect.auth.base import PLUGIN_API, Credentials, StoredToken
from sfconnect.auth.locks import FileLock, run_to_its_end, state_folder
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.records import VERSION, decode_record, encode_record, version_of
from sfconnect.auth.sealing import Seal, key_id_of, key_problem
from sfconnect.errors import ConfigurationError, TokenStoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_KEY: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_NEW_KEY: Final = "Make one by: openssl rand -base64 32"


@dataclass(frozen=True, slots=True)
class FileStore:
    """Keep tokens in files that only the user may read, shared by all of his processes.

    A record is replaced as a whole and is on the disk before anybody uses it, so a crash leaves
    the old one or the new one. It holds nothing between calls, so it may be used after a fork and
    from any event loop.
    """

    plugin_api: ClassVar[int] = PLUGIN_API

    file_store_dir: Path | None = option(
        help="Folder of the tokens; left out, one in the user's own state folder.", default=None
    )
    file_store_key: Secret | str | None = option(
        help="Key that encrypts the tokens: 32 random bytes in Base64; none leaves them readable.",
        secret=True,
        default=None,
    )
    file_store_lock_timeout_s: float = option(
        help="Seconds to wait for another process that is logging in.", default=120.0
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        if not self.file_store_lock_timeout_s > 0:
            limit = self.file_store_lock_timeout_s
            raise ConfigurationError(f"file_store_lock_timeout_s must be more than 0: {limit:g}.")
        seal = self._seal()
        if seal is not None and (problem := key_problem(seal.key)) is not None:
            raise ConfigurationError(f"file_store_key is no key: {problem}.", hint=_NEW_KEY)

    async def get(self, key: str) -> StoredToken | None:
        """Read a record.

        Raises:
            TokenStoreError: It cannot be read, others may read it, or it is damaged.
        """
        return await run_to_its_end(partial(self._read_guarded, key))

    async def compare_and_swap(
        self, key: str, expected: int | None, credentials: Credentials
    ) -> StoredToken | None:
        """Write if the stored generation is ``expected``; else return None.

        A write that has begun is finished also if the caller is cancelled.

        Raises:
            TokenStoreError: It cannot be written.
        """
        return await run_to_its_end(partial(self._swap, key, expected, credentials))

    async def delete(self, key: str) -> None:
        """Forget a record, also a damaged one; a missing one is no error.

        Raises:
            TokenStoreError: It cannot be removed.
        """
        await run_to_its_end(partial(self._delete, key))

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Keep every other process of this user from logging in under this key.

        The lock of a process that dies is free at once.

        Raises:
            TokenStoreError: It did not become free in time; the error names who has it.
        """
        folder = await run_to_its_end(self._folder)
        lock = FileLock(folder / f"{_checked(key)}.lock", setting="file_store_dir")
        async with lock.hold(self.file_store_lock_timeout_s):
            yield

    def _read_guarded(self, key: str) -> StoredToken | None:
        with self._guard(key).hold_blocking(self.file_store_lock_timeout_s):
            return self._read(key)

    def _swap(self, key: str, expected: int | None, credentials: Credentials) -> StoredToken | None:
        with self._guard(key).hold_blocking(self.file_store_lock_timeout_s):
            stored = self._read(key)
            if (stored.generation if stored else None) != expected:
                return None
            record = StoredToken(credentials, (expected or 0) + 1)
            self._write(key, record)
        return record

    def _delete(self, key: str) -> None:
        with self._guard(key).hold_blocking(self.file_store_lock_timeout_s):
            path = self._path(key)
            try:
                path.unlink(missing_ok=True)
                _sync_folder(path.parent)
            except OSError as error:
                raise _unusable(path, "removed", error) from error

    def _read(self, key: str) -> StoredToken | None:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                _refuse_readable_by_others(path, os.fstat(file.fileno()), "600")
                data = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(path, "read", error) from error
        return self._decode(data, key, path)

    def _decode(self, data: bytes, key: str, path: Path) -> StoredToken:
        version = version_of(data)
        if version is not None and version != VERSION:
            raise _of_another_version(path, version)
        try:
            key_id = key_id_of(data)
            seal = self._matching_seal(key_id, path)
            return decode_record(data if seal is None else seal.open(data, key))
        except ValueError:
            pass  # not chained: decoders quote what they cannot read
        message = f"The token file {path} is damaged."
        hint = f"Remove it, and log in anew: {path}"
        raise TokenStoreError(message, hint=hint, docs_key="store-damaged")

    def _matching_seal(self, key_id: str | None, path: Path) -> Seal | None:
        """The key for a record; nothing is read or written without the one that is meant."""
        seal = self._seal()
        own_id = None if seal is None else seal.key_id
        if own_id == key_id:
            return seal
        if key_id is None:
            message = f"The token file {path} is not encrypted, and file_store_key is set."
            hint = "Remove the file and log in anew, or leave file_store_key out."
        elif own_id is None:
            message = f"The token file {path} is encrypted, and file_store_key is not set."
            hint = f"Set file_store_key to the key {key_id}…, or remove the file and log in anew."
        else:
            message = f"The token file {path} is encrypted with the key {key_id}…, not {own_id}…."
            hint = "Set file_store_key to that one, or remove the file and log in anew."
        raise TokenStoreError(message, hint=hint, docs_key="store-key")

    def _write(self, key: str, record: StoredToken) -> None:
        path, seal = self._path(key), self._seal()
        try:
            data = encode_record(record)
        except ValueError as error:
            message = f"Credentials cannot be kept: {error}."
            raise TokenStoreError(message, docs_key="store-no-json") from error
        try:
            _replace(path, data if seal is None else seal.close(data, key, version=VERSION))
        except OSError as error:
            raise _unusable(path, "written", error) from error

    def _seal(self) -> Seal | None:
        key = self.file_store_key
        return None if key is None else Seal(key if isinstance(key, Secret) else Secret(key))

    def _guard(self, key: str) -> FileLock:
        """For the moment of reading or writing; the lock of a login lasts as long as the login."""
        return FileLock(self._folder() / f"{_checked(key)}.guard", setting="file_store_dir")

    def _path(self, key: str) -> Path:
        return self._folder() / f"{_checked(key)}.json"

    def _folder(self) -> Path:
        folder = self.file_store_dir or state_folder("tokens")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_readable_by_others(folder, folder.stat(), "700")
        except OSError as error:
            raise _unusable(folder, "used", error) from error
        return folder


def _checked(key: str) -> str:
    """Refuse a key that would name a file elsewhere."""
    if _KEY.fullmatch(key) is None:
        message = "The key of a token is made of letters, digits, dots, dashes and underscores."
        raise ConfigurationError(message)
    return key


def _replace(path: Path, data: bytes) -> None:
    """Write a file as a whole: who reads it, also after a crash, finds the old or the new one."""
    for leftover in path.parent.glob(f".{path.name}.*"):  # of a process that was killed in here
        leftover.unlink(missing_ok=True)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Let the new name survive a crash of the machine; Windows has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_readable_by_others(path: Path, found: os.stat_result, mode: str) -> None:
    """Refuse what others may read or write. It is not mended silently: they may have done so."""
    if os.name == "nt":  # its modes say nothing about others
        return
    if found.st_uid != os.geteuid():
        message = f"{path} belongs to another user, so no token is kept or looked for there."
        hint = "Set file_store_dir to a folder of your own."
        raise TokenStoreError(message, hint=hint, docs_key="store-open")
    if found.st_mode & _OTHERS:
        message = f"Other users may get at tokens in {path} (mode {found.st_mode & 0o777:o})."
        hint = f"Run: chmod {mode} {path}. If others use this machine, revoke its tokens."
        raise TokenStoreError(message, hint=hint, docs_key="store-open")


def _of_another_version(path: Path, version: int) -> TokenStoreError:
    message = f"The token file {path} has version {version}, and this sfconnect reads {VERSION}."
    hint = f"Another sfconnect wrote it: use that one here too, or remove {path} and log in anew."
    return TokenStoreError(message, hint=hint, docs_key="store-version")


def _unusable(path: Path, what: str, error: OSError) -> TokenStoreError:
    reason = error.strerror or type(error).__name__
    hint = "Set file_store_dir to a folder of your own on a local disk with room."
    message = f"{path} cannot be {what}: {reason}."
    return TokenStoreError(message, hint=hint, docs_key="store-unusable")
