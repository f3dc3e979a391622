"""A server that answers every request with the same small JSON, from a process of its own.

It speaks just enough HTTP/1.1 for kept-alive GETs, so that its own work stays small beside the
client's. It ends when its standard input closes, which the death of its parent brings about too.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

END_OF_HEAD = b"\r\n\r\n"
RECORD = b'{"attributes":{"type":"Account","url":"/services/data/v68.0/sobjects/Account/%d"},' + (
    b'"Id":"001000000000001AAA","Name":"Acme","Phone":"+49 30 1234567","Industry":"Energy",'
    b'"Website":"https://acme.example","NumberOfEmployees":1200,"AnnualRevenue":5600000.0,'
    b'"BillingCity":"Berlin","BillingCountry":"Germany","Description":"' + b"text " * 100 + b'"}'
)
BODY = b'{"totalSize":1,"done":true,"records":[' + RECORD % 1 + b"]}"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
    b"Sforce-Limit-Info: api-usage=18/100000\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Delays:
    """How long each answer is held back: all alike, but for one in ``slow_every``."""

    def __init__(self, delay_s: float, slow_every: int, slow_s: float) -> None:
        self._usual_s = delay_s
        self._slow_every = slow_every
        self._slow_s = slow_s
        self._answers = 0

    def next_s(self) -> float:
        """Seconds until the next answer."""
        self._answers += 1
        is_slow = self._slow_every and self._answers % self._slow_every == 0
        return self._slow_s if is_slow else self._usual_s


class Static(asyncio.Protocol):
    """One connection: count the ends of request heads, write as many answers."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._unread = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._unread = (self._unread + data).split(END_OF_HEAD)
        for _ in heads:
            if delay_s := self._delays.next_s():
                self._loop.call_later(delay_s, self._transport.write, ANSWER)
            else:
                self._transport.write(ANSWER)


async def serve(delays: Delays, cert_file: str | None) -> None:
    """Answer until standard input closes; print the port first."""
    loop = asyncio.get_running_loop()
    context = None
    if cert_file is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert_file)
    server = await loop.create_server(
        lambda: Static(delays), "127.0.0.1", 0, backlog=4096, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def static_server(
    *, delay_ms: int = 0, slow_every: int = 0, slow_ms: int = 0, cert_file: str | None = None
) -> Iterator[str]:
    """Run the server in another process and give its base URL.

    One answer in ``slow_every`` takes ``slow_ms``. It speaks TLS if there is a file with its
    certificate and its key.
    """
    numbers = [str(delay_ms), str(slow_every), str(slow_ms)]
    command = [sys.executable, __file__, *numbers, *([cert_file] if cert_file else [])]
    scheme = "https" if cert_file else "http"
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


if __name__ == "__main__":
    delay_ms, slow_every, slow_ms = map(int, sys.argv[1:4])
    held_back = Delays(delay_ms / 1000, slow_every, slow_ms / 1000)
    asyncio.run(serve(held_back, sys.argv[4] if len(sys.argv) > 4 else None))
