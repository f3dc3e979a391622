"""What the tests share: one event loop, a context, and a server whose answers a test decides."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator

import pytest

from sfconnect.auth import AuthContext, Credentials, RetirementWarning
from sfconnect.testing import FakeClock, FakeTokenServer
from sfconnect.transport import ConnectionPool
from sfconnect_auth_legacy import SoapLogin, UsernamePassword

HOST = "https://acme.my.salesforce.com"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _warned() -> None:
    """Use up the warning of each flow; what it is like is tested in a process of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetirementWarning)
        UsernamePassword(HOST, "id", "ada@example.com", "password")
        SoapLogin(HOST, "ada@example.com", "password")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wall=2_000_000_000.0)


@pytest.fixture
async def server() -> AsyncIterator[FakeTokenServer]:
    async with FakeTokenServer() as running:
        yield running


@pytest.fixture
def closed_pool() -> ConnectionPool:
    return ConnectionPool(proxies_from_environment=False)


@pytest.fixture
async def context(closed_pool: ConnectionPool, clock: FakeClock) -> AsyncIterator[AuthContext]:
    async def no_child(_strategy: object) -> Credentials:
        raise AssertionError("nothing is derived")

    async with closed_pool as pool:
        yield AuthContext(send=pool.send, child=no_child, log=None, clock=clock)
