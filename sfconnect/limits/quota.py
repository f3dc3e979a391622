"""What answers tell about quotas."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a quota is used, as an answer last told."""

    name: str
    used: int
    maximum: int

    @property
    def remaining(self) -> int:
        """What is left; never below zero, although an org may overrun."""
        return max(0, self.maximum - self.used)
