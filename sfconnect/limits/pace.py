"""How long calls take, against how long they take where nothing is in their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot, log, sqrt
from typing import Final

_ENOUGH: Final = 10
"""Calls of a lane that say something about it; fewer are kept for the next window."""

_BY_CHANCE: Final = 3.0
"""Standard errors by which a window may be above the lowest one and mean nothing."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """How much longer than undisturbed calls took, as a logarithm, and what that rests on.

    ``spread`` is its standard error: how far it may be off by chance, since calls are not alike.
    """

    above: float = 0.0
    spread: float = 0.0
    count: int = 0

    @property
    def proven(self) -> float:
        """What of it is not chance. The lowest of many windows is low by chance too."""
        return max(0.0, self.above - _BY_CHANCE * self.spread)

    def is_less_than(self, other: Slowness, *, by: float) -> bool:
        """Whether it is smaller by so much, and not by chance."""
        return other.above - self.above > max(by, hypot(self.spread, other.spread))


@dataclass(slots=True)
class _LanePace:
    """Times of one lane, as logarithms, so that one call of minutes among many counts as one."""

    total: float = 0.0
    squares: float = 0.0
    count: int = 0
    base: float | None = None
    """The lowest mean of a window: what a call takes undisturbed."""
    mean: float | None = None
    """That of the window before, if it was enough."""

    def end_window(self) -> Slowness | None:
        """Tell how slow the window was; None where it had too few calls to say."""
        self.mean = None
        if self.count < _ENOUGH:
            return None
        self.mean, count = self.total / self.count, self.count
        spread = sqrt(max(0.0, self.squares / count - self.mean**2) / count)
        self.total, self.squares, self.count = 0.0, 0.0, 0
        self.base = self.mean if self.base is None else min(self.base, self.mean)
        return Slowness(self.mean - self.base, spread, count)


@dataclass(slots=True)
class Pace:
    """How much longer than undisturbed the calls of all lanes take.

    Lanes are compared with themselves only: that a query takes longer than a read says nothing.
    """

    lanes: dict[str, _LanePace] = field(default_factory=dict)

    def note(self, lane: str, elapsed_s: float) -> None:
        """Take the time of a call."""
        pace = self.lanes.get(lane)
        if pace is None:
            pace = self.lanes[lane] = _LanePace()
        length = log(elapsed_s)
        pace.total += length
        pace.squares += length * length
        pace.count += 1

    def end_window(self) -> Slowness:
        """Tell how slow the window was, over all lanes."""
        ends = [end for pace in self.lanes.values() if (end := pace.end_window()) is not None]
        count = sum(end.count for end in ends)
        if not count:
            return Slowness()
        above = sum(end.above * end.count for end in ends) / count
        return Slowness(above, hypot(*(end.spread * end.count for end in ends)) / count, count)

    def accept(self) -> None:
        """Take the last window's times for undisturbed: it is not load that makes calls slow."""
        for pace in self.lanes.values():
            if pace.mean is not None:
                pace.base = pace.mean
