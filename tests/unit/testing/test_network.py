"""The scripted network and the token server on loopback."""

from __future__ import annotations

import aiohttp
import pytest

from sfconnect.errors import ConnectError
from sfconnect.messages import Request
from sfconnect.testing import FakeTokenServer, ScriptedSender, answer
from sfconnect.testing.senders import text_of

REQUEST = Request("POST", "https://host/path", content=b"a=b")


def test_an_answer_is_json_unless_it_is_text_or_bytes():
    assert answer({"a": 1}).json() == {"a": 1}
    assert answer({"a": 1}).content_type == "application/json"
    assert answer({}, headers={"content-type": "text/html"}).content_type == "text/html"
    assert answer("text").content == answer(b"text").content == b"text"
    assert answer("text").content_type == ""
    assert (answer().status, answer(status=503).status) == (200, 503)


async def test_a_sender_answers_in_order_and_keeps_what_was_sent():
    sender = ScriptedSender(answer("one"), ConnectError("no route"))

    assert (await sender(REQUEST)).text == "one"
    with pytest.raises(ConnectError):
        await sender(REQUEST)
    with pytest.raises(AssertionError, match="nothing is scripted for POST https://host/path"):
        await sender(REQUEST)

    assert sender.last is REQUEST
    assert len(sender.requests) == 3
    assert text_of(REQUEST) == "a=b"
    assert text_of(Request("GET", "/")) == ""


async def post(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url, data={"a": "ä b"}) as got:
        return got.status, await got.text()


async def test_the_server_gives_new_tokens_after_its_script():
    async with FakeTokenServer() as server:
        server.script(answer("first", status=418))
        server.script_error("invalid_grant", "no")

        assert server.url.startswith("http://127.0.0.1:")
        assert await post(server.url) == (418, "first")
        status, body = await post(server.url)
        assert (status, '"error":"invalid_grant"' in body) == (400, True)
        tokens = {(await post(f"{server.url}/any/path?x=y"))[1] for _ in range(2)}

    assert len(tokens) == 2
    last = server.requests[-1]
    assert (last.method, last.path, last.query) == ("POST", "/any/path", "x=y")
    assert last.form == {"a": "ä b"}
    assert "body" not in repr(last)


async def test_the_server_is_gone_after_its_block():
    async with FakeTokenServer() as server:
        url = server.url

    with pytest.raises(aiohttp.ClientConnectionError):
        await post(url)
    await server.__aexit__(None, None, None)
