"""Where the command begins: signals end it in order from the first moment on.

Loading the org's modules takes longer than many a test waits before it ends what it has started.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command; returns its exit code."""
    if sys.argv[1:2] == ["serve"]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)
    from sfconnect_emulator.cli import main as command  # noqa: PLC0415 - see above

    return command()


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once: until ``serve`` sets handlers of its own nothing is there to clean up."""
    del number, frame
    os._exit(0)
