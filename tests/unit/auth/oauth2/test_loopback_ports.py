"""Taking a port: both families, the next one where one is taken, nothing left open."""

from __future__ import annotations

import errno
import gc
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from sfconnect.auth.oauth2 import loopback_ports
from sfconnect.auth.oauth2.loopback_ports import Bound, bind_first, check_redirect_uri
from sfconnect.errors import AuthError, ConfigurationError

ELSEWHERE = "https://login.salesforce.com/services/oauth2/success"


@pytest.fixture
def bound() -> Iterator[list[Bound]]:
    """What a test has bound; closed at its end."""
    made: list[Bound] = []
    yield made
    for one in made:
        for sock in one.sockets:
            sock.close()


@pytest.fixture
def bind(bound):
    def make(*uris: str) -> Bound:
        made = bind_first(uris)
        bound.append(made)
        return made

    return make


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody else listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        yield other.getsockname()[1]


def addresses(made: Bound) -> list[tuple[str, int]]:
    return [sock.getsockname()[:2] for sock in made.sockets]


def test_the_name_localhost_is_listened_to_in_both_families(bind, free_tcp_port):
    uri = f"http://localhost:{free_tcp_port}/OauthRedirect"

    made = bind(uri)

    assert made.redirect_uri == uri
    assert addresses(made) == [("127.0.0.1", free_tcp_port), ("::1", free_tcp_port)]
    with closing(socket.create_connection(("::1", free_tcp_port), timeout=5)):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_literal_address_is_listened_to_alone(bind, host, free_tcp_port):
    made = bind(f"http://{host}:{free_tcp_port}/cb")

    assert addresses(made) == [(host.strip("[]"), free_tcp_port)]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_port_0_is_any_free_one_and_the_same_in_both_families(bind, host):
    made = bind(f"http://{host}:0/cb")

    (port,) = {port for _, port in addresses(made)}
    assert port > 0
    assert made.redirect_uri == f"http://{host}:{port}/cb"


def test_a_taken_port_hands_over_to_the_next_address(bind, taken, free_tcp_port):
    made = bind(f"http://localhost:{taken}/cb", f"http://localhost:{free_tcp_port}/cb")

    assert made.redirect_uri == f"http://localhost:{free_tcp_port}/cb"


def test_a_port_that_is_taken_in_one_family_is_taken(bind, free_tcp_port):
    """Otherwise whoever listens in the other one could be given the code."""
    with closing(socket.socket(socket.AF_INET6)) as other:
        other.bind(("::1", free_tcp_port))
        other.listen()

        with pytest.raises(AuthError, match=f"No port is free .*localhost:{free_tcp_port}/cb"):
            bind(f"http://localhost:{free_tcp_port}/cb")
    gc.collect()  # a socket that was left open would warn

    bind(f"http://localhost:{free_tcp_port}/cb")


def test_that_no_port_is_free_says_what_to_do(bind, taken):
    with pytest.raises(AuthError) as caught:
        bind(f"http://127.0.0.1:{taken}/cb")

    assert caught.value.docs_key == "no-free-port"
    assert "redirect_uris" in str(caught.value)
    assert not caught.value.hopeless


@pytest.mark.parametrize("missing", ["::1", "127.0.0.1"])
def test_a_machine_without_one_family_uses_the_other(bind, free_tcp_port, monkeypatch, missing):
    """The kernel's part is played here: not every machine that runs the tests lacks a family."""
    real = loopback_ports._listener

    def listener(address: str, port: int) -> socket.socket:
        if address == missing:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(address, port)

    monkeypatch.setattr(loopback_ports, "_listener", listener)

    made = bind(f"http://localhost:{free_tcp_port}/cb")

    assert len(made.sockets) == 1
    assert addresses(made)[0][0] != missing


def test_a_machine_without_any_family_is_told_so(bind, monkeypatch):
    def listener(address: str, port: int) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(loopback_ports, "_listener", listener)

    for port in (1717, 0):
        with pytest.raises(AuthError, match="No port is free"):
            bind(f"http://localhost:{port}/cb")


def test_an_address_elsewhere_needs_no_socket(bind, taken):
    assert bind(f"http://localhost:{taken}/cb", ELSEWHERE) == Bound(ELSEWHERE)


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:1717/OauthRedirect",
        "http://127.0.0.1:0/",
        "http://[::1]:8080",
        ELSEWHERE,
        "https://localhost:8443/cb",
    ],
)
def test_addresses_that_can_be_come_back_to(uri):
    check_redirect_uri(uri, "redirect_uris")


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://acme.example.com/cb", "plain http"),
        ("http://localhost/cb", "names no port"),
        ("localhost:1717/cb", "not a URL"),
        ("http://localhost:1717/cb?x=1", "must not hold a user, a query or a fragment"),
        ("http://localhost:1717/cb#x", "must not hold a user, a query or a fragment"),
        ("http://ada@localhost:1717/cb", "must not hold a user"),
        ("http://localhost:99999/cb", "not a URL"),
        ("myapp://callback", "not a URL"),
    ],
)
def test_addresses_that_cannot(uri, problem):
    with pytest.raises(ConfigurationError, match=problem):
        check_redirect_uri(uri, "redirect_uris")
