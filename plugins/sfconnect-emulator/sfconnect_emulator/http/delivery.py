"""Put an answer on the wire, whole or spoilt as its delivery says."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict

from sfconnect_emulator.wire import Delivery, Response

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def deliver(raw: web.BaseRequest, response: Response, *, chunked: bool) -> web.StreamResponse:
    """Send an answer; without Content-Length when ``chunked`` and the client speaks 1.1."""
    delivery = response.delivery
    if delivery is None:
        return _whole(raw, response, chunked=chunked)
    if delivery.delay_ms:
        await asyncio.sleep(delivery.delay_ms / 1000)
    if delivery.reset:
        return _reset(raw)
    wanted = chunked if delivery.chunked is None else delivery.chunked
    if delivery.cut_after is None and not delivery.drip_bytes:
        return _whole(raw, response, chunked=wanted)
    return await _in_pieces(raw, response, delivery, chunked=wanted)


def _whole(raw: web.BaseRequest, response: Response, *, chunked: bool) -> web.Response:
    answer = web.Response(
        status=response.status, headers=CIMultiDict(response.headers), body=response.body
    )
    if chunked and response.body and raw.version >= HttpVersion11:
        answer.enable_chunked_encoding()
    return answer


async def _in_pieces(
    raw: web.BaseRequest, response: Response, delivery: Delivery, *, chunked: bool
) -> web.StreamResponse:
    body = response.body
    answer = web.StreamResponse(status=response.status, headers=CIMultiDict(response.headers))
    if chunked and raw.version >= HttpVersion11:
        answer.enable_chunked_encoding()
    else:
        answer.content_length = len(body)
    await answer.prepare(raw)
    sent = body if delivery.cut_after is None else body[: delivery.cut_after]
    step = delivery.drip_bytes or len(sent) or 1
    for start in range(0, len(sent), step):
        await answer.write(sent[start : start + step])
        if delivery.drip_ms:
            await asyncio.sleep(delivery.drip_ms / 1000)
    if delivery.cut_after is not None:
        _close(raw)
    return answer


def _close(raw: web.BaseRequest) -> None:
    """Close after what has been written, without the end that the framing promises."""
    if raw.transport is not None:
        raw.transport.close()


def _reset(raw: web.BaseRequest) -> web.Response:
    """Close with a TCP reset and without a byte of answer."""
    transport = raw.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()
