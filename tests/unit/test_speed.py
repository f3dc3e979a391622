"""What the extra brings is used where it is installed, and nothing is missed where it is not."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
import zlib

import isal.isal_zlib
import pytest

from sfconnect import speed


@pytest.fixture(autouse=True)
def _asked_anew():
    speed.zlib_like.cache_clear()
    yield
    speed.zlib_like.cache_clear()


def test_isal_is_taken_if_it_is_there():
    assert speed.zlib_like() is isal.isal_zlib


def test_zlib_does_it_otherwise(monkeypatch):
    monkeypatch.setitem(sys.modules, "isal", None)

    assert speed.zlib_like() is zlib


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for it")
def test_the_loop_is_of_uvloop_if_it_is_there():
    with asyncio.Runner(loop_factory=speed.new_event_loop) as runner:
        assert type(runner.get_loop()).__module__ == "uvloop"


def test_the_loop_is_asyncios_otherwise(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)

    with asyncio.Runner(loop_factory=speed.new_event_loop) as runner:
        assert type(runner.get_loop()).__module__.startswith("asyncio.")


STREAM = """
import asyncio, resource, sys
from sfconnect import Request
from sfconnect.speed import new_event_loop
from sfconnect.transport import ConnectionPool

async def main(url):
    async with ConnectionPool(proxies_from_environment=False) as pool:
        async def read():
            async with pool.stream(Request("GET", url)) as answer:
                return sum([len(piece) async for piece in answer.iter_bytes(2**18)])

        await read()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        size = await read()
        return size, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep, url = sys.argv[1:]
loop = new_event_loop(keep_freed_memory=keep == "keep")
with asyncio.Runner(loop_factory=lambda: loop) as runner:
    print(*runner.run(main(url)))
"""
BODY = bytes(2**20)
TIMES = 24


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others give nothing back so soon")
async def test_large_bodies_come_in_memory_that_is_there():
    async def answer(reader, writer):
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(BODY) * TIMES))
            for _ in range(TIMES):
                writer.write(BODY)
                await writer.drain()
        writer.close()

    faults = {}
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for keep in ("keep", "give back"):
            size, faults[keep] = map(int, (await printed(STREAM, keep, url)).split())
            assert size == len(BODY) * TIMES

    # In pages of 4 KiB, of which the body has 6,144; not its time, which depends on the machine.
    assert faults["keep"] < 500
    assert faults["give back"] > 2_000


async def printed(program, *arguments):
    env = {name: text for name, text in os.environ.items() if not name.startswith("MALLOC_")}
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, env=env, stdout=pipe, stderr=pipe
    )
    told, complaints = await process.communicate()
    assert complaints == b""
    return told.decode()
