"""What a session counts, and what it shows of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sfconnect.limits import innermost, told_by
from sfconnect.limits.logins import LOGIN
from sfconnect.messages import PIECE_BYTES, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from sfconnect.limits import LaneStats, LoginLane, Quota, ShareStats
    from sfconnect.messages import StreamedResponse
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
        hedges: Reads that were asked for twice because they were late.
        hedges_won: Those of them whose second answer came first.
        lanes: How full each lane of the limiter is, and that of logins, which is always there.
        share: How much of the share of a quota is used, and whether that stops calls; None where
            nothing is bounded and the API has not said that the quota is used up.
        shares: The same of quotas that only some calls use up, by the quota.
        paced: Calls that wait for their time, where ``max_per_second`` spaces them.
        retry_tokens: What is left of the budget for retries; they end where it does.
        retry_capacity: What there is of it at most.
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
    hedges: int = 0
    hedges_won: int = 0
    lanes: Mapping[str, LaneStats] = field(default_factory=dict)
    share: ShareStats | None = None
    shares: Mapping[str, ShareStats] = field(default_factory=dict)
    paced: int = 0
    retry_tokens: float = 0.0
    retry_capacity: float = 0.0

    def __str__(self) -> str:
        return "\n".join(f"{name:<10}{value}" for name, value in self._lines())

    def _lines(self) -> Iterator[tuple[str, str]]:
        again = self.attempts - self.calls
        yield "calls", f"{self.calls:,}" + (f", and {again:,} attempts more" if again > 0 else "")
        yield from self._lines_of_limiter()
        yield from self._lines_of_retries()
        yield "logins", f"{self.logins:,}"
        yield "received", f"{self.bytes_in:,} bytes"
        for quota in self.quotas.values():
            yield "quota", str(quota)
        if self.share is not None:
            yield "share", str(self.share)
        for name, share in self.shares.items():
            yield "share", f"{name}: {share}"
        for server, circuit in self.circuits.items():
            yield "circuit", f"{server}: {circuit.state}"

    def _lines_of_limiter(self) -> Iterator[tuple[str, str]]:
        if self.limit is not None:
            yield "in flight", f"{self.in_flight} of {self.limit}, {self.waiting} waiting"
        for name, lane in self.lanes.items():
            if lane.in_flight or lane.waiting:
                yield "lane", f"{name}: {lane}"
        if self.paced:
            yield "paced", f"{self.paced:,} wait for their time"

    def _lines_of_retries(self) -> Iterator[tuple[str, str]]:
        if self.retries:
            reasons = ", ".join(f"{name} {number:,}" for name, number in self.retries.items())
            yield "retries", f"{sum(self.retries.values()):,} ({reasons})"
        if self.retry_tokens < self.retry_capacity:
            left = f"{self.retry_tokens:,.0f} of {self.retry_capacity:,.0f}"
            yield "budget", f"{left} tokens for retries left"
        if self.throttled:
            yield "throttled", f"{self.throttled:,}"
        if self.hedges:
            yield "hedges", f"{self.hedges:,}, of which {self.hedges_won:,} answered first"


def of_limiter(limiter: object, logins: LoginLane) -> dict[str, Any]:
    """What a limiter tells of itself, and those within it, as members of the stats."""
    inner = innermost(limiter)
    return {
        "limit": getattr(inner, "limit", None),
        "in_flight": getattr(inner, "in_flight", None),
        "waiting": getattr(inner, "waiting", None),
        "lanes": {**(told_by(limiter, "lane_stats") or {}), LOGIN: logins.stats()},
        "share": told_by(limiter, "share_stats"),
        "paced": told_by(limiter, "paced") or 0,
    }


class CountedStream:
    """A streamed answer that tells its session how many bytes were read from it."""

    __slots__ = ("_answer", "_count", "headers", "status", "whole")

    def __init__(self, answer: StreamedResponse, count: Callable[[int], None]) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._count = count
        self.whole: Response | None = None
        """The answer, if it was read whole; so a refusal is."""

    async def iter_bytes(self, chunk_size: int = PIECE_BYTES) -> AsyncIterator[bytes]:
        """Iterate over the body in pieces, and count each."""
        async for piece in self._answer.iter_bytes(chunk_size):
            self._count(len(piece))
            yield piece

    async def read(self) -> Response:
        """Read what is left of the body, and count it."""
        response = self.whole = await self._answer.read()
        self._count(len(response.content))
        return response
