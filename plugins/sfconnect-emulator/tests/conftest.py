"""What the tests of the emulator share: one event loop, an org without a socket, a probe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
