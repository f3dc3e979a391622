"""An org in a process of its own, so that it does not disturb what is measured in this one."""

from __future__ import annotations

import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import msgspec

from sfconnect_emulator.emulator import Announcement

_STOP_S = 10


class LaunchError(RuntimeError):
    """The server did not start; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server."""

    pid: int
    announcement: Announcement


@contextmanager
def launch(*arguments: str, start_timeout_s: float = 120) -> Iterator[ServerProcess]:
    """Start ``sfconnect-emulator serve`` with arguments, and end it, by its pid, on leaving.

    The server also ends by itself when this process dies.

    Raises:
        LaunchError: it ended or said nothing in time.
    """
    command = [sys.executable, "-m", "sfconnect_emulator", "serve", "--until-stdin-closes"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            line = _first_line(process, start_timeout_s)
            if not line:
                raise LaunchError(f"the emulator did not start: {_last_words(errors)}")
            yield ServerProcess(process.pid, msgspec.json.decode(line, type=Announcement))
        finally:
            _stop(process)


def _first_line(process: subprocess.Popen[bytes], timeout_s: float) -> bytes:
    if process.stdout is None:
        return b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(timeout_s) else b""


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
