"""Time as a dependency, so that tests of waiting and expiry need not wait."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the framework asks of time."""

    def monotonic(self) -> float:
        """Seconds that never go back; for durations."""
        ...

    def time(self) -> float:
        """Seconds since the epoch; for expiry dates and signed claims."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation ends the wait at once."""
        ...


class SystemClock:
    """The machine's own time."""

    __slots__ = ()

    def monotonic(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch by the machine's wall clock."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()
