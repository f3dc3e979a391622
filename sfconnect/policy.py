"""How a call is to be carried out: how often, how far apart, how long."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfconnect._types import JsonValue
    from sfconnect.call import Sender
    from sfconnect.errors import OutcomeUnknownError, SfConnectError
    from sfconnect.messages import Request, Response


def check_number(place: str, value: object, *, least: float, most: float = inf, fix: str) -> None:
    """Refuse what is no finite number from ``least`` to ``most``.

    Raises:
        ConfigurationError: It is not; the error names the place and what to write there.
    """
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else nan
    if not isfinite(number) or not least <= number <= most:
        raise ConfigurationError(f"{place} cannot be {value!r}.", hint=fix)


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """When to ask a second time because the first answer is late.

    For reads alone: GET and HEAD without a body. The first answer wins, and the other request is
    cancelled, which costs its connection.

    Attributes:
        after_s: Ask again after so long.
        percentile: Ask again once an answer takes longer than this share of the newest answers of
            the surface, such as 0.95; with ``after_s`` too, not before that.
        share: At most this share of the reads is asked for twice.

    Raises:
        ConfigurationError: Neither a time nor a percentile is given, or one makes no sense.
    """

    after_s: float | None = None
    percentile: float | None = None
    share: float = 0.05

    def __post_init__(self) -> None:
        if self.after_s is None and self.percentile is None:
            message = "HedgePolicy needs to know how late an answer has to be."
            raise ConfigurationError(message, hint="Give after_s, percentile, or both.")
        if self.after_s is not None:
            fix = "Give seconds, 0 or more."
            check_number("HedgePolicy.after_s", self.after_s, least=0, fix=fix)
        for name in ("percentile", "share"):
            value = getattr(self, name)
            if value is not None:
                fix = "Give a share between 0 and 1, such as 0.95 for most."
                check_number(f"HedgePolicy.{name}", value, least=0, most=1, fix=fix)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how far apart.

    Waits grow from ``initial_s`` by doubling up to ``max_s``, and each is drawn at random between
    half of that and all of it, so that callers that failed together do not come back together. A
    ``Retry-After`` of the server is a lower bound, spread by up to ``initial_s`` more. It is
    itself bounded by ``retry_after_cap_s``: a longer one ends the call with its error instead.

    With ``hedge`` late reads are asked for twice, before anything has failed.

    ``max_attempts=1`` sends once. A limit over all attempts and waits is ``Timeout.call_s``.

    Raises:
        ConfigurationError: A number is not one, or is below what makes sense.
    """

    max_attempts: int = 5
    initial_s: float = 0.5
    max_s: float = 20.0
    retry_after_cap_s: float = 120.0
    random: Callable[[], float] = random.random
    hedge: HedgePolicy | None = None

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
            return f"the policy allows {self.max_attempts} attempts"
        if error.max_retries is not None and failures > error.max_retries:
            return "repeating it once more cannot help"
        if (error.retry_after or 0.0) > self.retry_after_cap_s:
            return f"the server asks to wait longer than {self.retry_after_cap_s:g} s"
        return None


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """When to stop sending to a server that is away, and how to find out that it is back.

    Attributes:
        failures: So many calls in a row that find no server open the circuit.
        ratio: So does this share of failures among at least ``ratio_calls`` within ``window_s``.
        ratio_calls: How many calls a share is taken of at the least.
        window_s: For how long calls are counted.
        open_s: From opening to the first probe; doubled after each probe that fails.
        max_open_s: The longest time between two probes.
        probes: How many calls go out as probes each time.
        fail_fast: Refused calls fail at once. Otherwise they wait for the next probe as they
            would wait for a retry, if their policy and their time limit allow.

    Raises:
        ConfigurationError: A number makes no sense.
    """

    failures: int = 10
    ratio: float = 0.9
    ratio_calls: int = 50
    window_s: float = 30.0
    open_s: float = 1.0
    max_open_s: float = 30.0
    probes: int = 1
    fail_fast: bool = False

    def __post_init__(self) -> None:
        for name in ("failures", "ratio_calls", "probes"):
            fix = "Give a number of 1 or more."
            check_number(f"CircuitPolicy.{name}", getattr(self, name), least=1, fix=fix)
        for name in ("ratio", "window_s", "open_s", "max_open_s"):
            fix = "Give a number above 0."
            check_number(f"CircuitPolicy.{name}", getattr(self, name), least=1e-9, fix=fix)
        if self.max_open_s < self.open_s:
            message = f"CircuitPolicy.max_open_s, {self.max_open_s}, is less than open_s."
            raise ConfigurationError(message, hint="Raise it, or lower open_s.")


@dataclass(frozen=True, slots=True)
class Happened:
    """A write whose answer was lost did take effect.

    ``answer`` stands for the lost answer: what its body would have been, or all of it. The call
    decodes it as it would have decoded that.
    """

    answer: JsonValue | Response


@dataclass(frozen=True, slots=True)
class DidNotHappen:
    """A write whose answer was lost had no effect, and will have none: it may be sent again."""


@dataclass(frozen=True, slots=True)
class StillUnknown:
    """What became of a write cannot be said; the call ends with its ``OutcomeUnknownError``."""

    why: str = ""


Reconciled: TypeAlias = Happened | DidNotHappen | StillUnknown


class Reconcile(Protocol):
    """Finds out what became of a write that may have happened, and may not be repeated blindly.

    It may send calls through ``sender``. It is asked while no slot is held, and within the call's
    time limit. What it raises leaves the outcome unknown, and is noted on the error.
    """

    async def __call__(self, unknown: OutcomeUnknownError, sender: Sender, /) -> Reconciled:
        """Say what became of ``unknown.request``; ``unknown.attempts`` has the times."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A ``reconcile`` hook that looks at what it needs before a write is sent at all."""

    async def prepare(self, request: Request, sender: Sender, /) -> None:
        """Raise if the hook could never say what became of this request; nothing is sent then.

        Asked before each call that may not be repeated, within its time limit; what it has found
        out once, it should remember.
        """
        ...


NO_RETRY = RetryPolicy(max_attempts=1)
