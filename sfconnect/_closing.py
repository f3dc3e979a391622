"""Waits of a connection, which end when it is closed."""

from __future__ import annotations

import asyncio

from sfconnect.clock import Clock
from sfconnect.errors import PoolClosed


class ClosingClock:
    """Another clock, whose sleepers are woken with an error once nothing is worth waiting for.

    Calls wait for their next attempt, for their time and for room in a quota, which may be a day.
    """

    __slots__ = ("_asleep", "_clock", "_closed", "monotonic", "time")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed = False
        self._asleep: set[asyncio.Timeout] = set()
        # The clock's own, so that telling the time costs no frame more.
        self.monotonic = clock.monotonic
        self.time = clock.time

    async def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            PoolClosed: The connection was closed, before or meanwhile.
        """
        if self._closed:
            raise PoolClosed(_WAITED)
        # A scope without a limit, for close to end: unlike Task.cancel, it can tell its own
        # ending from a cancellation by others.
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._asleep.add(scope)
                await self._clock.sleep(seconds)
        except TimeoutError:
            if scope.expired():
                raise PoolClosed(_WAITED) from None
            raise
        finally:
            self._asleep.discard(scope)

    def close(self) -> None:
        """End all waits, and those to come. Idempotent."""
        self._closed = True
        for scope in self._asleep:
            scope.reschedule(asyncio.get_running_loop().time())
        self._asleep.clear()


_WAITED = "The connection was closed while the call waited to be sent."
