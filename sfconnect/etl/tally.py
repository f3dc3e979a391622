"""Count the calls of each object, though they share one connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from sfconnect.instrumentation import Event, RequestFinished, RetryScheduled

# Tasks that read ahead inherit the context of the task that started them.
_current: Final[ContextVar[str | None]] = ContextVar("sfconnect.etl.object", default=None)


@dataclass(slots=True)
class Counts:
    """Attempts sent, and retries by their reason."""

    calls: int = 0
    retries: Counter[str] = field(default_factory=Counter)


class CallTally:
    """An event hook that keeps a count per object.

    Give the same one to ``Salesforce.connect(hooks=[tally])`` and to ``extract(tally=tally)``.
    Calls outside an extract are not counted.
    """

    def __init__(self) -> None:
        self._counts: dict[str, Counts] = {}

    def __call__(self, event: Event, /) -> None:
        """Count one event."""
        name = _current.get()
        if name is None:
            return
        if isinstance(event, RequestFinished):
            self.of(name).calls += 1
        elif isinstance(event, RetryScheduled):
            self.of(name).retries[event.reason] += 1

    def of(self, name: str) -> Counts:
        """Return the counts of an object; they go on changing while it is read."""
        return self._counts.setdefault(name, Counts())

    def retries(self) -> Counter[str]:
        """Return the retries of all objects by reason."""
        return sum((counts.retries for counts in self._counts.values()), Counter())


@contextmanager
def counted_as(name: str) -> Iterator[None]:
    """Count the calls made inside under this name."""
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)
