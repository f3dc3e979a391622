"""Credentials at hand, and until when they are good: told by two clocks, since each can fail."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sfconnect.auth.base import Credentials
    from sfconnect.clock import Clock

EARLY_SHARE: Final = 0.2
"""The largest part of a token's life in which it is renewed early."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time by the wall clock and by the monotonic one; it has come when either says so.

    The monotonic clock of some systems stands still while the machine sleeps, and the wall clock
    can be set back: a token would seem to live on. Where the wall clock is set forward, a token is
    renewed too soon, which costs one login.
    """

    wall: float
    monotonic: float

    def has_come(self, clock: Clock) -> bool:
        """Whether it is now or past."""
        return clock.monotonic() >= self.monotonic or clock.time() >= self.wall


NEVER: Final = Moment(inf, inf)
ALREADY: Final = Moment(-inf, -inf)


@dataclass(frozen=True, slots=True)
class Held:
    """Credentials with the moments at which they change state."""

    credentials: Credentials
    stale: Moment
    expired: Moment

    @classmethod
    def begin(
        cls, credentials: Credentials, clock: Clock, *, early_s: float, assumed_s: float | None
    ) -> Held:
        """Hold credentials from now on.

        Args:
            credentials: What a login gave.
            clock: Tells how long they still have.
            early_s: Seconds before the end at which they are stale, but for short lives.
            assumed_s: Life of those whose server does not tell it; None if they last until they
                are refused.
        """
        life_s = assumed_s
        if credentials.expires_at is not None:
            # Over already: the server has just vouched for it, so one of the clocks is wrong.
            left_s = credentials.expires_at - clock.time()
            life_s = left_s if left_s > 0 else None
        if life_s is None:
            return cls(credentials, NEVER, NEVER)
        fresh_s = life_s - min(early_s, life_s * EARLY_SHARE)
        wall, monotonic = clock.time(), clock.monotonic()
        return cls(
            credentials,
            Moment(wall + fresh_s, monotonic + fresh_s),
            Moment(wall + life_s, monotonic + life_s),
        )

    def refused(self) -> Held:
        """The same, not to be used: kept as a base to renew from."""
        return Held(self.credentials, ALREADY, ALREADY)
