"""Memory of logins that cannot work or do not help, so that they are not made by the thousand."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from sfconnect.auth.single_flight import fresh_copy
from sfconnect.errors import AuthError, LoginRateLimited

if TYPE_CHECKING:
    from sfconnect.clock import Clock
    from sfconnect.errors import SfConnectError

HOPELESS_S: Final = 60.0
"""How long a login that needs a change elsewhere is not tried again."""
RATE_LIMITED_S: Final = 60.0
"""The first pause after too many logins, where the server names none; it doubles each time."""
RATE_LIMITED_MAX_S: Final = 3600.0
"""Salesforce counts logins by the hour, so a longer pause would help nobody."""
QUIET_S: Final = 60.0
"""Tokens that are refused at least so far apart have nothing to do with each other."""
REFUSALS_IN_A_ROW: Final = 5
"""So many new tokens are got one after the other; if that one is refused too, they are no help."""
NO_HELP_S: Final = 60.0
"""The first pause after new tokens were no help; it doubles each time, up to an hour."""
NO_HELP_MAX_S: Final = 3600.0


class FailureMemory:
    """The last login error that forbids another try for a while."""

    __slots__ = ("_clock", "_error", "_limited", "_until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._error: SfConnectError | None = None
        self._until = 0.0
        self._limited = 0

    def note(self, error: SfConnectError) -> None:
        """Remember the error if repeating the login would be of no use, or harm."""
        if isinstance(error, LoginRateLimited):
            pause_s = min(error.retry_after or self._growing_pause(), RATE_LIMITED_MAX_S)
        elif isinstance(error, AuthError) and error.hopeless:
            pause_s = HOPELESS_S
        else:
            return
        # Frames hold secrets alive; they are of no use a minute later.
        self._error = fresh_copy(error).with_traceback(None)
        self._until = self._clock.monotonic() + pause_s

    def _growing_pause(self) -> float:
        self._limited += 1
        return RATE_LIMITED_S * 2.0 ** min(self._limited - 1, 10)

    def forget(self) -> None:
        """Forget everything, after a login that worked."""
        self._error = None
        self._limited = 0

    def active(self) -> SfConnectError | None:
        """A new instance of the remembered error while it holds, else None."""
        remaining_s = self._until - self._clock.monotonic()
        if self._error is None or remaining_s <= 0:
            return None
        error = fresh_copy(self._error)
        if isinstance(error, LoginRateLimited):
            error.retry_after = remaining_s
        return error


class RefusalMemory:
    """Notices that the API refuses one new token after the other, and accepts none of them.

    Then it is not about the token, but about rights or settings, and each call would cause a login
    that helps nobody.
    """

    __slots__ = ("_clock", "_in_a_row", "_last", "_pause_s", "_until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in_a_row = 0
        self._pause_s = NO_HELP_S
        self._last = self._until = -inf

    def is_worth_a_login(self) -> bool:
        """Note that the token at hand was refused; tell whether another one may help."""
        now = self._clock.monotonic()
        quiet, self._last = now - self._last > QUIET_S, now
        if now < self._until:
            return False
        if quiet:
            self._in_a_row, self._pause_s = 0, NO_HELP_S
        self._in_a_row += 1
        if self._in_a_row <= REFUSALS_IN_A_ROW:
            return True
        # After the pause one login is worth a try again, since tokens also die.
        self._in_a_row = REFUSALS_IN_A_ROW - 1
        self._until = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, NO_HELP_MAX_S)
        return False

    def note_help(self) -> None:
        """Note that a new token was accepted where the one before it was refused."""
        self._in_a_row, self._pause_s, self._until = 0, NO_HELP_S, -inf
