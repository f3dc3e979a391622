"""What the tests share: one event loop, and a real keyring in a file."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from sfconnect_auth_keyring import KeyringStore


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[KeyringBackend]:
    """The plain file of keyrings.alt, as processes without a desktop use it."""
    before = keyring.get_keyring()
    made: KeyringBackend = import_module("keyrings.alt.file").PlaintextKeyring()
    vars(made)["file_path"] = str(tmp_path / "keyring.cfg")
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    return tmp_path / "state" / "locks"


@pytest.fixture
def store(backend: KeyringBackend, locks: Path) -> KeyringStore:
    return KeyringStore(keyring_lock_dir=locks)
