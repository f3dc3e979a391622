"""Counters of what an org was asked and what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Statistics:
    """Counts since the start or the last reset; control requests are never counted."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    logins: Counter[str] = field(default_factory=Counter)
    refused_logins: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    revocations: int = 0
    bytes_out: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def login(self, grant: str) -> None:
        """Count a token that was issued."""
        self.logins[grant] += 1

    def refused_login(self, grant: str, error: str) -> None:
        """Count a token request that was refused, under ``grant: error``."""
        self.refused_logins[f"{grant}: {error}"] += 1

    def answered(self, route: str, status: int, size: int) -> None:
        """Count an answer under its method and resource."""
        self.requests[route] += 1
        self.statuses[status] += 1
        self.bytes_out += size

    def entered(self) -> None:
        """Count a request that is being worked on or waited for."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def left(self) -> None:
        """Count a request that is over."""
        self.in_flight -= 1

    def reset(self) -> None:
        """Start counting anew; what is in flight stays counted."""
        for counter in (
            *(self.requests, self.logins, self.refused_logins, self.rows, self.faults),
        ):
            counter.clear()
        self.statuses.clear()
        self.revocations = self.bytes_out = 0
        self.most_in_flight = self.in_flight

    def snapshot(self) -> dict[str, object]:
        """The counters as JSON-ready values."""
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "logins": dict(self.logins),
            "refused_logins": dict(self.refused_logins),
            "rows": dict(self.rows),
            "faults": dict(self.faults),
            "revocations": self.revocations,
            "bytes_out": self.bytes_out,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }
