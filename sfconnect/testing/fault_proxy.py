"""A proxy on loopback between a client and any HTTP server, that makes the network's trouble.

.. code-block:: python

    async with FaultProxy(server_url, faults=[ResetAfter(), None, CutBody(after=100)]) as proxy:
        ...  # talk to proxy.url instead of server_url

``faults`` says what happens to the first request, the second and so on; or it is a function that
is asked about each request. What reached the server, and how often, is in ``proxy.exchanges``.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TypeAlias
from weakref import WeakSet

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

if TYPE_CHECKING:
    from types import TracebackType

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_HOP_BY_HOP: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"}
)


@dataclass(frozen=True, slots=True)
class ResetBefore:
    """Reset the connection; the server never sees the request."""


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """Let the server act, then reset the connection instead of handing its answer on."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Let the server act if ``acts``; then answer nothing until the client gives up."""

    acts: bool = True


@dataclass(frozen=True, slots=True)
class CutBody:
    """Close after so many bytes of the body, which its framing promises more of."""

    after: int
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class CorruptGzip:
    """Compress the body, and spoil a byte in the middle of it."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the body in pieces of ``size`` bytes, ``pause_s`` apart."""

    size: int = 1
    pause_s: float = 0.001


@dataclass(frozen=True, slots=True)
class Instead:
    """Answer something else; the server sees the request only if it ``acts``."""

    status: int = 503
    body: str = "<html><head><title>Service Unavailable</title></head><body></body></html>"
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()
    acts: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Send the request twice, as a broken middlebox does; hand on the first answer."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Answer well, and then forget the connection: the next request on it meets a reset."""


Fault: TypeAlias = (
    ResetBefore | ResetAfter | Stall | CutBody | CorruptGzip | Drip | Instead | Duplicate | HalfOpen
)


@dataclass(slots=True)
class Exchange:
    """One request that reached the proxy.

    Attributes:
        method: As it was sent.
        path: With its query.
        fault: What was done to it; None for nothing.
        forwarded: How often the server was sent it.
        status: Of the server's first answer; None without one.
    """

    method: str
    path: str
    fault: Fault | None
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes = field(repr=False)
    forwarded: int = 0
    status: int | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: CIMultiDict[str]
    body: bytes


Plan: TypeAlias = Callable[[Exchange], Fault | None]


class FaultProxy:
    """Hand requests on to ``upstream``, and do to each what the plan says.

    It listens on 127.0.0.1 inside ``async with``, on a port that is free. Bodies are held in
    memory. A connection that was left half open counts as reset with its next request, which is an
    exchange of its own that was not forwarded.

    Args:
        upstream: Scheme, host and port of the server.
        faults: What happens to the requests in their order, None for nothing, and nothing after
            the last; or a function that is asked about each, before it is forwarded.

    Attributes:
        exchanges: The requests that came, in order.
    """

    def __init__(self, upstream: str, faults: Iterable[Fault | None] | Plan = ()) -> None:
        self.exchanges: list[Exchange] = []
        self._upstream = upstream.rstrip("/")
        self._plan = faults if callable(faults) else _in_order(faults)
        self._forgotten: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._client: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        self._address = ("", 0)

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        host, port = self._address
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._address = self._runner.addresses[0][:2]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        runner, self._runner = self._runner, None
        client, self._client = self._client, None
        if runner is not None:
            await runner.cleanup()
        if client is not None:
            await client.close()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(
            raw.method, raw.path_qs, None, CIMultiDict(raw.headers), await raw.read()
        )
        self.exchanges.append(exchange)
        if raw.transport in self._forgotten:
            exchange.fault = HalfOpen()
            return _reset(raw)
        exchange.fault = self._plan(exchange)
        return await self._under(exchange.fault, raw, exchange)

    async def _under(
        self, fault: Fault | None, raw: web.BaseRequest, exchange: Exchange
    ) -> web.StreamResponse:
        """Do to one exchange what its fault says."""
        if isinstance(fault, ResetBefore):
            return _reset(raw)
        if isinstance(fault, Instead):
            return await self._instead(fault, exchange)
        if isinstance(fault, Stall) and not fault.acts:
            return await _silence()
        answer = await self._forward(exchange)
        if isinstance(fault, ResetAfter):
            return _reset(raw)
        if isinstance(fault, Stall):
            return await _silence()
        if isinstance(fault, Duplicate):
            await self._forward(exchange)
        if isinstance(fault, HalfOpen) and raw.transport is not None:
            self._forgotten.add(raw.transport)
        return await _deliver(fault, raw, answer)

    async def _instead(self, fault: Instead, exchange: Exchange) -> web.StreamResponse:
        if fault.acts:
            await self._forward(exchange)
        headers = {"Content-Type": fault.content_type, **dict(fault.headers)}
        return web.Response(status=fault.status, headers=headers, body=fault.body.encode())

    async def _forward(self, exchange: Exchange) -> _Answer:
        """Send the request on; a server that cannot be reached is a 502."""
        assert self._client is not None  # noqa: S101  # open as long as handlers run
        kept = [(name, value) for name, value in exchange.headers.items() if _passes(name)]
        exchange.forwarded += 1
        try:
            async with self._client.request(
                exchange.method,
                f"{self._upstream}{exchange.path}",
                headers=CIMultiDict(kept),
                data=exchange.body,
                allow_redirects=False,
            ) as got:
                body = await got.read()
        except aiohttp.ClientError as error:
            return _Answer(502, CIMultiDict(), f"{type(error).__name__}".encode())
        exchange.status = exchange.status or got.status
        passed = [(name, value) for name, value in got.headers.items() if _passes(name)]
        return _Answer(got.status, CIMultiDict(passed), body)


def _in_order(faults: Iterable[Fault | None]) -> Plan:
    upcoming = iter(faults)

    def plan(_: Exchange) -> Fault | None:
        return next(upcoming, None)

    return plan


def _passes(header: str) -> bool:
    return header.lower() not in _HOP_BY_HOP


async def _deliver(
    fault: Fault | None, raw: web.BaseRequest, answer: _Answer
) -> web.StreamResponse:
    if isinstance(fault, CutBody):
        answer_cut = await _begin(raw, answer, chunked=fault.chunked)
        await answer_cut.write(answer.body[: fault.after])
        if raw.transport is not None:
            raw.transport.close()
        return answer_cut
    if isinstance(fault, Drip):
        dripping = await _begin(raw, answer, chunked=False)
        for start in range(0, len(answer.body), fault.size):
            await dripping.write(answer.body[start : start + fault.size])
            await asyncio.sleep(fault.pause_s)
        return dripping
    if isinstance(fault, CorruptGzip):
        answer = _spoilt(answer)
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


async def _begin(raw: web.BaseRequest, answer: _Answer, *, chunked: bool) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    if chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(answer.body)
    await response.prepare(raw)
    return response


def _spoilt(answer: _Answer) -> _Answer:
    plain = answer.body
    if answer.headers.get("Content-Encoding") == "gzip":
        plain = gzip.decompress(plain)
    packed = bytearray(gzip.compress(plain))
    packed[len(packed) // 2] ^= 0xFF
    headers = answer.headers.copy()
    headers["Content-Encoding"] = "gzip"
    return _Answer(answer.status, headers, bytes(packed))


async def _silence() -> web.StreamResponse:
    """Wait until the client hangs up, which cancels this."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody completes that future")


def _reset(raw: web.BaseRequest) -> web.StreamResponse:
    """Close with a TCP reset and without a byte of answer."""
    if raw.transport is not None:
        sock = raw.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        raw.transport.abort()
    return web.Response()
