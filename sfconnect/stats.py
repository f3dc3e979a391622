"""What a connection has done so far, as one value that prints well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfconnect.limits import Quota
    from sfconnect.retry.circuit import CircuitStats


@dataclass(frozen=True, slots=True)
class SessionStats:
    """What a session has done so far; ``print`` shows it readably.

    Attributes:
        calls: Calls that were made.
        attempts: Requests sent for them, retries and replays included.
        bytes_in: Bytes of answers, decompressed.
        retries: Retries by reason: an error code or class name.
        logins: Logins that succeeded.
        quotas: The newest reading of each quota.
        circuits: The circuit of each server, by host and port; none where they are off.
        throttled: Attempts that the API refused because it was asked too much.
        limit: Calls that the limiter lets be in flight now; None where it tells no number.
        in_flight: Calls that it has in flight.
        waiting: Calls that stand in its line.
    """

    calls: int
    attempts: int
    bytes_in: int
    retries: Mapping[str, int]
    logins: int
    quotas: Mapping[str, Quota]
    circuits: Mapping[str, CircuitStats] = field(default_factory=dict)
    throttled: int = 0
    limit: int | None = None
    in_flight: int | None = None
    waiting: int | None = None

    def __str__(self) -> str:
        return "\n".join(f"{name:<10}{value}" for name, value in self._lines())

    def _lines(self) -> Iterator[tuple[str, str]]:
        again = self.attempts - self.calls
        yield "calls", f"{self.calls:,}" + (f", and {again:,} attempts more" if again > 0 else "")
        if self.limit is not None:
            yield "in flight", f"{self.in_flight} of {self.limit}, {self.waiting} waiting"
        if self.retries:
            reasons = ", ".join(f"{name} {number:,}" for name, number in self.retries.items())
            yield "retries", f"{sum(self.retries.values()):,} ({reasons})"
        if self.throttled:
            yield "throttled", f"{self.throttled:,}"
        yield "logins", f"{self.logins:,}"
        yield "received", f"{self.bytes_in:,} bytes"
        for quota in self.quotas.values():
            yield "quota", str(quota)
        for server, circuit in self.circuits.items():
            yield "circuit", f"{server}: {circuit.state}"
