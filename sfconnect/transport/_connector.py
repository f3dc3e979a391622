"""Making connections, in a way that closing can end."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from socket import AF_INET
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver

from sfconnect.transport._read_limit import PatientHandler

if TYPE_CHECKING:
    import socket

    from aiohttp.abc import ResolveResult
    from aiohttp.client_proto import ResponseHandler


_CONNECTING = "while connecting"


def was_connecting(error: BaseException) -> bool:
    """Whether a time-out ended the attempt before there was a connection."""
    notes = getattr(error.__cause__, "__notes__", ())
    return isinstance(error, TimeoutError) and _CONNECTING in notes


@dataclass(slots=True)
class ConnectionCounts:
    """How connections came about, over the life of a pool."""

    tried: int = 0
    opened: int = 0
    handshakes: int = 0
    resumed: int = 0
    lookups: int = 0
    tried_by_host: Counter[str] = field(default_factory=Counter)
    opened_by_host: Counter[str] = field(default_factory=Counter)

    def note(self, connection: ResponseHandler, host: str) -> None:
        """Count a connection that was made."""
        self.opened += 1
        self.opened_by_host[host] += 1
        transport = connection.transport
        tls = transport.get_extra_info("ssl_object") if transport else None
        if tls is not None:
            self.handshakes += 1
            self.resumed += bool(tls.session_reused)


class CountingResolver(AbstractResolver):
    """aiohttp's look-up of names, counted; what its cache answers does not come here."""

    def __init__(self, counts: ConnectionCounts) -> None:
        self._resolver = aiohttp.DefaultResolver()
        self._counts = counts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = AF_INET
    ) -> list[ResolveResult]:
        """Look a name up."""
        self._counts.lookups += 1
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

    def __init__(self, *, counts: ConnectionCounts, **options: Any) -> None:
        super().__init__(**options)
        factory: Any = partial(PatientHandler, self._loop)
        self._factory = factory
        self._counts = counts
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
            self._being_made.discard(scope)
        self._counts.note(connection, host)
        return connection

    def end_connecting(self) -> None:
        """End what is being connected; call it just before :meth:`close`."""
        for scope in self._being_made:
            scope.reschedule(0.0)
