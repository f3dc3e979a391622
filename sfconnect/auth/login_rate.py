"""How often this program logs in: a warning, then a stop, before the login server says so."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sfconnect.clock import SYSTEM_CLOCK
from sfconnect.errors import LoginRateLimited

if TYPE_CHECKING:
    from sfconnect.clock import Clock

WINDOW_S: Final = 3600.0
"""Salesforce counts the logins of a user by the hour, and allows 3,600."""
_MANY_IDENTITIES: Final = 1000
_HINT: Final = (
    "Keep one connection open instead of one for each piece of work, or share a token store "
    "(token_store). If so many are meant, raise login_limit_per_hour; Salesforce allows 3,600 "
    "per user and hour."
)


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How many logins of one identity within an hour are remarkable, and how many too many.

    None is no limit.
    """

    warn_per_hour: int | None = 60
    stop_per_hour: int | None = 600


@dataclass(slots=True)
class _Recent:
    times: tuple[float, ...] = ()
    warned_at: float | None = None


class LoginRates:
    """When each identity has logged in during the last hour.

    The one for the machine's clock is shared by the whole process, because a program that logs in
    too often usually does so by a new connection each time.

    No lock guards it, so nothing has to be mended after a fork: each change is one assignment, and
    threads that meet in it may lose a count.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: defaultdict[str, _Recent] = defaultdict(_Recent)

    def admit(self, identity: str, limits: LoginLimits) -> int:
        """Count a login that is about to be sent, and return those of the last hour with it.

        Raises:
            LoginRateLimited: There were too many. This one is not counted.
        """
        now, recent = self._clock.monotonic(), self._recent[identity]
        times = tuple(at for at in recent.times if at > now - WINDOW_S)
        stop = limits.stop_per_hour
        if stop is not None and len(times) >= stop:
            raise _too_many(len(times), times[-stop] + WINDOW_S - now if stop else WINDOW_S)
        recent.times = (*times, now)
        self._forget_the_old(now)
        return len(recent.times)

    def should_warn(self, identity: str, limits: LoginLimits) -> bool:
        """Whether there are remarkably many, and nobody was told so within the hour."""
        now, recent = self._clock.monotonic(), self._recent[identity]
        warn, warned_at = limits.warn_per_hour, recent.warned_at
        if warn is None or len(recent.times) < warn:
            return False
        if warned_at is not None and now < warned_at + WINDOW_S:
            return False
        recent.warned_at = now
        return True

    def _forget_the_old(self, now: float) -> None:
        """Keep a server with many users from collecting all who ever logged in."""
        if len(self._recent) <= _MANY_IDENTITIES:
            return
        for identity, recent in list(self._recent.items()):
            if not recent.times or recent.times[-1] <= now - WINDOW_S:
                self._recent.pop(identity, None)


_OF_THIS_PROCESS: Final = LoginRates(SYSTEM_CLOCK)


def login_rates(clock: Clock) -> LoginRates:
    """The process's own for the machine's clock, else new ones."""
    return _OF_THIS_PROCESS if clock is SYSTEM_CLOCK else LoginRates(clock)


def _too_many(number: int, retry_after: float) -> LoginRateLimited:
    message = f"Too many logins by this program: {number} within an hour; this one was not sent."
    return LoginRateLimited(
        message, retry_after=max(retry_after, 0.0), hint=_HINT, docs_key="too-many-logins"
    )
