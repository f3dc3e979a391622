"""A signal ends a program in order: what is under way is finished, and nothing new begins."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import Any

import pytest

from sfconnect import Connector
from sfconnect.call import Call
from sfconnect.errors import ConfigurationError, PoolClosed
from sfconnect.fan_out import FanOut
from sfconnect.limits import FixedLimiter
from sfconnect.messages import Request, Response
from sfconnect.retry import RetryPolicy
from sfconnect.shutdown import StopOnSignals
from sfconnect.testing import ScriptedStrategy

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="os.kill() ends the process there")


class Gate:
    """A transport whose answers come when a test opens it."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.arrived = asyncio.Event()
        self.paths: list[str] = []
        self.statuses: list[int] = []

    async def send(self, request: Request) -> Response:
        self.paths.append(request.path)
        self.arrived.set()
        await self.opened.wait()
        return Response(self.statuses.pop(0) if self.statuses else 200, {}, b"{}")

    def stream(self, request: Request):
        raise NotImplementedError

    async def aclose(self) -> None:
        return


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def api(gate: Gate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    connector = Connector.connect(
        ScriptedStrategy(),
        base_url="https://org.example.com",
        transport=gate,
        limiter=FixedLimiter(8),
        retry=RetryPolicy(initial_s=0.0, max_s=0.0),
    )
    async with connector:
        yield connector


async def rounds(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def told(stop: StopOnSignals, number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)
    async with asyncio.timeout(2):
        while stop.asked is None:  # noqa: ASYNC110  # a signal's time of arrival is the system's
            await asyncio.sleep(0)


async def test_a_drained_connection_refuses_new_calls_and_finishes_those_under_way(
    api: Connector, gate: Gate
):
    under_way = asyncio.create_task(api.get("/first").send())
    await gate.arrived.wait()
    draining = asyncio.create_task(api.drain())
    await rounds()

    with pytest.raises(PoolClosed, match="draining"):
        await api.get("/second")
    with pytest.raises(PoolClosed, match="draining"):
        async with api.stream("GET", "/third"):
            pass
    with pytest.raises(PoolClosed):
        _ = api.spawn(asyncio.sleep(0))
    assert not draining.done()
    gate.opened.set()

    assert await draining is True
    assert await under_way == {}
    assert len(gate.paths) == 1


async def test_a_retry_under_way_is_finished_too(api: Connector, gate: Gate):
    gate.statuses = [503, 503, 200]
    under_way = asyncio.create_task(api.get("/first").send())
    await gate.arrived.wait()
    gate.opened.set()

    assert await api.drain(5.0) is True

    assert await under_way == {}
    assert len(gate.paths) == 3


async def test_draining_ends_when_its_time_is_over(api: Connector, gate: Gate):
    under_way = asyncio.create_task(api.get("/first").send())
    await gate.arrived.wait()

    assert await api.drain(0.0) is False

    gate.opened.set()
    await under_way


async def test_a_closed_connection_has_nothing_to_drain():
    api = Connector.connect(ScriptedStrategy(), base_url="https://org.example.com")

    with pytest.raises(PoolClosed):
        await api.drain()


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_fan_out_gives_what_it_has_in_flight_and_then_says_why_it_ends(
    api: Connector, gate: Gate, ordered: bool
):
    calls = (api.get(f"/{number}") for number in range(1_000_000))
    got: list[int] = []

    async def consume() -> None:
        async with api.fan_out(calls, concurrency=4, ordered=ordered) as outcomes:
            async for outcome in outcomes:
                assert outcome.unwrap() == {}
                got.append(outcome.index)

    consuming = asyncio.create_task(consume())
    await gate.arrived.wait()
    await rounds()
    draining = asyncio.create_task(api.drain())
    await rounds()
    gate.opened.set()

    assert await draining is True
    with pytest.raises(PoolClosed, match="draining"):
        await consuming
    sent = [int(path.rpartition("/")[2]) for path in gate.paths]
    assert sorted(got) == sorted(sent) == [0, 1, 2, 3]


class Refusing:
    """Answers with the number of the path, after some rounds; a 1 is refused before that."""

    async def execute(self, request: Request) -> Response:
        number = int(request.path)
        await rounds(3 if number == 1 else 6)
        if number == 1:
            raise PoolClosed("Draining.")
        return Response(200, {}, b"")


async def test_outcomes_behind_a_refused_call_are_given_in_order():
    refusing: Any = Refusing()
    calls = (Call(Request("GET", str(number)), lambda _: None, refusing) for number in range(3))
    got: list[int] = []

    async def consume() -> None:
        async with FanOut(calls, concurrency=3, ordered=True) as outcomes:
            async for outcome in outcomes:
                outcome.unwrap()
                got.append(outcome.index)

    with pytest.raises(PoolClosed):
        await consume()
    assert got == [0, 2]


async def test_a_signal_drains_and_then_ends_the_block(api: Connector, gate: Gate):
    under_way = asyncio.create_task(api.get("/first").send())
    await gate.arrived.wait()

    async with StopOnSignals(api) as stop:
        await told(stop)
        gate.opened.set()
        await asyncio.Event().wait()

    assert (stop.asked, stop.drained) == (signal.SIGTERM, True)
    assert await under_way == {}


async def test_a_second_signal_ends_the_block_at_once(api: Connector, gate: Gate):
    under_way = asyncio.create_task(api.get("/first").send())
    await gate.arrived.wait()

    async with StopOnSignals(api, within_s=1000) as stop:
        await told(stop, signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    assert (stop.asked, stop.drained) == (signal.SIGINT, False)
    assert not under_way.done()
    gate.opened.set()
    await under_way


async def test_code_that_swallows_its_end_does_not_keep_the_process(api: Connector):
    before = signal.getsignal(signal.SIGTERM)

    async with StopOnSignals(api, within_s=0.01) as stop:
        await told(stop)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        os.kill(os.getpid(), signal.SIGTERM)
        while signal.getsignal(signal.SIGTERM) is not before:  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0)

    assert stop.asked is signal.SIGTERM


async def test_time_that_is_over_ends_the_block(api: Connector, gate: Gate):
    under_way = asyncio.create_task(api.get("/first").send())
    await gate.arrived.wait()

    async with StopOnSignals(api, within_s=0.01) as stop:
        await told(stop)
        await asyncio.Event().wait()

    assert stop.drained is False
    gate.opened.set()
    await under_way


async def test_work_that_meets_the_refusal_leaves_with_it(api: Connector, gate: Gate):
    under_way = asyncio.create_task(api.get("/first").send())
    await gate.arrived.wait()
    stop = StopOnSignals(api)

    async def block() -> None:
        async with stop:
            await told(stop)
            await rounds()
            await api.get("/late")

    with pytest.raises(PoolClosed, match="draining"):
        await block()
    assert stop.asked is signal.SIGTERM
    gate.opened.set()
    await under_way


async def test_another_s_cancellation_goes_on(api: Connector):
    inside = asyncio.Event()

    async def block() -> None:
        async with StopOnSignals(api):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await inside.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_handlers_from_before_are_back_afterwards(api: Connector):
    former = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    async with StopOnSignals(api) as stop:
        assert signal.getsignal(signal.SIGTERM) is not former[0]

    assert (stop.asked, stop.drained) == (None, None)
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == former


def test_another_thread_cannot_listen_and_is_told_what_to_do():
    raised: list[BaseException] = []

    async def block() -> None:
        async with StopOnSignals():
            pass

    def run() -> None:
        try:
            asyncio.run(block())
        except ConfigurationError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    (error,) = raised
    assert isinstance(error, ConfigurationError)
    assert "drain()" in str(error.hint)
