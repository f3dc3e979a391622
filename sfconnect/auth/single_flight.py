"""One task that many wait for, in any event loop, and that no waiter can cancel."""

from __future__ import annotations

import asyncio
import copy
from concurrent.futures import Future
from typing import TYPE_CHECKING

from sfconnect.errors import SfConnectError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sfconnect.auth.base import Credentials


def fresh_copy(error: SfConnectError) -> SfConnectError:
    """Copy an error for one more waiter.

    Raising one instance for many waiters would grow its traceback with each of them. The copy
    begins with the frames that the original had.
    """
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin.with_traceback(error.__traceback__)


class Flight:
    """A login under way.

    Its task belongs to the loop that began it. Waiters in other loops wait through a
    thread-safe future, so each is woken in its own loop. The outcome is a value even when it is
    an error, so nothing complains if nobody is left to take it.
    """

    __slots__ = ("_outcome", "_task", "loop", "reason")

    def __init__(self, reason: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.reason = reason
        self._task: asyncio.Task[None] | None = None
        self._outcome: Future[Credentials | SfConnectError] = Future()
        # A running future refuses to be cancelled, so a waiter that leaves takes nobody along.
        self._outcome.set_running_or_notify_cancel()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run the work, which calls :meth:`settle` however it ends."""
        self._task = self.loop.create_task(work, name="sfconnect login")

    def settle(self, outcome: Credentials | SfConnectError) -> None:
        """Wake all waiters with the outcome."""
        self._outcome.set_result(outcome)

    @property
    def abandoned(self) -> bool:
        """Whether its loop stopped before the end, so that nobody would ever be woken."""
        return not self._outcome.done() and not self.loop.is_running()

    async def wait(self) -> Credentials:
        """Wait for the outcome.

        Raises:
            SfConnectError: The login failed; each waiter gets an instance of its own.
        """
        outcome = await asyncio.wrap_future(self._outcome)
        if isinstance(outcome, SfConnectError):
            raise fresh_copy(outcome) from outcome.__cause__
        return outcome

    async def cancel(self) -> None:
        """Stop the work and wait until it has ended."""
        if self._task is None or self.abandoned:
            return
        # Also from inside the same loop: the work may be in a loop of another thread.
        self.loop.call_soon_threadsafe(self._task.cancel)
        await asyncio.wrap_future(self._outcome)
        if self.loop is asyncio.get_running_loop():
            await asyncio.wait({self._task})
