"""How far a long piece of work is: a value that a bar, a log or a page can show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from sfconnect.clock import SYSTEM_CLOCK
from sfconnect.instrumentation import check_plain

if TYPE_CHECKING:
    from sfconnect.clock import Clock

EVERY_S: Final = 0.1
"""Oftener than this nobody is told: no eye sees it, and a million calls would pay for it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is.

    Attributes:
        done: Pieces that ended, whether well or not.
        failed: Those of them that failed.
        total: How many there will be; None where nobody knows.
        elapsed_s: Since the beginning.
        finished: Whether this is the last word.
    """

    done: int
    failed: int = 0
    total: int | None = None
    elapsed_s: float = 0.0
    finished: bool = False

    @property
    def rate_per_s(self) -> float:
        """Pieces a second, on the average."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that it will take, if it goes on like this; None where that cannot be known."""
        if self.total is None or not self.rate_per_s:
            return None
        return max(0, self.total - self.done) / self.rate_per_s

    def __str__(self) -> str:
        of = f" of {self.total:,} ({self.done / self.total:.0%})" if self.total else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        left = "" if self.eta_s is None or self.finished else f", {self.eta_s:.0f} s left"
        return f"{self.done:,}{of}{failed}, {self.rate_per_s:,.0f}/s{left}"


OnProgress: TypeAlias = Callable[[Progress], None]
"""Takes progress. It runs on the event loop, so it has to be quick."""


class ProgressMeter:
    """Count pieces of work, and tell of them now and then, and at the end."""

    __slots__ = ("_done", "_failed", "_finished", "_next", "_now", "_started", "_tell", "total")

    def __init__(
        self, tell: OnProgress, total: int | None = None, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        check_plain("What takes progress", tell)
        self.total = total
        self._tell = tell
        self._now = clock.monotonic
        self._done = self._failed = 0
        self._started = self._now()
        self._next = self._started
        self._finished = False

    def note(self, *, failed: bool = False) -> None:
        """Count a piece that ended."""
        self._done += 1
        self._failed += failed
        now = self._now()
        if now >= self._next:
            self._next = now + EVERY_S
            self._tell(self._progress(now))

    def finish(self) -> None:
        """Tell the last word, once."""
        if not self._finished:
            self._finished = True
            self._tell(self._progress(self._now()))

    def _progress(self, now: float) -> Progress:
        elapsed_s = now - self._started
        return Progress(self._done, self._failed, self.total, elapsed_s, self._finished)
