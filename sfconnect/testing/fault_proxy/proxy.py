"""The proxy itself: it listens, asks the plans, forwards, and keeps the records."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from sfconnect.testing.fault_proxy.answers import Answer, deliver, silence
from sfconnect.testing.fault_proxy.certificates import HOST, Certificates
from sfconnect.testing.fault_proxy.faults import (
    Connection,
    ConnectionFault,
    ConnectionPlan,
    CutHandshake,
    Deaf,
    Duplicate,
    DuplicateConnection,
    Ending,
    Exchange,
    Fault,
    HalfOpen,
    IdleClose,
    Instead,
    Plan,
    Refuse,
    ResetAfter,
    ResetBefore,
    Stall,
    Vanish,
    WrongCertificate,
    in_order,
)
from sfconnect.testing.fault_proxy.line import Line, reset_on_close

if TYPE_CHECKING:
    from types import TracebackType

_HOP_BY_HOP: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"}
)
_SHARES_PORT: Final = hasattr(socket, "SO_REUSEPORT")


class FaultProxy:
    """Hand requests on to ``upstream``, and do to each what the plan says.

    It listens on 127.0.0.1 inside ``async with``, on a port that is free. Bodies are held in
    memory. A connection that was left half open, or is closed as idle, counts as ended with its
    next request, which is an exchange of its own that was not forwarded.

    Args:
        upstream: Scheme, host and port of the server.
        faults: What happens to the requests in their order, None for nothing, and nothing after
            the last; or a function that is asked about each, before it is forwarded.
        connections: The same for the connections.
        tls: Whether clients speak TLS to it; needs trustme, of the extra ``testing``. Clients find
            whom to trust in ``ca_file`` or by :meth:`trust`.
        upstream_ca_file: Whom to trust where the server speaks TLS; the machine's trust store by
            default.

    Attributes:
        exchanges: The requests that came, in order.
        connections: The connections that came, in order.
    """

    def __init__(
        self,
        upstream: str,
        faults: Iterable[Fault | None] | Plan = (),
        *,
        connections: Iterable[ConnectionFault | None] | ConnectionPlan = (),
        tls: bool = False,
        upstream_ca_file: Path | str | None = None,
    ) -> None:
        self.exchanges: list[Exchange] = []
        self.connections: list[Connection] = []
        self._upstream = upstream.rstrip("/")
        self._plan: Plan = faults if callable(faults) else in_order(faults)
        self._connection_plan: ConnectionPlan = (
            connections if callable(connections) else in_order(connections)
        )
        self._tls = tls
        self._upstream_ca_file = upstream_ca_file
        self._certificates: Certificates | None = None
        self._client: aiohttp.ClientSession | None = None
        self._server: web.Server | None = None
        self._port = 0
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._lines: dict[web.RequestHandler, Line] = {}
        self._held: list[socket.socket] = []

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self._port}"

    @property
    def ca_file(self) -> Path | None:
        """The file of the authority that clients may trust, while it runs with TLS."""
        return self._certificates.ca_file if self._certificates else None

    def trust(self) -> ssl.SSLContext:
        """Give a client's context that trusts the proxy and nobody else; without TLS, nobody."""
        if self._certificates is None:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return self._certificates.trust

    async def __aenter__(self) -> Self:
        upstream: ssl.SSLContext | bool = True
        if self._tls:
            self._certificates = await asyncio.to_thread(Certificates)
        if self._upstream_ca_file is not None:
            upstream = await asyncio.to_thread(
                ssl.create_default_context, cafile=self._upstream_ca_file
            )
        connector = aiohttp.TCPConnector(limit=0, ssl=upstream)
        self._client = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        # What reached the server is counted here, so nothing may be sent twice behind our back.
        self._client._retry_connection = False  # noqa: SLF001
        self._server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        self._reserved = _reserve_port()
        self._port = self._reserved.getsockname()[1]
        self._open_port()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        broken = await self._close_port()
        await _end(self._opening)
        if self._server is not None:
            await self._server.shutdown(0.1)
        for line in self._lines.values():
            line.abort()
        for accepted in self._held:
            accepted.close()
        if self._reserved is not None:
            self._reserved.close()
        if self._client is not None:
            await self._client.close()
        if self._certificates is not None:
            await asyncio.to_thread(self._certificates.close)
        self._certificates = None
        if broken is not None and error is None:
            raise broken

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Refuse new connections inside the block; those that there are go on."""
        broken = await self._close_port()
        if broken is not None:
            raise broken
        try:
            yield
        finally:
            self._open_port()

    # Connections

    def _open_port(self) -> None:
        self._listener = _listen(self._port)
        self._accepting = asyncio.create_task(self._accept())

    async def _close_port(self) -> BaseException | None:
        """Stop accepting; give what a plan raised."""
        task, self._accepting = self._accepting, None
        if task is None:
            return None
        await _end({task})
        self._stop_listening()  # a task that never began has not done it
        return None if task.cancelled() else task.exception()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._listener = None

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._listener is not None:
                accepted, _ = await loop.sock_accept(self._listener)
                connection = Connection(len(self.connections))
                self.connections.append(connection)
                self._held.append(accepted)
                fault = connection.fault = self._ask(accepted, connection)
                if isinstance(fault, Refuse):
                    self._stop_listening()
                    self._finish(accepted, "reset", connection)
                    await asyncio.sleep(fault.for_s)
                    self._listener = _listen(self._port)
                elif not isinstance(fault, Deaf):
                    task = asyncio.create_task(self._open(accepted, connection))
                    self._opening.add(task)
                    task.add_done_callback(self._opening.discard)
        finally:
            self._stop_listening()

    def _ask(self, accepted: socket.socket, connection: Connection) -> ConnectionFault | None:
        try:
            return self._connection_plan(connection)
        except Exception:
            self._finish(accepted, "reset", connection)
            raise

    async def _open(self, accepted: socket.socket, connection: Connection) -> None:
        """Bring a connection to where requests can come over it, or to its end."""
        fault = connection.fault
        try:
            if isinstance(fault, CutHandshake):
                await self._cut_handshake(fault, accepted, connection)
                return
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: self._line(connection), accepted)
            self._held.remove(accepted)  # it is the line's from here on
        except OSError:  # the client went away
            connection.closed = True

    def _line(self, connection: Connection) -> Line:
        assert self._server is not None  # noqa: S101  # there as long as connections come
        handler = self._server()
        line = self._lines[handler] = Line(
            connection,
            handler,
            self._context(connection.fault),
            on_end=lambda: self._lines.pop(handler, None),
        )
        return line

    def _context(self, fault: ConnectionFault | None) -> ssl.SSLContext | None:
        if self._certificates is None:
            return None
        if isinstance(fault, WrongCertificate):
            return self._certificates.wrong[fault.kind]
        return self._certificates.right

    async def _cut_handshake(
        self, fault: CutHandshake, accepted: socket.socket, connection: Connection
    ) -> None:
        loop = asyncio.get_running_loop()
        hello = await loop.sock_recv(accepted, 65536)
        if self._certificates is not None:
            flight = self._certificates.first_flight(hello)
            await loop.sock_sendall(accepted, flight[: fault.after])
        self._finish(accepted, fault.ends, connection)

    def _finish(self, accepted: socket.socket, ends: Ending, connection: Connection) -> None:
        """End a connection over which no request came."""
        if ends == "silence":
            return
        if ends == "reset":
            reset_on_close(accepted)
        self._held.remove(accepted)
        accepted.close()
        connection.closed = True

    # Requests

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        line = self._lines.get(raw.protocol)
        # Not raw.read(), which refuses what is larger than a mebibyte.
        body = b"".join([piece async for piece in raw.content.iter_any()])
        if line is None:  # the connection is gone, and with it whom to answer
            return web.Response()
        exchange = Exchange(
            raw.method, raw.path_qs, None, CIMultiDict(raw.headers), body, line.connection.number
        )
        self.exchanges.append(exchange)
        if line.next_fault is not None:
            exchange.fault = line.next_fault
            return _ended(line)
        exchange.fault = self._plan(exchange)
        return await self._under(exchange.fault, raw, line, exchange)

    async def _under(
        self, fault: Fault | None, raw: web.BaseRequest, line: Line, exchange: Exchange
    ) -> web.StreamResponse:
        """Do to one exchange what its fault says."""
        if isinstance(fault, ResetBefore):
            line.reset()
            return web.Response()
        if isinstance(fault, Instead):
            return await self._instead(fault, exchange)
        if isinstance(fault, Stall | Vanish):
            return await self._unanswered(fault, line, exchange)
        answer = await self._forward(exchange)
        if isinstance(fault, ResetAfter):
            line.reset()
            return web.Response()
        if isinstance(fault, Duplicate) or isinstance(line.connection.fault, DuplicateConnection):
            await self._forward(exchange)
        if isinstance(fault, HalfOpen | IdleClose):
            line.next_fault = fault
        return await deliver(fault, raw, line, answer)

    async def _unanswered(
        self, fault: Stall | Vanish, line: Line, exchange: Exchange
    ) -> web.StreamResponse:
        if isinstance(fault, Vanish):
            line.vanish()
        if fault.acts:
            await self._forward(exchange)
        return await silence()

    async def _instead(self, fault: Instead, exchange: Exchange) -> web.StreamResponse:
        if fault.acts:
            await self._forward(exchange)
        headers = {"Content-Type": fault.content_type, **dict(fault.headers)}
        return web.Response(status=fault.status, headers=headers, body=fault.body.encode())

    async def _forward(self, exchange: Exchange) -> Answer:
        """Send the request on; a server that cannot be reached is a 502."""
        assert self._client is not None  # noqa: S101  # open as long as handlers run
        kept = [(name, value) for name, value in exchange.headers.items() if _passes(name)]
        exchange.forwarded += 1
        try:
            async with self._client.request(
                exchange.method,
                f"{self._upstream}{exchange.path}",
                headers=CIMultiDict(kept),
                data=BytesIO(exchange.body) if exchange.body else None,
                allow_redirects=False,
            ) as got:
                body = await got.read()
        except aiohttp.ClientError as error:
            return Answer(502, CIMultiDict(), f"{type(error).__name__}".encode())
        exchange.status = exchange.status or got.status
        passed = [(name, value) for name, value in got.headers.items() if _passes(name)]
        return Answer(got.status, CIMultiDict(passed), body)


def _reserve_port() -> socket.socket:
    """Keep a free port from others, also while nobody listens on it."""
    reserved = socket.socket()
    if _SHARES_PORT:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((HOST, 0))
    return reserved


def _listen(port: int) -> socket.socket:
    listener = socket.create_server((HOST, port), backlog=512, reuse_port=_SHARES_PORT)
    listener.setblocking(False)
    return listener


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def _passes(header: str) -> bool:
    return header.lower() not in _HOP_BY_HOP


def _ended(line: Line) -> web.StreamResponse:
    """End a connection that should have been left alone."""
    if isinstance(line.next_fault, HalfOpen):
        line.reset()
    else:
        line.close()
    return web.Response()
