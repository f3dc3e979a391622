"""aiohttp's errors, translated at the border into ours."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from sfconnect.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
    SfConnectError,
    TransportError,
)
from sfconnect.transport._connector import was_connecting

if TYPE_CHECKING:
    from sfconnect.messages import Request


def translate(error: BaseException, request: Request) -> SfConnectError:
    """Say what an error of the HTTP library means: was it sent, and may it have had an effect?"""
    place = _place(request)
    if isinstance(error, aiohttp.ConnectionTimeoutError) or was_connecting(error):
        return ConnectError(
            f"No connection to {place} within the connect time-out.",
            hint="Check the host name, the network route and the proxy.",
        )
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError):
        return _not_connected(error, place)
    if isinstance(error, ValueError | aiohttp.NonHttpUrlClientError):
        return ConfigurationError(
            f"The request to {place} cannot be sent as it is: its URL, its method or a header "
            f"holds what none may hold."
        )
    if isinstance(error, asyncio.TimeoutError):
        return RequestTimeoutError(f"{request.method} {place}: no answer within the time-out.")
    return _lost(error, request, place)


def presentable(error: BaseException) -> BaseException | None:
    """Give the error as a cause to show, unless its text holds a URL, and so perhaps a query."""
    return None if "://" in str(error) else error


def _lost(error: BaseException, request: Request, place: str) -> TransportError:
    if getattr(error.__cause__, "reason", None) == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        # With TLS 1.3 the server says so only after the client thinks that it is connected.
        return ConnectError(
            f"TLS with {place} failed: certificate required.",
            hint="The server asks for a client certificate: give client_cert_file.",
        )
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
        return ResponseError(
            f"{request.method} {place}: the answer's body was cut or is corrupt.",
        )
    return ConnectionLostError(
        f"{request.method} {place}: the connection broke after the request was sent."
    )


def _not_connected(error: aiohttp.ClientError, place: str) -> ConnectError:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ConnectError(
            f"The proxy refused to connect to {place} (status {error.status}).",
            hint="Check the proxy's address and whether it asks for a password.",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectError(
            f"The host name of {place} cannot be resolved.",
            hint="Check its spelling; a new org's name can take minutes to appear.",
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return ConnectError(f"TLS with {place} failed: {_tls_reason(error)}.", hint=_TLS_HINT)
    # asyncio writes a text of its own over the system's.
    number = getattr(error, "errno", None)
    return ConnectError(
        f"No connection to {place}: {os.strerror(number) if number else 'no route'}.",
        hint="Check that the host and port are right and that it is reachable from here.",
    )


_TLS_HINT = "A proxy that opens TLS, or a private CA, needs its certificate as ca_file."


def _tls_reason(error: aiohttp.ClientError) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    return getattr(cause, "reason", None) or "handshake failed"


def _place(request: Request) -> str:
    # Neither query nor user part: both may hold values that must not reach a message.
    try:
        url = URL(request.path, encoded=True)
        port = f":{url.explicit_port}" if url.explicit_port else ""
    except ValueError:
        return "an address that is not a URL"
    return f"{url.host or ''}{port}{request.shown_as or url.raw_path}"
