"""The slots of this process: handed to calls at once, and settled with the others beside that."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final, Literal

from sfconnect.errors import (
    ConfigurationError,
    PoolClosed,
    PoolError,
    PoolTimeout,
    TooManyRequests,
)
from sfconnect.limits import FixedLimiter, LaneStats
from sfconnect_limits_redis.book import NEW
from sfconnect_limits_redis.holding import Holding, Share
from sfconnect_limits_redis.lanes import OTHERS, lanes_of_surfaces, local_caps
from sfconnect_limits_redis.refusals import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfconnect.errors import SfConnectError
    from sfconnect.limits import LimiterContext
    from sfconnect_limits_redis.book import Book, Terms

_NAME: Final = "redis"
_FIRST_REPEAT_S: Final = 0.05
_LONGEST_REPEAT_S: Final = 1.0


class SharedSlots:
    """This process's part of a limit that many share; a limiter.

    Calls take slots that are there without a word to Redis. One task asks for more where calls
    wait, gives back what is idle, and renews the lease; another listens for what the book has.
    No call ever waits for a socket, so cancelling one needs nothing from the server.
    """

    def __init__(
        self,
        book: Book,
        terms: Terms,
        context: LimiterContext,
        *,
        timeout_s: float,
        on_outage: Literal["local", "fail"],
        outage_limit: int | None,
    ) -> None:
        lines = {name: _line(context) for name in (*terms.lanes, OTHERS)}
        self._now = asyncio.get_running_loop().time
        self._holding = Holding(terms, lines, self._now())
        by_lane = self._holding.shares
        surfaces = lanes_of_surfaces(terms.lanes)
        self._shares = {surface: by_lane[lane] for surface, lane in surfaces.items()}
        self._others = by_lane[OTHERS]
        self._book = book
        self._terms = terms
        self._context = context
        self._timeout_s = timeout_s
        self._on_outage = on_outage
        self._outage_limit = outage_limit
        self._need = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._lapse: asyncio.TimerHandle | None = None
        self._good_until = inf
        """When the slots are no longer its own; the timer tells too late who stood still."""
        self._failures = 0
        self._is_in_book = False
        self._trouble = "TimeoutError"
        self.refusal: Callable[[], PoolError] | None = None
        """Makes the error for calls that wait or come, where they are not to go on."""
        self.problem: str | None = None
        """Why the limit is not shared at the moment; None while it is."""

    @property
    def limit(self) -> int:
        """Calls of this process that may be in flight, if others have none."""
        return self._terms.budget if self.problem is None else self._holding.limit

    @property
    def granted(self) -> int:
        """Calls of this process that may be in flight now."""
        return self._holding.limit

    @property
    def in_flight(self) -> int:
        """Calls of this process in flight now."""
        return self._holding.in_flight

    @property
    def waiting(self) -> int:
        """Calls of this process in line now."""
        return self._holding.waiting

    @property
    def goes_on_alone(self) -> bool:
        """Whether calls go on while the server is away."""
        return self._on_outage == "local"

    @property
    def among(self) -> int:
        """By how many processes the limit is divided while they cannot be asked."""
        # Who has never seen the book knows of no others, and might be one of many.
        return self._holding.holders or self._terms.budget

    @property
    def lane_stats(self) -> dict[str, LaneStats]:
        """Calls of this process by lane, and how many may be in flight if others have none."""
        return {
            name: LaneStats(share.line.in_flight, share.line.waiting, self._lane_limit(name, share))
            for name, share in self._holding.shares.items()
        }

    def _lane_limit(self, name: str, share: Share) -> int | None:
        if self.problem is not None:
            return share.line.limit
        lane = self._terms.lanes.get(name)
        return None if lane is None else lane.limit

    async def open(self) -> None:
        """Ask for the first time, and go on asking."""
        try:
            await self._ask()
        except UnreachableError as error:
            self._trouble = error.reason
            self._lose()
        self._tasks = [
            asyncio.create_task(self._keep(), name="sfconnect: lease of a shared limit"),
            asyncio.create_task(self._listen(), name="sfconnect: wakes of a shared limit"),
        ]

    def try_acquire(self, lane: str) -> bool:
        """Take a slot that this process has, if one is free."""
        if self._now() >= self._good_until:
            self._lapsed()
        share = self._shares.get(lane) or self._others
        line = share.line
        if not line.try_acquire(lane):
            return False
        share.peak = max(share.peak, line.in_flight)
        return True

    async def acquire(self, lane: str) -> None:
        """Wait for a slot; cancelling loses none.

        Raises:
            TooManyRequests: The line is full.
            PoolTimeout: No slot came free in time.
            PoolError: Redis is away, and calls are not to go on without it.
        """
        share = self._shares.get(lane) or self._others
        await self._acquire(share, lane)
        while self._now() >= self._good_until:  # it stood still between the gift and now
            self._lapsed()
            share.line.release(lane, 0.0, None)
            await self._acquire(share, lane)
        share.peak = max(share.peak, share.line.in_flight)

    async def _acquire(self, share: Share, lane: str) -> None:
        if self.refusal is not None:
            raise self.refusal()
        if self._holding.calls_for_more(share, coming=1):
            self._need.set()  # the task sees it once this call stands in line
        try:
            await share.line.acquire(lane)
        except (PoolTimeout, TooManyRequests) as error:
            error.hint = f"{self._terms.budget} calls of all processes may be in flight at once."
            raise
        finally:
            self._settle(share)

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Give a slot back: to the next call in line, or to the others."""
        if self._now() >= self._good_until:
            self._lapsed()
        share = self._shares.get(lane) or self._others
        share.line.release(lane, elapsed_s, error)
        self._settle(share)

    def _settle(self, share: Share) -> None:
        if self._holding.is_news(share):
            self._need.set()

    async def _keep(self) -> None:
        """Settle with the book whenever there is something to settle."""
        while True:
            self._need.clear()
            if not self._failures and not self._holding.due(self._now()):
                await self._pause(self._holding.pause_s(self._now()))
                continue
            try:
                await self._ask()
            except (UnreachableError, ConfigurationError) as error:
                await self._after_failure(error)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._need.wait()
        except TimeoutError:
            pass

    async def _ask(self) -> None:
        sent_at = self._now()
        if sent_at >= self._good_until:
            self._lapsed()
        needs = self._holding.needs()
        self._is_in_book = True  # whoever is cancelled now may be in it all the same
        answer = await self._book.ask(self._terms, needs, book=self._holding.book)
        self._failures = 0
        if self._now() >= sent_at + self._terms.lease_s:
            return  # it stood still meanwhile, and will ask again
        self._holding.take(answer, needs, sent_at)
        if self._lapse is not None:
            self._lapse.cancel()
        self._good_until = self._holding.lapses_at
        loop = asyncio.get_running_loop()
        self._lapse = loop.call_at(self._good_until, self._lapsed)
        if self.problem is not None:
            self.problem = self.refusal = None
            self._context.tell_lost(_NAME, self.granted, None)

    async def _after_failure(self, error: UnreachableError | ConfigurationError) -> None:
        """Wait a little longer each time; not all processes for equally long."""
        self._failures += 1
        self._trouble = _reason(error)
        if self.problem is None and self._now() >= self._holding.lapses_at:
            self._lose()
        longest = min(_LONGEST_REPEAT_S, _FIRST_REPEAT_S * 2 ** min(self._failures, 10))
        await asyncio.sleep(spread(longest))

    def _lapsed(self) -> None:
        """The lease has not been renewed in time."""
        if self._good_until == inf:
            return  # that is known
        self._good_until = inf
        if self._failures:
            self._lose()
            return
        # Perhaps this process was only too busy. Others may have its slots by now, so nothing
        # begins until the answer is there, or is late.
        self._holding.go_alone({})
        self._wake()

    def _lose(self) -> None:
        """Redis is away, and the lease has lapsed: go on alone, or stop."""
        self._good_until = inf
        self.problem = self._trouble
        if self._on_outage == "fail":
            self.refusal = self._refused
            self._holding.go_alone({})
            self._holding.dismiss(self._refused)
        else:
            self._holding.go_alone(self._caps())
        self._context.tell_lost(_NAME, self.granted, self.problem)

    def _caps(self) -> dict[str, int]:
        terms, limit = self._terms, self._outage_limit
        return local_caps(terms.budget, terms.lanes, holders=self.among, limit=limit)

    def _refused(self) -> PoolError:
        message = f"The limit that others share cannot be asked: {self.problem} at Redis."
        hint = 'Bring the server of redis_url back, or set redis_on_outage = "local".'
        return PoolError(message, hint=hint)

    async def _listen(self) -> None:
        """Have the book asked when it has something; without that, it is asked now and then."""
        while True:
            try:
                async with self._book.wakes() as wait:
                    self._wake()  # what was to be had while nobody listened
                    while True:
                        await wait()
                        self._wake()
            except UnreachableError:
                self._wake()  # so that a server that is gone is noticed before the lease ends
            await asyncio.sleep(spread(_LONGEST_REPEAT_S))

    def _wake(self) -> None:
        self._holding.woken = True
        self._need.set()

    async def aclose(self) -> None:
        """Give everything back, and send away who waits. Idempotent.

        It ends within three time-outs, whatever the server does. Calls that are in flight still
        count until the lease ends. Where it is cancelled, doing it again does the rest.
        """
        self.refusal = closed
        self._good_until = inf
        self._holding.go_alone({})
        self._holding.dismiss(closed)
        if self._lapse is not None:
            self._lapse.cancel()
        try:
            await self._end_tasks()
            if self._is_in_book and self.problem is None:
                await self._leave()
        finally:
            await self._book.aclose()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timeout_s)

    async def _leave(self) -> None:
        needs = self._holding.needs()
        # Who says it again, having nothing, may find the book of others who came meanwhile. That
        # is no loss, as another book would otherwise prove.
        keeps = any(need.keep for need in needs.values())
        book = self._holding.book if keeps else NEW
        with suppress(UnreachableError, ConfigurationError):  # the lease ends by itself
            await self._book.ask(self._terms, needs, book=book, leaving=True)
        self._is_in_book = False


def _line(context: LimiterContext) -> FixedLimiter:
    line = FixedLimiter(1, max_waiting=context.max_waiting, wait_s=context.wait_s)
    line.resize(0)
    return line


def _reason(error: UnreachableError | ConfigurationError) -> str:
    return error.reason if isinstance(error, UnreachableError) else type(error).__name__


def spread(seconds: float) -> float:
    """Not all processes wait for equally long, or they would all come at once."""
    return seconds * random.uniform(0.5, 1)  # noqa: S311  # it spreads load and hides nothing


def closed() -> PoolClosed:
    """What calls get that wait while it closes, or come later."""
    return PoolClosed("The limiter is closed.")
