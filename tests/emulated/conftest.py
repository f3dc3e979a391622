"""An org on loopback, and a pool to reach it by."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfconnect.transport import ConnectionPool
from sfconnect_emulator import Emulator


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 1}) as emulator:
        yield emulator


@pytest.fixture
def closed_pool() -> ConnectionPool:
    return ConnectionPool(proxies_from_environment=False)


@pytest.fixture
async def pool(closed_pool: ConnectionPool) -> AsyncIterator[ConnectionPool]:
    async with closed_pool as opened:
        yield opened
