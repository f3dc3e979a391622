"""A limiter that finds out how much an API takes: more while it goes well, less when it hurts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sfconnect._slots import LineFullError
from sfconnect.errors import ConfigurationError, PoolTimeout, TooManyRequests
from sfconnect.instrumentation import Emitter, LimitChanged
from sfconnect.limits.lanes import Lane, LaneSlots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.errors import SfConnectError

LONG_S: Final = 20.0
"""Salesforce counts requests that run this long, of which an org may have few at once."""
LONG_LIMIT: Final = 25
"""How many of those a production org may have; developer orgs and trials have 5."""
_BACK_OFF: Final = 0.7
_EASE_OFF: Final = 0.9
_SLOW: Final = 2.0
"""Calls that take this many times their undisturbed time stand in a line over there."""
_LEAST_WINDOW: Final = 10
_BASELINES: Final = 20
"""After so many windows an undisturbed time is learnt anew: the API may have become slower."""


@dataclass(slots=True)
class _Pace:
    """How long calls of one lane take: undisturbed, and of late."""

    lows: deque[float] = field(default_factory=lambda: deque(maxlen=_BASELINES))
    low: float | None = None
    """The fastest of the present window."""
    average: float | None = None

    def note(self, elapsed_s: float) -> float | None:
        """Take a call's time; tell how many times its undisturbed time that is, once known."""
        self.low = elapsed_s if self.low is None else min(self.low, elapsed_s)
        before = elapsed_s if self.average is None else self.average
        self.average = before + 0.2 * (elapsed_s - before)
        baseline = min(self.lows, default=None)
        return None if not baseline else elapsed_s / baseline

    def end_window(self) -> None:
        """Remember the fastest call of the window that ends."""
        if self.low is not None:
            self.lows.append(self.low)
            self.low = None


class AdaptiveLimiter:
    """Let as many calls be in flight as an API takes without slowing down or refusing.

    It begins with ``initial`` and doubles while all goes well. From the first trouble on it adds
    one for each window of calls, and takes away three tenths when the API refuses for load, or a
    tenth when calls take twice their undisturbed time. It grows only while its slots are used.
    One window's trouble counts once. A slower API is told from a fuller one in time: undisturbed
    times are learnt anew.

    Lanes are the surfaces of requests, such as ``query``; ``lanes`` may reserve slots for some of
    them and bound others. A lane whose calls run for 20 seconds or more is held to
    ``long_limit``, since Salesforce refuses everybody where more of those run (API guide, "API
    Request Limits and Allocations").

    Args:
        initial: The limit to begin with.
        minimum: It never falls below this.
        maximum: It never rises above this.
        lanes: Reserves and bounds by surface.
        long_limit: Calls of one lane that may run long at once: 25 for production orgs, 5 for
            developer orgs.
        max_waiting: Calls that may stand in line; None for no bound.
        wait_s: Longest wait in line; None for no bound.
        emitter: Told of each change, as ``limit.changed``.
    """

    def __init__(
        self,
        *,
        initial: int = 16,
        minimum: int = 2,
        maximum: int = 100,
        lanes: Mapping[str, Lane] | None = None,
        long_limit: int = LONG_LIMIT,
        max_waiting: int | None = None,
        wait_s: float | None = None,
        emitter: Emitter | None = None,
    ) -> None:
        if not 1 <= minimum <= initial <= maximum:
            message = f"A limit cannot go from {minimum} over {initial} to {maximum}."
            raise ConfigurationError(message, hint="Give 1 <= minimum <= initial <= maximum.")
        self._slots = LaneSlots(initial, lanes or {}, max_waiting=max_waiting)
        self._limit = float(initial)
        self._minimum = minimum
        self._maximum = maximum
        self._long_limit = long_limit
        self._wait_s = wait_s
        self._emitter = emitter or Emitter()
        self._paces: dict[str, _Pace] = {}
        self._doubling = True
        self._begin_window()

    @property
    def limit(self) -> int:
        """Calls that may be in flight."""
        return self._slots.capacity

    @property
    def in_flight(self) -> int:
        """Calls in flight now."""
        return self._slots.used

    @property
    def waiting(self) -> int:
        """Calls in line now."""
        return self._slots.waiting

    def try_acquire(self, lane: str) -> bool:
        """Take a slot if one is free for the lane."""
        taken = self._slots.try_acquire(lane)
        if not taken or self._slots.used == self._slots.capacity:
            self._saturated = True
        return taken

    async def acquire(self, lane: str) -> None:
        """Wait for a slot; cancelling loses none.

        Raises:
            TooManyRequests: The line is full.
            PoolTimeout: No slot came free in time.
        """
        slots = self._slots
        try:
            await slots.acquire(lane, self._wait_s)
        except LineFullError:
            message = f"{slots.waiting} calls wait already, and {slots.used} are in flight."
            hint = "Produce more slowly (fan_out does), or raise max_waiting."
            raise TooManyRequests(message, hint=hint) from None
        except TimeoutError:
            message = f"The call waited {self._wait_s} s behind others; {slots.used} are in flight."
            hint = "The API takes no more at the moment; raise wait_s, or send less."
            raise PoolTimeout(message, hint=hint) from None

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Give the slot back, and learn from how the attempt went."""
        self._slots.release(lane)
        if self._before_change > 0:
            self._before_change -= 1
            return
        if error is not None and error.throttled:
            self._throttled = True
        elif error is None and elapsed_s > 0:
            self._note(lane, elapsed_s)
        self._seen += 1
        if self._seen >= self._window:
            self._end_window()

    def _note(self, lane: str, elapsed_s: float) -> None:
        pace = self._paces.get(lane)
        if pace is None:
            pace = self._paces[lane] = _Pace()
        was_long = (pace.average or 0.0) >= LONG_S
        ratio = pace.note(elapsed_s)
        if ratio is not None:
            self._ratios += ratio
            self._measured += 1
        is_long = (pace.average or 0.0) >= LONG_S
        if is_long != was_long:
            self._slots.cap(lane, self._long_limit if is_long else None)

    def _begin_window(self) -> None:
        # What is under way now was sent under the old limit, and tells nothing of the new one.
        self._before_change = self._slots.used
        self._window = max(_LEAST_WINDOW, self._slots.capacity)
        self._seen = self._measured = 0
        self._ratios = 0.0
        self._throttled = self._saturated = False

    def _end_window(self) -> None:
        ratio = self._ratios / self._measured if self._measured else 1.0
        for pace in self._paces.values():
            pace.end_window()
        if self._throttled:
            self._doubling = False
            self._change(self._limit * _BACK_OFF, "throttled")
        elif ratio > _SLOW:
            self._doubling = False
            self._change(self._limit * _EASE_OFF, "slow")
        elif self._saturated:
            self._change(self._limit * 2 if self._doubling else self._limit + 1, "room")
        self._begin_window()

    def _change(self, limit: float, reason: str) -> None:
        self._limit = min(float(self._maximum), max(float(self._minimum), limit))
        whole = int(self._limit)
        if whole == self._slots.capacity:
            return
        self._slots.resize(whole)
        if self._emitter.hooks:
            self._emitter.emit(LimitChanged("all", whole, reason))
