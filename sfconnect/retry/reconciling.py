"""Ask a hook what became of a write whose answer was lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from sfconnect.errors import SfConnectError
from sfconnect.instrumentation import OutcomeReconciled
from sfconnect.messages import Replay, Response, default_replay
from sfconnect.policy import DidNotHappen, Happened, Prepares, StillUnknown

if TYPE_CHECKING:
    from sfconnect.call import Sender
    from sfconnect.errors import OutcomeUnknownError
    from sfconnect.instrumentation import Emitter
    from sfconnect.messages import Request
    from sfconnect.policy import Reconcile, Reconciled

_NAMES = {Happened: "happened", DidNotHappen: "did not happen", StillUnknown: "unknown"}


async def prepare(hook: Reconcile, request: Request, sender: Sender) -> None:
    """Let a hook that wants to look at what it needs, before a write that it may be asked about.

    Raises:
        SfConnectError: The hook could not do its work; the write must not be sent.
    """
    unsafe = (request.replay or default_replay(request.method)) is Replay.UNSAFE
    if unsafe and isinstance(hook, Prepares):
        await hook.prepare(request, sender)


async def ask(
    hook: Reconcile, unknown: OutcomeUnknownError, sender: Sender, emitter: Emitter
) -> Reconciled:
    """Ask a hook. One that fails leaves the outcome unknown, and the error tells of it.

    That the write may have happened is what the caller has to learn, whatever the hook does; so
    what the hook raises does not take the error's place. A bug in it goes to the event loop's
    exception handler too.
    """
    found: Reconciled
    try:
        found = await hook(unknown, sender)
        if isinstance(found, Happened):
            answer_of(found)  # what has no JSON form shows here, where it hides nothing
    except SfConnectError as error:
        unknown.add_note(f"Looking for it failed: {error}")
        found, told = StillUnknown(), "failed"
    except Exception as error:  # noqa: BLE001  # a border: user code must not hide the outcome
        unknown.add_note(f"The reconcile hook failed: {type(error).__name__}")
        context = {"message": f"reconcile hook {hook!r} failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        found, told = StillUnknown(), "failed"
    else:
        told = _NAMES.get(type(found), "unknown")
        _explain(found, unknown)
    if emitter.hooks and (sent := unknown.request) is not None:
        emitter.emit(OutcomeReconciled(sent.method, sent.place, sent.surface, told))
    return found


def _explain(found: object, unknown: OutcomeUnknownError) -> None:
    """Tell with the error why the hook did not help."""
    if type(found) not in _NAMES:
        names = ", ".join(kind.__name__ for kind in _NAMES)
        unknown.add_note(f"The reconcile hook returned {type(found).__name__}, none of {names}.")
    elif isinstance(found, StillUnknown) and found.why:
        unknown.add_note(f"Looking for it told nothing: {found.why}")


def answer_of(found: Happened) -> Response:
    """The answer that stands for the lost one."""
    if isinstance(found.answer, Response):
        return found.answer
    content = b"" if found.answer is None else msgspec.json.encode(found.answer)
    return Response(200, {"Content-Type": "application/json"}, content)
