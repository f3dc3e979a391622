"""One connection: how long it waits for a piece, who ended it, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class PatientHandler(ResponseHandler):
    """aiohttp's end of a connection, which looks for lateness only when it could be late.

    aiohttp cancels its timer and makes another whenever something comes: a tenth of what a small
    call costs. Here a connection has one timer at most. When that is due, it looks when something
    came last, and goes to sleep again for the rest; on a connection that is used again and again it
    is made once in the length of the limit.

    Attributes:
        when_lost: Called with the connection when the other side, or the network, ended it.
    """

    when_lost: Callable[[ResponseHandler], None] | None = None
    _ended_here = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._late_at: float | None = None
        self._look: asyncio.TimerHandle | None = None
        self._look_at = 0.0

    def _reschedule_timeout(self) -> None:
        limit_s = self._read_timeout
        if not limit_s:
            self._late_at = None
            return
        self._late_at = late_at = self._loop.time() + limit_s
        if self._look is None:
            self._sleep_until(late_at)
        elif self._look_at > late_at:  # the request before this one had more time
            self._look.cancel()
            self._sleep_until(late_at)

    def _sleep_until(self, moment: float) -> None:
        self._look_at = moment
        self._look = self._loop.call_at(moment, self._look_at_clock)

    def _drop_timeout(self) -> None:
        self._late_at = None

    def _look_at_clock(self) -> None:
        self._look = None
        if self._late_at is None:
            return
        if self._late_at > self._loop.time():
            self._sleep_until(self._late_at)
        else:
            self._late_at = None
            self._on_read_timeout()

    def close(self) -> None:
        """Give the connection up at once.

        aiohttp would first send what is left to be sent, and exchange goodbyes where it speaks TLS.
        That holds a socket for as long as a dead peer says nothing, and nobody waits for either.
        """
        self._ended_here |= self.is_connected()
        if self.transport is not None:
            self.transport.abort()
        super().close()

    def abort(self) -> None:
        """Give the connection up; what aiohttp calls where TLS is spoken."""
        self.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the timer with the connection."""
        if self.when_lost is not None and not self._ended_here:
            self.when_lost(self)
        self._late_at = None
        if self._look is not None:
            self._look.cancel()
            self._look = None
        super().connection_lost(exc)
