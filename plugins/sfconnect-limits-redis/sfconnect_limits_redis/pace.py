"""So many calls a second of all processes together, beside another limit."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from sfconnect.errors import ConfigurationError
from sfconnect.limits import FixedLimiter, PacedLimiter
from sfconnect_limits_redis.refusals import UnreachableError
from sfconnect_limits_redis.slots import SharedSlots, closed, spread
from sfconnect_limits_redis.times import TURN_S, Permits, ServerClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfconnect.errors import PoolError
    from sfconnect_limits_redis.times import Schedule

_REPEAT_S: Final = 1.0
"""How long the server is left alone after it was away."""


class SharedPace:
    """Let calls go at the times that this process was given.

    Calls that find a time take it without a word to Redis. The others stand in line, and one task
    asks for the times that they need. No call waits for a socket; one that is cancelled leaves
    its time to the next.

    Args:
        schedule: Where times are asked for.
        slots: The limit beside it; it tells how many processes there are, and whether calls are
            to fail while the server is away.
        per_second: Calls of all processes together.
        timeout_s: Limit of each question.
    """

    def __init__(
        self, schedule: Schedule, slots: SharedSlots, per_second: float, *, timeout_s: float
    ) -> None:
        self._schedule = schedule
        self._slots = slots
        self._per_second = per_second
        self._timeout_s = timeout_s
        self._clock = ServerClock()
        self._permits = Permits()
        self._line = FixedLimiter(1)
        self._line.resize(0)
        self._need = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_away = False
        self._alone_at = 0.0
        """The first time that this process has not given itself, while the server is away."""
        self._task = asyncio.create_task(self._keep(), name="sfconnect: times of a shared limit")

    @property
    def waiting(self) -> int:
        """Calls that wait for their time."""
        return self._line.waiting

    def try_pass(self) -> bool:
        """Pass if it is time and nobody waits."""
        return not self._line.waiting and self._permits.take(self._loop.time())

    async def wait(self) -> None:
        """Pass when it is time; cancelling leaves it to others.

        Raises:
            PoolError: Redis is away, and calls are not to go on without it; or it is closed.
        """
        if (refusal := self._slots.refusal) is not None:
            raise refusal()
        self._shut()
        self._loop.call_soon(self._move)  # once this call stands in line
        await self._line.acquire("")

    def _shut(self) -> None:
        """Let nobody in without a time, not even one that was given to a call that is gone."""
        self._line.resize(self._line.in_flight)

    def _move(self) -> None:
        """Let those go whose time has come, and look again when the next one is there."""
        line, permits, now = self._line, self._permits, self._loop.time()
        self._shut()
        while line.waiting and permits.take(now):
            line.resize(line.in_flight + 1)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not line.waiting:
            return
        if permits.lacking(line.waiting, now):
            self._need.set()
        if (next_at := permits.next_at()) is not None:
            self._timer = self._loop.call_at(next_at, self._move)

    async def _keep(self) -> None:
        """Ask for times whenever calls lack some."""
        while True:
            if not self._is_away:
                await self._need.wait()
                await asyncio.sleep(self._permits.ask_in_s(self._loop.time()))
            self._need.clear()
            wanted = self._permits.lacking(self._line.waiting, self._loop.time())
            if wanted or self._is_away:
                try:
                    await self._ask(max(1, wanted))
                except (UnreachableError, ConfigurationError):
                    await self._go_alone()
            self._move()

    async def _ask(self, wanted: int) -> None:
        sent_at = self._loop.time()
        held_s = 0.0 if self._is_away else self._permits.held_s(sent_at)
        times = await self._schedule.ask(wanted, held_s=held_s)
        self._clock.note(sent_at, times.now, self._loop.time())
        if self._is_away:
            self._is_away = False
            self._permits.clear()  # those were its own
        self._permits.add(self._clock.here(times.first), times.step_s, times.count)

    async def _go_alone(self) -> None:
        """Have a part of the times, until the server was asked once more."""
        self._is_away = True
        pause_s = spread(_REPEAT_S)
        if self._slots.goes_on_alone:
            self._take_part(pause_s + self._timeout_s + TURN_S)
        elif (refusal := self._slots.refusal) is not None:
            self._line.dismiss(refusal)
        await asyncio.sleep(pause_s)

    def _take_part(self, lasts_s: float) -> None:
        step_s, now = self._slots.among / self._per_second, self._loop.time()
        first = max(now + self._permits.held_s(now), self._alone_at)
        count = max(0, math.ceil((now + lasts_s - first) / step_s))
        self._permits.add(first, step_s, count)
        self._alone_at = first + count * step_s
        self._move()

    def stop(self, error: Callable[[], PoolError]) -> None:
        """Send away who waits, and ask no more."""
        self._task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._line.dismiss(error)

    async def ended(self) -> None:
        """Wait until nothing is asked any more, though not for ever."""
        await asyncio.wait([self._task], timeout=self._timeout_s)


class PacedSlots(PacedLimiter):
    """The slots of a shared limit, and its rate beside."""

    __slots__ = ("_pace", "_slots")

    def __init__(self, slots: SharedSlots, pace: SharedPace) -> None:
        super().__init__(slots, pace)
        self._slots = slots
        self._pace = pace

    async def aclose(self) -> None:
        """Give everything back, and send away who waits; as that of the slots."""
        self._pace.stop(closed)
        try:
            await self._slots.aclose()
        finally:
            await self._pace.ended()
