"""Admission: how many requests the org works on at once, and who waits."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from sfconnect_emulator.capacity import Overload
from sfconnect_emulator.instance import Instance


class Gate:
    """Let requests in up to the org's capacity; ``async with`` tells whether one was admitted.

    The queue is first come, first served, and as long as clients make it. Refusing is work too:
    who is refused is counted as being worked on until he has been told so.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._working = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> bool:
        self._instance.statistics.entered()
        if not self._full():
            self._working += 1
        elif self._instance.capacity.over is Overload.REFUSE:
            self._working += 1
            return False
        else:
            await self._turn()
        return True

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._instance.statistics.left()
        self._give_back()

    def _full(self) -> bool:
        most = self._instance.capacity.concurrent
        return most is not None and self._working >= most

    async def _turn(self) -> None:
        """Wait for a place; whoever gives the turn has taken the place for its owner already.

        So nobody who comes in between can have it, and it has to be passed on when the owner was
        cancelled before he noticed.
        """
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._instance.statistics.left()
            if not turn.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        self._working -= 1
        while self._waiting and not self._full():
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._working += 1
                turn.set_result(None)
