"""Making connections, in a way that closing can end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler


_CONNECTING = "while connecting"


def was_connecting(error: BaseException) -> bool:
    """Whether a time-out ended the attempt before there was a connection."""
    notes = getattr(error.__cause__, "__notes__", ())
    return isinstance(error, TimeoutError) and _CONNECTING in notes


class ClosableConnector(aiohttp.TCPConnector):
    """A TCP connector that, when it is closed, also ends the connections that are being made.

    aiohttp waits for those: a host that does not answer would hold its caller, and a socket, until
    the connect time-out. And it cancels the look-up of names, which reaches callers that nobody
    cancelled as ``CancelledError``. Here both become an aiohttp error.
    """

    def __init__(self, *, made: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._made = made
        self._being_made: set[asyncio.Timeout] = set()

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the name is aiohttp's
    ) -> ResponseHandler:
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
        self._made()
        return connection

    def end_connecting(self) -> None:
        """End what is being connected; call it just before :meth:`close`."""
        for scope in self._being_made:
            scope.reschedule(0.0)
