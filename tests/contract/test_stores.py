"""The store that comes with sfconnect passes the tests that plugins inherit."""

from __future__ import annotations

import pytest

from sfconnect.auth.store import MemoryStore
from sfconnect.testing import StoreConformance


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return MemoryStore()
