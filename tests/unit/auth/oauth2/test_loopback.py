"""The listener: one good redirect among everything else that can come to a port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

import pytest

from sfconnect.auth.oauth2.loopback import (
    CONNECTIONS_MAX,
    READ_S,
    RESULT_PATH,
    RESULT_S,
    Loopback,
)
from sfconnect.auth.oauth2.loopback_http import HEAD_MAX
from sfconnect.auth.oauth2.loopback_ports import bind_first
from sfconnect.errors import AppAccessDenied
from sfconnect.testing import FakeClock

GOOD = "/OauthRedirect?code=aPrx.1%3D%3D&state=mine"
ENOUGH_S = 5.0


@asynccontextmanager
async def listening(clock: FakeClock, host: str = "127.0.0.1") -> AsyncIterator[Loopback]:
    bound = bind_first((f"http://{host}:0/OauthRedirect",))
    async with Loopback(bound, "mine", clock) as loopback:
        yield loopback


def address_of(loopback: Loopback) -> tuple[str, int]:
    parts = urlsplit(loopback.redirect_uri)
    assert parts.port is not None
    return "127.0.0.1", parts.port


async def exchange(loopback: Loopback, data: bytes) -> bytes:
    """Send bytes and read until the listener closes."""
    reader, writer = await asyncio.open_connection(*address_of(loopback))
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), ENOUGH_S)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def ask(
    loopback: Loopback, target: str, method: str = "GET", host: str = "localhost", extra: str = ""
) -> tuple[int, str]:
    """Send a request; returns status and everything that came."""
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n"
    answer = (await exchange(loopback, head.encode())).decode()
    return int(answer.split()[1]), answer


async def test_the_code_leaves_the_address_bar_and_the_page_tells_how_it_ended(clock):
    async with listening(clock) as loopback:
        status, answer = await ask(loopback, GOOD)
        redirect = await loopback.redirect()
        waiting = asyncio.ensure_future(ask(loopback, RESULT_PATH))
        await asyncio.sleep(0.02)
        still_waiting = not waiting.done()

    assert status == 303
    assert f"Location: {RESULT_PATH}\r\n" in answer
    assert "aPrx" not in answer
    assert redirect.code is not None
    assert redirect.code.reveal() == "aPrx.1=="
    assert still_waiting
    status, page = await waiting
    assert status == 200
    assert "You are logged in" in page


async def test_a_login_that_fails_later_is_told_in_the_browser(clock):
    pages: list[asyncio.Future[tuple[int, str]]] = []

    async def log_in() -> None:
        async with listening(clock) as loopback:
            await ask(loopback, "/OauthRedirect?error=access_denied&state=mine")
            pages.append(asyncio.ensure_future(ask(loopback, RESULT_PATH)))
            redirect = await loopback.redirect()
            raise AppAccessDenied(f"No: <{redirect.error}>.", hint="Ask & try.")

    with pytest.raises(AppAccessDenied):
        await log_in()

    status, page = await pages[0]
    assert status == 400
    assert "No: &lt;access_denied&gt;." in page
    assert "Ask &amp; try." in page


async def test_the_end_waits_only_briefly_for_a_browser_that_does_not_come(clock):
    async def log_in() -> None:
        async with listening(clock) as loopback:
            await ask(loopback, GOOD)

    login = asyncio.ensure_future(log_in())
    while not clock.sleepers:  # noqa: ASYNC110  # the socket's part of it has no event
        await asyncio.sleep(0.001)
    await clock.settle()
    assert not login.done()

    await clock.advance(RESULT_S + 60)

    await asyncio.wait_for(login, ENOUGH_S)


async def test_where_no_browser_came_back_the_end_waits_for_nothing(clock):
    async with listening(clock):
        pass

    assert clock.sleepers == 0


OTHERS = [
    ("/favicon.ico", "GET", 404),
    ("/", "GET", 404),
    ("/OauthRedirect/", "GET", 404),
    (RESULT_PATH, "GET", 404),
    ("/OauthRedirect", "GET", 400),
    ("/OauthRedirect?code=", "GET", 400),
    ("/OauthRedirect?code=a&code=b&state=mine", "GET", 400),
    ("/OauthRedirect?code=a", "GET", 400),
    ("/OauthRedirect?code=a&state=other", "GET", 400),
    ("/OauthRedirect?error=access_denied", "GET", 400),
    ("/OauthRedirect?error=access_denied&state=other", "GET", 400),
    (GOOD, "POST", 405),
    (GOOD, "HEAD", 405),
    ("/other", "OPTIONS", 405),
    (GOOD, "OPTIONS", 204),
]


@pytest.mark.parametrize(("target", "method", "expected"), OTHERS)
async def test_whatever_else_comes_is_answered_and_ends_nothing(clock, target, method, expected):
    async with asyncio.TaskGroup() as browser, listening(clock) as loopback:
        status, _ = await ask(loopback, target, method)
        redirect = asyncio.ensure_future(loopback.redirect())
        await asyncio.sleep(0)
        assert not redirect.done()

        await ask(loopback, GOOD)
        assert (await redirect).code is not None
        browser.create_task(ask(loopback, RESULT_PATH))

    assert status == expected


async def test_a_preflight_of_a_private_network_is_let_through(clock):
    async with listening(clock) as loopback:
        extra = (
            "Origin: https://acme.my.salesforce.com\r\n"
            "Access-Control-Request-Private-Network: true\r\n"
        )
        status, answer = await ask(loopback, "/OauthRedirect", "OPTIONS", extra=extra)

    assert status == 204
    assert "Access-Control-Allow-Private-Network: true\r\n" in answer


async def test_a_name_of_somebody_else_that_points_here_is_refused(clock):
    async with listening(clock) as loopback:
        status, _ = await ask(loopback, GOOD, host="evil.example.com")

    assert status == 400


async def test_the_second_of_two_redirects_changes_nothing(clock):
    async with asyncio.TaskGroup() as browser, listening(clock) as loopback:
        await ask(loopback, GOOD)
        status, _ = await ask(loopback, "/OauthRedirect?error=access_denied&state=mine")
        redirect = await loopback.redirect()
        browser.create_task(ask(loopback, RESULT_PATH))

    assert status == 303
    assert redirect.error == ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"HTTP/1.1 400 "),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /" + b"x" * (2 * HEAD_MAX) + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 431 "),
        (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * HEAD_MAX + b"\r\n", b"HTTP/1.1 431 "),
    ],
    ids=["TLS", "SSH", "long line", "many headers"],
)
async def test_strange_and_large_requests_are_refused(clock, data, expected):
    async with listening(clock) as loopback:
        # The listener closes before it has read all, so the answer may be lost with the rest.
        try:
            answer = await exchange(loopback, data)
        except ConnectionError:
            answer = expected
        status, _ = await ask(loopback, "/favicon.ico")

    assert answer.startswith(expected)
    assert status == 404


async def test_a_client_that_is_gone_before_it_has_asked_is_nothing(clock):
    async with listening(clock) as loopback:
        for data in (b"", b"GET /OauthRe"):
            with closing(socket.socket()) as hasty:
                hasty.setblocking(False)
                await asyncio.get_running_loop().sock_connect(hasty, address_of(loopback))
                await asyncio.get_running_loop().sock_sendall(hasty, data)
        status, _ = await ask(loopback, "/favicon.ico")

    assert status == 404


async def test_a_client_that_says_nothing_is_dropped_and_holds_nobody_up(clock):
    async with listening(clock) as loopback:
        reader, writer = await asyncio.open_connection(*address_of(loopback))
        writer.write(b"GET /OauthRedirect?co")
        status, _ = await ask(loopback, "/favicon.ico")
        assert status == 404

        await clock.advance(READ_S)
        assert await asyncio.wait_for(reader.read(), ENOUGH_S) == b""
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_of_too_many_clients_the_oldest_is_dropped(clock):
    async with listening(clock) as loopback:
        crowd = [
            await asyncio.open_connection(*address_of(loopback)) for _ in range(CONNECTIONS_MAX)
        ]
        status, _ = await ask(loopback, "/favicon.ico")
        oldest = await asyncio.wait_for(
            asyncio.gather(crowd[0][0].read(), return_exceptions=True), ENOUGH_S
        )
        newest = asyncio.ensure_future(crowd[-1][0].read(1))
        await asyncio.sleep(0.02)
        assert not newest.done()

    assert status == 404
    assert oldest[0] == b"" or isinstance(oldest[0], ConnectionError)
    await asyncio.gather(newest, return_exceptions=True)
    for _, writer in crowd:
        writer.close()
    await asyncio.gather(*(w.wait_closed() for _, w in crowd), return_exceptions=True)


async def test_a_crowd_that_comes_at_once_is_bounded(clock):
    async with listening(clock) as loopback:
        crowd = await asyncio.gather(
            *(asyncio.open_connection(*address_of(loopback)) for _ in range(CONNECTIONS_MAX * 3))
        )
        await asyncio.sleep(0.05)
        assert len(loopback._visits) <= CONNECTIONS_MAX
        status, _ = await ask(loopback, "/favicon.ico")

    assert status == 404
    for _, writer in crowd:
        writer.close()
    await asyncio.gather(*(w.wait_closed() for _, w in crowd), return_exceptions=True)


async def test_both_families_are_answered(clock):
    async with listening(clock, "localhost") as loopback:
        _, port = address_of(loopback)
        for host in ("127.0.0.1", "::1"):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 404")
            writer.close()
            await writer.wait_closed()


async def test_a_login_that_is_cancelled_leaves_the_port_free(clock):
    places: list[Loopback] = []

    async def log_in() -> None:
        async with listening(clock) as loopback:
            places.append(loopback)
            await loopback.redirect()

    login = asyncio.ensure_future(log_in())
    while not places:  # noqa: ASYNC110
        await asyncio.sleep(0)
    _, writer = await asyncio.open_connection(*address_of(places[0]))

    login.cancel()
    await asyncio.gather(login, return_exceptions=True)

    assert login.cancelled()
    with closing(socket.create_server(address_of(places[0]))):
        pass
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_listener_that_cannot_begin_leaves_no_socket(clock, monkeypatch):
    bound = bind_first(("http://localhost:0/cb",))
    begun: list[asyncio.Server] = []
    real = asyncio.start_server

    async def start_server(*arguments, **options):
        if begun:
            raise OSError("no more")
        begun.append(await real(*arguments, **options))
        return begun[0]

    monkeypatch.setattr(asyncio, "start_server", start_server)

    with pytest.raises(OSError, match="no more"):
        await Loopback(bound, "mine", clock).__aenter__()

    assert [sock.fileno() for sock in bound.sockets] == [-1, -1]
