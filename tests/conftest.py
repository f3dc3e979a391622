"""What every test gets: one event loop, no blocking inside it, nothing left behind by it."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import stat
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path
from time import monotonic

import pytest
import structlog
from blockbuster import BlockBusterFunction, blockbuster_ctx

import sfconnect
import sfconnect_emulator

#: How long a task or socket may take to notice that its other end has closed.
SETTLE_S = 2.0

#: What reads files in C, where BlockBuster sees nothing; a machine's trust store is a long list.
READ_CERTIFICATES = (
    "load_cert_chain",
    "load_default_certs",
    "load_verify_locations",
    "set_default_verify_paths",
)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, object]]:
    """The library is for asyncio, so that is what tests run on; on another loop of it if asked."""
    return "asyncio", {"use_uvloop": os.environ.get("SFCONNECT_TEST_LOOP") == "uvloop"}


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> None:
    """Give every async test the two checks below, before any fixture of its own.

    Tests of faults that bring a loop of their own get the one that needs no other.
    """
    if not collector.istestfunction(obj, name):
        return
    if iscoroutinefunction(_inner(obj)):
        pytest.mark.usefixtures("_nothing_left_behind", "_nothing_blocks")(obj)
    elif "faults" in collector.path.parts:
        pytest.mark.usefixtures("_nothing_blocks")(obj)


def _inner(obj: object) -> object:
    """A property test wraps the function that was written."""
    return getattr(getattr(obj, "hypothesis", None), "inner_test", obj)


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    """Undo what a command did to the logging of its process, which in a test is everybody's."""
    handlers, level, shown = logging.root.handlers[:], logging.root.level, warnings.showwarning
    loops = logging.getLogger("asyncio").level
    yield
    logging.root.handlers[:], warnings.showwarning = handlers, shown
    logging.root.setLevel(level)
    logging.getLogger("asyncio").setLevel(loops)
    structlog.reset_defaults()


@pytest.fixture
def _nothing_blocks() -> Iterator[None]:
    """Fail the test when code of sfconnect blocks the event loop."""
    with blockbuster_ctx([sfconnect], excluded_modules=[sfconnect_emulator]) as watch:
        for name in READ_CERTIFICATES:
            watch.functions[name] = BlockBusterFunction(
                ssl.SSLContext,
                name,
                scanned_modules=[sfconnect],
                excluded_modules=[sfconnect_emulator],
            ).activate()
        yield


@pytest.fixture
async def _nothing_left_behind() -> AsyncIterator[None]:
    """Fail the test when a task or a socket outlives it and its fixtures."""
    tasks, sockets = asyncio.all_tasks(), _watched_sockets()

    yield

    deadline = monotonic() + SETTLE_S
    # Nothing announces that the last task is gone, so there is no event to wait for.
    while (left := _left(tasks, sockets)) and monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    assert not left, f"left behind by the test: {left}"


def _left(tasks: set[asyncio.Task[object]], sockets: set[int]) -> list[str]:
    """Describe the tasks and sockets that were not there before."""
    new = asyncio.all_tasks() - tasks
    # anyio's plugin runs each step of a fixture in a task of its own.
    names = [repr(task) for task in new if "TestRunner" not in repr(task.get_coro())]
    return names + [f"file descriptor {number}" for number in _watched_sockets() - sockets]


def _watched_sockets() -> set[int]:
    """The file descriptors that the running loop watches: one for each open transport."""
    # asyncio has no public view of its transports; the selector's map is the nearest thing.
    selector = getattr(asyncio.get_running_loop(), "_selector", None)
    return _open_sockets() if selector is None else set(selector.get_map())


def _open_sockets() -> set[int]:
    """The sockets of the process: what there is to count where the loop shows nothing."""
    numbers = (int(entry.name) for entry in Path("/dev/fd").iterdir())
    return {number for number in numbers if _is_socket(number)}


def _is_socket(number: int) -> bool:
    with suppress(OSError):  # that of the listing itself is closed by now
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    return False
