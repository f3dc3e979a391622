"""What is left of a client's connections, seen from the process that both ends are in."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from sfconnect.testing import FaultProxy


async def hung_up(proxy: FaultProxy) -> None:
    """Wait until the client has closed its sockets; no goodbye of a dead peer is waited for."""
    async with asyncio.timeout(5):
        while sockets_to(proxy):  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.005)


def sockets_to(proxy: FaultProxy) -> int:
    """How many sockets of this process are the client's end of a connection to the proxy."""
    port = int(proxy.url.rpartition(":")[2])
    return sum(_peer_port(int(entry.name)) == port for entry in Path("/dev/fd").iterdir())


def _peer_port(number: int) -> int | None:
    with suppress(OSError):  # that of the listing itself is closed by now; others have no peer
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            with socket.socket(fileno=os.dup(number)) as copy:
                return int(copy.getpeername()[1]) if copy.family == socket.AF_INET else None
    return None
