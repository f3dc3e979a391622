"""Calls are counted for the object that they serve."""

from __future__ import annotations

import asyncio

from sfconnect.etl.tally import CallTally, counted_as
from sfconnect.instrumentation import QuotaSeen, RequestFinished, RetryScheduled


def finished() -> RequestFinished:
    return RequestFinished("GET", "/query", "query", 200, None, 1.0, 1, None)


def retried(reason: str) -> RetryScheduled:
    return RetryScheduled("GET", "/query", "query", reason, 1, 10.0)


def test_calls_outside_of_any_object_are_not_counted() -> None:
    tally = CallTally()

    tally(finished())

    assert tally.of("account").calls == 0


def test_calls_inside_count_for_the_object_and_those_after_do_not() -> None:
    tally = CallTally()

    with counted_as("account"):
        tally(finished())
        tally(finished())
    tally(finished())

    assert tally.of("account").calls == 2


def test_the_inner_object_counts_and_then_the_outer_again() -> None:
    tally = CallTally()

    with counted_as("account"):
        with counted_as("contact"):
            tally(finished())
        tally(finished())
        tally(finished())

    assert (tally.of("contact").calls, tally.of("account").calls) == (1, 2)


def test_retries_are_counted_by_reason() -> None:
    tally = CallTally()

    for name in ("account", "contact"):
        with counted_as(name):
            tally(retried("SERVER_UNAVAILABLE"))
    with counted_as("account"):
        tally(retried("ConnectionLostError"))

    assert tally.of("account").retries == {"SERVER_UNAVAILABLE": 1, "ConnectionLostError": 1}
    assert tally.retries() == {"SERVER_UNAVAILABLE": 2, "ConnectionLostError": 1}


def test_other_events_change_nothing() -> None:
    tally = CallTally()

    with counted_as("account"):
        tally(QuotaSeen("api-usage", 1, 100))

    assert (tally.of("account").calls, tally.retries()) == (0, {})


async def test_tasks_count_for_the_object_in_which_they_were_started() -> None:
    tally = CallTally()
    begin = asyncio.Event()

    async def call() -> None:
        await begin.wait()
        tally(finished())

    with counted_as("account"):
        first = asyncio.create_task(call())
    with counted_as("contact"):
        second = asyncio.create_task(call())
        begin.set()
        await asyncio.gather(first, second)

    assert (tally.of("account").calls, tally.of("contact").calls) == (1, 1)


async def test_objects_read_at_the_same_time_do_not_mix() -> None:
    tally = CallTally()

    async def read(name: str, calls: int) -> None:
        with counted_as(name):
            for _ in range(calls):
                await asyncio.sleep(0)
                tally(finished())

    await asyncio.gather(read("account", 5), read("contact", 3), read("case", 8))

    assert [tally.of(name).calls for name in ("account", "contact", "case")] == [5, 3, 8]
