"""A server on loopback that does exactly what a test tells it, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from sfconnect.messages import Request
from sfconnect.transport import ConnectionPool


@dataclass(frozen=True)
class Received:
    """A request as the server read it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """The server's end of one connection."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = server.connections
        self.reader = reader
        self.writer = writer
        self._server = server

    async def head(self) -> Received:
        """Read a request's head, and leave its body."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = text.rstrip().split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = dict(item.split(": ", 1) for item in fields)
        return Received(method, target, {k.lower(): v for k, v in headers.items()}, b"")

    async def request(self) -> Received:
        """Read a whole request; it counts."""
        head = await self.head()
        body = await self._body(head.headers)
        received = Received(head.method, head.target, head.headers, body)
        self._server.note(received)
        return received

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return body

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, body: bytes = b"{}", *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Write a whole answer."""
        fields = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        fields |= headers or {}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.send(f"HTTP/1.1 {status} Reason\r\n{head}\r\n".encode() + body)

    def reset(self) -> None:
        """Break the connection with a TCP reset, as a crashed server or a firewall does."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Connection], Awaitable[None]]


@dataclass
class Server:
    """Counts what reaches it; ``handler`` runs once for each connection."""

    handler: Handler
    scheme: str = "http"
    port: int = 0
    connections: int = 0
    requests: list[Received] = field(default_factory=list)
    open: set[Connection] = field(default_factory=set)
    errors: list[BaseException] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def get(self, path: str = "/", **facts: object) -> Request:
        return Request("GET", self.url + path, **facts)  # type: ignore[arg-type]  # as given

    def post(self, path: str = "/", **facts: object) -> Request:
        facts = {"content": b"{}", **facts}
        return Request("POST", self.url + path, **facts)  # type: ignore[arg-type]  # as given

    def note(self, request: Received) -> None:
        self.requests.append(request)
        self.news.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = Connection(self, reader, writer)
        self.open.add(connection)
        try:
            await self.handler(connection)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away
        except AssertionError as error:
            self.errors.append(error)
        finally:
            self.open.discard(connection)
            self.news.set()
            writer.close()

    async def has(self, requests: int) -> None:
        """Wait until so many requests were read."""
        async with asyncio.timeout(5):
            while len(self.requests) < requests:
                self.news.clear()
                await self.news.wait()

    async def has_no_connection(self) -> None:
        """Wait until every client has hung up."""
        async with asyncio.timeout(5):
            while self.open:
                self.news.clear()
                await self.news.wait()


Serve = Callable[..., Awaitable[Server]]


async def answer_all(connection: Connection) -> None:
    """Answer every request with ``{}``."""
    while True:
        await connection.request()
        await connection.answer()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers; they end with the test, and so do their connections."""
    async with AsyncExitStack() as stack:

        async def start(
            handler: Handler = answer_all,
            tls: ssl.SSLContext | None = None,
            host: str = "127.0.0.1",
        ) -> Server:
            server = Server(handler, scheme="https" if tls else "http")
            tasks: set[asyncio.Task[None]] = set()

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.get_running_loop().create_task(server.serve(reader, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            listener = await asyncio.start_server(accept, host, 0, ssl=tls, backlog=512)
            server.port = listener.sockets[0].getsockname()[1]

            async def stop() -> None:
                listener.close()
                for task in list(tasks):
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert not server.errors, server.errors

            stack.push_async_callback(stop)
            return server

        yield start


@pytest.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    """A pool with its defaults, apart from the proxies of whoever runs the tests."""
    async with ConnectionPool(proxies_from_environment=False) as made:
        yield made


@pytest.fixture
async def make_pool() -> AsyncIterator[Callable[..., Awaitable[ConnectionPool]]]:
    """Open pools with settings of their own; they are closed with the test."""
    async with AsyncExitStack() as stack:

        async def make(**settings: object) -> ConnectionPool:
            settings = {"proxies_from_environment": False, **settings}
            return await stack.enter_async_context(ConnectionPool(**settings))  # type: ignore[arg-type]  # as given

        yield make
