"""A counted set of slots with a first-come waiting line: what pools and limiters stand on."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LineFullError(Exception):
    """The waiting line has no place left."""


class Slots:
    """Hand out at most ``capacity`` slots; others wait in order, at most ``max_waiting`` of them.

    A freed slot passes to the first waiter at once, so nobody overtakes. A waiter that is
    cancelled, even in the moment in which it was given its slot, loses none. Taking and freeing
    cost the same however many wait.

    Args:
        capacity: Slots that may be in use.
        max_waiting: Waiters at most; None for no bound.
        wait_s: Longest wait in line; None for no bound.
        full: Makes the error for who finds the line full.
        late: Makes the error for who waited too long.
    """

    __slots__ = (
        "_deadlines",
        "_expiry",
        "_full",
        "_late",
        "_line",
        "_loop",
        "_refusal",
        "_wait_s",
        "capacity",
        "max_waiting",
        "used",
        "waiting",
    )

    def __init__(
        self,
        capacity: int,
        *,
        max_waiting: int | None = None,
        wait_s: float | None = None,
        full: Callable[[], Exception] = LineFullError,
        late: Callable[[], Exception] = TimeoutError,
    ) -> None:
        self.capacity = capacity
        self.max_waiting = max_waiting
        self.used = 0
        self.waiting = 0
        self._wait_s = wait_s
        self._full = full
        self._late = late
        self._line: deque[asyncio.Future[None]] = deque()
        # Beside the line, place for place. All wait equally long, so the first is due first, and
        # one timer serves thousands of waiters, to whom one each would cost more than the wait.
        self._deadlines: deque[float] = deque()
        self._expiry: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._refusal: Callable[[], Exception] | None = None

    def try_acquire(
        self,
        key: str = "",  # for those that tell parties apart
    ) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self.used < self.capacity and not self.waiting and self._refusal is None:
            self.used += 1
            return True
        return False

    async def acquire(self, key: str = "") -> None:
        """Take a slot, waiting in line for it; ``key`` says for whom, where that matters.

        Raises:
            LineFullError: ``max_waiting`` others wait already; or what ``full`` makes.
            TimeoutError: No slot came free within ``wait_s`` seconds; or what ``late`` makes.
            Exception: What :meth:`refuse` or :meth:`close` was given.
        """
        if self._refusal is not None:
            raise self._refusal()
        if self.try_acquire(key):
            return
        if self.max_waiting is not None and self.waiting >= self.max_waiting:
            raise self._full()
        turn = self._stand_in_line(asyncio.get_running_loop(), key)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._leave()
            elif turn.exception() is None:
                self.release(key)  # the slot was given in the same moment; pass it on
            raise

    def _stand_in_line(
        self,
        loop: asyncio.AbstractEventLoop,
        key: str,  # for those that tell waiters apart
    ) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = loop.create_future()
        self._line.append(turn)
        self.waiting += 1
        if self._wait_s is not None:
            deadline = loop.time() + self._wait_s
            self._deadlines.append(deadline)
            # The timer of a loop that has ended would never fire.
            if self._expiry is None or self._loop is not loop:
                self._loop = loop
                self._expiry = loop.call_at(deadline, self._expire, loop)
        return turn

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the wait of those whose time is over, and look again when the next one's is."""
        self._expiry = None
        now = loop.time()
        while self._deadlines and self._deadlines[0] <= now:
            turn = self._next_in_line()
            if not turn.done():
                self.waiting -= 1
                turn.set_exception(self._late())
        if self._deadlines:
            self._expiry = loop.call_at(self._deadlines[0], self._expire, loop)

    def _next_in_line(self) -> asyncio.Future[None]:
        if self._deadlines:
            self._deadlines.popleft()
        return self._line.popleft()

    def _leave(self) -> None:
        """Take a waiter that was cancelled out of the count."""
        self.waiting -= 1
        # Between its cancellation and this step it kept others from taking a free slot.
        if self._line and self.used < self.capacity:
            self._serve()
        # The future stays in the line until those that left are the larger part of it: removing
        # each at once would make cancelling n waiters cost n², and keeping all would let the line
        # grow without end behind one waiter who is patient.
        if len(self._line) > 2 * self.waiting:
            self._close_ranks()

    def _close_ranks(self) -> None:
        """Drop those from the line who left it."""
        still = [not turn.done() for turn in self._line]
        self._line = deque(compress(self._line, still))
        self._deadlines = deque(compress(self._deadlines, still))

    def release(
        self,
        key: str = "",  # as above
    ) -> None:
        """Free a slot; the first in line gets it."""
        self.used -= 1
        if self._line:
            self._serve()

    def resize(self, capacity: int) -> None:
        """Change the capacity. Slots in use stay in use when it shrinks."""
        self.capacity = capacity
        self._serve()

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Refuse whoever comes from now on; those in line keep their places."""
        self._refusal = error

    def close(self, error: Callable[[], Exception]) -> None:
        """Refuse everybody in line, and whoever comes."""
        self.refuse(error)
        self.dismiss(error)

    def dismiss(self, error: Callable[[], Exception]) -> None:
        """Refuse everybody in line; whoever comes later may stand in it again."""
        while self._line:
            turn = self._next_in_line()
            if not turn.done():
                self.waiting -= 1
                turn.set_exception(error())
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _serve(self) -> None:
        while self._line and self.used < self.capacity:
            turn = self._next_in_line()
            if turn.done():
                continue
            self.used += 1
            self.waiting -= 1
            turn.set_result(None)
