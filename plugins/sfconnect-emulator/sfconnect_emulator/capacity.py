"""How much an org takes at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Overload(Enum):
    """What happens to a request that comes when the org is full."""

    QUEUE = "queue"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Capacity:
    """``concurrent`` requests are worked on at once (None: any number); others meet ``over``."""

    concurrent: int | None = None
    over: Overload = Overload.QUEUE
