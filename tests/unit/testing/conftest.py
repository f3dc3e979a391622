"""A server, and a client that is not ours, for tests of the proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sfconnect.testing import FakeTokenServer, answer
from tests.unit.testing.network import BODY, Client


@pytest.fixture
async def server() -> AsyncIterator[FakeTokenServer]:
    async with FakeTokenServer() as running:
        running.script(*[answer(BODY) for _ in range(10)])
        yield running


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        yield Client(session)
