"""The scripted network and the token server on loopback."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from sfconnect.errors import ConnectError
from sfconnect.messages import Request
from sfconnect.testing import FakeTokenServer, RotatingTokenServer, ScriptedSender, answer
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


async def test_an_answer_may_drip_and_is_whole_all_the_same():
    async with FakeTokenServer() as server:
        server.drip_s = 0.0001
        server.script(answer("drop by drop"))

        assert await post(server.url) == (200, "drop by drop")


async def test_a_page_is_html_with_its_title_escaped():
    async with FakeTokenServer() as server:
        server.script_page("Down <now>", status=503)

        status, body = await post(server.url)

    assert (status, "<title>Down &lt;now&gt;</title>" in body) == (503, True)


async def test_its_clock_may_differ():
    async with FakeTokenServer() as server, aiohttp.ClientSession() as session:
        dates = []
        for drift_s in (0.0, 7200.0):
            server.drift_s = drift_s
            async with session.post(server.url) as got:
                dates.append(parsedate_to_datetime(got.headers["Date"]).timestamp())

    assert 7195 <= dates[1] - dates[0] <= 7205


async def renew(server: RotatingTokenServer, token: str) -> tuple[int, str]:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    async with aiohttp.ClientSession() as session, session.post(server.url, data=form) as got:
        return got.status, await got.text()


async def test_a_rotating_server_takes_each_refresh_token_once():
    async with RotatingTokenServer() as server:
        first = server.refresh_token
        assert (await renew(server, first))[0] == 200
        newest = server.refresh_token

        assert newest != first
        assert (await renew(server, first))[0] == 400
        status, body = await renew(server, newest)

    assert (status, "expired access/refresh token" in body) == (400, True)
    assert (server.renewals, server.reuses) == (1, 2)


async def test_a_rotating_server_refuses_the_second_of_two_at_once():
    async with RotatingTokenServer() as server:
        server.delay_s = 0.05
        token = server.refresh_token

        answers = await asyncio.gather(renew(server, token), renew(server, token))

    refused = [body for status, body in answers if status == 400]
    assert len(refused) == 1
    assert "token request is already being processed" in refused[0]
    assert (server.renewals, server.reuses) == (1, 0)


async def test_another_grant_begins_a_new_family_of_refresh_tokens():
    async with RotatingTokenServer() as server:
        await renew(server, "stolen")
        await post(server.url)

        assert (await renew(server, server.refresh_token))[0] == 200
