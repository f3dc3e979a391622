"""Keys in every form that deployments hand over, and the JWTs signed with them."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect._types import Secret
from sfconnect.auth.base import Signer
from sfconnect.auth.signing import LocalSigner, load_rsa_key, sign_jwt
from sfconnect.errors import AuthConfigurationError, AuthError

PASSPHRASE = "correct horse"
KEY = rsa.generate_private_key(65537, 2048)
NUMBERS = KEY.private_numbers()


def pem(
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return KEY.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def locked(form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return pem(form, BestAvailableEncryption(PASSPHRASE.encode()))


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(start).not_valid_after(start + dt.timedelta(days=1))
    made = builder.public_key(KEY.public_key()).sign(KEY, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


PKCS8 = pem()
FORMS = {
    "PKCS 8": PKCS8,
    "PKCS 1": pem(PrivateFormat.TraditionalOpenSSL),
    "line ends as letters": PKCS8.replace("\n", "\\n"),
    "Windows line ends as letters": PKCS8.replace("\n", "\\r\\n"),
    "Windows line ends": PKCS8.replace("\n", "\r\n"),
    "spaces for line ends": PKCS8.replace("\n", " "),
    "no line ends": PKCS8.replace("\n", ""),
    "quoted": f'"{PKCS8}"',
    "indented": "  " + PKCS8.replace("\n", "\n  "),
    "byte order mark": "\ufeff" + PKCS8,
    "base64 of PEM": base64.b64encode(PKCS8.encode()).decode(),
    "wrapped base64 of PEM": base64.encodebytes(PKCS8.encode()).decode(),
    "after a certificate": certificate() + PKCS8,
    "before a certificate": PKCS8 + certificate(),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_key_is_taken_in_every_form(text):
    assert load_rsa_key(text).private_numbers() == NUMBERS


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_opens_with_its_passphrase(form):
    key = load_rsa_key(locked(form), Secret(PASSPHRASE))

    assert key.private_numbers() == NUMBERS


def test_a_passphrase_that_is_not_needed_does_no_harm():
    assert load_rsa_key(PKCS8, Secret("unneeded")).private_numbers() == NUMBERS


def other_key(
    made: ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> str:
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
OPENSSH = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
SHORT = rsa.generate_private_key(65537, 1024)
DAMAGED = PKCS8[:400] + "AAAA" + PKCS8[404:]

UNUSABLE = {
    "nothing": ("", "holds no PEM key", "BEGIN PRIVATE KEY"),
    "prose": ("my key is in the safe", "holds no PEM key", "BEGIN PRIVATE KEY"),
    "base64 of something else": ("aGVsbG8gd29ybGQ=", "holds no PEM key", "BEGIN PRIVATE KEY"),
    "cut off": (PKCS8[:-40], "holds no PEM key", "BEGIN PRIVATE KEY"),
    "certificate": (certificate(), "holds a certificate", "Give the private key"),
    "public key": (PUBLIC, "holds a public key", "Give the private key"),
    "OpenSSH form": (OPENSSH, "OpenSSH's own form", "ssh-keygen"),
    "damaged": (DAMAGED, "is damaged", "Copy it again"),
    "no passphrase": (locked(), "is encrypted and no passphrase", "passphrase"),
    "EC": (
        other_key(ec.generate_private_key(ec.SECP256R1())),
        "RSA is needed",
        "sfconnect auth keygen",
    ),
    "Ed25519": (
        other_key(ed25519.Ed25519PrivateKey.generate()),
        "RSA is needed",
        "sfconnect auth keygen",
    ),
    "short": (
        SHORT.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "has 1024 bits; at least 2048",
        "",
    ),
}


@pytest.mark.parametrize(("text", "problem", "fix"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_key_is_named_with_its_fix_and_never_quoted(text, problem, fix):
    with pytest.raises(AuthConfigurationError) as caught:
        load_rsa_key(text, source="The key file server.key")

    message = str(caught.value)
    assert message.startswith("The key file server.key ")
    assert problem in message
    assert fix in (caught.value.hint or "")
    assert caught.value.hopeless
    body = "".join(text.split("\n")[1:3])
    assert not body or body[:20] not in message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_wrong_passphrase_is_not_repeated_in_the_error(form):
    with pytest.raises(AuthConfigurationError, match="cannot be decrypted") as caught:
        load_rsa_key(locked(form), Secret("wrong horse"))

    assert caught.value.hint == "Check the passphrase."
    assert "wrong horse" not in str(caught.value)


async def test_a_signer_reads_its_key_from_a_file_without_blocking_the_loop(tmp_path):
    path = tmp_path / "server.key"
    path.write_text(PKCS8)

    for given in (path, str(path)):
        signer = await LocalSigner.from_file(given)
        assert signer.key.private_numbers() == NUMBERS


async def test_a_file_of_an_encrypted_key_needs_the_passphrase(tmp_path):
    path = tmp_path / "server.key"
    path.write_text(locked())

    signer = await LocalSigner.from_file(path, Secret(PASSPHRASE))

    assert signer.key.private_numbers() == NUMBERS


FILES = {
    "missing": (None, "cannot be read: No such file"),
    "DER": (
        KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "is in DER form",
    ),
    "binary": (b"\x00\xff\xfe", "holds no PEM key"),
    "empty": (b"", "holds no PEM key"),
}


@pytest.mark.parametrize(("content", "problem"), FILES.values(), ids=FILES.keys())
async def test_an_unusable_file_is_named(tmp_path, content, problem):
    path = tmp_path / "server.key"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(AuthConfigurationError) as caught:
        await LocalSigner.from_file(path)

    assert str(path) in str(caught.value)
    assert problem in str(caught.value)


async def test_a_folder_is_no_key_file(tmp_path):
    with pytest.raises(AuthConfigurationError, match="cannot be read: Is a directory"):
        await LocalSigner.from_file(tmp_path)


async def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "server.key").write_text(PKCS8)

    signer = await LocalSigner.from_file(Path("~/server.key"))

    assert signer.key.private_numbers() == NUMBERS


async def test_a_signer_from_text_names_the_option_in_errors():
    with pytest.raises(AuthConfigurationError, match=r"^private_key holds no PEM key"):
        await LocalSigner.from_pem(Secret("nonsense"))


async def test_a_signed_jwt_is_verified_by_another_implementation():
    signer: Signer = await LocalSigner.from_pem(Secret(PKCS8))

    token = await sign_jwt(signer, {"iss": "app", "exp": 1_700_000_120.9, "n": 1.5})

    decoded = jwt.decode(token, RSAKey.import_key(PUBLIC), algorithms=["RS256"])
    assert decoded.header == {"alg": "RS256", "typ": "JWT"}
    assert decoded.claims == {"iss": "app", "exp": 1_700_000_120, "n": 1.5}
    assert isinstance(decoded.claims["exp"], int)
    assert "=" not in token


async def test_a_named_key_and_further_headers_are_in_the_header():
    signer = LocalSigner(KEY, key_id="k1")

    token = await sign_jwt(signer, {"iss": "app"}, {"typ": "at+jwt"})

    decoded = jwt.decode(token, RSAKey.import_key(PUBLIC), algorithms=["RS256"])
    assert decoded.header == {"alg": "RS256", "typ": "at+jwt", "kid": "k1"}


async def test_any_signer_can_sign():
    """The key may live in a device or a service."""

    class Remote:
        algorithm = "RS256"
        key_id = None

        async def sign(self, data: bytes) -> bytes:
            return b"signed " + data[:2]

    token = await sign_jwt(Remote(), {"iss": "app"})

    assert base64.urlsafe_b64decode(token.rpartition(".")[2] + "==") == b"signed ey"


def test_a_signer_shows_nothing_of_its_key():
    assert "key=" not in repr(LocalSigner(KEY))


def test_key_errors_are_auth_errors():
    assert issubclass(AuthConfigurationError, AuthError)
