"""Calls that end as told, and counts of how many are under way."""

from __future__ import annotations

import asyncio

from sfconnect.call import Call
from sfconnect.errors import NotFoundError
from sfconnect.fan_out import FanOut, Outcome
from sfconnect.messages import Request, Response

ANSWER = Response(200, {}, b"")


class Sender:
    """Carries out calls as told, and counts how many are under way."""

    def __init__(self, work=None) -> None:
        self.work = work
        self.started: list[int] = []
        self.finished: list[int] = []
        self.cancelled: list[int] = []
        self.most = 0

    @property
    def under_way(self) -> int:
        return len(self.started) - len(self.finished) - len(self.cancelled)

    async def execute(self, request: Request) -> Response:
        number = int(request.path)
        self.started.append(number)
        self.most = max(self.most, self.under_way)
        try:
            if self.work is not None:
                await self.work(number)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        except BaseException:
            self.finished.append(number)
            raise
        self.finished.append(number)
        return ANSWER

    def call(self, number: int) -> Call[int]:
        return Call(Request("GET", str(number)), lambda _: number, self)

    def calls(self, count: int):
        return (self.call(number) for number in range(count))


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def collect(fan_out: FanOut[int]) -> list[Outcome[int]]:
    async with fan_out as outcomes:
        return [outcome async for outcome in outcomes]


class Gates:
    """Calls that end when they are let go, one by one."""

    def __init__(self) -> None:
        self.events: dict[int, asyncio.Event] = {}

    async def __call__(self, number: int) -> None:
        await self.events.setdefault(number, asyncio.Event()).wait()

    def open(self, number: int) -> None:
        self.events.setdefault(number, asyncio.Event()).set()


async def fail_on(number: int, *bad: int) -> None:
    await asyncio.sleep(0)
    if number in bad:
        raise NotFoundError(f"no {number}")
