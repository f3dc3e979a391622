"""A sender that answers calls from a list, in memory, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec
from multidict import CIMultiDict

from sfconnect.messages import Request, Response


def response(
    body: object = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json;charset=UTF-8",
) -> Response:
    """Make an answer as the org would give it."""
    if isinstance(body, bytes):
        content = body
    else:
        content = b"" if body is None else msgspec.json.encode(body)
    return Response(status, CIMultiDict({"Content-Type": content_type, **(headers or {})}), content)


class CannedSender:
    """Answers in order; an exception in the list is raised."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def execute(self, request: Request) -> Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def page(
    records: list[dict[str, Any]], *, total: int | None = None, following: str | None = None
) -> Response:
    """Make one page of a query."""
    body: dict[str, Any] = {
        "totalSize": len(records) if total is None else total,
        "done": following is None,
    }
    if following is not None:
        body["nextRecordsUrl"] = following
    return response({**body, "records": records})
