"""TLS sessions that the next connection to a host takes up again.

A handshake that takes up a session needs no certificates to be sent and checked. Neither asyncio
nor aiohttp does that. Both let the context make the object that shakes hands, and so does uvloop,
so that is where it is done.
"""

from __future__ import annotations

import ssl
import threading
from functools import cache
from typing import Final

_HOSTS_MAX: Final = 256


@cache
def default_context() -> ssl.SSLContext:
    """Trust what the machine trusts; one for all pools, since that is a long list to read."""
    return resuming(ssl.create_default_context())


class _Newest(threading.local):
    """The newest connection to each host, which has or will have a session to take up.

    For each thread its own: a connection must not be asked by one while another reads from it.
    """

    def __init__(self) -> None:
        self.by_host: dict[str, ssl.SSLObject] = {}

    def note(self, host: str, connection: ssl.SSLObject) -> None:
        self.by_host.pop(host, None)
        self.by_host[host] = connection
        if len(self.by_host) > _HOSTS_MAX:
            del self.by_host[next(iter(self.by_host))]


def resuming(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a client's context take up sessions, and give it back."""
    newest = _Newest()

    class Resuming(ssl.SSLObject):
        """The client's side of one connection."""

        _begun = False

        def do_handshake(self) -> None:
            """Go on with the handshake; the first step offers the host's newest session."""
            host = self.server_hostname or ""
            if not self._begun:
                self._begun = True
                self._offer_session_of(newest.by_host.get(host))
            super().do_handshake()
            # With TLS 1.3 the session comes with the first answer: kept is what will have it.
            newest.note(host, self)

        def _offer_session_of(self, former: ssl.SSLObject | None) -> None:
            if former is None:
                return
            session = former.session
            if session is not None and session.has_ticket:
                self.session = session

    context.sslobject_class = Resuming
    # What aiohttp's own context would say.
    context.set_alpn_protocols(["http/1.1"])
    return context
