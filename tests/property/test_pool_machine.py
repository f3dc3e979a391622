"""The pool over real sockets, driven in any order and compared with a list and a line."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sfconnect.errors import (
    ConnectionLostError,
    PoolClosed,
    ResponseError,
    TooManyRequests,
    TransportError,
)
from sfconnect.messages import Request, Response
from sfconnect.transport import ConnectionPool

MAX_WAITING = 5
PATIENCE_S = 5.0

ANSWER, RESET, CUT = "answer", "reset", "cut"


class Server:
    """Answers each request when it is told to, and how."""

    def __init__(self) -> None:
        self.arrived: dict[str, asyncio.Future[str]] = {}
        self._runner = web.AppRunner(
            self._app(), access_log=None, shutdown_timeout=0.01, handler_cancellation=True
        )
        self.url = ""

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{name}", self._handle)
        return app

    async def open(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def aclose(self) -> None:
        for decision in self.arrived.values():
            decision.cancel()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        decision = asyncio.get_running_loop().create_future()
        self.arrived[request.match_info["name"]] = decision
        how = await decision
        assert request.transport is not None
        if how == RESET:
            request.transport.abort()
            return web.Response()
        answer = web.StreamResponse()
        answer.content_length = 8
        await answer.prepare(request)
        await answer.write(b"1234")
        if how == CUT:
            request.transport.abort()
        else:
            await answer.write(b"5678")
        return answer


@dataclass(eq=False)
class Sender:
    """A request that somebody made, and what it is waiting for."""

    name: str
    task: asyncio.Task[Response] = field(init=False)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    streams: bool = False
    answered: bool = False


class PoolMachine(RuleBasedStateMachine):
    """Who holds a connection, who is in line, and how each request ended."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.capacity = 2
        self.holders: list[Sender] = []
        self.line: deque[Sender] = deque()
        self.count = 0
        self.draining: asyncio.Task[None] | None = None
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.server = Server()
        await self.server.open()
        self.pool = ConnectionPool(
            max_connections=self.capacity,
            max_waiting=MAX_WAITING,
            wait_s=None,
            proxies_from_environment=False,
        )
        await self.pool.open()

    def teardown(self) -> None:
        with self.runner:
            self.runner.run(self._end())

    async def _end(self) -> None:
        await self._close()
        if self.draining is not None:
            async with asyncio.timeout(PATIENCE_S):
                await self.draining
        await self.server.aclose()
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            _, pending = await asyncio.wait(left, timeout=PATIENCE_S)
            assert not pending, pending

    async def _close(self) -> None:
        await self.pool.aclose()
        for sender in [*self.holders, *self.line]:
            sender.leave.set()
        for sender in self.line:
            assert isinstance(await ended(sender), PoolClosed)
        for sender in self.holders:
            outcome = await ended(sender)
            assert isinstance(outcome, TransportError) or sender.answered, repr(outcome)
        stats = self.pool.stats()
        assert (stats.requests_in_flight, stats.requests_waiting) == (0, 0)

    # What may happen.

    @rule(streams=st.booleans())
    def somebody_sends(self, streams: bool) -> None:
        self.runner.run(self._send(streams))

    async def _send(self, streams: bool) -> None:
        self.count += 1
        sender = Sender(str(self.count), streams=streams)
        request = Request("GET", f"{self.server.url}/{sender.name}")
        work = self._stream(sender, request) if streams else self.pool.send(request)
        sender.task = asyncio.create_task(work)
        if self.draining is not None:
            assert isinstance(await ended(sender), PoolClosed)
        elif len(self.holders) < self.capacity and not self.line:
            self.holders.append(sender)
        elif len(self.line) < MAX_WAITING:
            self.line.append(sender)
        else:
            assert isinstance(await ended(sender), TooManyRequests)
        await self._settle()

    async def _stream(self, sender: Sender, request: Request) -> Response:
        async with self.pool.stream(request) as answer:
            sender.opened.set()
            await sender.leave.wait()
            return await answer.read()

    @precondition(lambda self: self._undecided())
    @rule(data=st.data(), how=st.sampled_from([ANSWER, RESET, CUT]))
    def the_server_decides(self, data: st.DataObject, how: str) -> None:
        self.runner.run(self._decide(data.draw(st.sampled_from(self._undecided())), how))

    def _undecided(self) -> list[Sender]:
        return [each for each in self.holders if not each.answered]

    async def _decide(self, sender: Sender, how: str) -> None:
        self.server.arrived[sender.name].set_result(how)
        if sender.streams and how == ANSWER:
            async with asyncio.timeout(PATIENCE_S):
                await sender.opened.wait()
            sender.answered = True  # it holds its connection until it leaves
            return
        if sender.streams:
            sender.leave.set()
        outcome = await ended(sender)
        if how == ANSWER:
            assert isinstance(outcome, Response), repr(outcome)
            assert outcome.content == b"12345678"
        else:
            assert isinstance(outcome, ConnectionLostError | ResponseError), repr(outcome)
        await self._left(sender)

    @precondition(lambda self: any(each.answered for each in self.holders))
    @rule(data=st.data())
    def a_reader_leaves(self, data: st.DataObject) -> None:
        readers = [each for each in self.holders if each.answered]
        self.runner.run(self._leave(data.draw(st.sampled_from(readers))))

    async def _leave(self, sender: Sender) -> None:
        sender.leave.set()
        outcome = await ended(sender)
        assert isinstance(outcome, Response), repr(outcome)
        await self._left(sender)

    @precondition(lambda self: self.holders or self.line)
    @rule(data=st.data())
    def somebody_is_cancelled(self, data: st.DataObject) -> None:
        self.runner.run(self._cancel(data.draw(st.sampled_from([*self.holders, *self.line]))))

    async def _cancel(self, sender: Sender) -> None:
        sender.task.cancel()
        assert isinstance(await ended(sender), asyncio.CancelledError)
        await self._left(sender)

    @rule(capacity=st.integers(1, 4))
    def the_pool_is_resized(self, capacity: int) -> None:
        self.capacity = capacity
        self.pool.resize(capacity)
        self._promote()
        self.runner.run(self._settle())

    @precondition(lambda self: self.draining is None)
    @rule()
    def the_pool_drains(self) -> None:
        self.runner.run(self._drain())

    async def _drain(self) -> None:
        self.draining = asyncio.create_task(self.pool.drain())
        await asyncio.sleep(0)
        await self._settle()

    # What must be so.

    async def _left(self, sender: Sender) -> None:
        if sender in self.holders:
            self.holders.remove(sender)
        else:
            self.line.remove(sender)
        self._promote()
        await self._settle()

    def _promote(self) -> None:
        while self.line and len(self.holders) < self.capacity:
            self.holders.append(self.line.popleft())

    async def _settle(self) -> None:
        """Every holder's request reaches the server."""
        async with asyncio.timeout(PATIENCE_S):
            while any(each.name not in self.server.arrived for each in self.holders):  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    @invariant()
    def the_line_waits(self) -> None:
        assert not any(each.name in self.server.arrived for each in self.line)
        assert not any(each.task.done() for each in [*self.holders, *self.line])

    @invariant()
    def the_pool_counts_as_we_do(self) -> None:
        stats = self.pool.stats()
        assert stats.requests_in_flight == len(self.holders)
        assert stats.requests_waiting == len(self.line)
        assert stats.connections_max == self.capacity
        assert stats.requests_num == len(self.server.arrived)

    @invariant()
    def draining_ends_with_the_last(self) -> None:
        if self.draining is not None and not self.holders:
            self.runner.run(asyncio.wait_for(asyncio.shield(self.draining), PATIENCE_S))


async def ended(sender: Sender) -> Any:
    """How a request ended: its answer, or its error as a value."""
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait({sender.task})
    try:
        return sender.task.result()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # a value here
        return error


PoolMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestPool = pytest.mark.timeout(120)(PoolMachine.TestCase)
