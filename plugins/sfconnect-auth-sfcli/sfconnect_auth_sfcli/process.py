"""Run the CLI: without a shell, without its telemetry, and never longer than it is waited for."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from sfconnect.errors import AuthError, CredentialUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENVIRONMENT: Final = {
    "NO_COLOR": "1",
    "SF_DISABLE_TELEMETRY": "true",
    "SF_AUTOUPDATE_DISABLE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
}
_INSTALL: Final = "Install it (npm install --global @salesforce/cli), or set command to its path."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call of the CLI gave."""

    code: int
    output: str = field(repr=False)
    """What it printed on stdout or, if that is nothing, on stderr."""


async def run(command: str, words: Sequence[str], timeout_s: float) -> Answer:
    """Run the CLI and read all that it prints.

    However this ends, the CLI and the processes that it started have ended too.

    Raises:
        CredentialUnavailableError: The CLI is not there or cannot be run.
        AuthError: It did not end in time.
    """
    process = await _start(command, words)
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    except TimeoutError:
        message = f"`{command} {words[0]} {words[1]}` did not end within {timeout_s:g} s."
        hint = "Run it by hand to see what it waits for, or set a longer timeout_s."
        raise AuthError(message, hint=hint, docs_key="cli-timeout") from None
    finally:
        if process.returncode is None:
            await _kill(process)
    return Answer(process.returncode or 0, (out.strip() or err).decode("utf-8", "replace"))


def missing(command: str) -> str | None:
    """Why the CLI cannot be run here; None if it can be found."""
    if _find(command) is not None:
        return None
    return f"The Salesforce CLI ({command}) is not there. {_INSTALL}"


async def _start(command: str, words: Sequence[str]) -> Process:
    path = await to_thread.run_sync(_find, command)
    if path is None:
        message = f"The Salesforce CLI ({command}) is not there."
        raise CredentialUnavailableError(message, hint=_INSTALL, docs_key="cli-missing")
    try:
        return await asyncio.create_subprocess_exec(
            path,
            *words,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=_environment(),
            # `sf` is a script that starts Node; only as a group they can be ended together.
            start_new_session=True,
        )
    except OSError as error:
        problem = error.strerror or type(error).__name__
        message = f"The Salesforce CLI ({command}) cannot be run: {problem}."
        raise CredentialUnavailableError(message, hint=_INSTALL, docs_key="cli-missing") from error


def _find(command: str) -> str | None:
    # Path for a home folder only: it would turn ./sf into sf, which is looked up elsewhere.
    if command.startswith("~"):
        with suppress(RuntimeError):  # nobody's home
            command = str(Path(command).expanduser())
    return shutil.which(command)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    return {**kept, **_ENVIRONMENT}


async def _kill(process: Process) -> None:
    if hasattr(os, "killpg"):
        _kill_group(process.pid)
    else:
        process.kill()
    await process.wait()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself in the meantime
