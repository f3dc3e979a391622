"""Slots for several kinds of calls: each lane has its line, its cap and its reserve."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from sfconnect._slots import LineFullError
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Lane:
    """What one kind of calls may take of a limit.

    Attributes:
        reserve: Slots that no other lane may take while this one does not use them.
        limit: Slots that this lane may hold at once; None for as many as there are.
        surfaces: Surfaces of requests that go by this lane, beside that of its own name.
    """

    reserve: int = 0
    limit: int | None = None
    surfaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.reserve < 0 or (self.limit is not None and self.limit < max(1, self.reserve)):
            message = f"A lane cannot reserve {self.reserve} of at most {self.limit} slots."
            raise ConfigurationError(message, hint="Give 0 <= reserve <= limit, and 1 <= limit.")


@dataclass(frozen=True, slots=True)
class LaneStats:
    """How full a lane is.

    Attributes:
        in_flight: Slots that it holds.
        waiting: Calls that stand in its line.
        limit: Slots that it may hold at once; None for as many as there are.
    """

    in_flight: int
    waiting: int
    limit: int | None

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" of {self.limit:,}"
        return f"{self.in_flight:,}{limit}, {self.waiting:,} waiting"


@dataclass(slots=True)
class _State:
    """A lane at work; ``cap`` is its own limit, or a lower one for a while."""

    lane: Lane
    used: int = 0
    cap: int | None = None
    line: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)

    @property
    def has_room(self) -> bool:
        return self.cap is None or self.used < self.cap

    @property
    def unused_reserve(self) -> int:
        return max(0, self.lane.reserve - self.used)

    def stats(self) -> LaneStats:
        # Those that left the line may still be in it.
        return LaneStats(self.used, sum(not turn.done() for _, turn in self.line), self.cap)


class LaneSlots:
    """Hand out slots to lanes; who cannot have one waits, and the first that can is served first.

    A lane is made when it is first named. Within a lane nobody overtakes; across lanes whoever
    came first goes first, unless its lane is full or what is free is reserved for another.
    Cancelling a waiter, even in the moment in which it was given its slot, loses none.
    """

    def __init__(
        self, capacity: int, lanes: Mapping[str, Lane], *, max_waiting: int | None = None
    ) -> None:
        reserved = sum(lane.reserve for lane in lanes.values())
        if reserved >= capacity:
            message = f"The lanes reserve {reserved} of {capacity} slots, so others get none."
            raise ConfigurationError(message, hint="Reserve fewer, or raise the limit.")
        self.capacity = capacity
        self.max_waiting = max_waiting
        self.used = 0
        self.waiting = 0
        self.held = False
        """While this is set no slot is given, whatever is free."""
        self._lanes = {name: _State(lane, cap=lane.limit) for name, lane in lanes.items()}
        shared = {one: name for name, lane in lanes.items() for one in lane.surfaces}
        self._names = {**shared, **{name: name for name in lanes}}
        self._by_surface = {one: self._lanes[name] for one, name in self._names.items()}
        self._reserved = reserved
        self._order = count()

    def lane_of(self, surface: str) -> str:
        """The name of the lane that a surface goes by."""
        return self._names.get(surface, surface)

    def used_by(self, lane: str) -> int:
        """Slots that a lane holds."""
        return self._state(lane).used

    def stats(self) -> dict[str, LaneStats]:
        """How full each lane is, by name."""
        return {name: state.stats() for name, state in self._lanes.items()}

    def try_acquire(self, lane: str) -> bool:
        """Take a slot if one is free for this lane and nobody waits."""
        if self.waiting:
            return False
        state = self._by_surface.get(lane) or self._state(lane)
        if not self._fits(state):
            return False
        state.used += 1
        self.used += 1
        return True

    async def acquire(self, lane: str, wait_s: float | None = None) -> None:
        """Take a slot, waiting in line for it.

        Raises:
            LineFullError: ``max_waiting`` others wait already.
            TimeoutError: No slot came free within ``wait_s`` seconds.
        """
        state = self._state(lane)
        if not state.line and self._fits(state) and not self._owed(state):
            state.used += 1
            self.used += 1
            return
        if self.max_waiting is not None and self.waiting >= self.max_waiting:
            raise LineFullError
        turn = asyncio.get_running_loop().create_future()
        state.line.append((next(self._order), turn))
        self.waiting += 1
        await self._wait(lane, turn, wait_s)

    async def _wait(self, lane: str, turn: asyncio.Future[None], wait_s: float | None) -> None:
        expiry = None if wait_s is None else turn.get_loop().call_later(wait_s, self._expire, turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._leave()
            elif turn.exception() is None:
                self.release(lane)  # the slot was given in the same moment; pass it on
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    def _expire(self, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            turn.set_exception(TimeoutError())
            self._leave()

    def _leave(self) -> None:
        self.waiting -= 1
        # Those that left stay in the lines until they are the larger part of them.
        if sum(len(state.line) for state in self._lanes.values()) > 2 * self.waiting:
            for state in self._lanes.values():
                state.line = deque(entry for entry in state.line if not entry[1].done())

    def release(self, lane: str) -> None:
        """Free a slot; the first in line that may have it gets it."""
        self._state(lane).used -= 1
        self.used -= 1
        if self.waiting:
            self._serve()

    def resize(self, capacity: int) -> None:
        """Change the capacity. Slots in use stay in use when it shrinks."""
        self.capacity = capacity
        self._serve()

    def cap(self, lane: str, limit: int | None) -> None:
        """Hold a lane to a lower limit than its own for a while; None lifts that."""
        state = self._state(lane)
        bounds = [bound for bound in (state.lane.limit, limit) if bound is not None]
        state.cap = min(bounds, default=None)
        self._serve()

    def _state(self, lane: str) -> _State:
        state = self._by_surface.get(lane)
        if state is None:
            state = self._lanes[lane] = self._by_surface[lane] = _State(Lane())
        return state

    def _fits(self, state: _State) -> bool:
        if self.held or not state.has_room:
            return False
        # However far the limit has shrunk, a reserve that is not used keeps its last slot.
        kept = 0
        if self._reserved:
            kept = sum(one.unused_reserve for one in self._lanes.values() if one is not state)
        return self.used < self.capacity - min(kept, self.capacity - 1)

    def _owed(self, state: _State) -> bool:
        """Whether somebody in another lane came earlier and could go now."""
        return any(
            one is not state and one.line and self._fits(one) for one in self._lanes.values()
        )

    def _serve(self) -> None:
        while self.waiting and self.used < self.capacity:
            state = self._next_lane()
            if state is None:
                return
            _, turn = state.line.popleft()
            if turn.done():
                continue
            state.used += 1
            self.used += 1
            self.waiting -= 1
            turn.set_result(None)

    def _next_lane(self) -> _State | None:
        """The lane whose first waiter came before those of the others that could go too."""
        ready = [state for state in self._lanes.values() if state.line and self._fits(state)]
        return min(ready, key=lambda state: state.line[0][0], default=None)
