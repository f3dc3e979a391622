"""The org without a socket: requests go to the engine as function calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self, Unpack
from urllib.parse import urlsplit

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.control_api import CONTROL_PREFIX
from sfconnect_emulator.emulator import OpenOrg
from sfconnect_emulator.http.gate import Gate
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.settings import Options
from sfconnect_emulator.wire import Delivery, Request, Response

DEFAULT_URL = "http://org.localhost"


class InProcess(OpenOrg):
    """An org for fast tests: ``with InProcess(rows={"Account": 3}) as org: await org.handle(…)``.

    Takes the members of ``Options`` as keyword arguments. Latency, faults and capacity work as on
    a socket, except that pieces of an answer cannot be seen: a cut answer is an error.
    """

    def __init__(
        self,
        *,
        base_url: str = DEFAULT_URL,
        clock: Clock | None = None,
        keys: KeyPair | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        self._arguments = (options, clock, keys)
        self._base_url = base_url
        self._gate: Gate | None = None

    def __enter__(self) -> Self:
        engine = self._open(*self._arguments)
        engine.instance.answer_at(self._base_url)
        self._gate = Gate(engine.instance)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate = None
        self._close()

    async def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request; ``url`` may be absolute or begin with the path.

        Raises:
            ConnectionResetError: a fault resets the connection or cuts the answer.
        """
        request = _request(method, url, headers, body)
        if self._gate is None or request.path.startswith(CONTROL_PREFIX):
            response = self.engine.handle(request)
        else:
            async with self._gate as admitted:
                answer = self.engine.handle if admitted else self.engine.refuse_for_load
                response = answer(request)
                try:
                    if self.instance.latency_ms > 0:
                        await self.instance.clock.sleep(self.instance.latency_ms / 1000)
                    await _deliver(response)
                finally:
                    response.settle()
        return response.status, dict(response.headers), response.body


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Request:
    parts = urlsplit(url)
    lowered = {name.lower(): value for name, value in headers.items()}
    if parts.netloc:
        lowered.setdefault("host", parts.netloc)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Request.build(method.upper(), target, lowered, body)


async def _deliver(response: Response) -> None:
    delivery = response.delivery or Delivery()
    await _pause(delivery.delay_ms)
    if delivery.drip_bytes:
        pieces = -(-len(response.body) // delivery.drip_bytes)
        await _pause(pieces * delivery.drip_ms)
    if delivery.reset:
        raise ConnectionResetError("connection reset by the org")
    if delivery.cut_after is not None:
        raise ConnectionResetError(f"answer cut after {delivery.cut_after} bytes")


async def _pause(milliseconds: float) -> None:
    if milliseconds > 0:
        await asyncio.sleep(milliseconds / 1000)
