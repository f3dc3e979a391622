"""The adaptive limiter by its name, as settings and profiles choose it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sfconnect.limits.adaptive import AdaptiveLimiter

if TYPE_CHECKING:
    from sfconnect.limits.shared import LimiterContext

_INITIAL: Final = 16


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Find out how much the org takes, up to ``max_connections``.

    Attributes:
        adaptive_initial: The limit to begin with.
        adaptive_maximum: It never rises above this; None for ``max_connections``.
        long_limit: Calls that may run for 20 seconds and more at once; None for what the org's
            host tells.
    """

    adaptive_initial: int = _INITIAL
    adaptive_maximum: int | None = None
    long_limit: int | None = None

    async def open(self, context: LimiterContext) -> AdaptiveLimiter:
        """Make the limiter of one connection."""
        maximum = self.adaptive_maximum or context.max_connections
        initial = min(self.adaptive_initial, maximum)
        limiter = AdaptiveLimiter(
            initial=initial,
            minimum=min(2, initial),
            maximum=maximum,
            long_limit=self.long_limit,
            max_waiting=context.max_waiting,
            wait_s=context.wait_s,
        )
        return await limiter.open(context)
