"""A transport without sockets, and sessions on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.manager import CredentialManager
from sfconnect.instrumentation import Emitter
from sfconnect.messages import Request, Response
from sfconnect.retry import RetryPolicy
from sfconnect.service import HttpService
from sfconnect.session import Session
from sfconnect.testing import FakeClock, ScriptedStrategy

BASE = "https://org.example.com"


class FakeStream:
    """A streamed answer of a few pieces; an error among them is raised in its turn."""

    def __init__(self, answer: Response, pieces: list[bytes | Exception] | None = None) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.pieces = [answer.content] if pieces is None else pieces

    async def iter_bytes(self, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def read(self) -> Response:
        content = b"".join([piece async for piece in self.iter_bytes()])
        return Response(self.status, self.headers, content)


Handler = Callable[[Request], Awaitable[Any]]


@dataclass
class FakeTransport:
    """Gives each request to ``handler``, which returns a response (or a stream) or raises."""

    handler: Handler
    requests: list[Request] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    open_streams: int = 0
    closed: int = 0

    async def send(self, request: Request) -> Response:
        answer: Response = await self._handle(request)
        return answer

    async def _handle(self, request: Request) -> Any:
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.handler(request)
        finally:
            self.in_flight -= 1

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[FakeStream]:
        answer = await self._handle(request)
        self.open_streams += 1
        try:
            yield answer if isinstance(answer, FakeStream) else FakeStream(answer)
        finally:
            self.open_streams -= 1

    async def aclose(self) -> None:
        self.closed += 1

    @property
    def paths(self) -> list[str]:
        return [request.path.removeprefix(BASE) for request in self.requests]

    @property
    def tokens(self) -> list[str]:
        return [request.headers["Authorization"].split()[1] for request in self.requests]


async def ok(request: Request) -> Response:
    """Answer anything."""
    return Response(200, {}, b"{}")


def script(*ends: Any) -> Handler:
    """Give answers (statuses stand for empty ones) or raise errors, one after the other."""
    left = list(ends)

    async def handle(request: Request) -> Any:
        end = left.pop(0)
        if isinstance(end, BaseException):
            raise end
        return Response(end, {}, b"") if isinstance(end, int) else end

    return handle


@dataclass
class World:
    """A session with all that is around it."""

    session: Session
    transport: FakeTransport
    manager: CredentialManager
    strategy: ScriptedStrategy
    clock: FakeClock
    events: list[Any]


async def no_login_request(request: Request) -> Response:
    raise AssertionError("scripted strategies send nothing")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(clock: FakeClock) -> AsyncIterator[Callable[..., World]]:
    """Make sessions on a fake transport; they are closed with the test."""
    made: list[World] = []

    def make(
        handler: Handler = ok,
        *,
        strategy: Any = None,
        service: Any = None,
        hooks: bool = True,
        **options: Any,
    ) -> World:
        strategy = strategy or ScriptedStrategy(instance_url=BASE)
        events: list[Any] = []
        emitter = Emitter([events.append] if hooks else [])
        transport = FakeTransport(handler)
        manager = CredentialManager(strategy, send=no_login_request, clock=clock, emitter=emitter)
        options.setdefault("retry", RetryPolicy(max_attempts=4, initial_s=1.0, random=lambda: 1.0))
        session = Session(
            service or HttpService(BASE), strategy, manager, transport,
            emitter=emitter, clock=clock, **options,
        )  # fmt: skip
        made.append(World(session, transport, manager, strategy, clock, events))
        return made[-1]

    yield make
    for each in made:
        await each.session.aclose()


@pytest.fixture
def scripted() -> Callable[..., Handler]:
    return script


@pytest.fixture
def stream_of() -> type[FakeStream]:
    return FakeStream


@pytest.fixture
def fake_transport() -> type[FakeTransport]:
    return FakeTransport


@pytest.fixture
def credentials_of() -> Callable[[str], Credentials]:
    return lambda token: Credentials(Secret(token), BASE)
