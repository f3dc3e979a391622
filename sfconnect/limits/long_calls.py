"""How many calls have been under way for long: of those an org takes few at once."""

from __future__ import annotations

from typing import Final

LONG_S: Final = 20.0
"""Salesforce counts requests that run this long, of which an org may have few at once."""
LONG_LIMIT: Final = 25
"""How many of those a production org may have; developer orgs and trials have 5."""


class LongCalls:
    """Count the calls under way that began ``LONG_S`` ago or earlier.

    A call's beginning is known to the second, and when it ends its time says which second that
    was: so no call needs a timer or an entry of its own, and thousands cost no more than one.
    """

    __slots__ = ("_long", "_young")

    def __init__(self) -> None:
        self._young: dict[int, int] = {}
        self._long = 0

    def begin(self, now: float) -> None:
        """Count a call that begins."""
        second = int(now)
        self._young[second] = self._young.get(second, 0) + 1

    def end(self, now: float, elapsed_s: float) -> None:
        """Take a call out of the count; it took so long."""
        second = int(now - elapsed_s)
        # It began when it got its slot, which was a moment before its time was taken, if not to
        # the last digit the same.
        for began in (second, second - 1, second + 1):
            if self._young.get(began):
                self._young[began] -= 1
                return
        self._long = max(0, self._long - 1)

    def under_way(self, now: float) -> int:
        """How many run for long by now."""
        border = now - LONG_S
        while self._young and (oldest := next(iter(self._young))) < border:
            self._long += self._young.pop(oldest)
        return self._long
