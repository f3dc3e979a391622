"""Calls are values: nothing is sent until they are awaited."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect.call import Call
from sfconnect.errors import ResponseError
from sfconnect.messages import Request, Response, Timeout


class Recorder:
    """A sender that notes what it is given."""

    def __init__(self, content: bytes = b'{"n": 5}') -> None:
        self.sent: list[Request] = []
        self.content = content

    async def execute(self, request: Request) -> Response:
        self.sent.append(request)
        return Response(200, {}, self.content)


@pytest.fixture
def sender() -> Recorder:
    return Recorder()


@pytest.fixture
def call(sender) -> Call[int]:
    return Call(Request("GET", "/x", headers={"A": "1"}), lambda answer: answer.json()["n"], sender)


def test_making_a_call_sends_nothing(call, sender):
    assert sender.sent == []


async def test_awaiting_a_call_sends_it_and_decodes_its_answer(call, sender):
    assert await call == 5
    assert sender.sent == [call.request]


async def test_each_await_sends_anew(call, sender):
    assert [await call, await call, await call.send()] == [5, 5, 5]
    assert len(sender.sent) == 3


async def test_changed_calls_are_copies(call, sender):
    changed = call.with_headers({"B": "2"}).with_timeout(Timeout(total_s=1))

    await changed

    assert sender.sent[0].headers == {"A": "1", "B": "2"}
    assert sender.sent[0].timeout == Timeout(total_s=1)
    assert call.request.headers == {"A": "1"}
    assert call.request.timeout is None


async def test_an_error_of_the_decoder_reaches_the_caller(sender):
    sender.content = b"<html>"
    call = Call(Request("GET", "/x"), lambda answer: answer.json(), sender)

    with pytest.raises(ResponseError):
        await call


def test_a_call_shows_its_request_and_no_sender(call):
    assert "/x" in repr(call)
    assert "Recorder" not in repr(call)


async def test_calls_that_read_alike_are_each_sent_by_gather_of_asyncio() -> None:
    sender = Counting()
    create = Request("POST", "/accounts", headers={"X": "1"}, content=b'{"Name": "Acme"}')
    calls = [Call(create, lambda answer: answer.status, sender) for _ in range(3)]

    assert await asyncio.gather(*calls) == [201, 201, 201]

    assert sender.sent == 3
    assert calls[0] != calls[1]


class Counting:
    """Answers each request, and counts them."""

    def __init__(self) -> None:
        self.sent = 0

    async def execute(self, request: Request) -> Response:
        self.sent += 1
        return Response(201, {}, b"")
