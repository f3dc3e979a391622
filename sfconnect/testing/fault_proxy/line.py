"""The proxy's end of one client's connection, and the ways in which it ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import TYPE_CHECKING, Final, cast

from sfconnect.testing.fault_proxy.faults import Connection, ResetMidway
from sfconnect.testing.fault_proxy.tls_end import TlsEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from sfconnect.testing.fault_proxy.faults import Fault

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Line(asyncio.Protocol):
    """Hand bytes on to aiohttp's server side, and end the connection as a fault wants.

    Attributes:
        next_fault: What the next request on it meets, which is not forwarded then.
    """

    def __init__(
        self,
        connection: Connection,
        handler: web.RequestHandler,
        context: ssl.SSLContext | None,
        *,
        on_end: Callable[[], object],
    ) -> None:
        self.connection = connection
        self.next_fault: Fault | None = None
        self._handler = handler
        self._context = context
        self._on_end = on_end
        self._tcp: asyncio.Transport | None = None
        self._tls: TlsEnd | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take requests at once, or shake hands first."""
        # It is a stream socket's; uvloop's are no subclass of what asyncio calls so.
        self._tcp = tcp = cast("asyncio.Transport", transport)
        if self._context is None:
            self._begin(tcp)
        else:
            self._tls = TlsEnd(tcp, self._context)

    def _begin(self, transport: asyncio.Transport) -> None:
        self.connection.usable = True
        self._handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand on what comes, without TLS."""
        if self._tls is None:
            self._hand_on(data)
            return
        try:
            for piece in self._tls.feed(data):
                self._see_hands_shaken()
                self._hand_on(piece)
        except ssl.SSLError:
            self.abort()
            return
        self._see_hands_shaken()
        if self._tls.ended:
            self.close()

    def _see_hands_shaken(self) -> None:
        if self._tls is not None and self._tls.shaken and not self.connection.usable:
            self._begin(self._tls)

    def _hand_on(self, data: bytes) -> None:
        self.connection.received += len(data)
        fault = self.connection.fault
        if isinstance(fault, ResetMidway) and self.connection.received >= fault.after:
            self.reset()
        elif self._tcp is not None and not self._tcp.is_closing():
            self._handler.data_received(data)

    def eof_received(self) -> None:
        """Hand on that the client sends no more."""
        if self.connection.usable:
            self._handler.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """Hand on that the connection has ended."""
        self.connection.closed = True
        self._on_end()
        if self.connection.usable:
            self._handler.connection_lost(error)

    def pause_writing(self) -> None:
        """Hand on that the client reads too slowly."""
        if self.connection.usable:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that the client has caught up."""
        if self.connection.usable:
            self._handler.resume_writing()

    def close(self) -> None:
        """End in order."""
        transport = self._tls or self._tcp
        if transport is not None:
            transport.close()

    def reset(self) -> None:
        """End with a TCP reset, and what is not on its way yet is lost."""
        if self._tcp is not None:
            reset_on_close(self._tcp.get_extra_info("socket"))
            self._tcp.abort()

    def vanish(self) -> None:
        """Be gone without a word: whatever the client sends from now on is not read."""
        if self._tcp is not None:
            self._tcp.pause_reading()

    def abort(self) -> None:
        """Give the socket back, whatever is under way."""
        if self._tcp is not None:
            self._tcp.abort()


def reset_on_close(connection: socket.socket | None) -> None:
    """Let a TCP reset be what the closing of a socket sends."""
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
