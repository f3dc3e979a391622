"""The app's certificate: read in any form, and checked against the key that signs."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sfconnect.auth.certificates import AppCertificate, key_fingerprint, load_certificate
from sfconnect.auth.signing import LocalSigner, sign_jwt
from sfconnect.errors import AuthConfigurationError

KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
START = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
END = dt.datetime(2027, 1, 1, 12, tzinfo=dt.UTC)


def made(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
    builder = builder.not_valid_before(START).not_valid_after(END)
    return builder.public_key(key.public_key()).sign(key, hashes.SHA256())


CERTIFICATE = made()
PEM = CERTIFICATE.public_bytes(Encoding.PEM).decode()
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
OTHER_PEM = made(OTHER).public_bytes(Encoding.PEM).decode()
FORMS = {
    "as it is": PEM,
    "line ends as letters": PEM.replace("\n", "\\n"),
    "line ends as spaces": PEM.replace("\n", " "),
    "once more in base64": base64.b64encode(PEM.encode()).decode(),
    "after the key": KEY_PEM + PEM,
    "before its issuer": PEM + OTHER_PEM,
    "under an older label": PEM.replace("CERTIFICATE", "X509 CERTIFICATE"),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_certificate_is_read_as_deployments_hand_it_over(text: str) -> None:
    assert load_certificate(text).certificate == CERTIFICATE


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
async def test_a_file_may_be_in_either_form(tmp_path: Path, encoding: Encoding) -> None:
    path = tmp_path / "server.crt"
    path.write_bytes(CERTIFICATE.public_bytes(encoding))

    assert (await AppCertificate.from_file(path)).certificate == CERTIFICATE


EC_PEM = made(ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no PEM certificate"),
        ("canary", "holds no PEM certificate"),
        (KEY_PEM, "holds a private key, not a certificate"),
        (PEM.replace("M", "A"), "is damaged"),
        ("-----BEGIN CERTIFICATE-----canary-----END CERTIFICATE-----", "is damaged"),
        (EC_PEM, "is not for an RSA key"),
    ],
    ids=["empty", "text", "key", "damaged", "no base64", "elliptic curve"],
)
def test_what_is_no_certificate_is_told_as_such(text: str, problem: str) -> None:
    with pytest.raises(AuthConfigurationError, match=problem) as caught:
        load_certificate(text)

    assert caught.value.docs_key == "certificate-unusable"
    assert "canary" not in str(caught.value)
    assert KEY_PEM[40:80] not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read: No such file"), (b"\x30\x00", "is damaged")]
)
async def test_a_file_that_cannot_be_used_is_named(tmp_path, content, problem) -> None:
    path = tmp_path / "server.crt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(AuthConfigurationError, match=problem) as caught:
        await AppCertificate.from_file(path)

    assert str(path) in str(caught.value)


def test_fingerprints_are_written_as_openssl_does() -> None:
    fingerprint = load_certificate(PEM).fingerprint

    assert bytes.fromhex(fingerprint.replace(":", "")) == CERTIFICATE.fingerprint(hashes.SHA256())
    assert fingerprint.count(":") == 31
    assert fingerprint == fingerprint.upper()


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        (START - dt.timedelta(seconds=1), "is not valid before 2026-01-01 12:00 UTC"),
        (START, None),
        (END, None),
        (END + dt.timedelta(seconds=1), "has expired on 2027-01-01 12:00 UTC"),
    ],
)
def test_a_certificate_has_its_time(now: dt.datetime, problem: str | None) -> None:
    assert load_certificate(PEM).time_problem(now.timestamp()) == problem


async def test_a_signature_by_its_key_passes() -> None:
    signer = LocalSigner(KEY)

    load_certificate(PEM).check(signer, await sign_jwt(signer, {"iss": "app"}))


async def test_a_signature_by_another_key_is_refused_with_both_fingerprints() -> None:
    signer = LocalSigner(OTHER)
    signed = await sign_jwt(signer, {"iss": "app"})

    with pytest.raises(AuthConfigurationError, match="does not belong") as caught:
        load_certificate(PEM).check(signer, signed)

    for key in (KEY, OTHER):
        assert key_fingerprint(key.public_key()) in caught.value.message
    assert load_certificate(PEM).fingerprint in caught.value.message
    assert caught.value.docs_key == "key-not-of-certificate"
    assert signed.rpartition(".")[2] not in str(caught.value)


class Remote:
    """Signs where its key cannot be seen."""

    algorithm, key_id = "RS256", None

    def __init__(self, signature: bytes | None = None) -> None:
        self.signature = signature

    async def sign(self, data: bytes) -> bytes:
        return await LocalSigner(KEY).sign(data) if self.signature is None else self.signature


async def test_a_key_that_never_leaves_its_place_is_checked_too() -> None:
    good, bad = Remote(), Remote(b"x" * 256)

    load_certificate(PEM).check(good, await sign_jwt(good, {}))
    with pytest.raises(AuthConfigurationError, match="does not belong") as caught:
        load_certificate(PEM).check(bad, await sign_jwt(bad, {}))

    assert key_fingerprint(KEY.public_key()) in caught.value.message
    assert "private key" not in caught.value.message


@pytest.mark.parametrize("signature", ["", "x", "é", "a" * 343])
def test_what_is_no_signature_is_none(signature: str) -> None:
    with pytest.raises(AuthConfigurationError):
        load_certificate(PEM).check(LocalSigner(KEY), f"e30.e30.{signature}")


async def test_an_algorithm_that_is_not_known_here_is_left_to_the_server() -> None:
    remote = Remote(b"x")
    remote.algorithm = "PS256"

    load_certificate(PEM).check(remote, await sign_jwt(remote, {}))
