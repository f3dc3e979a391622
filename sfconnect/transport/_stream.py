"""A streamed answer over aiohttp."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from sfconnect.messages import PIECE_BYTES, Request, Response
from sfconnect.transport._errors import presentable
from sfconnect.transport._inflate import Inflater

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

# RuntimeError: what aiohttp raises for a connection that was given up in this process.
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, RuntimeError)


class AiohttpStream:
    """Read an answer's body piece by piece; see ``sfconnect.messages.StreamedResponse``."""

    __slots__ = ("_answer", "_failure", "_inflater", "_opened", "_request", "headers", "status")

    def __init__(
        self,
        answer: aiohttp.ClientResponse,
        request: Request,
        failure: Callable[[BaseException, Request], BaseException],
    ) -> None:
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._answer = answer
        self._request = request
        self._failure = failure
        encoding = answer.headers.get("Content-Encoding")
        self._inflater = None if encoding is None else Inflater(encoding)
        self._opened: Iterator[bytes] = iter(())

    async def iter_bytes(self, chunk_size: int = PIECE_BYTES) -> AsyncIterator[bytes]:
        """Iterate over the decompressed body."""
        while True:
            # Only the read is guarded: an error of the consumer's own is not a transport error.
            try:
                piece = await self._next(chunk_size)
            except _FAILURES as error:
                raise self._failure(error, self._request) from presentable(error)
            if not piece:
                return
            yield piece

    async def _next(self, most: int) -> bytes:
        if self._inflater is None:
            return await self._answer.content.read(most)
        while (piece := next(self._opened, None)) is None:
            packed = await self._answer.content.read(most)
            if not packed:
                self._inflater.finish()
                return b""
            self._opened = self._inflater.feed(packed, most)
        return piece

    async def read(self) -> Response:
        """Read what is left of the body."""
        try:
            content = await self._rest()
        except _FAILURES as error:
            raise self._failure(error, self._request) from presentable(error)
        return Response(self.status, self.headers, content)

    async def _rest(self) -> bytes:
        packed = await self._answer.read()
        if self._inflater is None:
            return packed
        content = b"".join([*self._opened, *self._inflater.feed(packed)])
        self._inflater.finish()
        return content
