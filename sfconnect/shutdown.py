"""End a program in order when it is told to: by SIGTERM, as orchestrators do it, or by Ctrl-C.

.. code-block:: python

    from sfconnect import Salesforce
    from sfconnect.shutdown import StopOnSignals

    async with Salesforce.connect() as sf, StopOnSignals(sf, within_s=25) as stop:
        await serve(sf)
    if stop.asked:
        print("ended by", stop.asked.name)
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, Self

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType, TracebackType

    from sfconnect.connector import Connector

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_THREAD_HINT = "Elsewhere call drain() and aclose() when the program is told to end."


class StopOnSignals:
    """Drain connections at the first signal, then end the block; end it at once at the second.

    While it drains, calls under way are finished, with their retries, and new ones are refused
    with ``PoolClosed``; see :meth:`sfconnect.Connector.drain`. Code that meets that error leaves
    the block with it. Code that does not is cancelled when everything is drained, or the time is
    over, and that cancellation ends at the block. A third signal does what it would do elsewhere.

    Signals are the process's own: use it once, in the main thread, around the program's work. Web
    frameworks have handlers of their own; there, close the connection in their shutdown hook.

    Args:
        connectors: Open connections.
        within_s: Seconds that draining may take; less than what the orchestrator waits before it
            kills (Kubernetes: 30 by default).
        signals: Which signals.

    Attributes:
        asked: The first signal that came; None if none did.
        drained: Whether everything under way had ended in time; None if nothing was asked.
    """

    def __init__(
        self,
        *connectors: Connector,
        within_s: float = 25.0,
        signals: Iterable[signal.Signals] = _SIGNALS,
    ) -> None:
        self.asked: signal.Signals | None = None
        self.drained: bool | None = None
        self._connectors = connectors
        self._within_s = within_s
        self._signals = tuple(signals)
        self._former: dict[signal.Signals, Any] = {}
        self._draining: asyncio.Task[None] | None = None
        self._cancelled = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # coroutines run in one
        self._task = task
        self._loop = asyncio.get_running_loop()
        try:
            for number in self._signals:
                self._listen(number)
        except ValueError as error:  # what Python says about another thread
            message = "Signals can be listened to in the main thread only."
            raise ConfigurationError(message, hint=_THREAD_HINT) from error
        return self

    def _listen(self, number: signal.Signals) -> None:
        # Not the loop's own way, which Windows does not have, and which cannot be undone to what
        # was there before.
        def heard(_number: int, _frame: FrameType | None) -> None:
            self._loop.call_soon_threadsafe(self._ask, number)

        self._former[number] = signal.signal(number, heard)

    def _ask(self, number: signal.Signals) -> None:
        if self.asked is None:
            self.asked = number
            self._draining = self._loop.create_task(self._drain())
        else:
            self._end()
            # Code that swallows its cancellation must not keep the process from being ended.
            self._unlisten()

    def _unlisten(self) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former.clear()

    async def _drain(self) -> None:
        draining = (each.drain(self._within_s) for each in self._connectors)
        self.drained = all(await asyncio.gather(*draining))
        self._end()

    def _end(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._unlisten()
        cancelled = self._cancelled
        self._cancelled = True  # whatever comes now comes too late
        if self._draining is not None:
            self.drained = bool(self.drained)
            self._draining.cancel()
            await asyncio.wait({self._draining})
        # Another's cancellation goes on; only our own ends here.
        ours = cancelled and self._task.uncancel() == 0
        return ours and isinstance(exc, asyncio.CancelledError)
