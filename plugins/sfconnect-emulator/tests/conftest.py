"""What the tests of the emulator share: one event loop, an org without a socket, a probe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

import aiohttp
import pytest

from sfconnect_emulator.browsing import Browser, Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Probe


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def org(clock: Clock) -> Iterator[InProcess]:
    with InProcess(clock=clock) as opened:
        yield opened


@pytest.fixture
def probe(org: InProcess) -> Probe:
    return Probe(org)


@pytest.fixture
def browser(org: InProcess) -> Browser:
    return Browser(org.handle)


@pytest.fixture
def self_authorized(org: InProcess) -> InProcess:
    """An org whose app is let in by its users themselves."""
    org.control.change_app(org.client_id, {"admin_approval": False})
    return org


@pytest.fixture
async def over_sockets() -> AsyncIterator[Sender]:
    """Send requests over sockets; redirects are left alone, cookies left to the caller."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def send(
            method: str, url: str, headers: Mapping[str, str], body: bytes
        ) -> tuple[int, dict[str, str], bytes]:
            async with session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                return answer.status, dict(answer.headers), await answer.read()

        yield send
