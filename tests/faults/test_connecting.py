"""Connections that are not made: refused, unknown, unanswered, untrusted; and proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import threading

import pytest
import trustme

from sfconnect.errors import ConfigurationError, ConnectError, ConnectionLostError, SfConnectError
from sfconnect.messages import Request, Timeout
from sfconnect.transport import ConnectionPool, Tls

CANARY = "00Dcanary!secret"


def never_sent(error: SfConnectError) -> bool:
    return (error.request_sent, error.retry_safe) == (False, True)


@pytest.fixture
def deaf_port():
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def full_port():
    """A port whose line of connections is full, so that the next SYN gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        filling = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(address)
            filling.append(client)
        yield address[1]
        for client in filling:
            client.close()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_connection_was_never_sent(pool):
    url = f"http://127.0.0.1:{unused_port()}/rows?q={CANARY}"

    with pytest.raises(ConnectError, match="refused") as caught:
        await pool.send(Request("POST", url, content=b"{}"))

    assert never_sent(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.hint
    assert pool.stats().requests_in_flight == 0
    assert pool.stats().connections_opened == 0


async def test_a_name_that_nobody_knows_was_never_sent(pool):
    with pytest.raises(ConnectError, match=r"nowhere\.invalid.*resolved") as caught:
        await pool.send(Request("POST", "https://nowhere.invalid/rows"))

    assert never_sent(caught.value)


async def test_a_host_that_does_not_answer_meets_the_connect_limit(make_pool, full_port):
    pool = await make_pool(timeout=Timeout(connect_s=0.05))

    with pytest.raises(ConnectError, match="connect time-out") as caught:
        await pool.send(Request("POST", f"http://127.0.0.1:{full_port}/rows?q={CANARY}"))

    assert never_sent(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None  # its text is the whole URL


async def test_a_server_that_is_deaf_to_tls_meets_the_connect_limit(make_pool, deaf_port):
    pool = await make_pool(timeout=Timeout(connect_s=0.05))

    with pytest.raises(ConnectError, match="connect time-out"):
        await pool.send(Request("GET", f"https://127.0.0.1:{deaf_port}/"))


async def test_the_limit_of_a_request_holds_for_its_connection_too(pool, full_port):
    request = Request("GET", f"http://127.0.0.1:{full_port}/", timeout=Timeout(total_s=0.05))

    with pytest.raises(ConnectError) as caught:
        await pool.send(request)

    assert never_sent(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_cancelling_while_connecting_leaves_nothing(pool, full_port, deaf_port, scheme):
    port = full_port if scheme == "http" else deaf_port
    task = asyncio.create_task(pool.send(Request("GET", f"{scheme}://127.0.0.1:{port}/")))
    await asyncio.sleep(0.02)

    task.cancel()

    await asyncio.wait({task})
    assert task.cancelled()
    assert pool.stats().requests_in_flight == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_closing_ends_connections_that_are_being_made(pool, full_port, deaf_port, scheme):
    port = full_port if scheme == "http" else deaf_port
    url = f"{scheme}://127.0.0.1:{port}/"
    tasks = [asyncio.create_task(pool.send(Request("GET", url))) for _ in range(3)]
    await asyncio.sleep(0.02)

    await pool.aclose()

    async with asyncio.timeout(1):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == 3 * [ConnectionLostError]
    assert pool.stats().requests_in_flight == 0


async def test_closing_in_the_middle_of_a_name_look_up_cancels_nobody(pool, monkeypatch):
    looking = asyncio.Event()

    async def slow_look_up(*args, **kwargs):
        looking.set()
        await asyncio.sleep(5)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", slow_look_up)
    request = Request("GET", "https://slow.example.com/")
    tasks = [asyncio.create_task(pool.send(request)) for _ in range(3)]
    await looking.wait()

    await pool.aclose()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == 3 * [ConnectionLostError]


async def test_a_name_look_up_that_gives_up_by_itself_is_a_connect_error(pool, monkeypatch):
    async def late(*args, **kwargs):
        raise TimeoutError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", late)

    with pytest.raises(ConnectError) as caught:
        await pool.send(Request("POST", "https://slow.example.com/"))

    assert never_sent(caught.value)


async def test_cancelling_at_the_moment_of_closing_is_a_cancellation(pool, full_port):
    request = Request("GET", f"http://127.0.0.1:{full_port}/")
    task = asyncio.create_task(pool.send(request))
    await asyncio.sleep(0.02)

    closing = asyncio.create_task(pool.aclose())
    task.cancel()

    await asyncio.wait({task, closing})
    assert task.cancelled()


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def client_files(authority, tmp_path_factory):
    """Certificate and key in files of their own."""
    folder = tmp_path_factory.mktemp("client")
    issued = authority.issue_cert("client@example.com")
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    return folder / "cert.pem", folder / "key.pem"


def server_side(authority: trustme.CA, *names: str, ask_client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
    if ask_client:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context


async def test_a_private_authority_is_trusted_when_its_file_is_given(
    serve, make_pool, authority, ca_file
):
    server = await serve(tls=server_side(authority))
    pool = await make_pool(tls=Tls(ca_file))

    for _ in range(2):
        assert (await pool.send(server.get())).status == 200

    assert server.connections == 1


async def test_an_unknown_authority_is_refused_with_the_reason(serve, pool, authority):
    server = await serve(tls=server_side(authority))

    with pytest.raises(ConnectError, match="certificate") as caught:
        await pool.send(server.post())

    assert never_sent(caught.value)
    assert "ca_file" in (caught.value.hint or "")
    assert server.requests == []


async def test_a_certificate_for_another_name_is_refused(serve, make_pool, authority, ca_file):
    server = await serve(tls=server_side(authority, "other.example.com"))
    pool = await make_pool(tls=Tls(ca_file))

    with pytest.raises(ConnectError, match=r"not valid for '127\.0\.0\.1'") as caught:
        await pool.send(server.post())

    assert never_sent(caught.value)
    assert server.requests == []


async def test_tls_towards_a_server_that_speaks_plain_http_is_refused(serve, pool):
    async def handler(connection):
        await connection.reader.read(1)
        await connection.answer(status=400)

    server = await serve(handler)

    with pytest.raises(ConnectError, match="TLS") as caught:
        await pool.send(Request("POST", f"https://127.0.0.1:{server.port}/"))

    assert never_sent(caught.value)


async def test_a_client_certificate_is_shown_when_asked_for(
    serve, make_pool, authority, ca_file, client_files
):
    server = await serve(tls=server_side(authority, ask_client=True))
    pool = await make_pool(tls=Tls(ca_file, *client_files))

    assert (await pool.send(server.get())).status == 200


@pytest.fixture
def demanding_port(authority):
    """A server that asks for a client certificate and says goodbye politely without one.

    asyncio's own servers break the connection off, so that the reason is lost on the way.
    """
    context = server_side(authority, ask_client=True)

    def refuse_one(listener: socket.socket) -> None:
        raw, _ = listener.accept()
        with (
            raw,
            context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as wrapped,
            contextlib.suppress(ssl.SSLError),
        ):
            try:
                wrapped.do_handshake()
            except ssl.SSLError:
                plain = socket.socket(fileno=wrapped.detach())
                with plain:
                    plain.shutdown(socket.SHUT_WR)
                    while plain.recv(65536):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse_one, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


async def test_a_missing_client_certificate_is_told_as_such(make_pool, demanding_port, ca_file):
    pool = await make_pool(tls=Tls(ca_file))

    with pytest.raises(ConnectError, match="certificate required") as caught:
        await pool.send(Request("POST", f"https://127.0.0.1:{demanding_port}/", content=b"{}"))

    assert never_sent(caught.value)
    assert "client_cert_file" in (caught.value.hint or "")


async def test_an_unusable_tls_file_is_told_when_the_pool_opens(tmp_path):
    pool = ConnectionPool(tls=Tls(tmp_path / "missing.pem"))

    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        await pool.open()

    assert pool.stats().requests_num == 0


# Proxies


async def tunnel(connection):
    """A proxy's work: CONNECT, then bytes both ways."""
    request = await connection.request()
    if "proxy-authorization" not in request.headers:
        await connection.answer(status=407)
        return
    _, _, port = request.target.rpartition(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    await connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")

    async def copy(source, target):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()

    tasks = [
        asyncio.create_task(copy(connection.reader, writer)),
        asyncio.create_task(copy(reader, connection.writer)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.fixture
async def behind(no_proxies, make_pool):
    """Open a pool that obeys these variables."""

    async def open_pool(**variables: str):
        settings = {name: variables.pop(name) for name in ("tls", "timeout") if name in variables}
        for name, value in variables.items():
            no_proxies.setenv(name, value)
        return await make_pool(proxies_from_environment=True, **settings)

    return open_pool


async def test_plain_requests_go_to_the_proxy_whole(serve, behind):
    proxy = await serve()
    pool = await behind(HTTP_PROXY=proxy.url)

    await pool.send(Request("GET", "http://api.example.com/rows?a=1"))

    assert proxy.requests[0].target == "http://api.example.com/rows?a=1"


async def test_tls_goes_through_a_tunnel_that_the_proxy_cannot_read(
    serve, behind, authority, ca_file
):
    server = await serve(tls=server_side(authority, "api.example.com"))
    proxy = await serve(tunnel)
    pool = await behind(
        HTTPS_PROXY=proxy.url.replace("//", "//user:p%40ss@"),
        tls=Tls(ca_file),
    )
    url = f"https://api.example.com:{server.port}/rows?q={CANARY}"
    request = Request("GET", url, headers={"Authorization": f"Bearer {CANARY}"})

    assert (await pool.send(request)).status == 200
    assert (await pool.send(request)).status == 200

    assert server.requests[0].target == f"/rows?q={CANARY}"
    assert [sent.method for sent in proxy.requests] == ["CONNECT"]
    assert proxy.requests[0].target == f"api.example.com:{server.port}"
    assert CANARY not in repr(proxy.requests)
    password = base64.b64encode(b"user:p@ss").decode()
    assert proxy.requests[0].headers["proxy-authorization"] == f"Basic {password}"
    assert "proxy-authorization" not in server.requests[0].headers


async def test_a_proxy_that_refuses_says_so_without_its_password(serve, behind):
    async def handler(connection):
        await connection.request()
        await connection.answer(status=403)

    proxy = await serve(handler)
    pool = await behind(HTTPS_PROXY=proxy.url.replace("//", f"//user:{CANARY}@"))

    with pytest.raises(ConnectError, match=r"proxy.*403") as caught:
        await pool.send(Request("POST", f"https://api.example.com/rows?q={CANARY}"))

    assert never_sent(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_proxy_that_is_not_there_was_never_sent_through(behind):
    pool = await behind(HTTPS_PROXY=f"http://127.0.0.1:{unused_port()}")

    with pytest.raises(ConnectError) as caught:
        await pool.send(Request("POST", "https://api.example.com/"))

    assert never_sent(caught.value)


async def test_what_goes_to_this_machine_never_takes_a_proxy(serve, behind):
    server, proxy = await serve(), await serve()
    pool = await behind(HTTP_PROXY=proxy.url, ALL_PROXY=proxy.url)

    await pool.send(server.get())

    assert len(server.requests) == 1
    assert proxy.requests == []


async def test_proxies_can_be_left_aside(serve, no_proxies, make_pool):
    proxy = await serve()
    no_proxies.setenv("HTTP_PROXY", proxy.url)
    pool = await make_pool(proxies_from_environment=False, timeout=Timeout(connect_s=0.2))

    with pytest.raises(ConnectError):
        await pool.send(Request("GET", "http://nowhere.invalid/"))

    assert proxy.requests == []


async def test_a_variable_that_names_no_proxy_is_a_configuration_error(behind):
    pool = await behind(HTTPS_PROXY=f"socks5://user:{CANARY}@proxy:1080")

    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        await pool.send(Request("GET", "https://api.example.com/"))

    assert CANARY not in str(caught.value)
    assert pool.stats().requests_in_flight == 0
