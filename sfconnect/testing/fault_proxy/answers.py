"""How the answer of a server reaches the client under a fault."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from sfconnect.testing.fault_proxy.faults import CorruptGzip, CutBody, Drip

if TYPE_CHECKING:
    from multidict import CIMultiDict

    from sfconnect.testing.fault_proxy.faults import Fault
    from sfconnect.testing.fault_proxy.line import Line


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


async def deliver(
    fault: Fault | None, raw: web.BaseRequest, line: Line, answer: Answer
) -> web.StreamResponse:
    """Hand an answer on, or what the fault leaves of it."""
    if isinstance(fault, CutBody):
        return await _cut(fault, raw, line, answer)
    if isinstance(fault, Drip):
        return await _drip(fault, raw, answer)
    if isinstance(fault, CorruptGzip):
        answer = _spoilt(answer)
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


async def silence() -> web.StreamResponse:
    """Wait until the client hangs up or the proxy ends, which cancels this."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody completes that future")


async def _cut(
    fault: CutBody, raw: web.BaseRequest, line: Line, answer: Answer
) -> web.StreamResponse:
    response = await _begin(raw, answer, chunked=fault.chunked)
    await response.write(answer.body[: fault.after])
    if fault.ends == "silence":
        line.vanish()
        return await silence()
    if fault.ends == "reset":
        line.reset()
    else:
        line.close()
    return response


async def _drip(fault: Drip, raw: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = await _begin(raw, answer, chunked=False)
    for start in range(0, len(answer.body), fault.size):
        await response.write(answer.body[start : start + fault.size])
        await asyncio.sleep(fault.pause_s)
    return response


async def _begin(raw: web.BaseRequest, answer: Answer, *, chunked: bool) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    if chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(answer.body)
    await response.prepare(raw)
    return response


def _spoilt(answer: Answer) -> Answer:
    plain = answer.body
    if answer.headers.get("Content-Encoding") == "gzip":
        plain = gzip.decompress(plain)
    packed = bytearray(gzip.compress(plain))
    packed[len(packed) // 2] ^= 0xFF
    headers = answer.headers.copy()
    headers["Content-Encoding"] = "gzip"
    return Answer(answer.status, headers, bytes(packed))
