"""So many calls a second, evenly spaced, in the order in which they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sfconnect._slots import Slots
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import ConfigurationError
from sfconnect.limits.concurrency import HeedsLongCalls, Limiter

if TYPE_CHECKING:
    from sfconnect.errors import SfConnectError

_CATCH_UP_S: Final = 0.01
"""Timers are late by milliseconds; so much of what was missed may follow at once."""


class PacesCalls(Protocol):
    """Says when calls may go; :class:`Pacer` does, and plugins may in other ways."""

    @property
    def waiting(self) -> int:
        """Calls that wait for their time."""
        ...

    def try_pass(self) -> bool:
        """Pass if it is time and nobody waits."""
        ...

    async def wait(self) -> None:
        """Pass when it is time; cancelling uses up nothing."""
        ...


class Pacer:
    """Let ``rate`` calls a second pass, evenly spaced: a bucket that holds hardly a token.

    Who waits is let through in the order of coming. A call that is cancelled while it waits uses
    up nothing. The clock is the monotonic one, so setting the machine's time changes nothing.
    """

    __slots__ = ("_clock", "_due", "_interval_s", "_turn")

    def __init__(self, rate: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        if not 0 < rate < float("inf"):
            raise ConfigurationError(f"A rate must be above 0 calls a second, not {rate}.")
        self._interval_s = 1.0 / rate
        self._clock = clock
        self._due = clock.monotonic()
        self._turn = Slots(1)

    @property
    def waiting(self) -> int:
        """Calls that wait for their time."""
        return self._turn.waiting + self._turn.used

    def try_pass(self) -> bool:
        """Pass if it is time and nobody waits."""
        now = self._clock.monotonic()
        if self._turn.used or now < self._due:
            return False
        self._note_passed(now)
        return True

    async def wait(self) -> None:
        """Pass when it is time."""
        await self._turn.acquire()
        try:
            while (left_s := self._due - self._clock.monotonic()) > 0:
                await self._clock.sleep(left_s)
            self._note_passed(self._clock.monotonic())
        finally:
            self._turn.release()

    def _note_passed(self, now: float) -> None:
        self._due = max(self._due, now - _CATCH_UP_S) + self._interval_s


class PacedLimiter:
    """Another limiter, and so many calls a second beside.

    The time to go is waited for with a slot in hand, since it is sending that is counted, and
    whoever has waited for both would otherwise come in a burst.
    """

    __slots__ = ("_inner", "_pacer")

    def __init__(self, inner: Limiter, pacer: PacesCalls) -> None:
        self._inner = inner
        self._pacer = pacer

    @property
    def inner(self) -> Limiter:
        """The limiter that bounds the calls in flight."""
        return self._inner

    @property
    def paced(self) -> int:
        """Calls that have a slot and wait for their time."""
        return self._pacer.waiting

    def try_acquire(self, lane: str) -> bool:
        """Take a slot if one is free and it is time."""
        if not self._inner.try_acquire(lane):
            return False
        if self._pacer.try_pass():
            return True
        self._inner.release(lane, 0.0, None)
        return False

    async def acquire(self, lane: str) -> None:
        """Wait for a slot, and then for the time to go; cancelling loses neither."""
        if not self._inner.try_acquire(lane):
            await self._inner.acquire(lane)
        if self._pacer.try_pass():
            return
        try:
            await self._pacer.wait()
        except BaseException:
            self._inner.release(lane, 0.0, None)
            raise

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Give the slot back."""
        self._inner.release(lane, elapsed_s, error)

    def note_long_limit(self, limit: int) -> None:
        """Hand on what the service says."""
        if isinstance(self._inner, HeedsLongCalls):
            self._inner.note_long_limit(limit)
