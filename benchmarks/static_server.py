"""A server that answers every request with the same body, from a process of its own.

It speaks just enough HTTP/1.1 for kept-alive GETs, so that its own work stays small beside the
client's. It ends when its standard input closes, which the death of its parent brings about too.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

END_OF_HEAD = b"\r\n\r\n"
RECORD = b'{"attributes":{"type":"Account","url":"/services/data/v68.0/sobjects/Account/%d"},' + (
    b'"Id":"001000000000001AAA","Name":"Acme","Phone":"+49 30 1234567","Industry":"Energy",'
    b'"Website":"https://acme.example","NumberOfEmployees":1200,"AnnualRevenue":5600000.0,'
    b'"BillingCity":"Berlin","BillingCountry":"Germany","Description":"' + b"text " * 100 + b'"}'
)
BODY = b'{"totalSize":1,"done":true,"records":[' + RECORD % 1 + b"]}"
PAGE_RECORDS = 2000
CSV_BYTES = 50_000_000


def small() -> bytes:
    """One record."""
    return _answer(BODY)


def page() -> bytes:
    """A page of 2,000 records whose values differ, compressed as Salesforce does."""
    chance = random.Random(7)
    records = []
    for number in range(PAGE_RECORDS):
        fields = {f"Field{at}__c": str(chance.getrandbits(64)) for at in range(8)}
        names = {f"Name{at}__c": f"{chance.getrandbits(40):x} Energy" for at in range(10)}
        records.append({"Id": f"{number:018}", "Name": "Acme", **fields, **names})
    body = json.dumps({"totalSize": PAGE_RECORDS, "done": True, "records": records}).encode()
    return _answer(zlib.compress(body, 6, 31), b"Content-Encoding: gzip\r\n")


def csv() -> bytes:
    """Rows as a bulk result has them."""
    row = b'"001000000000001AAA","Acme","+49 30 1234567","Energy","1200","5600000.0"\n'
    return _answer(row * (CSV_BYTES // len(row)))


def _answer(body: bytes, headers: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
        b"Sforce-Limit-Info: api-usage=18/100000\r\n%sContent-Length: %d\r\n\r\n%s"
        % (headers, len(body), body)
    )


BODIES = {"small": small, "page": page, "csv": csv}


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

    def __init__(self, answer: bytes, delays: Delays) -> None:
        self._answer = answer
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
                self._loop.call_later(delay_s, self._transport.write, self._answer)
            else:
                self._transport.write(self._answer)


async def serve(
    *, delay_ms: int, slow_every: int, slow_ms: int, cert_file: str | None, body: str
) -> None:
    """Answer until standard input closes; print the port first."""
    answer, delays = BODIES[body](), Delays(delay_ms / 1000, slow_every, slow_ms / 1000)
    loop = asyncio.get_running_loop()
    context = None
    if cert_file is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert_file)
    server = await loop.create_server(
        lambda: Static(answer, delays), "127.0.0.1", 0, backlog=4096, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def static_server(
    *,
    delay_ms: int = 0,
    slow_every: int = 0,
    slow_ms: int = 0,
    cert_file: str | None = None,
    body: str = "small",
) -> Iterator[str]:
    """Run the server in another process and give its base URL.

    One answer in ``slow_every`` takes ``slow_ms``. It speaks TLS if there is a file with its
    certificate and its key.
    """
    facts = {
        "delay_ms": delay_ms,
        "slow_every": slow_every,
        "slow_ms": slow_ms,
        "cert_file": cert_file,
        "body": body,
    }
    command = [sys.executable, __file__, json.dumps(facts)]
    scheme = "https" if cert_file else "http"
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))
