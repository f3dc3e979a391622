"""Whether an error may be answered by sending again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sfconnect.messages import Replay, default_replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfconnect.errors import SfConnectError
    from sfconnect.messages import Request


class Verdict(Enum):
    """What a failed attempt allows."""

    RETRY = "retry"
    """Sending again is safe, and may help."""
    GIVE_UP = "give up"
    """Sending again cannot help; the error is the outcome."""
    UNKNOWN = "outcome unknown"
    """The call may have had its effect, and sending again could repeat it."""


def classify(request: Request, error: SfConnectError) -> Verdict:
    """Decide from the error's facts: was it sent, did the server act, can a repeat harm?"""
    if error.retry_safe is False:
        return Verdict.GIVE_UP
    acted = error.retry_safe is None and error.request_sent is not False
    if acted and (request.replay or default_replay(request.method)) is Replay.UNSAFE:
        return Verdict.UNKNOWN
    return Verdict.GIVE_UP if request.has_one_shot_body else Verdict.RETRY


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how far apart.

    Waits grow from ``initial_s`` by doubling up to ``max_s``, and each is drawn at random between
    half of that and all of it, so that callers that failed together do not come back together. A
    ``Retry-After`` of the server is a lower bound, spread by up to ``initial_s`` more. It is
    itself bounded by ``retry_after_cap_s``: a longer one ends the call with its error instead.
    """

    max_attempts: int = 5
    initial_s: float = 0.5
    max_s: float = 20.0
    retry_after_cap_s: float = 120.0
    random: Callable[[], float] = random.random

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
        too_long = (error.retry_after or 0.0) > self.retry_after_cap_s
        return failures < self.max_attempts and not too_long


NO_RETRY = RetryPolicy(max_attempts=1)
