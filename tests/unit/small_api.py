"""A small API that sessions are tried on: its address, its requests, its answers, its quota."""

from __future__ import annotations

import asyncio

from sfconnect.limits import Quota
from sfconnect.messages import Request, Response
from sfconnect.service import HttpService

BASE = "https://org.example.com"
GET = Request("GET", "/rows")
CREATE = Request("POST", "/rows", content=b"{}")


def answer(status: int = 200, content: bytes = b"{}", **headers: str) -> Response:
    return Response(
        status, {name.replace("_", "-"): text for name, text in headers.items()}, content
    )


async def run(world, work):
    """Await something while the clock runs on."""
    task = asyncio.ensure_future(work)
    await world.clock.advance(1000)
    return await task


async def read(session, request=GET):
    async with session.stream(request) as answer:
        return b"".join([piece async for piece in answer.iter_bytes()])


class QuotaService(HttpService):
    """An API that tells its quota as ``used/maximum``."""

    quota_header = "X-Quota"

    def __init__(self) -> None:
        super().__init__(BASE)

    def read_quota(self, header: str) -> list[Quota]:
        used, _, maximum = header.partition("/")
        return [Quota("calls", int(used), int(maximum))] if maximum else []
