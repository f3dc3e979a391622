"""A network that is a list: for tests of what sends requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from multidict import CIMultiDict

from sfconnect.messages import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.messages import Request


def answer(
    body: object = b"", *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Make a response. Bytes and text are the body itself; anything else is sent as JSON."""
    merged: CIMultiDict[str] = CIMultiDict(headers or {})
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        merged.setdefault("Content-Type", "application/json")
        body = msgspec.json.encode(body)
    return Response(status, merged, body)


class ScriptedSender:
    """Answer requests in the order of a script, and keep them.

    Call it where a ``send`` is wanted. A request beyond the script fails the test.

    Attributes:
        requests: What was sent, in order.
    """

    def __init__(self, *script: Response | Exception) -> None:
        self.script = list(script)
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        """Give the next answer, or raise the next error."""
        self.requests.append(request)
        await asyncio.sleep(0)
        if not self.script:
            message = f"nothing is scripted for {request.method} {request.path}"
            raise AssertionError(message)
        outcome = self.script.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def last(self) -> Request:
        """The newest request."""
        return self.requests[-1]


def text_of(request: Request) -> str:
    """The body of a request as text."""
    content: Any = request.content or b""
    return bytes(content).decode()
