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
from collections import deque
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from sfconnect.connector import Connector
from sfconnect.errors import PoolClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Iterator
    from types import TracebackType

T = TypeVar("T")
C = TypeVar("C", bound=Connector)

_AHEAD = 4000
"""Items that are read ahead of the loop, so that it need not change threads for each."""


class Blocking(Generic[C]):
    """Open a connection, and wait for what it gives.

    Calls may come from several threads at once. Ctrl-C interrupts the wait; the call under way is
    cancelled when the block is left.

    Attributes:
        connector: The connection, for building calls and queries.
    """

    def __init__(self, connector: C) -> None:
        self.connector = connector
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            stack.enter_context(portal.wrap_async_context_manager(self.connector))
            self._portal = portal
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._portal = None
        self._stack.__exit__(kind, error, traceback)

    def __call__(self, work: Awaitable[T]) -> T:
        """Wait for a call, or for anything else that can be awaited.

        Raises:
            PoolClosed: The block has been left, or not been entered.
            SfConnectError: What the call raises.
        """
        return self._open().call(_await, work)

    def iterate(self, source: AsyncIterable[T]) -> Iterator[T]:
        """Read a query, a fan-out, or any other asynchronous iterable, in a plain loop.

        Items are read a bounded number ahead. Leaving the loop ends the reading. What has a block
        to be used in, as a fan-out has, is entered and left here.

        Raises:
            PoolClosed: The block has been left, or not been entered.
        """
        portal = self._open()
        reader = _Reader(source)
        future, _ = portal.start_task(reader.run)
        try:
            while items := self._taken(portal, reader):
                yield from items
        finally:
            future.cancel()

    def _taken(self, portal: BlockingPortal, reader: _Reader[T]) -> list[T]:
        # A loop may go on after the block was left, and then meets a portal that is closed.
        if self._portal is not portal:
            raise _not_open()
        return portal.call(reader.take)

    def _open(self) -> BlockingPortal:
        if self._portal is None:
            raise _not_open()
        return self._portal


def _not_open() -> PoolClosed:
    hint = "Use it inside 'with Blocking(…) as run'."
    return PoolClosed("The connection is not open.", hint=hint)


async def _await(work: Awaitable[T]) -> T:
    return await work


class _Reader(Generic[T]):
    """Reads ahead on the event loop; whatever has come is taken at once."""

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source if isinstance(source, AbstractAsyncContextManager) else aiter(source)
        self._items: deque[T] = deque()
        self._ended = False
        self._error: BaseException | None = None

    async def run(self, *, task_status: Any) -> None:
        """Read to the end, no further ahead than the bound."""
        self._news, self._room = asyncio.Event(), asyncio.Event()
        task_status.started()
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
