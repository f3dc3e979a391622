"""Orgs for the tests of schema, rows and queries: an empty one, and one with rows of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.data.seed import ORDER
from sfconnect_emulator.soql.desk import Desk

NOW = datetime(2026, 11, 23, 14, 5, 6, tzinfo=UTC)


@pytest.fixture
def crm() -> Iterator[Desk]:
    """An org without rows but its first ones, at 14:05:06 on Monday 2026-11-23."""
    opened = Desk.open(clock=Clock(NOW))
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def seeded() -> Iterator[Desk]:
    """An org with 120 rows of every kind; tests that use it only read."""
    opened = Desk.open(counts=dict.fromkeys(ORDER, 120), clock=Clock(NOW))
    yield opened
    opened.store.close()
