"""Do once what many want at the same time."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class Single(Generic[T]):
    """Work that one caller does while the others wait, and whose end they share.

    Its error is theirs too: were each to try for itself, an outage would be waited for as often as
    there are callers, one after the other. If the one that does it is cancelled, another goes on.
    """

    __slots__ = ("_turn",)

    def __init__(self) -> None:
        self._turn: asyncio.Future[T] | None = None

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, or wait for whoever does it already."""
        while (turn := self._turn) is not None:
            await asyncio.wait([turn])
            if turn.cancelled():
                continue
            if (error := turn.exception()) is not None:
                raise copy(error)  # a traceback, and what callers note on it, are each one's own
            return turn.result()
        return await self._do(work)

    async def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        turn = self._turn = asyncio.get_running_loop().create_future()
        try:
            value = await work()
        except Exception as error:
            turn.set_exception(error)
            turn.exception()  # or it would be reported as lost where nobody waits
            raise
        except BaseException:
            turn.cancel()
            raise
        finally:
            self._turn = None
        turn.set_result(value)
        return value
