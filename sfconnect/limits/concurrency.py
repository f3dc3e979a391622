"""How many calls to one API may be in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from sfconnect._slots import Slots
from sfconnect.errors import ConfigurationError, PoolTimeout, SfConnectError, TooManyRequests
from sfconnect.limits.logins import LoginLane

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


#: What limiters are told of an attempt that its caller ended before the API answered, or did not
#: begin.
ENDED_BY_CALLER: Final = SfConnectError("Its caller ended it.", code="ENDED_BY_CALLER")


class Limiter(Protocol):
    """Bounds the calls in flight to one API; it sees how each went, so it may adapt.

    ``lane`` is the request's surface. A slot is held for one attempt, never while backing off.
    Logins do not come here: they have a :class:`LoginLane`, the limiter's ``logins`` if it has one.
    """

    def try_acquire(self, lane: str) -> bool:
        """Take a slot if one is free; the fast path."""
        ...

    async def acquire(self, lane: str) -> None:
        """Take a slot, waiting for it in order.

        Raises:
            PoolError: The line is full, or the wait was too long.
        """
        ...

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Give the slot back, and say how long the attempt took and how it failed, if it did.

        Where the caller ended the attempt, by cancelling it or by a time-out of its own,
        ``error`` is :data:`ENDED_BY_CALLER`: that tells neither that the API works nor that it
        does not. So it is, with an ``elapsed_s`` of 0, where the slot was not used after all.
        """
        ...


def innermost(limiter: object) -> object:
    """The limiter that bounds the calls in flight, behind those that bound something else."""
    while (inner := getattr(limiter, "inner", None)) is not None:
        limiter = inner
    return limiter


def told_by(limiter: object, name: str) -> Any:
    """What a limiter, or else one within it, tells under a name; None if none of them does."""
    told = None
    while limiter is not None and told is None:
        told = getattr(limiter, name, None)
        limiter = getattr(limiter, "inner", None)
    return told


@runtime_checkable
class HeedsLongCalls(Protocol):
    """A limiter that holds back calls while too many run long."""

    def note_long_limit(self, limit: int) -> None:
        """Take the service's word for how many may."""
        ...


def has_use_for(limiter: Limiter, callers: int) -> bool:
    """Whether more callers than these would gain anything, or only make the line longer.

    They gain while fewer call than may be in flight, and while the line behind those is shorter
    than that: it must hold enough to go on with. A limiter that does not tell its ``limit`` and
    who is ``waiting`` is taken to have use for everybody.
    """
    inner = innermost(limiter)
    limit: int | None = getattr(inner, "limit", None)
    waiting: int = getattr(inner, "waiting", 0)
    return limit is None or callers < limit or waiting < limit


class FixedLimiter:
    """A limiter with a fixed cap over all lanes together.

    Args:
        limit: Calls that may be in flight.
        max_waiting: Calls that may stand in line; None for no bound.
        wait_s: Longest wait in line; None for no bound.
        logins: The lane of logins, if it is to be another than of the usual length.
    """

    __slots__ = ("_slots", "_wait_s", "logins")

    def __init__(
        self,
        limit: int,
        *,
        max_waiting: int | None = None,
        wait_s: float | None = None,
        logins: LoginLane | None = None,
    ) -> None:
        if limit < 1:
            raise ConfigurationError(f"A limiter must let at least one call through, not {limit}.")
        self.logins = logins or LoginLane(wait_s=wait_s)
        self._wait_s = wait_s
        self._slots = Slots(
            limit, max_waiting=max_waiting, wait_s=wait_s, full=self._full, late=self._late
        )

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

    def try_acquire(self, lane: str) -> bool:  # part of the interface
        """Take a slot if one is free."""
        return self._slots.try_acquire()

    def acquire(self, lane: str) -> Coroutine[Any, Any, None]:  # part of the interface
        """Wait for a slot; cancelling loses none.

        Raises:
            TooManyRequests: The line is full.
            PoolTimeout: No slot came free in time.
        """
        # Handed on instead of awaited: a frame less for each of thousands of waiters.
        return self._slots.acquire()

    def resize(self, limit: int) -> None:
        """Change the cap; 0 lets nobody in for a while. Calls in flight stay in flight."""
        self._slots.resize(limit)

    def dismiss(self, error: Callable[[], Exception]) -> None:
        """Refuse everybody in line; whoever comes later may stand in it again."""
        self._slots.dismiss(error)

    def _full(self) -> TooManyRequests:
        slots = self._slots
        message = f"{slots.waiting} calls wait already, and {slots.used} are in flight."
        hint = "Produce more slowly (fan_out does), or raise max_waiting."
        return TooManyRequests(message, hint=hint)

    def _late(self) -> PoolTimeout:
        used = self._slots.used
        message = f"The call waited {self._wait_s} s behind others; {used} are in flight."
        return PoolTimeout(message, hint="Raise max_connections or wait_s.")

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Give the slot to the first in line."""
        self._slots.release()
