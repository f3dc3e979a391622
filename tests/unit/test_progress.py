"""Progress: a value that says how far it is, told now and then and at the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from sfconnect.call import Call
from sfconnect.errors import ConfigurationError, NotFoundError
from sfconnect.fan_out import FanOut, gather
from sfconnect.messages import Request, Response
from sfconnect.progress import EVERY_S, Progress, ProgressMeter
from sfconnect.testing import FakeClock


def test_rate_and_time_left_come_from_what_was_done():
    progress = Progress(50, 2, 200, 10.0)

    assert (progress.rate_per_s, progress.eta_s) == (5.0, 30.0)
    assert str(progress) == "50 of 200 (25%), 2 failed, 5/s, 30 s left"


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(0), "0, 0/s"),
        (Progress(0, total=10), "0 of 10 (0%), 0/s"),
        (Progress(1_500, elapsed_s=1.0), "1,500, 1,500/s"),
        (Progress(10, total=10, elapsed_s=5.0, finished=True), "10 of 10 (100%), 2/s"),
        (Progress(12, total=10, elapsed_s=6.0), "12 of 10 (120%), 2/s, 0 s left"),
    ],
)
def test_what_is_not_known_is_not_said(progress, text):
    assert str(progress) == text


async def test_it_is_told_ten_times_a_second_at_most_and_once_at_the_end():
    clock, told = FakeClock(), list[Progress]()
    meter = ProgressMeter(told.append, 100, clock=clock)

    for number in range(100):
        meter.note(failed=number % 10 == 0)
        await clock.advance(0.01)
    meter.finish()
    meter.finish()

    assert len(told) <= 1.0 / EVERY_S + 2
    assert told[0].done == 1
    assert (told[-1].done, told[-1].failed, told[-1].total) == (100, 10, 100)
    assert told[-1].elapsed_s == pytest.approx(1.0)
    assert told[-1].finished
    assert [one.done for one in told] == sorted(one.done for one in told)


@dataclass
class Sender:
    """Answers, but for every fourth request."""

    sent: list[Request] = field(default_factory=list)

    async def execute(self, request: Request) -> Response:
        self.sent.append(request)
        number = len(self.sent)
        await asyncio.sleep(0)
        if number % 4 == 0:
            raise NotFoundError("gone")
        return Response(200, {}, b"")


def calls(count: int) -> list[Call[Any]]:
    sender = Sender()
    return [Call(Request("GET", f"/{n}"), lambda response: response, sender) for n in range(count)]


async def test_a_fan_out_tells_how_far_it_is_and_counts_what_failed():
    told: list[Progress] = []

    async with FanOut(calls(40), concurrency=8, progress=told.append) as outcomes:
        count = len([outcome async for outcome in outcomes])

    assert count == 40
    assert (told[-1].done, told[-1].failed, told[-1].total, told[-1].finished) == (40, 10, 40, True)
    assert not told[0].finished


@pytest.mark.parametrize(("total", "shown"), [(None, None), (3, 3)])
async def test_a_generator_has_the_total_that_it_is_given(total, shown):
    told: list[Progress] = []

    await gather((call for call in calls(3)), progress=told.append, total=total)

    assert told[-1].total == shown
    assert told[-1].finished


async def test_a_fan_out_that_is_left_early_has_no_last_word():
    told: list[Progress] = []

    async with FanOut(calls(40), concurrency=2, progress=told.append) as outcomes:
        async for _ in outcomes:
            break

    assert told
    assert not any(one.finished for one in told)


async def test_what_progress_raises_is_raised_out_of_the_loop():
    def fail(progress: Progress) -> None:
        raise RuntimeError("no screen")

    with pytest.raises(RuntimeError, match="no screen"):
        await gather(calls(3), progress=fail)


def test_what_nobody_would_await_takes_no_progress():
    async def tell(progress: object) -> None:
        """Would have to be awaited."""

    with pytest.raises(ConfigurationError, match="coroutine function"):
        ProgressMeter(cast("Any", tell))
