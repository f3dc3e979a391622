"""A streamed answer over aiohttp."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from sfconnect.messages import Request, Response
from sfconnect.transport._errors import presentable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

# RuntimeError: what aiohttp raises for a connection that was given up in this process.
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, RuntimeError)


class AiohttpStream:
    """Read an answer's body piece by piece; see ``sfconnect.messages.StreamedResponse``."""

    __slots__ = ("_answer", "_failure", "_request", "headers", "status")

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

    async def iter_bytes(self, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        """Iterate over the decompressed body."""
        pieces = self._answer.content.iter_chunked(chunk_size)
        while True:
            # Only the read is guarded: an error of the consumer's own is not a transport error.
            try:
                piece = await anext(pieces, b"")
            except _FAILURES as error:
                raise self._failure(error, self._request) from presentable(error)
            if not piece:
                return
            yield piece

    async def read(self) -> Response:
        """Read what is left of the body."""
        try:
            content = await self._answer.read()
        except _FAILURES as error:
            raise self._failure(error, self._request) from presentable(error)
        return Response(self.status, self.headers, content)
