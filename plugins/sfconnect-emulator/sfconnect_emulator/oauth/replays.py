"""Assertions that have been used, so that nobody can use them again."""

from __future__ import annotations

from collections.abc import Hashable

from sfconnect_emulator.clock import Clock

CLOCK_BUFFER_S = 180


class Replays:
    """Remember assertions by their ids for as long as they would be accepted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def first_use(self, key: Hashable, expires_at: float) -> bool:
        """Take note of a use, and tell whether it is the first."""
        now = self._clock.time()
        for old in [one for one, until in self._seen.items() if until + CLOCK_BUFFER_S <= now]:
            del self._seen[old]
        if key in self._seen:
            return False
        self._seen[key] = expires_at
        return True
