"""The certificates of a proxy: one that its clients can trust, and some that nobody should."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    import trustme

HOST = "127.0.0.1"


class Certificates:
    """An authority, what it has issued, and a folder with its file.

    Making and closing it reads and writes files.

    Attributes:
        ca_file: The authority's certificate, as PEM.
        trust: A client's context, which trusts that authority and nobody else.
        right: Shows a certificate for this host.
        wrong: Show one that no client may take, by what is wrong with it.
    """

    def __init__(self) -> None:
        authority = _authority()
        self._folder = TemporaryDirectory(prefix="sfconnect-proxy-")
        self.ca_file = Path(self._folder.name) / "ca.pem"
        text = authority.cert_pem.bytes().decode()
        self.ca_file.write_text(text, encoding="ascii")
        self.trust = ssl.create_default_context(cadata=text)
        now = datetime.now(UTC)
        expired = authority.issue_cert(
            HOST, not_before=now - timedelta(days=2), not_after=now - timedelta(days=1)
        )
        self.right = _showing(authority.issue_cert(HOST))
        self.wrong = {
            "untrusted": _showing(_authority().issue_cert(HOST)),
            "expired": _showing(expired),
            "other name": _showing(authority.issue_cert("other.example.com")),
        }

    def first_flight(self, hello: bytes) -> bytes:
        """What a server answers first to a client's first bytes."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self.right.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(hello)
        with suppress(ssl.SSLError):  # it wants more, or the bytes are no greeting
            server.do_handshake()
        return outgoing.read()

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()


def _authority() -> trustme.CA:
    try:
        import trustme
    except ImportError as error:
        hint = "pip install 'sfconnect[testing]'"
        raise ConfigurationError("A proxy with TLS needs trustme.", hint=hint) from error
    return trustme.CA()


def _showing(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
