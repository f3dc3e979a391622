"""Times at which calls may go, so that all processes together keep to one rate.

The wire to the schedule in Redis, and what one process makes of the times that it was given. It
knows the time only as it is told, and does no I/O.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from sfconnect_limits_redis.server import Server

SCRIPT: Final = Path(__file__).with_name("rate.lua").read_text(encoding="utf-8")
TURN_S: Final = 0.2
"""Of what length the times of one answer are at most, so that processes take turns soon."""
LATE_S: Final = 0.05
"""Times that nobody took may be given so much later: a question takes its time."""
LASTS_S: Final = 0.1
"""For how long a time may be used. What is older is lost, or calls would come in a heap."""
_LEAD_S: Final = 0.1
"""The next times are asked for so long before the last one is there."""
_MICRO: Final = 1_000_000
_ROUNDING_S: Final = 2 / _MICRO
"""The server tells whole microseconds, and sums of times are not exact."""


@dataclass(frozen=True, slots=True)
class Times:
    """What the schedule gives: ``count`` times from ``first`` on, each ``step_s`` after the other.

    ``now`` and ``first`` are seconds of the server's clock.
    """

    now: float
    first: float
    step_s: float
    count: int


class _Said(msgspec.Struct):
    now: float
    first: float
    step: float
    count: int


class Schedule:
    """Access to the times of one limit."""

    def __init__(self, server: Server, book: str, per_second: float) -> None:
        self._key = f"{book}:rate"
        self._per_second = per_second
        self._script = server.script(SCRIPT)

    async def ask(self, wanted: int, *, held_s: float) -> Times:
        """Ask for so many times; ``held_s`` is for how long those that are there go on.

        Raises:
            UnreachableError: The server does not answer in time, or cannot at the moment.
            ConfigurationError: It refuses, and will the next time.
        """
        asked = {
            "per_second": self._per_second,
            "wanted": wanted,
            "held_us": int(held_s * _MICRO),
            "turn_us": int(TURN_S * _MICRO),
            "late_us": int(LATE_S * _MICRO),
        }
        said = await self._script(self._key, msgspec.json.encode(asked))
        found = msgspec.json.decode(said, type=_Said, strict=False)
        return Times(found.now / _MICRO, found.first / _MICRO, found.step / _MICRO, found.count)


class ServerClock:
    """Tells when it is here what the server's clock shows.

    An answer says that between sending and reading it the server's clock showed its time. Most of
    them arrive soon, so that one that is late, or that was read late, does not change much.
    """

    def __init__(self) -> None:
        # How much more the server's clock shows than ours.
        self._least, self._most = -inf, inf

    def note(self, sent_at: float, shown: float, read_at: float) -> None:
        """Take an answer; ``shown`` is what the server's clock showed."""
        least, most = shown - read_at - _ROUNDING_S, shown - sent_at + _ROUNDING_S
        if max(least, self._least) <= min(most, self._most):
            self._least, self._most = max(least, self._least), min(most, self._most)
        else:  # one of the clocks was set, and what was known of them is worth nothing
            self._least, self._most = least, most

    def here(self, shown: float) -> float:
        """When it is here what the server's clock shows then; an answer came first."""
        return shown - (self._least + self._most) / 2


class Permits:
    """The times that one process has: each lets one call go, once it is there and while it lasts.

    How many it should ask for it learns from what became of the last ones: who uses them all is
    given twice as many, so that one who calls again and again need not ask for each call.
    """

    def __init__(self) -> None:
        self._due: deque[float] = deque()
        self._used = 0
        self._is_short = False
        """Whether all that were there since the last answer were used."""

    def add(self, first: float, step_s: float, count: int) -> None:
        """Have more, all later than those that are there."""
        self._due.extend(first + number * step_s for number in range(count))
        self._used, self._is_short = 0, True

    def take(self, now: float) -> bool:
        """Use one, if one is there."""
        self._drop_old(now)
        if not self._due or self._due[0] > now:
            return False
        self._due.popleft()
        self._used += 1
        return True

    def clear(self) -> None:
        """Have none."""
        self._due.clear()

    def next_at(self) -> float | None:
        """When the next one is there."""
        return self._due[0] if self._due else None

    def held_s(self, now: float) -> float:
        """For how long those that are there go on."""
        return max(0.0, self._due[-1] - now) if self._due else 0.0

    def lacking(self, waiting: int, now: float) -> int:
        """How many to ask for, if so many calls wait; 0 if there are enough."""
        self._drop_old(now)
        if waiting <= len(self._due):
            return 0
        return max(waiting - len(self._due), self._used * (2 if self._is_short else 1))

    def ask_in_s(self, now: float) -> float:
        """How long those that are there make a question needless, however many wait."""
        return max(0.0, self.held_s(now) - _LEAD_S)

    def _drop_old(self, now: float) -> None:
        while self._due and self._due[0] < now - LASTS_S:
            self._due.popleft()
            self._is_short = False
