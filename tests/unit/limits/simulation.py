"""An API with a capacity, in simulated time: what limiters are tried on without waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from sfconnect.errors import ThrottledError
from sfconnect.limits import Limiter

REFUSED_S = 0.005


@dataclass
class Phase:
    """What happened between two moments."""

    done: int = 0
    refused: int = 0
    elapsed_s: float = 0.0
    seconds: float = 0.0
    limits: list[int] = field(default_factory=list)

    @property
    def throughput(self) -> float:
        return self.done / self.seconds

    @property
    def latency_s(self) -> float:
        return self.elapsed_s / self.done


class SimulatedApi:
    """Works on ``capacity`` calls at once, each for ``service_s``; others queue or are refused.

    Callers without end want to call it, as far as the limiter lets them. ``draw`` gives the time of
    a call as a multiple of ``service_s``, where calls are not alike.
    """

    def __init__(
        self,
        limiter: Limiter,
        *,
        capacity: int,
        service_s: float = 0.05,
        refuses: bool = False,
        draw: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.limiter = limiter
        self.capacity = capacity
        self.service_s = service_s
        self.refuses = refuses
        self.draw = draw
        self.demand = 500
        self._now = 0.0
        self._working = 0
        self._queue: deque[float] = deque()
        self._events: list[tuple[float, int, float, bool]] = []
        self._order = count()

    def run(self, seconds: float) -> Phase:
        """Let so much time pass."""
        phase, end = Phase(seconds=seconds), self._now + seconds
        self._fill()
        while self._events and self._events[0][0] <= end:
            self._now, _, began, refused = heappop(self._events)
            self._finish(phase, began, refused)
            self._fill()
        self._now = end
        return phase

    def _fill(self) -> None:
        under_way = self._working + len(self._queue)
        while under_way < self.demand and self.limiter.try_acquire("rest"):
            under_way += 1
            self._arrive()

    def _arrive(self) -> None:
        if self._working < self.capacity:
            self._work(self._now)
        elif self.refuses:
            heappush(self._events, (self._now + REFUSED_S, next(self._order), self._now, True))
        else:
            self._queue.append(self._now)

    def _work(self, began: float) -> None:
        self._working += 1
        heappush(
            self._events,
            (self._now + self.service_s * self.draw(), next(self._order), began, False),
        )

    def _finish(self, phase: Phase, began: float, refused: bool) -> None:
        elapsed_s = self._now - began
        if refused:
            phase.refused += 1
            self.limiter.release("rest", elapsed_s, ThrottledError("busy"))
        else:
            phase.done += 1
            phase.elapsed_s += elapsed_s
            self._working -= 1
            while self._queue and self._working < self.capacity:
                self._work(self._queue.popleft())
            self.limiter.release("rest", elapsed_s, None)
        phase.limits.append(getattr(self.limiter, "limit", 0))
