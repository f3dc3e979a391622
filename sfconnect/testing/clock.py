"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count

_ROUNDS = 100


class FakeClock:
    """Time under a test's control, for tests of waiting and expiry without waiting.

    ``time`` and ``monotonic`` begin at different values, so that code which mixes them up fails.
    The clock belongs to one event loop. It cannot see sockets: code that does real I/O needs the
    test to await that I/O itself.
    """

    def __init__(self, *, wall: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._monotonic = monotonic
        self._offset = wall - monotonic
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return self._monotonic

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._monotonic + self._offset

    @property
    def sleepers(self) -> int:
        """How many tasks wait on this clock."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until :meth:`advance` has moved the clock this far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move the clock; wake sleepers in their order, each at its own time, and let them run."""
        await self.settle()
        target = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, future = heappop(self._sleepers)
            if not future.done():
                self._monotonic = due
                future.set_result(None)
                await self.settle()
        self._monotonic = target
        await self.settle()

    async def settle(self) -> None:
        """Let tasks run until those that wait on nothing but each other have got where they can."""
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)

    def shift_wall(self, seconds: float) -> None:
        """Set the wall clock alone, as an operator or NTP would; nobody wakes up."""
        self._offset += seconds
