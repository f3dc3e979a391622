"""Certificates and keys from files, and what is said when they do not work."""

from __future__ import annotations

import ssl

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from sfconnect._types import Secret
from sfconnect.errors import ConfigurationError
from sfconnect.transport import Tls


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A CA, a certificate, its key (plain and encrypted), another key, and no PEM at all."""
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    issued, other = authority.issue_cert("a.example.com"), authority.issue_cert("b.example.com")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    contents = {
        "ca.pem": authority.cert_pem.bytes(),
        "cert.pem": issued.cert_chain_pems[0].bytes(),
        "both.pem": issued.private_key_and_cert_chain_pem.bytes(),
        "key.pem": issued.private_key_pem.bytes(),
        "other.pem": other.private_key_pem.bytes(),
        "locked.pem": key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary")
        ),
        "text.pem": b"this is no certificate",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def test_without_files_the_machines_own_trust_counts():
    context = Tls().context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_ca_file_is_the_only_trust(files):
    assert len(Tls(files / "ca.pem").context().get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("cert", "key"), [("cert.pem", "key.pem"), ("both.pem", None)], ids=["two files", "one file"]
)
def test_a_client_certificate_is_loaded(files, cert, key):
    Tls(files / "ca.pem", str(files / cert), files / key if key else None).context()


def test_an_encrypted_key_needs_its_password(files):
    def tls(password: Secret | None) -> Tls:
        return Tls(None, files / "cert.pem", files / "locked.pem", password)

    tls(Secret("canary")).context()
    for wrong in (Secret("wrong"), None):
        with pytest.raises(ConfigurationError, match=r"cert\.pem") as caught:
            tls(wrong).context()
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.pem", "text.pem", "."])
def test_an_unusable_ca_file_is_named(files, name):
    with pytest.raises(ConfigurationError, match="CA file") as caught:
        Tls(files / name).context()

    assert str(files / name) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("cert", "key"),
    [
        ("missing.pem", "key.pem"),
        ("cert.pem", "missing.pem"),
        ("cert.pem", "other.pem"),
        ("text.pem", "key.pem"),
        ("cert.pem", None),
    ],
)
def test_an_unusable_client_certificate_is_named(files, cert, key):
    with pytest.raises(ConfigurationError, match="client certificate") as caught:
        Tls(None, files / cert, files / key if key else None).context()

    assert cert in str(caught.value)


def test_the_password_is_not_shown():
    assert "canary" not in repr(Tls(client_key_password=Secret("canary")))
    assert "password" not in repr(Tls(client_key_password=Secret("canary")))
