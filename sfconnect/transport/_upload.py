"""Request bodies, in the forms in which they are best sent."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator


_AT_ONCE_BYTES: Final = 2**20


class ProducerFailedError(Exception):
    """The body's producer raised; its own error is the cause.

    aiohttp takes whatever a producer raises for a broken connection. Behind this name it can be
    told from one, and given to the caller as it was.
    """


def sendable(content: bytes | AsyncIterable[bytes]) -> bytes | BytesIO | AsyncIterator[bytes]:
    """Give a body in a form that is written piece by piece where it is large."""
    if not isinstance(content, bytes):
        return _guarded(content)
    return content if len(content) <= _AT_ONCE_BYTES else BytesIO(content)


async def _guarded(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Give the pieces of a body; mark an error of its producer as such."""
    try:
        async for piece in content:
            yield piece
    except Exception as error:
        raise ProducerFailedError from error


def producer_error(error: BaseException) -> BaseException | None:
    """The producer's own error, if that is why a request failed."""
    cause = error.__cause__
    return cause.__cause__ if isinstance(cause, ProducerFailedError) else None
