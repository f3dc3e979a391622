"""A counted set of slots with a first-come waiting line: what pools and limiters stand on."""

from __future__ import annotations

import asyncio
from collections import deque
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
    """

    __slots__ = ("_line", "_refusal", "capacity", "max_waiting", "used", "waiting")

    def __init__(self, capacity: int, *, max_waiting: int | None = None) -> None:
        self.capacity = capacity
        self.max_waiting = max_waiting
        self.used = 0
        self.waiting = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._refusal: Callable[[], Exception] | None = None

    def try_acquire(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self.used < self.capacity and not self.waiting and self._refusal is None:
            self.used += 1
            return True
        return False

    async def acquire(self, wait_s: float | None = None) -> None:
        """Take a slot, waiting in line for it.

        Raises:
            LineFullError: ``max_waiting`` others wait already.
            TimeoutError: No slot came free within ``wait_s`` seconds.
            Exception: What :meth:`refuse` or :meth:`close` was given.
        """
        if self._refusal is not None:
            raise self._refusal()
        if self.try_acquire():
            return
        if self.max_waiting is not None and self.waiting >= self.max_waiting:
            raise LineFullError
        await self._wait(asyncio.get_running_loop().create_future(), wait_s)

    async def _wait(self, turn: asyncio.Future[None], wait_s: float | None) -> None:
        self._line.append(turn)
        self.waiting += 1
        # A bare timer: the scope of asyncio.timeout costs a waiter three times as much.
        expiry = None if wait_s is None else turn.get_loop().call_later(wait_s, self._expire, turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._leave()
            elif turn.exception() is None:
                self.release()  # the slot was given in the same moment; pass it on
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
        # The future stays in the line until those that left are the larger part of it: removing
        # each at once would make cancelling n waiters cost n², and keeping all would let the line
        # grow without end behind one waiter who is patient.
        if len(self._line) > 2 * self.waiting:
            self._line = deque(turn for turn in self._line if not turn.done())

    def release(self) -> None:
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
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                self.waiting -= 1
                turn.set_exception(error())

    def _serve(self) -> None:
        while self._line and self.used < self.capacity:
            turn = self._line.popleft()
            if turn.done():
                continue
            self.used += 1
            self.waiting -= 1
            turn.set_result(None)
