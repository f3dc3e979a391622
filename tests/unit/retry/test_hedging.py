"""Late reads are asked for twice: when, how often, and what becomes of the slower one."""

from __future__ import annotations

import asyncio
import gc
import math

import pytest

from sfconnect.errors import (
    ApiError,
    ConfigurationError,
    ConnectError,
    ServerError,
)
from sfconnect.instrumentation import Emitter, HedgeSent
from sfconnect.messages import Replay, Request, Response
from sfconnect.policy import HedgePolicy
from sfconnect.retry.deadline import SENT
from sfconnect.retry.hedging import Hedger, may_be_hedged
from sfconnect.testing import FakeClock

GET = Request("GET", "/rows?q=canary")
ALWAYS = HedgePolicy(after_s=1.0, share=1.0)


@pytest.fixture
def events() -> list[object]:
    return []


@pytest.fixture
def hedger(clock: FakeClock, events: list[object]) -> Hedger:
    return Hedger(clock=clock, emitter=Emitter([events.append]))


def answer(text: str) -> Response:
    return Response(200, {}, text.encode())


class Attempts:
    """Attempts that take so long and end so, in this order."""

    def __init__(self, clock: FakeClock, *ends: tuple[float, Response | Exception]) -> None:
        self.clock = clock
        self.ends = list(ends)
        self.begun: list[float] = []
        self.cancelled = 0

    async def __call__(self) -> Response:
        self.begun.append(self.clock.monotonic())
        seconds, end = self.ends.pop(0)
        try:
            await self.clock.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(end, Exception):
            raise end
        return end


async def send(
    hedger: Hedger,
    clock: FakeClock,
    attempts: Attempts,
    policy: HedgePolicy = ALWAYS,
    *,
    room: bool = True,
) -> Response | Exception:
    task = asyncio.create_task(hedger.send(policy, GET, attempts, lambda: room))
    await clock.advance(10)
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert not isinstance(outcome, asyncio.CancelledError)
    assert clock.sleepers == 0
    return outcome  # type: ignore[return-value]  # nothing else was raised


async def test_an_answer_in_time_is_asked_for_once(hedger, clock, events):
    attempts = Attempts(clock, (0.9, answer("first")))

    assert await send(hedger, clock, attempts) == answer("first")

    assert (len(attempts.begun), hedger.sent, events) == (1, 0, [])


async def test_a_late_answer_is_asked_for_again_and_the_first_to_come_wins(hedger, clock, events):
    began = clock.monotonic()
    attempts = Attempts(clock, (5, answer("first")), (1, answer("second")))

    assert await send(hedger, clock, attempts) == answer("second")

    assert [round(at - began, 6) for at in attempts.begun] == [0.0, 1.0]
    assert (attempts.cancelled, hedger.sent, hedger.won) == (1, 1, 1)
    assert events == [HedgeSent("GET", "/rows", "rest", 1000.0)]


async def test_the_first_request_may_still_win(hedger, clock):
    attempts = Attempts(clock, (2, answer("first")), (5, answer("second")))

    assert await send(hedger, clock, attempts) == answer("first")

    assert (attempts.cancelled, hedger.sent, hedger.won) == (1, 1, 0)


@pytest.mark.parametrize("failing", [0, 1])
async def test_an_error_that_a_repeat_may_help_leaves_it_to_the_other(hedger, clock, failing):
    ends: list[tuple[float, Response | Exception]] = [(3, answer("a")), (2.5, answer("b"))]
    ends[failing] = (2 - failing, ServerError("Broken.", retry_safe=None))

    outcome = await send(hedger, clock, Attempts(clock, *ends))

    assert outcome == answer("ab"[1 - failing])


async def test_if_both_fail_the_first_error_to_come_is_raised(hedger, clock):
    first, second = ConnectError("first"), ConnectError("second")

    assert await send(hedger, clock, Attempts(clock, (2, first), (2, second))) is first


async def test_an_error_that_no_repeat_can_help_is_the_answer(hedger, clock):
    refused = ApiError("No.", status=404)
    attempts = Attempts(clock, (2, refused), (5, answer("never")))

    assert await send(hedger, clock, attempts) is refused
    assert attempts.cancelled == 1


async def test_an_error_before_it_is_late_is_raised_at_once(hedger, clock):
    error = ConnectError("No.")

    assert await send(hedger, clock, Attempts(clock, (0.5, error))) is error
    assert hedger.sent == 0


async def test_a_bug_in_an_attempt_is_raised_and_the_other_ended(hedger, clock):
    bug = ZeroDivisionError()
    attempts = Attempts(clock, (5, answer("never")), (1, bug))

    assert await send(hedger, clock, attempts) is bug
    assert attempts.cancelled == 1


async def test_without_a_free_slot_nobody_asks_again(hedger, clock):
    attempts = Attempts(clock, (5, answer("first")))

    assert await send(hedger, clock, attempts, room=False) == answer("first")
    assert hedger.sent == 0


async def test_cancelling_ends_both(hedger, clock):
    attempts = Attempts(clock, (50, answer("a")), (50, answer("b")))
    task = asyncio.create_task(hedger.send(ALWAYS, GET, attempts, lambda: True))
    await clock.advance(2)

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert (attempts.cancelled, clock.sleepers) == (2, 0)


async def test_no_more_than_the_share_is_asked_for_twice(hedger, clock):
    policy = HedgePolicy(after_s=0.05, share=0.05)

    for _ in range(200):
        attempts = Attempts(clock, (0.1, answer("slow")), (0.2, answer("slower")))
        task = asyncio.create_task(hedger.send(policy, GET, attempts, lambda: True))
        await clock.advance(0.2)
        await task

    assert hedger.sent == 10


async def test_what_was_saved_up_is_bounded(hedger, clock):
    policy = HedgePolicy(after_s=1, share=0.5)
    for _ in range(100):
        await hedger_answers(hedger, clock, policy, 0.0)

    for _ in range(20):
        attempts = Attempts(clock, (1.2, answer("slow")), (9, answer("slower")))
        task = asyncio.create_task(hedger.send(policy, GET, attempts, lambda: True))
        await clock.advance(2)
        await task

    assert hedger.sent == 19  # ten that were saved up, and half of those that are late


async def hedger_answers(hedger, clock, policy, seconds):
    attempts = Attempts(clock, (seconds, answer("x")))
    task = asyncio.create_task(hedger.send(policy, GET, attempts, lambda: True))
    await clock.advance(seconds)
    await task


async def test_a_percentile_is_taken_of_the_newest_answers(hedger, clock, events):
    policy = HedgePolicy(percentile=0.9, share=1.0)
    for tenths in range(20):
        await hedger_answers(hedger, clock, policy, tenths / 10)
    assert events == []

    attempts = Attempts(clock, (9, answer("late")), (0.1, answer("second")))
    await send(hedger, clock, attempts, policy)

    (event,) = events
    assert event.after_ms == pytest.approx(1800)


async def test_before_enough_answers_are_known_none_is_late(hedger, clock):
    policy = HedgePolicy(percentile=0.5, share=1.0)
    for _ in range(19):
        await hedger_answers(hedger, clock, policy, 0.1)

    attempts = Attempts(clock, (9, answer("slow")))

    assert await send(hedger, clock, attempts, policy) == answer("slow")


async def test_a_percentile_follows_the_server(hedger, clock, events):
    policy = HedgePolicy(percentile=0.9, share=0.0)
    for seconds in (0.1, 2.0):
        for _ in range(200):
            await hedger_answers(hedger, clock, policy, seconds)

    attempts = Attempts(clock, (9, answer("late")), (0.1, answer("second")))
    await send(hedger, clock, attempts, HedgePolicy(percentile=0.9, share=1.0))

    assert events[0].after_ms == pytest.approx(2000)


async def test_a_percentile_is_bounded_from_below(hedger, clock, events):
    policy = HedgePolicy(percentile=0.5, after_s=0.7, share=1.0)
    for _ in range(20):
        await hedger_answers(hedger, clock, policy, 0.01)

    attempts = Attempts(clock, (9, answer("late")), (0.1, answer("second")))
    await send(hedger, clock, attempts, policy)

    assert events[0].after_ms == pytest.approx(700)


async def produced():
    yield b"x"


@pytest.mark.parametrize(
    ("request_", "may"),
    [
        (Request("GET", "/"), True),
        (Request("HEAD", "/"), True),
        (Request("GET", "/", replay=Replay.SAFE), True),
        (Request("GET", "/", replay=Replay.UNSAFE), False),
        (Request("GET", "/", replay=Replay.KEYED), False),
        (Request("GET", "/", content=b"x"), False),
        (Request("GET", "/", content=produced()), False),
        (Request("PUT", "/"), False),
        (Request("DELETE", "/"), False),
        (Request("PATCH", "/", replay=Replay.SAFE), False),
        (Request("PATCH", "/", replay=Replay.KEYED), False),
        (Request("POST", "/"), False),
    ],
    ids=str,
)
def test_only_reads_are_hedged(request_, may):
    assert may_be_hedged(request_) is may


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, "needs to know how late"),
        ({"after_s": -1}, r"after_s cannot be -1"),
        ({"after_s": math.nan}, r"after_s cannot be nan"),
        ({"percentile": 95}, r"percentile cannot be 95"),
        ({"percentile": -0.1}, r"percentile cannot be"),
        ({"after_s": 1, "share": 1.5}, r"share cannot be 1\.5"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(options, place):
    with pytest.raises(ConfigurationError, match=place) as caught:
        HedgePolicy(**options)

    assert caught.value.hint


async def late_after_ms(hedger, clock, events, policy) -> float:
    """Let one answer be late, and tell after how long it was asked for again."""
    attempts = Attempts(clock, (9, answer("late")), (0.0, answer("second")))
    await send(hedger, clock, attempts, policy)
    ms: float = events[-1].after_ms
    return ms


async def test_the_whole_of_the_answers_is_as_late_as_the_slowest_of_them(hedger, clock, events):
    policy = HedgePolicy(percentile=1.0, share=1.0)
    for tenths in range(20):
        await hedger_answers(hedger, clock, policy, tenths / 10)

    assert await late_after_ms(hedger, clock, events, policy) == pytest.approx(1900)


async def test_a_percentile_is_taken_anew_after_twenty_answers_and_not_before(
    hedger, clock, events
):
    quick, slow = HedgePolicy(percentile=0.9, share=0.0), HedgePolicy(percentile=0.9, share=1.0)
    for _ in range(20):
        await hedger_answers(hedger, clock, quick, 0.1)

    found = []
    for _ in range(2):
        for _ in range(19):
            await hedger_answers(hedger, clock, quick, 2.0)
        found.append(await late_after_ms(hedger, clock, events, slow))

    # The race itself is the twentieth; it ends when the second request is answered.
    assert found == [pytest.approx(100), pytest.approx(2000)]


async def test_an_error_of_the_slower_request_as_it_is_ended_is_nobodys_news(hedger, clock):
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    begun = 0

    async def attempt() -> Response:
        nonlocal begun
        begun += 1
        if begun == 2:
            return answer("second")
        try:
            await clock.sleep(50)
        except asyncio.CancelledError:
            raise ConnectError("Shut while it was read.") from None
        return answer("first")

    task = asyncio.create_task(hedger.send(ALWAYS, GET, attempt, lambda: True))
    await clock.advance(2)
    outcome = await task
    del task
    gc.collect()

    assert (outcome, begun, told) == (answer("second"), 2, [])


async def test_who_ends_a_race_is_told_that_a_request_was_out(hedger, clock):
    attempts = Attempts(clock, (50, answer("a")), (50, answer("b")))
    notes: list[str] = []

    async def race() -> None:
        try:
            await hedger.send(ALWAYS, GET, attempts, lambda: True)
        except asyncio.CancelledError as cancelled:
            notes.extend(cancelled.__notes__)

    task = asyncio.create_task(race())
    await clock.advance(2)
    task.cancel()
    await task

    assert notes == [SENT]
