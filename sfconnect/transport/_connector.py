"""Making connections, in a way that closing can end."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from time import monotonic
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver

from sfconnect.transport._read_limit import PatientHandler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.abc import ResolveResult
    from aiohttp.client_proto import ResponseHandler

_CONNECTING = "while connecting"
_IPV4_PARTS = 2
"""Host and port."""


@dataclass(slots=True)
class _Attempt:
    """What is done for one connection."""

    addresses: list[Any] = field(default_factory=list)
    looked_up: bool = False


# A name is looked up, and addresses are tried, in tasks of aiohttp's, which inherit this.
_ATTEMPT: ContextVar[_Attempt] = ContextVar("sfconnect.connecting")


def was_connecting(error: BaseException) -> bool:
    """Whether a time-out ended the attempt before there was a connection."""
    notes = getattr(error.__cause__, "__notes__", ())
    return isinstance(error, TimeoutError) and _CONNECTING in notes


@dataclass(slots=True)
class ConnectionCounts:
    """How connections came about and ended, over the life of a pool."""

    tried: int = 0
    opened: int = 0
    ipv4: int = 0
    ipv6: int = 0
    past_first: int = 0
    expired: int = 0
    dropped: int = 0
    addresses: int = 0
    handshakes: int = 0
    resumed: int = 0
    lookups: int = 0
    names_cached: int = 0
    tried_by_host: Counter[str] = field(default_factory=Counter)
    opened_by_host: Counter[str] = field(default_factory=Counter)

    def note_opened(self, connection: ResponseHandler, host: str, attempt: _Attempt) -> None:
        """Count a connection that was made."""
        self.opened += 1
        self.opened_by_host[host] += 1
        transport = connection.transport
        if transport is None:
            return
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.handshakes += 1
            self.resumed += bool(tls.session_reused)
        peer = transport.get_extra_info("peername")
        if peer is not None:
            # An IPv6 address comes with its flow and its scope.
            is_ipv6 = len(peer) > _IPV4_PARTS
            self.ipv6 += is_ipv6
            self.ipv4 += not is_ipv6
            self.past_first += bool(attempt.addresses) and attempt.addresses[0][:2] != peer[:2]

    def make_socket(self, address: Any) -> socket.socket:
        """Make the socket for one address that is tried, as aiohttp would, and count it."""
        family, kind, protocol, _, sockaddr = address
        self.addresses += 1
        if (attempt := _ATTEMPT.get(None)) is not None:
            attempt.addresses.append(sockaddr)
        return socket.socket(family, kind, protocol)


class CountingResolver(AbstractResolver):
    """aiohttp's look-up of names, counted; what its cache answers does not come here."""

    def __init__(self, counts: ConnectionCounts) -> None:
        self._resolver = aiohttp.DefaultResolver()
        self._counts = counts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look a name up."""
        self._counts.lookups += 1
        if (attempt := _ATTEMPT.get(None)) is not None:
            attempt.looked_up = True
        return await self._resolver.resolve(host, port, family)

    async def close(self) -> None:
        """End what the resolver runs."""
        await self._resolver.close()


class ClosableConnector(aiohttp.TCPConnector):
    """A TCP connector that, when it is closed, also ends the connections that are being made.

    aiohttp waits for those: a host that does not answer would hold its caller, and a socket, until
    the connect time-out. And it cancels the look-up of names, which reaches callers that nobody
    cancelled as ``CancelledError``. Here both become an aiohttp error.
    """

    def __init__(self, *, counts: ConnectionCounts, idle_s: float, **options: Any) -> None:
        super().__init__(keepalive_timeout=idle_s, socket_factory=counts.make_socket, **options)
        factory: Any = partial(PatientHandler, self._loop)
        self._factory = factory
        self._counts = counts
        self._idle_s = idle_s
        self._being_made: set[asyncio.Timeout] = set()

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the name is aiohttp's
    ) -> ResponseHandler:
        host = str(req.url.origin())
        self._counts.tried += 1
        self._counts.tried_by_host[host] += 1
        attempt = _Attempt()
        token = _ATTEMPT.set(attempt)
        # A scope without a limit, for end_connecting to end: unlike Task.cancel, it can tell its
        # own cancellation from one of the caller's.
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._being_made.add(scope)
                connection = await super()._create_connection(req, traces, timeout)
        except asyncio.CancelledError as cancelled:
            # The request's total limit ends it this way too, and makes this the cause of its error.
            cancelled.add_note(_CONNECTING)
            raise
        except TimeoutError as error:
            if scope.expired():
                raise aiohttp.ClientConnectionError("The connector was closed.") from error
            raise
        finally:
            _ATTEMPT.reset(token)
            self._being_made.discard(scope)
        if isinstance(connection, PatientHandler):  # always; the type does not say it
            connection.when_lost = self._note_lost
        self._counts.note_opened(connection, host, attempt)
        self._counts.names_cached += not attempt.looked_up and _goes_by_name(req)
        return connection

    def _get(self, key: Any, traces: list[Any]) -> Any:
        unused = self._conns.get(key)
        if unused and monotonic() - unused[0][1] > self._idle_s:
            self._note_expired(unused)
        return super()._get(key, traces)

    def _cleanup(self) -> None:
        for unused in self._conns.values():
            self._note_expired(unused)
        super()._cleanup()

    def _note_expired(self, unused: Iterable[tuple[ResponseHandler, float]]) -> None:
        """Count what aiohttp closes next, since nobody used it for too long."""
        oldest = monotonic() - self._idle_s
        for connection, used_at in unused:
            if used_at >= oldest:  # they stand in the order in which they came free
                break
            self._counts.expired += connection.is_connected()

    def _note_lost(self, connection: ResponseHandler) -> None:
        """Count a connection that the other side ended, if no request had it."""
        self._counts.dropped += connection not in self._acquired

    def end_connecting(self) -> None:
        """End what is being connected; call it just before :meth:`close`."""
        for scope in self._being_made:
            scope.reschedule(0.0)


def _goes_by_name(request: aiohttp.ClientRequest) -> bool:
    """Whether the address to connect to had to be found by a name."""
    host = (request.proxy or request.url).host or ""
    try:
        ip_address(host)
    except ValueError:
        return True
    return False
