"""Asking what became of a write whose answer was lost, before it is sent again."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any, cast

import pytest

from sfconnect.errors import (
    ApiError,
    ConnectError,
    ConnectionLostError,
    OutcomeUnknownError,
    RequestTimeoutError,
)
from sfconnect.messages import Request, Response
from sfconnect.policy import DidNotHappen, Happened, Reconciled, StillUnknown
from tests.unit.retry.attempts import CREATE, Script, final_error


class Hook:
    """A hook that answers in this order, and keeps what it was asked."""

    def __init__(self, *answers: Reconciled | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[OutcomeUnknownError] = []

    async def __call__(self, unknown: OutcomeUnknownError, sender: object) -> Reconciled:
        assert sender is SENDER
        self.asked.append(unknown)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


SENDER = object()


async def reconciled(executor, clock, hook, script, first=None):
    first = first or ConnectionLostError("Cut.")
    task = asyncio.create_task(
        executor.resume(
            CREATE, first, script, began=clock.monotonic(), reconcile=hook, sender=SENDER
        )
    )
    await clock.advance(1000)
    return (await asyncio.gather(task, return_exceptions=True))[0]


async def test_a_write_that_happened_gets_the_answer_that_was_lost(executor, clock):
    hook, script = Hook(Happened({"id": "001"})), Script()

    outcome = await reconciled(executor, clock, hook, script)

    assert isinstance(outcome, Response)
    assert outcome.json() == {"id": "001"}
    assert script.numbers == []
    (unknown,) = hook.asked
    assert unknown.request is CREATE
    assert unknown.attempts[0].began == unknown.attempts[0].at == clock.time() - 1000


async def test_a_whole_answer_is_handed_on(executor, clock):
    answer = Response(204, {}, b"")

    assert await reconciled(executor, clock, Hook(Happened(answer)), Script()) is answer
    empty = await reconciled(executor, clock, Hook(Happened(None)), Script())
    assert (empty.status, empty.content) == (200, b"")


async def test_a_write_that_did_not_happen_is_sent_again_after_a_wait(executor, clock, events):
    script = Script("created")

    outcome = await reconciled(executor, clock, Hook(DidNotHappen()), script)

    assert outcome == "created"
    assert script.numbers == [2]
    assert [event.name for event in events] == ["outcome.reconciled", "retry.scheduled"]
    assert (events[0].outcome, events[1].wait_ms) == ("did not happen", 1000)


async def test_each_doubt_is_asked_about_anew(executor, clock):
    hook = Hook(DidNotHappen(), DidNotHappen(), Happened(1))
    script = Script(ConnectionLostError("2"), RequestTimeoutError("3"))

    outcome = await reconciled(executor, clock, hook, script)

    assert (outcome.json(), script.numbers) == (1, [2, 3])
    assert [len(one.attempts) for one in hook.asked] == [1, 2, 3]


async def test_a_hook_that_always_says_no_does_not_send_for_ever(executor, clock):
    hook = Hook(*[DidNotHappen()] * 10)
    script = Script(*[ConnectionLostError(str(n)) for n in range(10)])

    outcome = await reconciled(executor, clock, hook, script)

    assert isinstance(outcome, ConnectionLostError)  # and not unknown: it did not happen
    assert outcome.retry_safe is True
    assert script.numbers == [2, 3, 4]


async def test_what_a_hook_cannot_tell_stays_unknown(executor, clock):
    outcome = await reconciled(executor, clock, Hook(StillUnknown("two of them")), Script())

    assert isinstance(outcome, OutcomeUnknownError)
    assert outcome.__notes__ == ["Looking for it told nothing: two of them"]


async def test_a_hook_whose_call_fails_leaves_the_outcome_unknown(executor, clock, events):
    outcome = await reconciled(executor, clock, Hook(ConnectError("Down.")), Script())

    assert isinstance(outcome, OutcomeUnknownError)
    assert outcome.__notes__ == ["Looking for it failed: Down."]
    assert [event.outcome for event in events] == ["failed"]


async def test_a_bug_in_a_hook_is_reported_and_hides_nothing(executor, clock):
    reports: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context))

    outcome = await reconciled(executor, clock, Hook(KeyError("canary")), Script())

    loop.set_exception_handler(None)
    assert isinstance(outcome, OutcomeUnknownError)
    assert outcome.__notes__ == ["The reconcile hook failed: KeyError"]
    assert isinstance(reports[0]["exception"], KeyError)


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (Happened(cast("Any", object())), "The reconcile hook failed: TypeError"),
        (
            None,
            "The reconcile hook returned NoneType, none of Happened, DidNotHappen, StillUnknown.",
        ),
    ],
    ids=["no JSON", "nothing"],
)
async def test_what_no_hook_may_return_hides_nothing(executor, clock, found, note):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: None)

    outcome = await reconciled(executor, clock, Hook(found), Script())

    loop.set_exception_handler(None)
    assert isinstance(outcome, OutcomeUnknownError)
    assert outcome.__notes__ == [note]


async def test_a_repeat_that_meets_the_first_attempts_effect_is_asked_about_too(executor, clock):
    hook = Hook(DidNotHappen(), Happened({"id": "001"}))
    taken = ApiError("Taken.", code="DUPLICATE_VALUE", status=400)

    outcome = await reconciled(executor, clock, hook, Script(taken))

    assert outcome.json() == {"id": "001"}
    assert [len(one.attempts) for one in hook.asked] == [1, 2]


async def test_a_repeat_that_is_refused_for_its_own_sake_says_so(executor, clock):
    taken = ApiError("Taken.", code="DUPLICATE_VALUE", status=400)

    outcome = await reconciled(executor, clock, Hook(DidNotHappen(), DidNotHappen()), Script(taken))

    assert outcome is taken


async def test_a_refusal_at_the_first_attempt_is_no_doubt(executor, clock):
    refused = ApiError("Taken.", code="DUPLICATE_VALUE", status=400)

    assert await reconciled(executor, clock, Hook(), Script(), refused) is refused


async def test_a_pickle_of_an_unknown_outcome_holds_no_value_of_the_request(executor, clock):
    request = Request(
        "POST", "/rows?q=canary", params={"p": "canary"}, headers={"X": "canary"},
        content=b"canary", shown_as="/rows", reconcile=Hook(),
    )  # fmt: skip

    error = await final_error(executor, clock, request, ConnectionLostError("Cut."))

    assert isinstance(error, OutcomeUnknownError)
    assert error.request is request
    pickled = pickle.dumps(error)
    assert b"canary" not in pickled
    twin = pickle.loads(pickled)
    assert isinstance(twin.request, Request)
    assert (twin.request.method, twin.request.path) == ("POST", "/rows")
    assert twin.attempts == error.attempts
