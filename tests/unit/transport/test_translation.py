"""What errors of the HTTP library become where no socket can be made to raise them."""

from __future__ import annotations

import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from sfconnect.errors import ConfigurationError, ConnectError, ConnectionLostError, ResponseError
from sfconnect.messages import Request
from sfconnect.transport._errors import presentable, translate

REQUEST = Request("POST", "https://user:canary@api.example.com:8443/rows?q=canary#canary")
KEY = ConnectionKey("api.example.com", 8443, True, True, None, None, None)
INFO = aiohttp.RequestInfo(URL(REQUEST.path), "POST", {}, URL(REQUEST.path))  # type: ignore[arg-type]  # unused


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(113, "x")), ConnectError, "No route to host"),
        (aiohttp.ClientConnectorError(KEY, OSError("x")), ConnectError, "no route"),
        (
            aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "x")),
            ConnectError,
            "handshake failed",
        ),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "x")), ConnectError, "resolved"),
        (aiohttp.ClientHttpProxyError(INFO, (), status=407), ConnectError, "407"),
        (aiohttp.ServerDisconnectedError(), ConnectionLostError, "broke"),
        (aiohttp.ClientOSError(104, "x"), ConnectionLostError, "broke"),
        (OSError(9, "x"), ConnectionLostError, "broke"),
        (aiohttp.ClientPayloadError("x"), ResponseError, "cut or is corrupt"),
        (aiohttp.ClientResponseError(INFO, ()), ResponseError, "cut or is corrupt"),
        (aiohttp.InvalidURL("https://canary"), ConfigurationError, "cannot be sent"),
        (ValueError("canary"), ConfigurationError, "cannot be sent"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_error_has_its_meaning_and_shows_the_place_alone(error, kind, text):
    made = translate(error, REQUEST)

    assert type(made) is kind
    assert text in str(made)
    assert "api.example.com:8443/rows" in str(made)
    assert "canary" not in str(made)


def test_a_path_without_a_host_is_shown_without_its_query():
    made = translate(OSError(), Request("GET", "/rows?q=canary"))

    assert "GET /rows:" in str(made)


def test_an_address_that_is_no_url_is_not_shown():
    made = translate(ValueError(), Request("GET", "https://[canary"))

    assert "canary" not in str(made)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ClientResponseError(INFO, (), message="canary"), False),
        (aiohttp.ConnectionTimeoutError("Connection timeout to host https://x/?q=canary"), False),
        (TimeoutError(), True),
    ],
)
def test_a_cause_whose_text_holds_a_url_is_not_chained(error, shown):
    assert presentable(error) is (error if shown else None)
