"""The store passes the tests that every token store should pass, whatever the keyring is like."""

from __future__ import annotations

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError, PasswordSetError

from sfconnect.testing import StoreConformance
from sfconnect_auth_keyring import KeyringStore


class WindowsLikeKeyring(KeyringBackend):
    """Keeps 2,560 bytes in UTF-16, and no more, as the Credential Manager does."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password.encode("utf-16-le")) > 2_560:
            raise PasswordSetError("too long")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")


class TestKeyringInAFile(StoreConformance):
    @pytest.fixture
    def store(self, backend, locks):
        return KeyringStore(keyring_lock_dir=locks)

    @pytest.fixture
    def second(self, store, locks):
        return KeyringStore(keyring_lock_dir=locks)


class TestKeyringWithSmallEntries(StoreConformance):
    @pytest.fixture
    def store(self, backend, locks):
        keyring.set_keyring(WindowsLikeKeyring())
        return KeyringStore("other service", keyring_lock_dir=locks)
