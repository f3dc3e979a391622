"""Ports of this machine that a browser can be sent back to."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sfconnect.auth.urls import is_loopback, split_endpoint
from sfconnect.errors import AuthError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BOTH: Final = ("127.0.0.1", "::1")
"""What the name localhost can mean; the browser decides, so both have to be ours."""
_NO_SUCH_FAMILY: Final = frozenset(
    {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.ENOPROTOOPT}
)
_FREE_PORT_TRIES: Final = 20
_BACKLOG: Final = 16


@dataclass(frozen=True, slots=True)
class Bound:
    """An address to come back to, and the sockets that listen there.

    There are none where the address is not on this machine: then a person carries it over.
    """

    redirect_uri: str
    sockets: tuple[socket.socket, ...] = field(default=(), repr=False)


def check_redirect_uri(uri: str, option: str) -> None:
    """Refuse an address that no browser can be sent back to.

    Raises:
        ConfigurationError: It is plain http elsewhere than on this machine, without a port there,
            or not an address at all.
    """
    parts = split_endpoint(uri, option)
    if parts.scheme == "http" and parts.port is None:
        message = f"{option} {uri!r} names no port."
        raise ConfigurationError(message, hint="Write it like http://localhost:1717/OauthRedirect.")


def bind_first(redirect_uris: Sequence[str]) -> Bound:
    """Take the first address whose port is free.

    Port 0 stands for any free one (RFC 8252 §7.3), for servers that do not compare ports. An
    address elsewhere, such as the success page of an org, is always free.

    Raises:
        AuthError: All ports are taken.
    """
    for uri in redirect_uris:
        if not _is_here(uri):
            return Bound(uri)
        try:
            return _bind(uri)
        except OSError:
            continue
    message = f"No port is free for the redirect of the login: {', '.join(redirect_uris)}."
    hint = (
        "Another login may be waiting: end it. Or register a further callback URL for the app, "
        "with another port, and add it to redirect_uris."
    )
    raise AuthError(message, hint=hint, docs_key="no-free-port")


def _is_here(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def _bind(uri: str) -> Bound:
    parts = urlsplit(uri)
    host, port = parts.hostname or "", parts.port or 0
    sockets = _listen(host, port)
    port = sockets[0].getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    bound = f"{parts.scheme}://{name}:{port}{parts.path}"
    # The server compares character by character, so what was written stays as it is.
    return Bound(uri if parts.port else bound, sockets)


def _listen(host: str, port: int) -> tuple[socket.socket, ...]:
    """Listen on what the host means; a free port of one family may be taken in the other."""
    for _ in range(_FREE_PORT_TRIES if port == 0 else 0):
        with suppress(OSError):
            return _listen_on_all(_addresses(host), port)
    return _listen_on_all(_addresses(host), port)


def _addresses(host: str) -> Sequence[str]:
    try:
        return (str(ip_address(host)),)
    except ValueError:
        return _BOTH


def _listen_on_all(addresses: Sequence[str], port: int) -> tuple[socket.socket, ...]:
    """Listen on each address with the same port; a family that the machine lacks is left out."""
    sockets: list[socket.socket] = []
    missing = OSError(errno.EADDRNOTAVAIL, "no loopback address")
    try:
        for address in addresses:
            try:
                made = _listener(address, port)
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                missing = error
                continue
            sockets.append(made)
            port = made.getsockname()[1]
        if not sockets:
            raise missing
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    return tuple(sockets)


def _listener(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there, reuse would let another program listen as well
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setblocking(False)
        made.bind((address, port))
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
