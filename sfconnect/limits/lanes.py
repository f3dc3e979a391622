"""Slots for several kinds of calls: each lane has its line, its bound and its reserve."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from sfconnect._slots import LineFullError
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Lane:
    """What one kind of calls may take of a limit.

    Numbers stand as they are, and percentages follow the limit as it moves. Where a lane has both,
    the larger reserve and the smaller bound count.

    Attributes:
        reserve: Slots that no other lane may take while this one does not use them.
        limit: Slots that this lane may hold at once; None for as many as there are.
        surfaces: Surfaces of requests that go by this lane, beside that of its own name.
        reserve_percent: The reserve as a part of the limit, rounded up.
        limit_percent: The bound as a part of the limit, rounded down, but one slot at least.
        due_percent: While the lane holds less than this part of the limit, its calls go first
            when a slot comes free. Nothing is kept free for that, so it costs others nothing
            while nobody of the lane waits.
    """

    reserve: int = 0
    limit: int | None = None
    surfaces: tuple[str, ...] = ()
    reserve_percent: float = 0.0
    limit_percent: float | None = None
    due_percent: float = 0.0

    def __post_init__(self) -> None:
        if self.reserve < 0 or (self.limit is not None and self.limit < max(1, self.reserve)):
            message = f"A lane cannot reserve {self.reserve} of at most {self.limit} slots."
            raise ConfigurationError(message, hint="Give 0 <= reserve <= limit, and 1 <= limit.")
        most = _WHOLE if self.limit_percent is None else self.limit_percent
        if not (0 <= self.reserve_percent <= most <= _WHOLE and 0 <= self.due_percent <= most):
            message = (
                f"A lane cannot reserve {self.reserve_percent} % of at most {most} % of a limit, "
                f"with {self.due_percent} % due to it."
            )
            hint = "Give percentages from 0 to 100; those reserved and due up to limit_percent."
            raise ConfigurationError(message, hint=hint)

    def reserve_of(self, capacity: int) -> int:
        """The slots that are kept for it while so many may be in use."""
        return max(self.reserve, _rounded_up(capacity, self.reserve_percent))

    def due_of(self, capacity: int) -> int:
        """The slots up to which its calls go first while so many may be in use."""
        return _rounded_up(capacity, self.due_percent)

    def limit_of(self, capacity: int) -> int | None:
        """The slots that it may hold while so many may be in use; None for all."""
        if self.limit_percent is None:
            return self.limit
        part = max(1, int(capacity * self.limit_percent / _WHOLE))
        return part if self.limit is None else min(part, self.limit)


@dataclass(frozen=True, slots=True)
class LaneStats:
    """How full a lane is.

    Attributes:
        in_flight: Slots that it holds.
        waiting: Calls that stand in its line.
        limit: Slots that it may hold at once; None for as many as there are.
        reserve: Slots that no other lane may take while this one does not use them.
    """

    in_flight: int
    waiting: int
    limit: int | None
    reserve: int = 0

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" of {self.limit:,}"
        return f"{self.in_flight:,}{limit}, {self.waiting:,} waiting"


@dataclass(slots=True)
class _State:
    """A lane at work: what it is entitled to at the limit of now, who is in it, who waits."""

    lane: Lane
    used: int = 0
    waiting: int = 0
    reserve: int = 0
    due: int = 0
    cap: int | None = None
    lowered_to: int | None = None
    """A bound for a while, beside its own."""
    line: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)

    @property
    def fixed_cap(self) -> int | None:
        """The bound that does not grow with the limit."""
        bounds = [one for one in (self.lane.limit, self.lowered_to) if one is not None]
        return min(bounds, default=None)

    def cap_at(self, capacity: int) -> int | None:
        bounds = (self.lane.limit_of(capacity), self.lowered_to)
        return min((one for one in bounds if one is not None), default=None)

    def stats(self) -> LaneStats:
        return LaneStats(self.used, self.waiting, self.cap, self.reserve)


class LaneSlots:
    """Hand out slots to lanes; who cannot have one waits, and the first that can is served first.

    A lane is made when it is first named. Within a lane nobody overtakes. Across lanes those go
    first that hold less than what is due to them, and among these, or where there are none,
    whoever came first, unless its lane is full or what is free is reserved for another.
    Cancelling a waiter, even in the moment in which it was given its slot, loses none.

    However far the capacity shrinks, one slot is neither reserved nor due to anybody: all
    reserves together, and all that is due, shrink in proportion to the rest.

    Each lane has a line of its own with ``max_waiting`` places, so that the many of one cannot
    take those of another.
    """

    def __init__(
        self, capacity: int, lanes: Mapping[str, Lane], *, max_waiting: int | None = None
    ) -> None:
        _check_reserves(capacity, list(lanes.values()))
        self.capacity = capacity
        self.max_waiting = max_waiting
        self.used = 0
        self.waiting = 0
        self.held = False
        """While this is set no slot is given, whatever is free; see :meth:`hold`."""
        self._lanes = {name: _State(lane) for name, lane in lanes.items()}
        shared = {one: name for name, lane in lanes.items() for one in lane.surfaces}
        self._names = {**shared, **{name: name for name in lanes}}
        self._by_surface = {one: self._lanes[name] for one, name in self._names.items()}
        self._kept = 0  # the sum of what is reserved and not used
        self._order = count()
        self._entitle()

    def lane_of(self, surface: str) -> str:
        """The name of the lane that a surface goes by."""
        return self._names.get(surface, surface)

    def used_by(self, lane: str) -> int:
        """Slots that a lane holds."""
        return self._state(lane).used

    def stats(self) -> dict[str, LaneStats]:
        """How full each lane is, by name."""
        return {name: state.stats() for name, state in self._lanes.items()}

    def is_short(self, lane: str) -> bool:
        """Whether it is the capacity, and no bound of its own, that a lane has no slot for."""
        state = self._state(lane)
        if self.held or self._fits(state):
            return False
        return state.fixed_cap is None or state.used < state.fixed_cap

    def try_acquire(self, lane: str) -> bool:
        """Take a slot if one is free for this lane; whoever waits in it could have none."""
        state = self._by_surface.get(lane) or self._state(lane)
        if not self._fits(state):
            return False
        self._take(state)
        return True

    async def acquire(self, lane: str, wait_s: float | None = None) -> None:
        """Take a slot, waiting in line for it.

        Raises:
            LineFullError: ``max_waiting`` others of this lane wait already.
            TimeoutError: No slot came free within ``wait_s`` seconds.
        """
        if self.try_acquire(lane):
            return
        state = self._state(lane)
        if self.max_waiting is not None and state.waiting >= self.max_waiting:
            raise LineFullError
        turn = asyncio.get_running_loop().create_future()
        state.line.append((next(self._order), turn))
        state.waiting += 1
        self.waiting += 1
        await self._wait(state, turn, wait_s)

    async def _wait(self, state: _State, turn: asyncio.Future[None], wait_s: float | None) -> None:
        loop = turn.get_loop()
        expiry = None if wait_s is None else loop.call_later(wait_s, self._expire, state, turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._leave(state)
            elif turn.exception() is None:
                self._give_back(state)  # the slot was given in the same moment; pass it on
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    def _expire(self, state: _State, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            turn.set_exception(TimeoutError())
            self._leave(state)

    def _leave(self, state: _State) -> None:
        state.waiting -= 1
        self.waiting -= 1
        # Those that left stay in the line until they are the larger part of it.
        if len(state.line) > 2 * state.waiting:
            state.line = deque(entry for entry in state.line if not entry[1].done())

    def release(self, lane: str) -> None:
        """Free a slot; the first in line that may have it gets it."""
        self._give_back(self._state(lane))

    def resize(self, capacity: int) -> None:
        """Change the capacity. Slots in use stay in use when it shrinks."""
        self.capacity = capacity
        self._entitle()
        self._serve()

    def cap(self, lane: str, limit: int | None) -> None:
        """Hold a lane to a lower limit than its own for a while; None lifts that."""
        self._state(lane).lowered_to = limit
        self._entitle()
        self._serve()

    def hold(self, *, held: bool) -> None:
        """Give no slot for a while, or give them again."""
        self.held = held
        self._serve()

    def _state(self, lane: str) -> _State:
        state = self._by_surface.get(lane)
        if state is None:
            state = self._lanes[lane] = self._by_surface[lane] = _State(Lane())
        return state

    def _entitle(self) -> None:
        """Work out what each lane may have of the capacity; calls only look it up."""
        capacity, states = self.capacity, list(self._lanes.values())
        for state in states:
            state.cap = state.cap_at(capacity)
        wanted = [min(one.lane.reserve_of(capacity), one.cap or capacity) for one in states]
        reserves = _within(capacity - 1, wanted)
        dues = _within(capacity - 1, [one.lane.due_of(capacity) for one in states])
        for state, reserve, due in zip(states, reserves, dues, strict=True):
            state.reserve, state.due = reserve, due
        self._kept = sum(max(0, one.reserve - one.used) for one in states)

    def _fits(self, state: _State) -> bool:
        used = state.used
        if self.held or (state.cap is not None and used >= state.cap):
            return False
        kept_for_others = self._kept
        if used < state.reserve:
            kept_for_others -= state.reserve - used
        return self.used < self.capacity - kept_for_others

    def _take(self, state: _State) -> None:
        if state.used < state.reserve:
            self._kept -= 1
        state.used += 1
        self.used += 1

    def _give_back(self, state: _State) -> None:
        state.used -= 1
        self.used -= 1
        if state.used < state.reserve:
            self._kept += 1
        if self.waiting:
            self._serve()

    def _serve(self) -> None:
        while self.waiting and self.used < self.capacity:
            state = self._next_lane()
            if state is None:
                return
            _, turn = state.line.popleft()
            if turn.done():
                continue
            state.waiting -= 1
            self.waiting -= 1
            self._take(state)
            turn.set_result(None)

    def _next_lane(self) -> _State | None:
        """The lane that is served next, of those that somebody waits in and that may have one."""
        ready = [state for state in self._lanes.values() if state.line and self._fits(state)]
        return min(ready, key=_place, default=None)


def _place(state: _State) -> tuple[bool, int]:
    """Where the first of a lane's line stands among those of all lanes."""
    return state.used >= state.due, state.line[0][0]


def _rounded_up(capacity: int, percent: float) -> int:
    return -int(-capacity * percent // _WHOLE)


def _within(most: int, wanted: Sequence[int]) -> list[int]:
    """Numbers that together are no more than ``most``, in proportion to those wanted."""
    total = sum(wanted)
    if total <= most:
        return list(wanted)
    return [max(0, most) * one // total for one in wanted]


def _check_reserves(capacity: int, lanes: Sequence[Lane]) -> None:
    """Refuse reserves that leave others nothing, whatever the capacity comes to be."""
    slots, percent = (
        sum(lane.reserve for lane in lanes),
        sum(lane.reserve_percent for lane in lanes),
    )
    hint = "Reserve fewer, or raise the limit."
    if slots >= capacity:
        message = f"The lanes reserve {slots} of {capacity} slots, so others get none."
        raise ConfigurationError(message, hint=hint)
    if percent >= _WHOLE:
        message = f"The lanes reserve {percent} % of the limit, so others get none."
        raise ConfigurationError(message, hint=hint)
