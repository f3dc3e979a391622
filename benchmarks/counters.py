"""Counts that do not depend on the machine: Python calls per request, own frames to the socket."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import sfconnect
from benchmarks.clients import Fetch

OWN_FOLDER = str(Path(sfconnect.__file__).parent) + "/"
SOCKET_WRITE = "_SelectorSocketTransport.write"
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Counts:
    """What one warm GET costs.

    Attributes:
        python_calls: Python functions entered or resumed, of all packages, per request.
        own_calls: Those of them that belong to sfconnect.
        own_frames: Most frames of sfconnect on the stack while a request goes to the socket.
    """

    python_calls: float
    own_calls: float
    own_frames: int


class Profile:
    """Counts the ``call`` events of :func:`sys.setprofile`.

    A call event is a Python function that is entered or a coroutine that is resumed; C functions
    give events of another kind, which are not counted.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.own_frames = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        self.calls[frame.f_code.co_filename] += 1
        if frame.f_code.co_qualname == SOCKET_WRITE:
            self.own_frames = max(self.own_frames, own_frames_above(frame))


def own_frames_above(frame: FrameType | None) -> int:
    """Count the frames of sfconnect between this frame and the bottom of the stack."""
    count = 0
    while frame is not None:
        count += is_own(frame.f_code.co_filename)
        frame = frame.f_back
    return count


def is_own(filename: str) -> bool:
    """Tell whether a source file belongs to sfconnect."""
    return filename.startswith(OWN_FOLDER)


async def count(fetch: Fetch, *, requests: int = 500) -> Counts:
    """Count over many requests, one after the other, on a connection that is warm."""
    for _ in range(WARM_UP):
        await fetch()
    profile = Profile()
    gc.collect()
    sys.setprofile(profile)
    try:
        for _ in range(requests):
            await fetch()
    finally:
        sys.setprofile(None)
    own = sum(number for filename, number in profile.calls.items() if is_own(filename))
    return Counts(profile.calls.total() / requests, own / requests, profile.own_frames)
