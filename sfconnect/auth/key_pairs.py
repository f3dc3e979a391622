"""Make an RSA key and the certificate that its app is given: a pair for signed assertions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sfconnect._types import Secret
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

KEY_SIZES: Final = (2048, 3072, 4096)
MAX_DAYS: Final = 3650
_MAX_NAME: Final = 64
"""Of a common name, by RFC 5280, appendix A.1 (ub-common-name)."""
_MAX_PASSPHRASE: Final = 1023
"""Bytes that OpenSSL takes."""
_BEFORE: Final = timedelta(minutes=5)
"""The certificate is good at once also on a machine whose clock is a little behind."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key, as PEM that may be encrypted, and its self-signed certificate."""

    private_pem: Secret = field(repr=False)
    certificate: Certificate = field(repr=False)

    @property
    def certificate_pem(self) -> str:
        """What is uploaded to the app."""
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")

    @property
    def expires(self) -> datetime:
        """The certificate's last moment."""
        return self.certificate.not_valid_after_utc

    @property
    def sha256(self) -> str:
        """Fingerprint of the certificate, in capital hex with colons."""
        return self.certificate.fingerprint(SHA256()).hex(":").upper()

    @property
    def sha1(self) -> str:
        """The shorter fingerprint that some pages show; it is for comparing only."""
        return self.certificate.fingerprint(SHA1()).hex(":").upper()  # noqa: S303  # names, proves nothing


def make_key_pair(
    *, bits: int, days: int, common_name: str, now: float, passphrase: Secret | None = None
) -> KeyPair:
    """Make a pair; it takes up to seconds of computing, so call it in a thread.

    Args:
        bits: Size of the key.
        days: How long the certificate is good.
        common_name: Its subject, which Salesforce shows in the list of certificates.
        now: Seconds since the epoch.
        passphrase: Encrypts the key.

    Raises:
        ConfigurationError: A value that no pair can have.
    """
    _check(bits, days, common_name)
    encryption = NoEncryption() if passphrase is None else _encryption(passphrase)
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    start = datetime.fromtimestamp(now, UTC)
    certificate = _self_signed(key, common_name, start, start + timedelta(days=days))
    return KeyPair(Secret(private.decode("ascii")), certificate)


def _check(bits: int, days: int, common_name: str) -> None:
    if bits not in KEY_SIZES:
        sizes = ", ".join(map(str, KEY_SIZES))
        raise ConfigurationError(f"A key of {bits} bits is not made; choose one of {sizes}.")
    if not 1 <= days <= MAX_DAYS:
        raise ConfigurationError(f"A certificate is good for 1 to {MAX_DAYS} days, not {days}.")
    if not common_name.strip() or len(common_name) > _MAX_NAME or not common_name.isprintable():
        message = f"A common name has 1 to {_MAX_NAME} printable characters."
        raise ConfigurationError(message)


def _encryption(passphrase: Secret) -> BestAvailableEncryption:
    encoded = passphrase.reveal().encode()
    if not 0 < len(encoded) <= _MAX_PASSPHRASE:
        raise ConfigurationError(f"A passphrase has 1 to {_MAX_PASSPHRASE} bytes.")
    return BestAvailableEncryption(encoded)


def _self_signed(
    key: RSAPrivateKey, common_name: str, start: datetime, end: datetime
) -> Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _BEFORE)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, SHA256())
    )
