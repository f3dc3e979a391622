"""Attempts that end as told, for the tests of repeating them."""

from __future__ import annotations

import asyncio

from sfconnect.errors import SfConnectError
from sfconnect.messages import Replay, Request

GET = Request("GET", "/rows?q=canary")
CREATE = Request("POST", "/rows?q=canary", content=b"{}")
UPSERT = Request("PATCH", "/rows/Ext__c/1", content=b"{}", replay=Replay.KEYED)


class Script:
    """Attempts that end as told."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.numbers: list[int] = []

    async def __call__(self, request: Request, number: int) -> object:
        self.numbers.append(number)
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end


async def final_error(executor, clock, request, *ends):
    """Let a call fail and go on as told, with time passing as it wants; give its error."""
    first, *rest = ends
    task = asyncio.create_task(executor.resume(request, first, Script(*rest)))
    while not task.done():
        await clock.advance(1.0)
    error = task.exception()
    assert isinstance(error, SfConnectError)
    return error
