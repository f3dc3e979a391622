"""The limit on the wait for the next piece holds, and a connection has one timer at most."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from sfconnect.transport._read_limit import PatientHandler


class Loop:
    """Time that a test moves, and the timers that were made in it."""

    def __init__(self):
        self.now = 1000.0
        self.timers = []

    def time(self):
        return self.now

    def call_at(self, moment, callback):
        timer = Timer(moment, callback)
        self.timers.append(timer)
        return timer

    def advance(self, seconds):
        self.now += seconds
        for timer in [each for each in self.timers if each.is_due(self.now)]:
            timer.done = True
            timer.callback()

    @property
    def pending(self):
        return [timer.moment for timer in self.timers if not timer.done]


class Timer:
    def __init__(self, moment, callback):
        self.moment, self.callback, self.done = moment, callback, False

    def cancel(self):
        self.done = True

    def is_due(self, now):
        return not self.done and self.moment <= now


@pytest.fixture
async def handler() -> Any:
    made: Any = PatientHandler(asyncio.get_running_loop())
    made._loop = Loop()
    made.set_response_params(read_timeout=10.0)
    return made


async def test_many_pieces_and_requests_share_one_timer(handler):
    for _ in range(50):
        handler.start_timeout()
        handler._reschedule_timeout()
        handler._drop_timeout()

    assert len(handler._loop.timers) == 1


async def test_nothing_is_late_while_pieces_come(handler):
    handler.start_timeout()
    for _ in range(5):
        handler._loop.advance(9.0)
        handler._reschedule_timeout()

    assert handler.exception() is None
    assert handler._loop.pending == [1000.0 + 5 * 9.0 + 10.0 - 9.0]


async def test_what_does_not_come_in_time_is_late(handler):
    handler.start_timeout()
    handler._loop.advance(4.0)
    handler._reschedule_timeout()
    handler._loop.advance(9.5)
    assert handler.exception() is None

    handler._loop.advance(0.5)

    assert isinstance(handler.exception(), aiohttp.SocketTimeoutError)
    assert handler._loop.pending == []


async def test_a_connection_without_a_request_is_not_late(handler):
    handler.start_timeout()
    handler._drop_timeout()

    handler._loop.advance(100.0)

    assert handler.exception() is None
    assert handler._loop.pending == []


async def test_a_request_with_less_time_is_looked_at_sooner(handler):
    handler.start_timeout()
    handler.read_timeout = 2.0
    handler.start_timeout()

    handler._loop.advance(2.0)

    assert isinstance(handler.exception(), aiohttp.SocketTimeoutError)


@pytest.mark.parametrize("none", [None, 0])
async def test_a_request_without_a_limit_is_never_late(handler, none):
    handler.start_timeout()
    handler.read_timeout = none
    handler.start_timeout()

    handler._loop.advance(1000.0)

    assert handler.exception() is None


async def test_the_timer_ends_with_the_connection(handler):
    handler.start_timeout()

    handler.connection_lost(None)

    assert handler._loop.pending == []
