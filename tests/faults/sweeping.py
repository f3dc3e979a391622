"""Run some work again and again, and end it one suspension point later each time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from sfconnect.messages import Request, Response

EARLY, LATE = "while it waits", "in the moment of waking up"


class Sweep:
    """Awaits something and cancels its own task at suspension point number ``at``.

    LATE cancels when what is waited for is there already, but the task has not run on: the moment
    in which a slot, a connection or a page was given and can be lost.
    """

    def __init__(self, work: Awaitable[Any], at: int, when: str) -> None:
        self.work = work
        self.at = at
        self.when = when
        self.points = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self.work.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = inner.throw(thrown) if thrown else inner.send(None)
            except StopIteration as end:
                return end.value
            self.points += 1
            if self.points == self.at:
                self._cancel(waited_for)
            try:
                thrown = yield waited_for
            except BaseException as error:  # noqa: BLE001  # thrown into the work
                thrown = error

    def _cancel(self, waited_for: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self.when == EARLY:
            task.cancel()
        elif waited_for is None:
            asyncio.get_running_loop().call_soon(task.cancel)
        else:
            waited_for.add_done_callback(lambda _: task.cancel())


class Memory:
    """A transport without sockets; each answer comes after a few rounds of the loop."""

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None) -> None:
        self.statuses = statuses
        self.headers = headers or {}
        self.sent = 0
        self.in_flight = 0

    async def send(self, request: Request) -> Response:
        status = self.statuses[self.sent % len(self.statuses)]
        self.sent += 1
        self.in_flight += 1
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        return Response(status, {"Location": "/end", **self.headers}, b"{}")

    def stream(self, request: Request):
        raise NotImplementedError

    async def aclose(self) -> None:
        return


async def sweep(
    work: Callable[[], Awaitable[Any]], check: Callable[[], Awaitable[None]], when: str
) -> int:
    """Run the work again and again, cancelled one point later each time; give the points."""
    for at in range(1, 1000):
        run = Sweep(work(), at, when)

        async def one(run: Sweep = run) -> Any:
            return await run

        task = asyncio.create_task(one())
        async with asyncio.timeout(5):
            await asyncio.wait({task})
        if run.points < at:
            task.result()
            return run.points
        assert task.cancelled(), f"cancelled at point {at}, and yet it ended with {task!r}"
        async with asyncio.timeout(10):
            await check()
    raise AssertionError("the work has no end")
