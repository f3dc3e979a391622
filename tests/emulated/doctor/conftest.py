"""An org on loopback, and the doctor that looks at logins to it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest
import trustme

from sfconnect.cli.common import Common
from sfconnect.cli.doctor.case import Case
from sfconnect.cli.doctor.checks import Check, Examination, Result
from sfconnect.cli.doctor.steps import examine
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect_emulator import Emulator

Doctor: TypeAlias = Callable[..., Awaitable[Examination]]


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 1}) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _nobodys_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("SFCONNECT")]:
        monkeypatch.delenv(name)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Examine a login whose options are in the environment."""

    async def look(
        *, login: bool = True, path: str | None = None, clock: Clock = SYSTEM_CLOCK, **given: object
    ) -> Examination:
        for name, value in given.items():
            monkeypatch.setenv(f"SFCONNECT_{name.upper()}", str(value))
        told: list[Check] = []
        case = Case(Common(), wants_login=login, path=path, clock=clock)
        made = await examine(case, told.append)
        assert told == made.checks
        return made

    return look


def by_secret(org: Emulator) -> dict[str, object]:
    """Options of a login by the app's secret."""
    return {
        "auth": "client-credentials",
        "login_url": org.login_url,
        "client_id": org.client_id,
        "client_secret": org.client_secret,
    }


def by_key(org: Emulator) -> dict[str, object]:
    """Options of a login by the app's key."""
    return {
        "auth": "jwt-bearer",
        "login_url": org.login_url,
        "client_id": org.client_id,
        "username": org.username,
        "private_key_file": org.private_key_file,
    }


def was_asked_for_a_login(org: Emulator) -> bool:
    """Whether anybody logged in, or tried to."""
    counted = org.control.statistics()
    return bool(counted["logins"] or counted["refused_logins"])


def named(examination: Examination, name: str) -> Check:
    """The check of a name."""
    (found,) = [check for check in examination.checks if check.name == name]
    return found


def results(examination: Examination) -> dict[str, str]:
    """How each check ended."""
    return {check.name: str(check.result) for check in examination.checks}


def the_failure(examination: Examination) -> Check:
    """The one line that failed; there is no other, and none to look at."""
    (found,) = [one for one in examination.checks if one.result in {Result.FAIL, Result.WARN}]
    assert found.result is Result.FAIL
    return found


def the_warning(examination: Examination) -> Check:
    """The one line to look at; none failed."""
    (found,) = [one for one in examination.checks if one.result in {Result.FAIL, Result.WARN}]
    assert (found.result, examination.exit_code) == (Result.WARN, 0)
    return found


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def server_side(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What a server with this certificate needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@asynccontextmanager
async def front(
    port: int, context: ssl.SSLContext | None, greeting: bool = False
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Listen in front of a port: with TLS, or as a proxy that is asked by CONNECT.

    Gives its own port, and the heads of what a proxy was asked.
    """
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if greeting:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            theirs, ours = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, ours))
                both.create_task(_pass_on(theirs, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()
