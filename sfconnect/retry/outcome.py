"""The error that a call ends with, made from that of its last attempt."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from sfconnect.errors import OutcomeUnknownError
from sfconnect.retry.verdict import Verdict, classify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfconnect.errors import FailedAttempt, SfConnectError
    from sfconnect.messages import Request


def reason_of(error: SfConnectError) -> str:
    """Name an error: by its code, else by its class."""
    return error.code or type(error).__name__


def final_error(
    request: Request, error: SfConnectError, failed: Sequence[FailedAttempt]
) -> SfConnectError:
    """Make the error that a call ends with, from that of its last attempt."""
    if classify(request, error) is Verdict.UNKNOWN:
        return unknown_outcome(request, error, failed)
    if len(failed) > 1:
        error.attempts = tuple(failed)
    return error.with_traceback(_own_frames(error.__traceback__))


def _own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out of a traceback what only carries calls on: it is longer than all the rest."""
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    kept: TracebackType | None = None
    for entry in reversed(entries):
        if not entry.tb_frame.f_globals.get("__name__", "").startswith(_CARRIERS):
            kept = TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return kept


_CARRIERS = ("tenacity", "concurrent.futures")


def unknown_outcome(
    request: Request, error: SfConnectError, failed: Sequence[FailedAttempt]
) -> OutcomeUnknownError:
    """Make the error of a write that may have happened."""
    unknown = OutcomeUnknownError(
        f"{request.method} {request.place} may or may not have taken effect "
        f"({type(error).__name__}); it was not sent again.",
        code=error.code,
        status=error.status,
        request_id=error.request_id,
        hint="Look for what it would have written before you send it again; an upsert by "
        "external id can be repeated safely, and a reconcile hook can look by itself.",
        # A body that was a stream is used up.
        request=replace(request, content=None) if request.has_one_shot_body else request,
    )
    unknown.attempts = tuple(failed)
    unknown.__cause__ = error
    return unknown
