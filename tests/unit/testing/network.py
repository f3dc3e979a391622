"""A client that is not ours, for tests of the proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import aiohttp

from sfconnect.testing.fault_proxy import FaultProxy

BODY = "x" * 1000


class Client:
    """A client that is not ours, and trusts the proxy that it is sent to."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self._trusts: dict[str, ssl.SSLContext] = {}

    async def post(self, proxy: FaultProxy, body: bytes = "ä\0".encode()) -> tuple[int, str]:
        trust = self._trusts.setdefault(proxy.url, proxy.trust())
        url = f"{proxy.url}/a/b?c=d%20e"
        async with self.session.post(url, data=body, ssl=trust) as got:
            return got.status, await got.text()


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that announces itself to nobody."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
