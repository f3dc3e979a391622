"""Processes of a test's own, told what to do by lines on a pipe; no test waits for the clock."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

WORKER = Path(__file__).with_name("worker.py")


@dataclass
class Worker:
    """A process that was started, and the two pipes to it."""

    process: asyncio.subprocess.Process

    def send(self, line: str) -> None:
        """Tell it something; it may be busy."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def hear(self) -> dict[str, Any]:
        """Wait for its next line."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, f"the process ended with {await self.process.wait()}"
        heard: dict[str, Any] = json.loads(line)
        return heard

    async def call(self) -> dict[str, Any]:
        """Let it make one call."""
        self.send("call")
        return await self.hear()

    async def end(self) -> int:
        """Close its input, and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.process.wait()


Start = Callable[..., Awaitable[Worker]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the processes keep their tokens."""
    return tmp_path / "tokens"


@pytest.fixture
async def start(folder: Path, tmp_path: Path) -> AsyncIterator[Start]:
    """Start processes on one folder; they end with the test."""
    environ = {name: text for name, text in os.environ.items() if "SFCONNECT" not in name}
    async with AsyncExitStack() as stack:

        async def run(login: dict[str, str], store: str = "file") -> Worker:
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "error", str(WORKER),
                stdin=pipe, stdout=pipe, cwd=tmp_path, env=environ,
            )  # fmt: skip
            worker = Worker(process)
            stack.push_async_callback(worker.end)
            worker.send(json.dumps({"login": login, "folder": str(folder), "store": store}))
            assert await worker.hear() == {"ready": process.pid}
            return worker

        yield run
