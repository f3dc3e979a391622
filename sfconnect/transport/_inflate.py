"""Compressed answers: opened by the fastest library that is there, and proven to be whole.

aiohttp would do it too, but only with one library for the whole process, always on the event loop,
and without a word about a gzip stream that ends early.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import anyio.to_thread

from sfconnect.speed import zlib_like

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCEPT_ENCODING: Final = "gzip, deflate"

AWAY_BYTES: Final = 2**19
"""Compressed bodies from this size on are opened in a thread.

They come to several MiB, which take 5 ms with isal and 20 with zlib. Less would not pay: beside a
busy loop a thread may wait for the interpreter's lock for 5 ms, which is its switch interval. JSON
is decoded on the loop at any size, because that holds the lock all the while.
"""

_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_BARE_BITS: Final = -15
_MAX_MEMBERS: Final = 1024
"""Members of one gzip stream; beyond it somebody wants to keep us busy."""


async def inflated(body: bytes, encoding: str) -> bytes:
    """Open a whole body.

    Raises:
        aiohttp.ClientPayloadError: It is corrupt or cut, or in an encoding that was not asked for.
    """
    if len(body) < AWAY_BYTES:
        return inflate(body, encoding)
    return await anyio.to_thread.run_sync(inflate, body, encoding)


def inflate(body: bytes, encoding: str) -> bytes:
    """Open a whole body; see :func:`inflated`."""
    opening = Inflater(encoding)
    pieces = list(opening.feed(body))
    opening.finish()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Inflater:
    """Open a body piece by piece; ``encoding`` is what the answer's Content-Encoding says."""

    __slots__ = ("_encoding", "_engine", "_members")

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        self._engine: Any = None
        self._members = 0

    def feed(self, data: bytes, most: int = 0) -> Iterator[bytes]:
        """Give what these bytes come to, in pieces of ``most`` bytes at most; 0 for no bound."""
        if self._encoding == "identity":
            yield data
            return
        more = bool(data)
        while more:
            if self._engine is None or self._engine.eof:
                self._engine = self._next_member(data)
            piece = self._inflate(data, most)
            if piece:
                yield piece
            if self._engine.eof:
                data = self._engine.unused_data
                more = bool(data)
            else:
                data = self._engine.unconsumed_tail
                # A full piece may leave some behind inside the library, all input being taken.
                more = bool(data) or 0 < most == len(piece)

    def _inflate(self, data: bytes, most: int) -> bytes:
        try:
            piece: bytes = self._engine.decompress(data, most)
        except zlib_like().error as error:
            raise _damaged("is corrupt") from error
        return piece

    def _next_member(self, data: bytes) -> Any:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise _damaged("has too many parts")
        return zlib_like().decompressobj(self._bits(data))

    def _bits(self, data: bytes) -> int:
        if self._encoding in {"gzip", "x-gzip"}:
            return _GZIP_BITS
        if self._encoding == "deflate":
            # The standard means zlib's format (RFC 9110 §8.4.1.2); some servers send it bare.
            return _ZLIB_BITS if data[0] & 0x0F == zlib.DEFLATED else _BARE_BITS
        raise _damaged(f"is encoded as {self._encoding[:20]!r}, which was not asked for")

    def finish(self) -> None:
        """Check that the body was whole.

        Raises:
            aiohttp.ClientPayloadError: It ends before its compressed form does.
        """
        if self._engine is not None and not self._engine.eof:
            raise _damaged("is cut")


def _damaged(what: str) -> aiohttp.ClientPayloadError:
    return aiohttp.ClientPayloadError(f"The compressed body {what}.")
