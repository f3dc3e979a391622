"""A pair for signed assertions: the key and its certificate, verified by what reads them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sfconnect._types import Secret
from sfconnect.auth.certificates import AppCertificate, load_certificate
from sfconnect.auth.key_pairs import KeyPair, make_key_pair
from sfconnect.auth.signing import LocalSigner, load_rsa_key, sign_jwt
from sfconnect.errors import AuthConfigurationError, ConfigurationError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def make(
    bits: int = 2048, days: int = 365, common_name: str = "acme", passphrase: str | None = None
) -> KeyPair:
    secret = None if passphrase is None else Secret(passphrase)
    return make_key_pair(
        bits=bits, days=days, common_name=common_name, now=NOW.timestamp(), passphrase=secret
    )


PAIR = make()


async def test_the_certificate_verifies_what_the_key_signs() -> None:
    signer = LocalSigner(load_rsa_key(PAIR.private_pem.reveal()))
    certificate = load_certificate(PAIR.certificate_pem)

    certificate.check(signer, await sign_jwt(signer, {"iss": "app"}))

    assert signer.key.key_size == 2048
    assert certificate.fingerprint == PAIR.sha256


def test_the_certificate_is_signed_by_its_own_key() -> None:
    PAIR.certificate.verify_directly_issued_by(PAIR.certificate)

    assert PAIR.certificate.subject.rfc4514_string() == "CN=acme"
    constraints = PAIR.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)


def test_the_certificate_is_good_at_once_and_for_as_many_days_as_asked_for() -> None:
    certificate = AppCertificate(PAIR.certificate, PAIR.certificate.public_key())  # type: ignore[arg-type]  # RSA

    assert PAIR.expires == NOW + timedelta(days=365)
    assert certificate.time_problem((NOW - timedelta(minutes=4)).timestamp()) is None
    assert certificate.time_problem((PAIR.expires + timedelta(seconds=1)).timestamp())


def test_it_is_small_enough_for_salesforce() -> None:
    assert len(make(bits=4096, common_name="x" * 64).certificate_pem) < 4096


def test_fingerprints_are_over_the_certificate() -> None:
    der = PAIR.certificate.public_bytes(Encoding.DER)

    assert PAIR.sha256.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert PAIR.sha1.replace(":", "").lower() == hashlib.sha1(der).hexdigest()
    assert PAIR.sha1.count(":") == 19


def test_an_encrypted_key_opens_by_its_passphrase_alone() -> None:
    text = make(passphrase="open sesame").private_pem.reveal()

    assert "ENCRYPTED" in text
    assert load_rsa_key(text, Secret("open sesame")).key_size == 2048
    with pytest.raises(AuthConfigurationError, match="cannot be decrypted"):
        load_rsa_key(text, Secret("open barley"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bits": 1024}, "1024 bits is not made; choose one of 2048, 3072, 4096"),
        ({"days": 0}, "1 to 3650 days, not 0"),
        ({"days": 3651}, "1 to 3650 days, not 3651"),
        ({"common_name": " "}, "1 to 64 printable"),
        ({"common_name": "x" * 65}, "1 to 64 printable"),
        ({"common_name": "a\nb"}, "1 to 64 printable"),
        ({"passphrase": "x" * 1024}, "1 to 1023 bytes"),
        ({"passphrase": ""}, "1 to 1023 bytes"),
    ],
    ids=str,
)
def test_what_no_pair_can_have_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make(**wrong)  # type: ignore[arg-type]  # by name


def test_the_key_is_in_no_repr() -> None:
    assert "PRIVATE" not in repr(PAIR)
