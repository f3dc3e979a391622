"""An emulated org in a process of its own, and the strings behind its stage."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sfconnect.errors import ConfigurationError, SfConnectError
from sfconnect.messages import json_request

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from sfconnect.messages import Transport

_MODULE: Final = "sfconnect_emulator"
_START_S: Final = 60.0
_STOP_S: Final = 10.0


class Announcement(msgspec.Struct, frozen=True):
    """What the org says of itself once it answers."""

    login_url: str
    client_id: str
    client_secret: str
    username: str
    private_key_file: str
    control_url: str


@asynccontextmanager
async def running_org(
    rows: Mapping[str, int], *, seed: int, latency_ms: int
) -> AsyncIterator[Announcement]:
    """Start an org on loopback, and stop it on leaving; it also stops when this process dies.

    Raises:
        ConfigurationError: The emulator is not installed.
        SfConnectError: It did not start.
    """
    if find_spec(_MODULE) is None:
        message = "The demo needs an org to talk to, and the emulator is not installed."
        raise ConfigurationError(message, hint="pip install sfconnect-emulator")
    arguments = [f"--rows={name}={count}" for name, count in rows.items()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _MODULE, "serve", "--until-stdin-closes"),
        *(f"--seed={seed}", f"--latency-ms={latency_ms}", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Ctrl-C is for us: the org has to answer until we are done with it.
        start_new_session=True,
    )
    try:
        yield await _announcement(process)
    finally:
        await _stop(process)


async def _announcement(process: Process) -> Announcement:
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_S):
            line = await process.stdout.readline() if process.stdout else b""
    if not line:
        raise SfConnectError(f"The emulator did not start: {await _last_words(process)}")
    return msgspec.json.decode(line, type=Announcement)


async def _last_words(process: Process) -> str:
    if process.returncode is None:
        process.kill()
    _, errors = await process.communicate()
    return errors.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it said nothing."


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()


class Stage:
    """What may be done to the org from behind the stage, and asked of it there."""

    def __init__(self, transport: Transport, control_url: str) -> None:
        self._transport = transport
        self._url = control_url

    async def add_faults(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Plan trouble."""
        await self._send("POST", "faults", list(rules))

    async def statistics(self) -> Mapping[str, Any]:
        """Ask what the org was asked and did."""
        answer: Mapping[str, Any] = await self._send("GET", "stats")
        return answer

    async def content(self, object_name: str, fields: Sequence[str]) -> tuple[int, str]:
        """Ask how many rows an object has, and for the SHA-256 of these fields of them."""
        question = {"object": object_name, "fields": list(fields)}
        answer = await self._send("POST", "content-hash", question)
        return answer["rows"], answer["sha256"]

    async def _send(self, method: str, operation: str, body: Any = None) -> Any:
        request = json_request(method, f"{self._url}/{operation}", json=body)
        response = await self._transport.send(request)
        if response.status != HTTPStatus.OK:
            raise SfConnectError(f"The emulator refused {operation}: {response.text}")
        return response.json()
