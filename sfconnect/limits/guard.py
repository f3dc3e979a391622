"""Stop before a quota of calls is used up, and when it is."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final

from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import QuotaExceededError
from sfconnect.limits.concurrency import HeedsLongCalls, Limiter
from sfconnect.limits.quota import Quota, QuotaShare, ShareStats

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from sfconnect.errors import SfConnectError

_SLICES: Final = 144
"""Parts of a window that calls are counted by: ten minutes each, of a day."""
_ASK_AGAIN_S: Final = 60.0
"""Nothing tells when a quota has room again but a call: one is let through so often."""

SHARE_SPENT: Final = "QUOTA_SHARE_SPENT"
RESERVE_REACHED: Final = "QUOTA_RESERVE_REACHED"
USED_UP: Final = "QUOTA_USED_UP"


class RecentCalls:
    """How many calls were made within a window, to the part of it."""

    __slots__ = ("_parts", "_slice_s", "used")

    def __init__(self, window_s: float) -> None:
        self._slice_s = window_s / _SLICES
        self._parts: dict[int, int] = {}
        self.used = 0

    def add(self, now: float, calls: int = 1) -> None:
        """Count a call; a negative number takes one back that was not sent."""
        part = int(now // self._slice_s)
        self._parts[part] = self._parts.get(part, 0) + calls
        self.used += calls

    def forget_old(self, now: float) -> None:
        """Drop what is out of the window."""
        border = int(now // self._slice_s) - _SLICES
        while self._parts and (oldest := next(iter(self._parts))) < border:
            self.used -= self._parts.pop(oldest)

    def room_in_s(self, now: float) -> float:
        """Seconds until the oldest calls leave the window."""
        oldest = next(iter(self._parts), int(now // self._slice_s))
        return (oldest + _SLICES + 1) * self._slice_s - now


_shares: dict[tuple[str, str, str, float], RecentCalls] = {}


def calls_of_share(scope: str, share: QuotaShare) -> RecentCalls:
    """The calls of all connections of this process that use one share."""
    key = (scope, share.quota, share.name, share.window_s)
    return _shares.setdefault(key, RecentCalls(share.window_s))


class QuotaGuard:
    """Another limiter, and no call that a quota has no room for.

    Three things stop calls, before they are sent: the share is spent; the org's use has reached
    the reserve of others; or the API has refused a call because the quota is used up. After the
    last two, one call a minute is let through to see whether that still holds, since a quota of
    the last 24 hours gets room bit by bit, and only an answer tells.
    """

    __slots__ = (
        "_calls",
        "_clock",
        "_inner",
        "_newest",
        "_refused",
        "_share",
        "_try_at",
        "_watching",
    )

    def __init__(
        self,
        inner: Limiter,
        share: QuotaShare,
        *,
        calls: RecentCalls | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._inner = inner
        self._share = share
        self._calls = calls or RecentCalls(share.window_s)
        self._clock = clock
        self._newest: Quota | None = None
        self._refused = False
        self._try_at = 0.0
        # Where nothing has to be watched, a call costs one look at this.
        self._watching = share.bounds

    @property
    def inner(self) -> Limiter:
        """The limiter that bounds the calls in flight."""
        return self._inner

    @property
    def used(self) -> int:
        """Calls of the share within the window; 0 where nothing is bounded."""
        self._calls.forget_old(self._clock.monotonic())
        return self._calls.used

    @property
    def share_stats(self) -> ShareStats | None:
        """How much of the share is used; None where nothing is bounded and nothing was refused."""
        if not self._watching:
            return None
        share, newest, maximum = self._share, self._newest, None
        if newest is not None and share.share_percent is not None:
            maximum = ceil(newest.maximum * share.share_percent / 100)
        used = self.used
        is_spent = maximum is not None and used >= maximum
        return ShareStats(
            share.name, used, maximum, share.reserve_percent, self._stopped(is_spent=is_spent)
        )

    def _stopped(self, *, is_spent: bool) -> str | None:
        """The code of what stops calls, also while one is tried now and then."""
        if self._refused:
            return USED_UP
        if is_spent:
            return SHARE_SPENT
        return RESERVE_REACHED if self._reserve_reached() else None

    @property
    def heeds_quota(self) -> bool:
        """Whether a share or a reserve is to be kept."""
        return self._share.bounds

    def note_quota(self, quotas: Sequence[Quota]) -> None:
        """Take what an answer told."""
        self._newest = next((one for one in quotas if one.name == self._share.quota), self._newest)

    def note_long_limit(self, limit: int) -> None:
        """Hand on what the service says."""
        if isinstance(self._inner, HeedsLongCalls):
            self._inner.note_long_limit(limit)

    def try_acquire(self, lane: str) -> bool:
        """Take a slot if one is free and the quota has room."""
        if not self._watching:
            return self._inner.try_acquire(lane)
        now = self._clock.monotonic()
        if self._obstacle(now) is not None or not self._inner.try_acquire(lane):
            return False
        self._let_through(now)
        return True

    def acquire(self, lane: str) -> Coroutine[Any, Any, None]:
        """Wait for a slot, and for room in the quota if that was asked for.

        Raises:
            QuotaExceededError: There is none; nothing was sent.
        """
        # Handed on instead of awaited: a frame less for each of thousands of waiters.
        return self._acquire(lane) if self._watching else self._inner.acquire(lane)

    async def _acquire(self, lane: str) -> None:
        while True:
            await self._wait_for_room()
            if not self._inner.try_acquire(lane):
                await self._inner.acquire(lane)
            now = self._clock.monotonic()
            if self._obstacle(now) is None:
                self._let_through(now)
                return
            self._inner.release(lane, 0.0, None)  # others were quicker

    async def _wait_for_room(self) -> None:
        while (error := self._obstacle(self._clock.monotonic())) is not None:
            if not self._share.wait:
                raise error
            await self._clock.sleep(error.retry_after or _ASK_AGAIN_S)

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Give the slot back; a refusal for the quota stops the calls after it."""
        self._inner.release(lane, elapsed_s, error)
        if self._is_used_up(error):
            self._refused = self._watching = True
            self._try_at = self._clock.monotonic() + _ASK_AGAIN_S
        elif self._watching:
            now = self._clock.monotonic()
            if elapsed_s == 0 and self._share.bounds:
                self._calls.add(now, -1)
            elif error is None and self._refused:
                self._refused = False
                self._watching = self._share.bounds

    def _is_used_up(self, error: SfConnectError | None) -> bool:
        """Whether an API said that this very quota has no room; one that it names not is this."""
        if not isinstance(error, QuotaExceededError) or error.window_s is None:
            return False
        return error.quota in {None, self._share.quota}

    def _let_through(self, now: float) -> None:
        if self._share.bounds:
            self._calls.add(now)
        if self._refused or self._reserve_reached():
            self._try_at = now + _ASK_AGAIN_S

    def _obstacle(self, now: float) -> QuotaExceededError | None:
        """Why the next call may not be sent; None if it may."""
        share, newest = self._share, self._newest
        if self._refused and now < self._try_at:
            return self._error(USED_UP, _USED_UP.format(share.quota), self._try_at - now)
        if newest is None:
            return None
        self._calls.forget_old(now)
        percent = share.share_percent
        if percent is not None and self._calls.used >= newest.maximum * percent / 100:
            message = _SPENT.format(share.name, percent, newest)
            return self._error(SHARE_SPENT, message, self._calls.room_in_s(now), exact=True)
        if now < self._try_at and self._reserve_reached():
            message = _RESERVED.format(newest, share.reserve_percent)
            return self._error(RESERVE_REACHED, message, self._try_at - now)
        return None

    def _reserve_reached(self) -> bool:
        newest, reserve = self._newest, self._share.reserve_percent
        if newest is None or not reserve:
            return False
        return newest.used * 100 >= newest.maximum * (100 - reserve)

    def _error(
        self, code: str, message: str, left_s: float, *, exact: bool = False
    ) -> QuotaExceededError:
        error = QuotaExceededError(message, code=code, hint=_HINTS[code], retry_after=left_s)
        within_s = left_s if exact else self._share.window_s
        return not_sent(error, self._share, at=self._clock.time() + within_s)


def not_sent(error: QuotaExceededError, share: QuotaShare, *, at: float) -> QuotaExceededError:
    """Complete the error of a call that was held back; ``at`` is when there is room for it."""
    error.request_sent = False
    error.throttled = False
    error.quota = share.quota
    error.window_s = share.window_s
    error.resets_at = at
    return error


_USED_UP = "The quota {} is used up, as an answer told a moment ago; this call was not sent."
_SPENT = "The share {!r} of {} % is spent ({}); this call was not sent."
_RESERVED = "The org has used what may be used ({}; {} % are for others); this call was not sent."
_ROLLING = (
    "It counts the calls of the last 24 hours, so there is room bit by bit, as calls of a day ago "
    "leave it; a call is tried once a minute."
)
_HINTS = {
    USED_UP: _ROLLING,
    RESERVE_REACHED: _ROLLING + " Lower quota_reserve_percent to use more.",
    SHARE_SPENT: "It has room again when its oldest calls are a day old (resets_at); or raise "
    "quota_share_percent.",
}
