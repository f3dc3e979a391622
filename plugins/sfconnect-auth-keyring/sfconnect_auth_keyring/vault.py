"""Read and write records in the keyring; everything here blocks.

A keyring keeps short texts: Windows takes 2,560 bytes, in two bytes for each character. A record
that is longer lies in parts under names of its own generation; the entry under the key itself names
them. It is written last, so that a process that is killed leaves the record that was there before.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import keyring
from keyring.errors import KeyringError, KeyringLocked, NoKeyringError

from sfconnect.errors import TokenStoreError
from sfconnect_auth_keyring.records import Index, decode, decode_head, encode, encode_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sfconnect.auth import StoredToken

_T = TypeVar("_T")

MAX_CHARACTERS: Final = 1200
"""Of one entry; Windows has room for 1,280."""


@dataclass(frozen=True, slots=True)
class Vault:
    """The records of one service; callers hold a lock."""

    service: str

    def read(self, key: str) -> StoredToken | None:
        """Read a record.

        Raises:
            TokenStoreError: The keyring cannot be read, or the record is damaged.
        """
        text = self._get(key)
        if text is None:
            return None
        head = decode_head(text, self._place(key))
        return head if not isinstance(head, Index) else self._joined(key, head)

    def write(self, key: str, record: StoredToken) -> None:
        """Write a record in place of the one that is there.

        Raises:
            TokenStoreError: The keyring cannot be written, or did not keep what it was given.
        """
        before = self._parts(key)
        text = encode(record)
        if len(text) > MAX_CHARACTERS:
            index = Index.of(text, record.generation, MAX_CHARACTERS)
            for name, part in zip(index.names(key), index.split(text, MAX_CHARACTERS), strict=True):
                self._set(name, part)
            text = encode_index(index)
        self._set(key, text)
        self._drop(before)

    def delete(self, key: str) -> None:
        """Remove a record and its parts; a missing one is no error.

        Raises:
            TokenStoreError: The keyring cannot be written.
        """
        parts = self._parts(key)
        self._drop([key, *parts])

    def _joined(self, key: str, index: Index) -> StoredToken:
        texts = [self._get(name) or "" for name in index.names(key)]
        return decode("".join(texts), index, self._place(key))

    def _parts(self, key: str) -> list[str]:
        """Names of the parts of the record that is there, so that they can be removed."""
        text = self._get(key)
        try:
            head = None if text is None else decode_head(text, "")
        except TokenStoreError:  # what cannot be read is replaced or removed all the same
            head = None
        return head.names(key) if isinstance(head, Index) else []

    def _place(self, key: str) -> str:
        return f"{self.service} {key}"

    def _get(self, name: str) -> str | None:
        return translated(partial(keyring.get_password, self.service, name), "read")

    def _set(self, name: str, text: str) -> None:
        translated(partial(keyring.set_password, self.service, name, text), "written")
        if self._get(name) != text:
            message = "The keyring did not keep the token that it was given."
            hint = f"Look at its backend, {keyring.get_keyring().name}: python -m keyring diagnose"
            raise TokenStoreError(message, hint=hint, docs_key="keyring-forgets")

    def _drop(self, names: list[str]) -> None:
        for name in names:
            if self._get(name) is not None:
                translated(partial(keyring.delete_password, self.service, name), "written")


def translated(work: Callable[[], _T], what: str) -> _T:
    """Do work with the keyring, and bring the errors of its backends to one kind.

    Args:
        work: What to do.
        what: What it does with the keyring, such as "read".

    Raises:
        TokenStoreError: It failed, with what to do about it.
    """
    with _Border() as border:
        return work()
    raise _refusal(border.error, what)


class _Border(AbstractContextManager["_Border"]):
    """Stop whatever error a backend raises, since each has errors of its own."""

    error: Exception | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


def _refusal(error: Exception | None, what: str) -> TokenStoreError:
    # The backend's own words are left out: it may quote what it could not keep.
    if isinstance(error, NoKeyringError):
        message = "There is no keyring on this machine that could keep a secret."
        hint = "Install a backend (on a server: keyrings.alt), or use a file."
        return TokenStoreError(message, hint=hint, docs_key="keyring-missing")
    if isinstance(error, KeyringLocked):
        message = "The keyring is locked, and nobody unlocked it."
        hint = "Unlock it in the desktop session, or use a file."
        return TokenStoreError(message, hint=hint, docs_key="keyring-locked")
    kind = "" if isinstance(error, KeyringError) else f"{type(error).__module__}."
    message = f"The keyring cannot be {what}: {kind}{type(error).__name__}."
    hint = "See `python -m keyring diagnose`, and try `python -m keyring get sfconnect test`."
    return TokenStoreError(message, hint=hint, docs_key="keyring-failed")
