"""The stores that come with sfconnect pass the tests that plugins inherit."""

from __future__ import annotations

import pytest

from sfconnect.auth.file_store import FileStore
from sfconnect.auth.store import MemoryStore
from sfconnect.testing import StoreConformance

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestFileStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        return FileStore(tmp_path / "tokens")

    @pytest.fixture
    def second(self, tmp_path):
        return FileStore(tmp_path / "tokens")


class TestEncryptedFileStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        return FileStore(tmp_path / "tokens", KEY)

    @pytest.fixture
    def second(self, tmp_path):
        return FileStore(tmp_path / "tokens", KEY)
