"""Run an org until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sfconnect_emulator.emulator import Emulator
from sfconnect_emulator.key_file import sweep
from sfconnect_emulator.rendering import encode_json

_READ_BYTES = 4096


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def serve(emulator: Emulator, *, until_stdin_closes: bool = False) -> None:
    """Start, print the announcement, and stay until SIGINT, SIGTERM or the end of stdin.

    Raises:
        SystemExit: with code 0, a signal came while the rows were being made.
    """
    sweep()
    with _restored_signals():
        for number in _SIGNALS:
            # Making rows blocks the loop, so that a handler of the loop's would wait for its end.
            signal.signal(number, _leave)
        try:
            async with emulator:
                await _stay(emulator, until_stdin_closes=until_stdin_closes)
        except Exception:
            if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
                raise
            # SQLite makes an error of its own of what a signal raises in a function that it calls.
            raise SystemExit(0) from None


async def _stay(emulator: Emulator, *, until_stdin_closes: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        _watch_stdin(loop, stop)
    _print_line(encode_json(emulator.announcement).decode("utf-8"))
    await stop.wait()


@contextmanager
def _restored_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    for one in _SIGNALS:
        # A second one must not interrupt the cleaning up.
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(0)


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when the other end of stdin is gone: a parent that died cannot send a signal."""
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, _READ_BYTES):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


def _print_line(line: str) -> None:
    """Print to stdout; nobody listening there is no reason not to serve."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        # Python would flush once more at exit and fail with status 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
