"""Use a connection from code that is not asynchronous: scripts, notebooks, worker threads.

.. code-block:: python

    from sfconnect import Salesforce
    from sfconnect.sync import Blocking

    with Blocking(Salesforce.connect(profile="prod")) as run:
        sf = run.connector
        account_id = run(sf.sobject("Account").create({"Name": "Acme"}))
        for row in run.iterate(sf.query("SELECT Id, Name FROM Account")):
            print(row["Name"])

It is the same client: one event loop in a thread of its own does all the work.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import weakref
from collections import deque
from concurrent import futures
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sfconnect.connector import Connector
from sfconnect.errors import ConfigurationError, PoolClosed, SfConnectError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Iterator
    from types import TracebackType

T = TypeVar("T")
C = TypeVar("C", bound=Connector)

_AHEAD = 4000
"""Items that are read ahead of the loop, so that it need not change threads for each."""
_LEAVING_S = 5.0
"""How long the interpreter's end waits for a connection that nobody closed."""


class Blocking(Generic[C]):
    """Open a connection, and wait for what it gives.

    Calls may come from several threads at once. Ctrl-C ends the wait and cancels the call that was
    waited for; the connection can be used on. Leaving the block cancels what others still wait
    for, and they get ``PoolClosed``.

    In a notebook, where no block can span cells, use :meth:`open` and :meth:`close`. What is never
    closed does not keep the interpreter from ending: it is closed then, or when nobody refers to it
    any more.

    Attributes:
        connector: The connection, for building calls and queries.
    """

    def __init__(self, connector: C) -> None:
        self.connector = connector
        self._background: _Background | None = None

    def open(self) -> Self:
        """Open the connection, unless it is open.

        Raises:
            ConfigurationError: An option is unknown, missing or wrong; nothing was sent.
        """
        if self._background is None:
            background = _Background(self.connector)
            try:
                background.wait(background.enter())
            except BaseException:
                background.close()
                raise
            self._background = background
            self._forgotten = weakref.finalize(self, background.close, within_s=_LEAVING_S)
        return self

    def close(self) -> None:
        """Close the connection and end its loop and thread. Idempotent."""
        self.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        background, self._background = self._background, None
        if background is not None:
            self._forgotten.detach()
            background.close(kind, error, traceback)

    def __call__(self, work: Awaitable[T]) -> T:
        """Wait for a call, or for anything else that can be awaited.

        Raises:
            PoolClosed: The block has been left, or not been entered.
            ConfigurationError: It was opened by a process of which this one is a fork, or this runs
                on the connection's own event loop, which would wait for itself.
            SfConnectError: What the call raises.
        """
        try:
            background = self._opened()
        except PoolClosed:
            _dismiss(work)
            raise
        return background.wait(work)

    def iterate(self, source: AsyncIterable[T]) -> Iterator[T]:
        """Read a query, a fan-out, or any other asynchronous iterable, in a plain loop.

        Items are read a bounded number ahead. Leaving the loop ends the reading. What has a block
        to be used in, as a fan-out has, is entered and left here.

        Raises:
            PoolClosed: The block has been left, or not been entered.
            ConfigurationError: As for a call.
        """
        background = self._opened()
        reader = _Reader(source)
        reading = background.submit(reader.run())
        try:
            while items := self._taken(background, reader):
                yield from items
        finally:
            reading.cancel()

    def _taken(self, background: _Background, reader: _Reader[T]) -> list[T]:
        # A loop may go on after the block was left, and another block may have been entered.
        if self._background is not background:
            raise _not_open()
        return background.wait(reader.take())

    def _opened(self) -> _Background:
        if self._background is None:
            raise _not_open()
        return self._background


def _not_open() -> PoolClosed:
    hint = "Use it inside 'with Blocking(…) as run', or between open() and close()."
    return PoolClosed("The connection is not open.", hint=hint)


def _dismiss(work: object) -> None:
    """Let go of work that will not be begun, without Python's warning that nobody awaits it."""
    if inspect.iscoroutine(work):
        work.close()


class _Background:
    """An event loop in a thread of its own, and a connection that is open there.

    The thread is a daemon: the interpreter would wait for any other, before it tells anybody that
    it ends.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._stack = AsyncExitStack()
        self._process = os.getpid()
        self._works: set[asyncio.Task[Any]] = set()
        self._lock = threading.Lock()
        self._ended = False
        self._over = asyncio.Event()
        # With a factory, since the thread that calls keeps its own current loop then.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._serve, name="sfconnect.sync", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._runner:
            self._runner.run(self._over.wait())

    async def enter(self) -> None:
        """Open the connection; closing closes it."""
        await self._stack.enter_async_context(self._connector)

    def wait(self, work: Awaitable[T]) -> T:
        """Have work done, and wait for it; whatever ends the wait, Ctrl-C too, ends the work."""
        doing = self.submit(work)
        try:
            return doing.result()
        except futures.CancelledError:
            if not self._ended:  # it cancelled itself
                raise
            hint = "Wait for what other threads do before the block is left."
            message = "The connection was closed before this was done."
            raise PoolClosed(message, hint=hint) from None
        finally:
            doing.cancel()

    def submit(self, work: Awaitable[T]) -> futures.Future[T]:
        """Have work begun on the loop.

        Raises:
            PoolClosed: It is closed.
            ConfigurationError: It cannot be done from here.
        """
        try:
            self._check_place()
            with self._lock:
                if self._ended:
                    raise _not_open()
                return asyncio.run_coroutine_threadsafe(self._do(work), self._loop)
        except SfConnectError:
            _dismiss(work)
            raise

    def _check_place(self) -> None:
        if os.getpid() != self._process:
            message = "This connection was opened by the process of which this one is a fork."
            hint = "Open one in each process, after it has begun."
            raise ConfigurationError(message, hint=hint)
        if threading.current_thread() is self._thread:
            message = "The event loop of this connection would wait for itself."
            raise ConfigurationError(message, hint="In a coroutine, await the call.")

    async def _do(self, work: Awaitable[T]) -> T:
        if (task := asyncio.current_task()) is not None:  # always; the type does not say it
            self._works.add(task)
            task.add_done_callback(self._works.discard)
        return await work

    def close(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
        *,
        within_s: float | None = None,
    ) -> None:
        """End what is being done, the connection, the loop and the thread.

        With a limit, what has not ended by then is left; a fork has nothing to end.
        """
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._ended:
                return
            self._ended = True
        leaving = asyncio.run_coroutine_threadsafe(self._leave(kind, error, traceback), self._loop)
        if threading.current_thread() is self._thread:  # forgotten, and collected there
            return
        try:
            leaving.result(within_s)
        except TimeoutError:
            if within_s is None:  # it came from the connection
                raise
        finally:
            leaving.cancel()
            self._thread.join(within_s)

    async def _leave(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for task in (works := list(self._works)):
                task.cancel()
            if works:
                await asyncio.wait(works)
            await self._stack.__aexit__(kind, error, traceback)
        finally:
            self._over.set()


class _Reader(Generic[T]):
    """Reads ahead on the event loop; whatever has come is taken at once."""

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source if isinstance(source, AbstractAsyncContextManager) else aiter(source)
        self._items: deque[T] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Read to the end, no further ahead than the bound."""
        try:
            async with AsyncExitStack() as stack:
                if isinstance(self._source, AbstractAsyncContextManager):
                    await stack.enter_async_context(self._source)
                await self._read()
        except Exception as error:  # noqa: BLE001  # handed over to the thread that reads
            self._error = error
        finally:
            await _close(self._source)
            self._ended = True
            self._news.set()

    async def _read(self) -> None:
        async for item in self._source:
            self._items.append(item)
            self._news.set()
            if len(self._items) >= _AHEAD:
                self._room.clear()
                await self._room.wait()

    async def take(self) -> list[T]:
        """Give what has come, waiting for the first of it; nothing at the end."""
        while not self._items and not self._ended:
            self._news.clear()
            await self._news.wait()
        taken = list(self._items)
        self._items.clear()
        self._room.set()
        if not taken and self._error is not None:
            raise self._error
        return taken


async def _close(source: object) -> None:
    """Let a generator clean up now, not when it is collected."""
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
