"""A Jupyter kernel for the cells that pages show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager


class Kernel:
    """A kernel that runs, in a process of its own."""

    def __init__(self, manager: AsyncKernelManager, client: Any) -> None:
        self._manager = manager
        self._client = client

    async def run(self, cell: str) -> tuple[str, str]:
        """Run a cell; give what it printed or showed as its value, and the error's name if any."""
        told: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            told.append(content.get("text", "") or content.get("data", {}).get("text/plain", ""))

        done = await self._client.execute_interactive(cell, output_hook=hear)
        return "".join(told), done["content"].get("ename", "")

    async def interrupt(self) -> None:
        """Do what the button of a notebook does."""
        await self._manager.interrupt_kernel()

    async def end(self) -> int:
        """Ask the kernel to end; give its exit status, which is negative if it had to be killed."""
        provisioner: Any = self._manager.provisioner
        process = provisioner.process
        await self._manager.shutdown_kernel()
        return int(process.returncode)


@asynccontextmanager
async def kernel(folder: Path, env: dict[str, str]) -> AsyncIterator[Kernel]:
    """Start a kernel in a folder; it ends with the block."""
    manager = AsyncKernelManager(
        transport="ipc", ip=str(folder / "kernel"), connection_file=str(folder / "kernel.json")
    )
    await manager.start_kernel(cwd=str(folder), env=env)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=30)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
