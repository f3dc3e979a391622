"""What is used again: connections, TLS sessions, looked-up names; counted at both ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
import time

import pytest
import trustme

from sfconnect.errors import ConnectError, ConnectionLostError
from sfconnect.messages import Request
from sfconnect.speed import new_event_loop
from sfconnect.transport import ConnectionPool, Tls
from sfconnect.transport._resumption import resuming


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def has_ipv6() -> bool:
    """Whether an address of IPv6 can be listened at."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class Resumptions:
    """A server's handler that closes after each answer, and notes which sessions were taken up."""

    def __init__(self):
        self.reused = []

    async def __call__(self, connection):
        self.reused.append(connection.writer.get_extra_info("ssl_object").session_reused)
        await connection.request()
        await connection.answer(headers={"Connection": "close"})


async def test_requests_that_find_a_connection_are_told_from_those_that_need_one(serve, pool):
    server = await serve()

    await asyncio.gather(*(pool.send(server.get()) for _ in range(3)))
    for _ in range(5):
        await pool.send(server.get())

    stats = pool.stats()
    assert (stats.connections_opened, stats.connections_reused) == (3, 5)
    assert server.connections == 3
    assert stats.tls_handshakes == 0


async def test_a_request_that_could_not_connect_has_reused_nothing(pool):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectError):
            await pool.send(Request("GET", f"http://127.0.0.1:{unused.getsockname()[1]}/"))

    assert pool.stats().connections_reused == 0
    assert pool.stats().connections_opened == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_next_connection_takes_up_the_tls_session(
    serve, make_pool, authority, ca_file, version
):
    handler, context = Resumptions(), server_side(authority)
    context.maximum_version = version
    server = await serve(handler, tls=context)
    pool = await make_pool(tls=Tls(ca_file))

    for _ in range(3):
        await pool.send(server.get())

    assert handler.reused == [False, True, True]
    stats = pool.stats()
    assert (stats.connections_opened, stats.tls_handshakes, stats.tls_resumed) == (3, 3, 2)


async def test_connections_that_are_made_at_once_take_up_one_session(
    serve, make_pool, authority, ca_file
):
    handler = Resumptions()
    server = await serve(handler, tls=server_side(authority))
    pool = await make_pool(tls=Tls(ca_file))
    await pool.send(server.get())

    await asyncio.gather(*(pool.send(server.get()) for _ in range(8)))

    assert handler.reused == [False, *8 * [True]]
    assert pool.stats().tls_resumed == 8


async def test_a_server_that_gives_no_sessions_is_shaken_hands_with_anew(
    serve, make_pool, authority, ca_file
):
    handler, context = Resumptions(), server_side(authority)
    context.num_tickets = 0
    server = await serve(handler, tls=context)
    pool = await make_pool(tls=Tls(ca_file))

    for _ in range(2):
        assert (await pool.send(server.get())).status == 200

    assert handler.reused == [False, False]
    assert pool.stats().tls_resumed == 0


async def test_a_session_is_not_offered_to_another_host(serve, make_pool, authority, ca_file):
    handler = Resumptions()
    server = await serve(handler, tls=server_side(authority))
    pool = await make_pool(tls=Tls(ca_file))

    await pool.send(server.get())
    await pool.send(Request("GET", f"https://localhost:{server.port}/"))

    assert handler.reused == [False, False]


async def test_a_session_is_worth_nothing_to_who_trusts_others(
    serve, make_pool, authority, ca_file, tmp_path
):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    server = await serve(Resumptions(), tls=server_side(authority))
    trusting = await make_pool(tls=Tls(ca_file))
    distrusting = await make_pool(tls=Tls(tmp_path / "other.pem"))

    await trusting.send(server.get())

    with pytest.raises(ConnectError, match="TLS"):
        await distrusting.send(server.get())


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for it")
def test_sessions_are_taken_up_on_uvloop_too(authority, ca_file):
    reused = []

    async def answer(reader, writer):
        reused.append(writer.get_extra_info("ssl_object").session_reused)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_side(authority))
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server, ConnectionPool(tls=Tls(ca_file)) as pool:
            for _ in range(2):
                await pool.send(Request("GET", url))
            return pool.stats()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        stats = runner.run(main())

    assert reused == [False, True]
    assert stats.tls_resumed == 1


def test_sessions_are_kept_of_a_bounded_number_of_hosts(authority, monkeypatch):
    monkeypatch.setattr("sfconnect.transport._resumption._HOSTS_MAX", 2)
    client, server = ssl.create_default_context(), server_side(authority)
    authority.configure_trust(client)
    client.check_hostname = False
    resuming(client)

    reused = [shake_hands(client, server, host) for host in ("a", "b", "c", "b", "a", "a")]

    assert reused == [False, False, False, True, False, True]


def shake_hands(client, server, host):
    """Exchange a byte in memory; tell whether a session was taken up."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=host)
    theirs = server.wrap_bio(there, back, server_side=True)
    for step in (ours.do_handshake, theirs.do_handshake) * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            step()
    theirs.write(b"x")
    assert ours.read(1) == b"x"
    return ours.session_reused


async def test_a_name_is_looked_up_once_for_many_connections(serve, pool, monkeypatch):
    server = await serve()
    asked = names_are(monkeypatch, ("127.0.0.1",))
    request = Request("GET", f"http://org.example.com:{server.port}/")

    await asyncio.gather(*(pool.send(request) for _ in range(20)))

    assert asked == ["org.example.com"]
    assert pool.stats().name_lookups == 1
    assert pool.stats().connections_opened == 20


async def test_a_name_that_was_looked_up_is_counted_as_cached_from_then_on(
    serve, pool, monkeypatch
):
    server = await serve()
    names_are(monkeypatch, ("127.0.0.1",))
    request = Request("GET", f"http://org.example.com:{server.port}/")

    await asyncio.gather(*(pool.send(request) for _ in range(3)))
    await pool.send(server.get())  # by its address

    stats = pool.stats()
    assert (stats.name_lookups, stats.names_cached) == (1, 2)
    assert stats.connections_opened == 4


async def test_a_name_that_is_not_known_is_looked_up_and_not_cached(pool, monkeypatch):
    async def getaddrinfo(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    for _ in range(2):
        with pytest.raises(ConnectError):
            await pool.send(Request("GET", "http://org.example.com:1/"))

    stats = pool.stats()
    assert (stats.name_lookups, stats.names_cached, stats.addresses_tried) == (2, 0, 0)


@pytest.mark.parametrize(
    "dead",
    [
        pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
        pytest.param(
            "127.0.0.2",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux has it on loopback"),
        ),
    ],
)
async def test_an_address_that_does_not_answer_does_not_hold_up_the_next(
    serve, make_pool, monkeypatch, dead
):
    server = await serve()
    names_are(monkeypatch, (dead, "127.0.0.1"))
    with full_line(dead, server.port):
        pool = await make_pool()

        # The dead address answers nothing at all: without a second try beside it this would take
        # until the connect limit of 10 s, and the test has no such time.
        async with asyncio.timeout(5):
            answer = await pool.send(Request("GET", f"http://org.example.com:{server.port}/"))

    assert answer.status == 200
    stats = pool.stats()
    assert (stats.addresses_tried, stats.addresses_past_first) == (2, 1)
    assert (stats.connections_opened, stats.connections_ipv4, stats.connections_ipv6) == (1, 1, 0)


async def test_an_ipv6_address_where_nobody_listens_is_passed_by(serve, pool, monkeypatch):
    """Nor need there be any IPv6 on the machine: then making the socket or connecting it fails."""
    server = await serve()
    names_are(monkeypatch, ("::1", "127.0.0.1"))

    answer = await pool.send(Request("GET", f"http://org.example.com:{server.port}/"))

    assert answer.status == 200
    stats = pool.stats()
    assert (stats.addresses_tried, stats.addresses_past_first) == (2, 1)
    assert (stats.connections_ipv4, stats.connections_ipv6) == (1, 0)


async def test_addresses_that_all_refuse_are_counted_without_a_connection(pool, monkeypatch):
    names_are(monkeypatch, ("::1", "127.0.0.1"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://org.example.com:{unused.getsockname()[1]}/"
        with pytest.raises(ConnectError):
            await pool.send(Request("GET", url))

    stats = pool.stats()
    assert (stats.addresses_tried, stats.addresses_past_first) == (2, 0)
    assert (stats.connections_ipv4, stats.connections_ipv6, stats.names_cached) == (0, 0, 0)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
async def test_a_first_address_that_answers_is_the_only_one_tried(serve, pool, monkeypatch):
    server = await serve(host="::1")
    names_are(monkeypatch, ("::1", "127.0.0.1"))

    for url in (f"http://org.example.com:{server.port}/", f"http://[::1]:{server.port}/"):
        assert (await pool.send(Request("GET", url))).status == 200

    stats = pool.stats()
    assert (stats.addresses_tried, stats.addresses_past_first) == (2, 0)
    assert (stats.connections_ipv4, stats.connections_ipv6) == (0, 2)
    assert (stats.name_lookups, stats.names_cached) == (1, 0)


async def test_a_connection_that_nobody_uses_is_closed_here_and_counted(serve, make_pool):
    server = await serve()
    pool = await make_pool(idle_s=0.02)

    await pool.send(server.get())
    await server.has_no_connection()

    stats = pool.stats()
    assert (stats.connections_expired, stats.connections_dropped) == (1, 0)


async def test_a_connection_that_is_found_too_old_is_not_used_again(serve, pool, monkeypatch):
    server = await serve()
    await asyncio.gather(*(pool.send(server.get()) for _ in range(3)))
    clock_goes_on(monkeypatch, 31.0)

    await pool.send(server.get())
    await pool.send(server.get())

    stats = pool.stats()
    assert (stats.connections_expired, stats.connections_dropped) == (3, 0)
    assert (stats.connections_opened, stats.connections_reused) == (4, 1)


@pytest.mark.parametrize("end", ["closes", "resets"])
async def test_a_connection_that_the_server_ends_while_unused_is_counted(serve, pool, end):
    gone = asyncio.Event()

    async def handler(connection):
        await connection.request()
        await connection.answer()
        await gone.wait()
        if end == "resets":
            connection.reset()

    server = await serve(handler)
    await pool.send(server.get())
    gone.set()
    await server.has_no_connection()

    # The end is in the client's socket by now; a request that comes at once may still find the
    # connection, so this one does not come before the loop has looked at its sockets.
    for _ in range(20):
        await asyncio.sleep(0)
    await pool.send(server.get())

    stats = pool.stats()
    assert (stats.connections_expired, stats.connections_dropped) == (0, 1)
    assert stats.connections_opened == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_ends_of_connections_with_tls_are_told_apart_too(
    serve, make_pool, authority, ca_file, version
):
    gone = asyncio.Event()

    async def handler(connection):
        await connection.request()
        await connection.answer()
        await (gone.wait() if connection.number == 1 else connection.reader.read())

    context = server_side(authority)
    context.maximum_version = version
    server = await serve(handler, tls=context)
    pool = await make_pool(tls=Tls(ca_file), idle_s=5.0)

    await pool.send(server.get())
    gone.set()
    await server.has_no_connection()
    for _ in range(50):
        await asyncio.sleep(0)
    await pool.send(server.get())
    dropped = pool.stats()
    await pool.aclose()
    await server.has_no_connection()

    assert (dropped.connections_opened, dropped.connections_dropped) == (2, 1)
    assert (dropped.connections_ipv4, dropped.addresses_tried, dropped.tls_resumed) == (2, 2, 1)
    assert pool.stats().connections_dropped == 1
    assert pool.stats().connections_expired == 0


async def test_what_ends_under_a_request_or_by_agreement_is_not_called_unused(serve, pool):
    async def handler(connection):
        request = await connection.request()
        if request.target == "/agreed":
            await connection.answer(headers={"Connection": "close"})

    server = await serve(handler)
    await pool.send(server.get("/agreed"))
    with pytest.raises(ConnectionLostError):
        await pool.send(server.get("/broken"))
    await pool.aclose()
    await server.has_no_connection()

    stats = pool.stats()
    assert (stats.connections_opened, stats.connections_reused) == (2, 0)
    assert (stats.connections_expired, stats.connections_dropped) == (0, 0)


async def test_connections_that_closing_ends_were_neither_too_old_nor_dropped(serve, pool):
    server = await serve()
    await asyncio.gather(*(pool.send(server.get()) for _ in range(3)))

    await pool.aclose()
    await server.has_no_connection()

    stats = pool.stats()
    assert (stats.connections_expired, stats.connections_dropped) == (0, 0)


async def test_the_counts_of_connections_can_be_read_at_a_glance(serve, pool, monkeypatch):
    server = await serve()
    await asyncio.gather(*(pool.send(server.get()) for _ in range(2)))
    await pool.send(server.get())
    clock_goes_on(monkeypatch, 31.0)
    await pool.send(server.get())

    assert str(pool.stats()).splitlines()[1] == (
        "connections: 3 IPv4, 0 IPv6, 1 reused, 2 expired, 0 dropped; "
        "3 addresses tried, 0 past the first; 0 names looked up, 0 cached; "
        "0 TLS handshakes, 0 resumed"
    )


def clock_goes_on(monkeypatch, seconds):
    """Let aiohttp's connector, and ours, believe that it is later."""
    for module in ("aiohttp.connector", "sfconnect.transport._connector"):
        monkeypatch.setattr(f"{module}.monotonic", lambda: time.monotonic() + seconds)


def names_are(monkeypatch, addresses):
    """Let every name stand for these addresses; give the list of names that were asked for."""
    asked = []
    real = asyncio.get_running_loop().getaddrinfo

    async def getaddrinfo(host, port, **options):
        if host in addresses:  # uvloop asks for those too, when it connects
            return await real(host, port, **options)
        asked.append(host)
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port, *more))
            for address in addresses
            for family, more in [
                (socket.AF_INET6, (0, 0)) if ":" in address else (socket.AF_INET, ())
            ]
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@contextlib.contextmanager
def full_line(host, port):
    """A port whose line of connections is full, so that the next SYN gets no answer."""
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        stack.enter_context(socket.create_server((host, port), family=family, backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket(family))
            client.setblocking(False)
            client.connect_ex((host, port))
        yield
