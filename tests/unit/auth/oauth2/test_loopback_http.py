"""The little of HTTP that the listener speaks."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.auth.oauth2.loopback_http import Head, page, preflight, read_head, see_other


def test_a_request_of_a_browser_is_taken_apart():
    head = read_head(
        b"GET /OauthRedirect?code=a%3D&state=s HTTP/1.1\r\n"
        b"Host: localhost:1717\r\nUser-Agent:  Mozilla/5.0 \r\nX-Empty:\r\n\r\n"
    )

    assert head == Head(
        "GET",
        "/OauthRedirect",
        "code=a%3D&state=s",
        {"host": "localhost:1717", "user-agent": "Mozilla/5.0", "x-empty": ""},
    )


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/cb", "/cb"),
        ("//evil.example.com/cb", "//evil.example.com/cb"),
        ("http://localhost:1717/cb", "/cb"),
        ("http://localhost:1717", "/"),
        ("*", "/"),
    ],
)
def test_the_path_is_found_in_every_form_of_a_target(target, path):
    head = read_head(f"GET {target} HTTP/1.1\r\n\r\n".encode())

    assert head is not None
    assert head.path == path


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"GET /cb\r\n\r\n",
        b"get /cb HTTP/1.1\r\n\r\n",
        b"GET /c b HTTP/1.1\r\n\r\n",
        b"GET /cb HTTP/2\r\n\r\n",
        b"GET /cb HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /cb HTTP/1.1\r\n folded: header\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=["empty", "HTTP/0.9", "method", "space", "version", "header", "folded", "TLS"],
)
def test_what_no_browser_sends_is_no_request(data):
    assert read_head(data) is None


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange_to_be_read(data):
    head = read_head(data + b"\r\n\r\n")

    assert head is None or head.path.startswith("/")


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost:1717", True),
        ("127.0.0.1:1717", True),
        ("[::1]:1717", True),
        ("LOCALHOST", True),
        ("evil.example.com:1717", False),
        ("localhost.evil.example.com", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_only_names_of_this_machine_are_for_it(host, is_here):
    assert Head("GET", "/", headers={"host": host}).is_for_loopback is is_here


def test_of_two_hosts_the_first_counts():
    head = read_head(b"GET / HTTP/1.1\r\nHost: evil.example.com\r\nHost: localhost\r\n\r\n")

    assert head is not None
    assert not head.is_for_loopback


def parts_of(answer: bytes) -> tuple[str, dict[str, str], bytes]:
    """Take an answer apart."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_a_page_is_not_kept_not_framed_and_loads_nothing():
    first, headers, body = parts_of(page(HTTPStatus.NOT_FOUND, "<p>žluťoučký</p>"))

    assert first == "HTTP/1.1 404 Not Found"
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Connection"] == "close"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert body.decode() == "<p>žluťoučký</p>"


def test_sending_on_has_no_body():
    first, headers, body = parts_of(see_other("/login-result"))

    assert first == "HTTP/1.1 303 See Other"
    assert headers["Location"] == "/login-result"
    assert headers["Content-Length"] == "0"
    assert body == b""


def test_a_preflight_of_a_private_network_is_allowed():
    asked = Head("OPTIONS", "/cb", headers={"origin": "https://acme.my.salesforce.com"})

    first, headers, body = parts_of(preflight(asked))

    assert first == "HTTP/1.1 204 No Content"
    assert headers["Access-Control-Allow-Private-Network"] == "true"
    assert headers["Access-Control-Allow-Methods"] == "GET"
    assert headers["Access-Control-Allow-Origin"] == "https://acme.my.salesforce.com"
    assert "Content-Length" not in headers
    assert body == b""


@pytest.mark.parametrize(
    "origin", ["", "https://a b", "https://a\tb", "javascript:x", "https://a/b"]
)
def test_an_origin_that_is_none_is_not_repeated(origin):
    asked = Head("OPTIONS", "/cb", headers={"origin": origin})

    assert "Access-Control-Allow-Origin" not in parts_of(preflight(asked))[1]
