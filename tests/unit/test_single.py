"""Work that many want at the same time is done once."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sfconnect._single import Single
from sfconnect.errors import ServerError


class Work:
    """Counts how often it is done, and ends when a test lets it."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.begun = 0
        self.go_on = asyncio.Event()

    async def __call__(self) -> object:
        self.begun += 1
        await self.go_on.wait()
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_at_one_time_share_one_result() -> None:
    single, work = Single[object](), Work("value")
    callers = [asyncio.create_task(single.run(work)) for _ in range(10)]
    await settle()

    work.go_on.set()

    assert await asyncio.gather(*callers) == ["value"] * 10
    assert work.begun == 1


async def test_who_comes_later_has_it_done_anew() -> None:
    single, work = Single[object](), Work(1, 2)
    work.go_on.set()

    assert [await single.run(work), await single.run(work)] == [1, 2]


async def test_an_error_is_shared_and_each_has_one_of_its_own() -> None:
    single, work = Single[object](), Work(ServerError("Down.", status=503, retry_safe=None))
    callers = [asyncio.create_task(single.run(work)) for _ in range(3)]
    await settle()

    work.go_on.set()
    errors = await asyncio.gather(*callers, return_exceptions=True)

    assert work.begun == 1
    assert {(type(error), getattr(error, "status", None)) for error in errors} == {
        (ServerError, 503)
    }
    assert len({id(error) for error in errors}) == 3


async def test_an_error_that_nobody_else_waits_for_is_not_reported_as_lost() -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    single, work = Single[object](), Work(ValueError("x"))
    work.go_on.set()

    with pytest.raises(ValueError, match="x"):
        await single.run(work)
    gc.collect()
    await settle()

    assert reports == []


async def test_if_the_one_that_does_it_is_cancelled_another_goes_on() -> None:
    single, work = Single[object](), Work("value")
    first, second, third = (asyncio.create_task(single.run(work)) for _ in range(3))
    await settle()

    first.cancel()
    await settle()
    work.go_on.set()

    assert list(await asyncio.gather(second, third)) == ["value"] * 2
    assert (first.cancelled(), work.begun) == (True, 2)


async def test_who_is_cancelled_while_it_waits_leaves_the_work_alone() -> None:
    single, work = Single[object](), Work("value")
    first, second = (asyncio.create_task(single.run(work)) for _ in range(2))
    await settle()

    second.cancel()
    await settle()
    work.go_on.set()

    assert await first == "value"
    assert (second.cancelled(), work.begun) == (True, 1)
