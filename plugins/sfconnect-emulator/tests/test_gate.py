from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from anyio.lowlevel import checkpoint

from sfconnect_emulator.capacity import Capacity, Overload
from sfconnect_emulator.http.gate import Gate
from sfconnect_emulator.inprocess import InProcess


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await checkpoint()


@asynccontextmanager
async def visitors(
    gate: Gate, count: int, inside: list[int]
) -> AsyncIterator[Callable[[int], None]]:
    """Start visitors who note their number inside and leave when told to."""
    leave = [asyncio.Event() for _ in range(count)]

    async def visit(number: int) -> None:
        async with gate:
            inside.append(number)
            await leave[number].wait()

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(visit, number)
            await settle()
        yield lambda number: leave[number].set()
        for event in leave:
            event.set()


async def test_admits_anybody_while_no_capacity_is_set(org: InProcess) -> None:
    inside: list[int] = []

    async with visitors(Gate(org.instance), 50, inside):
        assert len(inside) == 50


async def test_admits_in_the_order_of_arrival_as_others_leave(org: InProcess) -> None:
    org.control.set_capacity(Capacity(2))
    inside: list[int] = []

    async with visitors(Gate(org.instance), 5, inside) as leaves:
        first = list(inside)
        leaves(1)
        await settle()
        second = list(inside)
        leaves(0)
        leaves(2)
        await settle()
        third = list(inside)

    assert (first, second, third) == ([0, 1], [0, 1, 2], [0, 1, 2, 3, 4])


async def test_admits_several_at_once_when_capacity_has_grown(org: InProcess) -> None:
    org.control.set_capacity(Capacity(1))
    inside: list[int] = []

    async with visitors(Gate(org.instance), 4, inside) as leaves:
        org.control.set_capacity(Capacity(3))
        leaves(0)
        await settle()
        assert inside == [0, 1, 2, 3]


async def test_never_has_more_inside_than_its_capacity(org: InProcess) -> None:
    org.control.set_capacity(Capacity(3))
    gate, now, most = Gate(org.instance), 0, 0

    async def visit() -> None:
        nonlocal now, most
        async with gate:
            now += 1
            most = max(most, now)
            await checkpoint()
            now -= 1

    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(visit)

    assert most == 3
    assert org.control.statistics()["in_flight"] == 0


async def test_refuses_at_once_when_told_to_and_recovers(org: InProcess) -> None:
    org.control.set_capacity(Capacity(1, Overload.REFUSE))
    gate = Gate(org.instance)

    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(gate)
        async with gate as second, gate as third:
            pass
    async with gate as later:
        pass

    assert (first, second, third, later) == (True, False, False, True)


async def test_forgets_those_who_give_up_waiting(org: InProcess) -> None:
    org.control.set_capacity(Capacity(1))
    gate = Gate(org.instance)

    async with gate:
        with anyio.move_on_after(0.01):
            async with gate:
                raise AssertionError("admitted although the org is full")
    async with gate as admitted:
        pass

    assert admitted
    assert org.control.statistics()["in_flight"] == 0


async def two_in_line(gate: Gate, inside: list[str]) -> list[asyncio.Task[None]]:
    """Two who wait at a gate, in this order; each notes that it got in."""

    async def visit(name: str) -> None:
        async with gate:
            inside.append(name)

    visits = []
    for name in ("impatient", "patient"):
        visits.append(asyncio.create_task(visit(name)))
        await settle()
    return visits


async def test_passes_the_turn_on_when_its_owner_is_cancelled_before_he_noticed(
    org: InProcess,
) -> None:
    org.control.set_capacity(Capacity(1))
    gate = Gate(org.instance)
    inside: list[str] = []

    async with gate:
        impatient, patient = await two_in_line(gate, inside)
    impatient.cancel()
    await asyncio.wait([impatient, patient])

    assert impatient.cancelled()
    assert inside == ["patient"]
    assert org.control.statistics()["in_flight"] == 0


async def test_gives_a_place_to_nobody_who_comes_between_a_turn_and_its_owner(
    org: InProcess,
) -> None:
    org.control.set_capacity(Capacity(1))
    gate, inside = Gate(org.instance), []

    async def visit(name: str) -> None:
        async with gate:
            inside.append(name)
            await settle()

    async with gate:
        waiting = asyncio.create_task(visit("waiting"))
        await settle()
    await visit("late")
    await waiting

    assert inside == ["waiting", "late"]


async def test_skips_an_owner_who_was_cancelled_just_before_his_turn(org: InProcess) -> None:
    org.control.set_capacity(Capacity(1))
    gate = Gate(org.instance)
    inside: list[str] = []

    async with gate:
        impatient, patient = await two_in_line(gate, inside)
        impatient.cancel()
    await asyncio.wait([impatient, patient])

    assert inside == ["patient"]
    assert org.control.statistics()["in_flight"] == 0
