"""A certificate for a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme


@contextmanager
def certificate() -> Iterator[tuple[str, str]]:
    """Files of a CA, and of a certificate with its key."""
    authority = trustme.CA()
    with TemporaryDirectory() as folder:
        ca_file, cert_file = Path(folder, "ca.pem"), Path(folder, "server.pem")
        authority.cert_pem.write_to_path(str(ca_file))
        chain = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        chain.write_to_path(str(cert_file))
        yield str(ca_file), str(cert_file)
