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


class Static(asyncio.Protocol):
    """One connection: count the ends of request heads, write as many answers."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._unread = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._unread = (self._unread + data).split(END_OF_HEAD)
        for _ in heads:
            if self._delay_s:
                self._loop.call_later(self._delay_s, self._transport.write, ANSWER)
            else:
                self._transport.write(ANSWER)


async def serve(delay_s: float, cert_file: str | None) -> None:
    """Answer until standard input closes; print the port first."""
    loop = asyncio.get_running_loop()
    context = None
    if cert_file is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert_file)
    server = await loop.create_server(
        lambda: Static(delay_s), "127.0.0.1", 0, backlog=4096, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def static_server(*, delay_ms: int = 0, cert_file: str | None = None) -> Iterator[str]:
    """Run the server in another process and give its base URL.

    It speaks TLS if there is a file with its certificate and its key.
    """
    command = [sys.executable, __file__, str(delay_ms), *([cert_file] if cert_file else [])]
    scheme = "https" if cert_file else "http"
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) / 1000, sys.argv[2] if len(sys.argv) > 2 else None))
