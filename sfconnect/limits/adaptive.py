"""A limiter that finds out how much an API takes: more while it goes well, less when it hurts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakSet

from sfconnect._slots import LineFullError
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import (
    ConfigurationError,
    PoolTimeout,
    QuotaExceededError,
    TooManyRequests,
)
from sfconnect.instrumentation import Emitter, LimitChanged
from sfconnect.limits.concurrency import ENDED_BY_CALLER
from sfconnect.limits.lanes import Lane, LaneSlots, LaneStats
from sfconnect.limits.logins import LoginLane, checked_lanes
from sfconnect.limits.long_calls import LONG_LIMIT, LONG_S, LongCalls
from sfconnect.limits.pace import Pace, Slowness

if TYPE_CHECKING:
    from sfconnect.errors import SfConnectError
    from sfconnect.limits.shared import LimiterContext

USUAL_LANES: Final[Mapping[str, Lane]] = {
    "interactive": Lane(surfaces=("rest", "query", "identity"), reserve_percent=10, due_percent=50),
    "bulk": Lane(surfaces=("extract",), limit_percent=90, due_percent=25),
}
"""Lanes by what calls are for: a person who waits for a record does not stand behind a batch.

A tenth of the limit of the moment is kept free for calls that a person may wait for; further ones
go before those of a batch until they hold half. A batch alone may hold the rest, nine tenths, and
the limit moves until that is what the API takes. In a storm of the others it gets a quarter.
"""

_BACK_OFF: Final = 0.8
_SLOWEST_OFF: Final = 0.7
_EASE_OFF: Final = 0.9
_SLOW: Final = log(2.0)
"""Calls that take twice their undisturbed time stand in a line over there."""
_FULL: Final = log(1.5)
"""From here on more calls in flight would only make the line longer."""
_UNHURRIED: Final = log(1.25)
_LEAST_WINDOW: Final = 30
_SERVER_ERRORS: Final = 500
_STRAY: Final = 1
_FAILING: Final = 0.1
_CAUTIOUS: Final = 10
"""Windows after a trouble in which the limit grows by one only."""
_PATIENT: Final = 10
"""Windows that are no reason to lower the limit, but to grow no more; then it is tried out."""
_STEP: Final = log(1 / 0.75)
"""How far the limit is lowered, as a logarithm, before it is asked whether that helped."""


@dataclass(frozen=True, slots=True)
class _Lowered:
    """Where a lowering of the limit for slowness began."""

    limit: float
    slowness: Slowness


def _is_trouble(error: SfConnectError) -> bool:
    """Whether the API or the network failed, and not the call: repeating it could help."""
    answered = error.status is not None and error.status < _SERVER_ERRORS
    return error.retry_safe is not False and not answered


class AdaptiveLimiter:
    """Let as many calls be in flight as an API takes without slowing down or refusing.

    It begins with ``initial`` and doubles while all goes well. After the first trouble it adds one
    for each window of calls, and a tenth once there was no trouble for ten windows. It takes away
    a fifth when the API refuses for load, and a tenth or more when calls take twice their
    undisturbed time; at half as much again it grows no more. It takes away a fifth, too, after a
    window in which more than a tenth of the calls failed for the API's or the network's sake: a
    server error, a time-out, a lost connection. Attempts that their callers ended tell it nothing.
    Refusals of calls that were sent under the old limit count no second time. It grows only while
    its slots are used.

    If calls do not become faster by lowering the limit, it was not the load that made them slow:
    then the limit goes back to where it was, and their times of now are taken for undisturbed.

    Lanes are the surfaces of requests, such as ``query``; ``lanes`` may put several together,
    reserve slots for them and bound them. Unless told otherwise it has :data:`USUAL_LANES`.
    Logins have a lane of their own beside the limit, which learns nothing from them; see
    :class:`LoginLane`.

    Salesforce refuses everybody where more than ``long_limit`` requests have been running for 20
    seconds (API guide, "API Request Limits and Allocations"): while so many do, nothing is begun,
    and a lane whose calls usually run that long is held to that many from the start.

    One limiter may serve several connections to one org.

    Args:
        initial: The limit to begin with.
        minimum: It never falls below this.
        maximum: It never rises above this.
        lanes: Reserves and bounds by surface; ``{}`` for none.
        long_limit: Calls that may run long at once; None for what the service says, which is 25
            for Salesforce, and 5 for orgs whose host shows that they are for developers.
        max_waiting: Calls that may stand in line, of each lane; None for no bound.
        wait_s: Longest wait in line; None for no bound.
        logins: The lane of logins, if it is to be another than of the usual length.
        emitter: Told of each change, as ``limit.changed``, beside those of the connections.
        clock: Tells how long calls have been under way.
    """

    def __init__(
        self,
        *,
        initial: int = 16,
        minimum: int = 2,
        maximum: int = 100,
        lanes: Mapping[str, Lane] | None = None,
        long_limit: int | None = None,
        max_waiting: int | None = None,
        wait_s: float | None = None,
        logins: LoginLane | None = None,
        emitter: Emitter | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not 1 <= minimum <= initial <= maximum:
            message = f"A limit cannot go from {minimum} over {initial} to {maximum}."
            raise ConfigurationError(message, hint="Give 1 <= minimum <= initial <= maximum.")
        if long_limit is not None and long_limit < 1:
            raise ConfigurationError(f"long_limit must be at least 1, not {long_limit}.")
        self.logins = logins or LoginLane(wait_s=wait_s)
        self._slots = LaneSlots(
            initial, checked_lanes(USUAL_LANES if lanes is None else lanes), max_waiting=max_waiting
        )
        self._limit = float(initial)
        self._minimum = minimum
        self._maximum = maximum
        self._long_given = long_limit is not None
        self._long_limit = LONG_LIMIT if long_limit is None else long_limit
        self._wait_s = wait_s
        self._emitters: WeakSet[Emitter] = WeakSet()
        self._emitter = emitter or Emitter()
        self._now = clock.monotonic
        self._long = LongCalls()
        self._pace = Pace()
        self._averages: dict[str, float] = {}
        self._lowered: _Lowered | None = None
        self._was_slow = False
        self._held = 0
        self._doubling = True
        self._calm = 0
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

    @property
    def lane_stats(self) -> dict[str, LaneStats]:
        """How full each lane is, by name."""
        return self._slots.stats()

    @property
    def long_limit(self) -> int:
        """Calls that may run for 20 seconds and more at once."""
        return self._long_limit

    async def open(self, context: LimiterContext) -> Self:
        """Serve a connection, and tell its listeners of changes too."""
        self._emitters.add(context.emitter)
        return self

    async def aclose(self) -> None:
        """Do nothing: other connections may go on using it."""

    def note_long_limit(self, limit: int) -> None:
        """Take the service's word for ``long_limit``, unless the program has set it."""
        if not self._long_given:
            self._long_limit = limit

    def try_acquire(self, lane: str) -> bool:
        """Take a slot if one is free for the lane."""
        now, slots = self._now(), self._slots
        self._hold(now)
        if not slots.try_acquire(lane):
            if slots.is_short(lane):
                self._saturated = True
            return False
        self._long.begin(now)
        if slots.used >= slots.capacity:
            self._saturated = True
        return True

    async def acquire(self, lane: str) -> None:
        """Wait for a slot; cancelling loses none.

        Raises:
            TooManyRequests: The line is full.
            PoolTimeout: No slot came free in time.
        """
        slots = self._slots
        self._hold(self._now())
        try:
            await slots.acquire(lane, self._wait_s)
        except LineFullError:
            waiting = slots.stats()[slots.lane_of(lane)].waiting
            message = f"{waiting} calls wait already, and {slots.used} are in flight."
            hint = "Produce more slowly (fan_out does), or raise max_waiting."
            raise TooManyRequests(message, hint=hint) from None
        except TimeoutError:
            message = f"The call waited {self._wait_s} s behind others; {slots.used} are in flight."
            hint = "The API takes no more at the moment; raise wait_s, or send less."
            raise PoolTimeout(message, hint=hint) from None
        self._long.begin(self._now())

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Give the slot back, and learn from how the attempt went."""
        now, slots = self._now(), self._slots
        self._long.end(now, elapsed_s)
        self._hold(now)
        slots.release(lane)
        if elapsed_s > 0 and error is None:
            self._bound_if_long(lane, elapsed_s)
        if self._before_change > 0:
            self._before_change -= 1
            return
        if error is not None and error.throttled and not isinstance(error, QuotaExceededError):
            self._back_off()
        elif elapsed_s > 0:  # else the slot was not used after all
            self._count(lane, elapsed_s, error)

    def _hold(self, now: float) -> None:
        """Begin nothing while as many calls run long as may."""
        held = self._long.under_way(now) >= self._long_limit
        if held is not self._slots.held:
            self._slots.hold(held=held)

    def _bound_if_long(self, lane: str, elapsed_s: float) -> None:
        """Hold a lane whose calls run long on the average to what may run long at once."""
        name = self._slots.lane_of(lane)
        before = self._averages.get(name, elapsed_s)
        average = self._averages[name] = before + 0.2 * (elapsed_s - before)
        if average >= LONG_S:
            self._slots.cap(name, self._long_limit)
        elif before >= LONG_S:
            self._slots.cap(name, None)

    def _begin_window(self) -> None:
        # What is under way now was sent under the old limit, and tells nothing of the new one.
        self._before_change = self._slots.used
        self._window = max(_LEAST_WINDOW, self._slots.capacity)
        if self._doubling:
            self._window = self._slots.capacity
        self._seen = self._failed = 0
        self._saturated = False

    def _count(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        if error is None:
            self._pace.note(lane, elapsed_s)
        elif error is ENDED_BY_CALLER or error.request_sent is False:
            return  # the API said nothing, and was perhaps not even asked
        else:
            self._failed += _is_trouble(error)
        self._seen += 1
        if self._seen >= self._window:
            self._end_window()

    def _back_off(self, reason: str = "throttled") -> None:
        """The API refused for load: one refusal says that, and the window need not end."""
        self._note_trouble()
        self._note_quiet()
        self._change(self._limit * _BACK_OFF, reason)
        self._begin_window()

    def _end_window(self) -> None:
        slowness = self._pace.end_window()
        if self._failed > max(_STRAY, self._seen * _FAILING):
            self._back_off("failing")
            return
        if not self._saturated:
            self._note_quiet()
        elif slowness.proven > _SLOW or self._held > _PATIENT:
            self._slow_down(slowness)
        elif slowness.proven > _FULL:
            self._held += 1
        else:
            self._note_quiet()
            self._grow(slowness.proven)
        self._begin_window()

    def _grow(self, slowness: float) -> None:
        self._calm += 1
        if self._doubling:
            step = self._limit
        elif self._calm > _CAUTIOUS and slowness < _UNHURRIED:
            step = max(1.0, self._limit / 10)
        else:
            step = 1.0
        self._change(self._limit + step, "room")

    def _slow_down(self, slowness: Slowness) -> None:
        self._note_trouble()
        if self._lowered is None:
            # The first slow window may have begun before the trouble did: it measures nothing.
            if self._was_slow:
                self._lowered = _Lowered(self._limit, slowness)
        elif self._far_enough(self._lowered):
            if not self._helped(self._lowered, slowness):
                limit = self._lowered.limit
                self._pace.accept()
                self._note_quiet()
                self._change(limit, "slower")
                return
            self._lowered = _Lowered(self._limit, slowness)
        self._was_slow = True
        fitting = exp(_SLOW - slowness.proven)
        self._change(self._limit * max(_SLOWEST_OFF, min(_EASE_OFF, fitting)), "slow")

    def _far_enough(self, lowered: _Lowered) -> bool:
        return self._limit <= self._minimum or log(lowered.limit / self._limit) >= _STEP

    def _helped(self, lowered: _Lowered, slowness: Slowness) -> bool:
        """Calls that stand in a line become faster by as much as the line becomes shorter."""
        by = log(lowered.limit / self._limit) / 2
        return slowness.is_less_than(lowered.slowness, by=by)

    def _note_quiet(self) -> None:
        self._lowered = None
        self._was_slow = False
        self._held = 0

    def _note_trouble(self) -> None:
        self._doubling = False
        self._calm = 0

    def _change(self, limit: float, reason: str) -> None:
        self._limit = min(float(self._maximum), max(float(self._minimum), limit))
        whole = int(self._limit)
        if whole == self._slots.capacity:
            return
        self._slots.resize(whole)
        event = LimitChanged("all", whole, reason)
        for emitter in (self._emitter, *self._emitters):
            emitter.emit(event)
