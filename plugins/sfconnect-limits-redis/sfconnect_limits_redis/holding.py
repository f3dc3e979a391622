"""What one process has of the limit, what it should ask for, and what it should give back.

Pure bookkeeping: it knows the time only as it is told, and does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sfconnect_limits_redis.book import NEW, Need

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sfconnect.limits import FixedLimiter
    from sfconnect_limits_redis.book import Answer, Terms

IDLE_S: Final = 0.25
"""Slots that were not used for so long go back, although nobody may have asked for them."""
_RENEWALS: Final = 3
"""Renewals within the time of a lease, so that one that is lost does no harm."""


@dataclass(slots=True)
class Share:
    """The part of one lane that this process has.

    Attributes:
        line: Where its calls wait; its limit is what they may use.
        told: Slots that the book says it holds.
        wanted: Slots that it has told that it would use.
        part: What would be fair, as the book last said.
        peak: The most that were in use of late.
    """

    line: FixedLimiter
    told: int = 0
    wanted: int = 0
    part: int = 0
    peak: int = 0

    @property
    def used(self) -> int:
        """Slots that cannot be given back before a call ends."""
        return max(self.line.in_flight, self.line.limit)

    @property
    def idle(self) -> int:
        """Slots that nothing needed of late."""
        return self.line.limit - max(self.peak, self.line.in_flight)

    @property
    def demand(self) -> int:
        """Slots that its calls would use at once."""
        return self.line.in_flight + self.line.waiting


class Holding:
    """The slots of one process: leased as they are used, given back as they are not.

    Args:
        terms: Of the limit.
        lines: The names of the lanes, and the line of each.
        now: The time.
    """

    def __init__(self, terms: Terms, lines: Mapping[str, FixedLimiter], now: float) -> None:
        self.shares = {name: Share(line) for name, line in lines.items()}
        self.book = NEW
        self.holders = 0
        """Processes that hold some, as last known; 0 while nothing is known."""
        self.lapses_at = now
        """When the lease ends unless it is renewed; the server's comes later."""
        self.woken = False
        self._terms = terms
        self._asked_at = now
        self._idle_at: float | None = None

    @property
    def in_flight(self) -> int:
        """Calls in flight now."""
        return sum(share.line.in_flight for share in self.shares.values())

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return sum(share.line.limit for share in self.shares.values())

    @property
    def waiting(self) -> int:
        """Calls in line now."""
        return sum(share.line.waiting for share in self.shares.values())

    def calls_for_more(self, share: Share, *, coming: int = 0) -> bool:
        """Whether a lane needs more than it told, and might get it; ``coming`` calls included."""
        wanted = min(share.demand + coming, self._terms.budget)
        return wanted > share.wanted and share.part >= share.wanted

    def gives_back(self, share: Share) -> bool:
        """Whether the book should learn that a lane does not use all that it holds."""
        return share.told > share.used

    def is_news(self, share: Share) -> bool:
        """Whether a call that ended leaves something to do: to give back, or to watch idle."""
        # Each call passes here, so it is written out.
        used, limit = share.line.in_flight, share.line.limit
        return self._idle_at is None if used < limit else share.told > used

    def due(self, now: float) -> bool:
        """Whether the book should be asked now."""
        self._watch_idle(now)
        if self.woken or now >= self._due_at():
            return True
        shares = self.shares.values()
        return any(self.calls_for_more(share) or self.gives_back(share) for share in shares)

    def pause_s(self, now: float) -> float:
        """How long nothing is due, if nothing happens."""
        idle_at = self._idle_at
        due_at = self._due_at()
        return max(0.0, (due_at if idle_at is None else min(due_at, idle_at)) - now)

    def _due_at(self) -> float:
        """Renew in time; who lacks some asks more often, in case a wake was lost."""
        lacks = any(self._lacks(share) for share in self.shares.values())
        renewal = self._terms.lease_s / _RENEWALS
        return self._asked_at + (min(self._terms.turn_s, renewal) if lacks else renewal)

    def _lacks(self, share: Share) -> bool:
        return share.line.waiting > 0 and share.told < self._terms.budget

    def _watch_idle(self, now: float) -> None:
        """Give back what was not used for a while; then begin the next while."""
        shares = self.shares.values()
        if self._idle_at is not None and now >= self._idle_at:
            self._idle_at = None
            for share in shares:
                if share.idle > 0:
                    share.line.resize(max(share.peak, share.line.in_flight))
                share.peak = share.line.in_flight
        if self._idle_at is None and any(map(_has_spare, shares)):
            self._idle_at = now + IDLE_S

    def needs(self) -> dict[str, Need]:
        """What to tell the book; until it answers no more than that is used."""
        self.woken = False
        return {name: self._need(share) for name, share in self.shares.items()}

    def _need(self, share: Share) -> Need:
        wanted = max(share.used, share.peak, share.demand)
        return Need(share.used, min(wanted, max(self._terms.budget, share.used)))

    def take(self, answer: Answer, needs: Mapping[str, Need], sent_at: float) -> None:
        """Use what the book grants; ``sent_at`` is when it was asked, before the lease began."""
        self.book = answer.book
        self.holders = answer.holders
        self._asked_at = sent_at
        self.lapses_at = sent_at + self._terms.lease_s
        for name, grant in answer.grants.items():
            share = self.shares[name]
            share.told, share.part = grant.slots, grant.part
            share.wanted = needs[name].wanted
            # Above its fair part it only lets calls end.
            share.line.resize(min(grant.slots, grant.part))

    def go_alone(self, caps: Mapping[str, int]) -> None:
        """The lease has lapsed: let each lane use so many slots that nobody has granted."""
        for name, share in self.shares.items():
            share.line.resize(caps.get(name, 0))
            share.part, share.peak = caps.get(name, 0), 0

    def dismiss(self, error: Callable[[], Exception]) -> None:
        """Send away whoever waits."""
        for share in self.shares.values():
            share.line.dismiss(error)


def _has_spare(share: Share) -> bool:
    return share.line.limit > share.line.in_flight
