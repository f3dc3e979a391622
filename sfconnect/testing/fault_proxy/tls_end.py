"""The server's end of TLS, over a TCP transport that stays in reach.

asyncio's own hides what is below it, where connections are broken off and packets vanish.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_BYTES: Final = 262_144


class TlsEnd(asyncio.Transport):
    """Write through TLS, and read what :meth:`feed` is given.

    Attributes:
        shaken: Whether the handshake is done.
        ended: Whether the client said goodbye.
    """

    def __init__(self, tcp: asyncio.Transport, context: ssl.SSLContext) -> None:
        super().__init__()
        self.shaken = False
        self.ended = False
        self._tcp = tcp
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what came over TCP; give what it says.

        Raises:
            ssl.SSLError: It is no TLS, or the client does not like ours.
        """
        self._incoming.write(data)
        try:
            if not self.shaken:
                self._ssl.do_handshake()
                self.shaken = True
            while piece := self._ssl.read(_PIECE_BYTES):
                yield piece
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        finally:
            self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._tcp.is_closing():
            self._tcp.write(self._outgoing.read())

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send something to the client."""
        rest = memoryview(data)
        while rest and not self._tcp.is_closing():
            rest = rest[self._ssl.write(rest) :]  # it takes one record at a time
            self._flush()

    def close(self) -> None:
        """Say goodbye, without waiting for the client's, and close."""
        with suppress(ssl.SSLError):  # it wants that goodbye
            self._ssl.unwrap()
        self._flush()
        self._tcp.close()

    def abort(self) -> None:
        """Close at once."""
        self._tcp.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._tcp.is_closing()

    def can_write_eof(self) -> bool:
        """TLS cannot close one direction alone."""
        return False

    def pause_reading(self) -> None:
        """Read no more from the client for a while."""
        self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._tcp.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell of TLS, or else of TCP."""
        if name == "sslcontext":
            return self._ssl.context
        return self._ssl if name == "ssl_object" else self._tcp.get_extra_info(name, default)
