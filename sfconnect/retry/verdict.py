"""Whether an error may be answered by sending again."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sfconnect.messages import Replay, default_replay

if TYPE_CHECKING:
    from sfconnect.errors import SfConnectError
    from sfconnect.messages import Request


class Verdict(Enum):
    """What a failed attempt allows."""

    RETRY = "retry"
    """Sending again is safe, and may help."""
    GIVE_UP = "give up"
    """Sending again cannot help; the error is the outcome."""
    UNKNOWN = "outcome unknown"
    """The call may have had its effect, and sending again could repeat it."""


def classify(request: Request, error: SfConnectError) -> Verdict:
    """Decide from the error's facts: was it sent, did the server act, can a repeat harm?"""
    if error.retry_safe is False:
        return Verdict.GIVE_UP
    acted = error.retry_safe is None and error.request_sent is not False
    if acted and (request.replay or default_replay(request.method)) is Replay.UNSAFE:
        return Verdict.UNKNOWN
    return Verdict.GIVE_UP if request.has_one_shot_body else Verdict.RETRY
