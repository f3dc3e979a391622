"""How a call is to be carried out: how often, how far apart, how long."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfconnect.errors import SfConnectError


def check_number(place: str, value: object, *, least: float, fix: str) -> None:
    """Refuse what is no finite number of at least ``least``.

    Raises:
        ConfigurationError: It is not; the error names the place and what to write there.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or value < least:  # type: ignore[arg-type, operator]  # a number, as the line above found
        raise ConfigurationError(f"{place} cannot be {value!r}.", hint=fix)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how far apart.

    Waits grow from ``initial_s`` by doubling up to ``max_s``, and each is drawn at random between
    half of that and all of it, so that callers that failed together do not come back together. A
    ``Retry-After`` of the server is a lower bound, spread by up to ``initial_s`` more. It is
    itself bounded by ``retry_after_cap_s``: a longer one ends the call with its error instead.

    ``max_attempts=1`` sends once. A limit over all attempts and waits is ``Timeout.call_s``.

    Raises:
        ConfigurationError: A number is not one, or is below what makes sense.
    """

    max_attempts: int = 5
    initial_s: float = 0.5
    max_s: float = 20.0
    retry_after_cap_s: float = 120.0
    random: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        attempts = self.max_attempts
        fix = "Give a whole number of 1 or more; 1 sends once."
        if not isinstance(attempts, int):
            raise ConfigurationError(f"RetryPolicy.max_attempts cannot be {attempts!r}.", hint=fix)
        check_number("RetryPolicy.max_attempts", attempts, least=1, fix=fix)
        for name in ("initial_s", "max_s", "retry_after_cap_s"):
            check_number(
                f"RetryPolicy.{name}", getattr(self, name), least=0, fix="Give seconds, 0 or more."
            )

    def wait_s(self, failures: int, error: SfConnectError) -> float:
        """Seconds to wait after this many failures."""
        # Doubling further than this is beyond any max_s, and in the end beyond a float.
        ceiling = min(self.max_s, self.initial_s * 2.0 ** min(failures - 1, 60))
        drawn = self.random()
        wait = ceiling * (0.5 + 0.5 * drawn)
        if not error.retry_after:
            return wait
        return max(wait, error.retry_after + self.initial_s * drawn)

    def allows(self, failures: int, error: SfConnectError) -> bool:
        """Whether another attempt may follow, by number and by what the server asked."""
        return self.refusal(failures, error) is None

    def refusal(self, failures: int, error: SfConnectError) -> str | None:
        """Why no further attempt may follow; None if one may."""
        if failures >= self.max_attempts:
            return f"{failures} attempts are the most that the policy allows"
        if error.max_retries is not None and failures > error.max_retries:
            return "repeating it once more cannot help"
        if (error.retry_after or 0.0) > self.retry_after_cap_s:
            return f"the server asks to wait longer than {self.retry_after_cap_s:g} s"
        return None


NO_RETRY = RetryPolicy(max_attempts=1)
