"""The certificate that an app has at the server: whether it fits the key that signs here."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import (
    Certificate,
    load_der_x509_certificate,
    load_pem_x509_certificate,
)

from sfconnect.auth.pem import pem_block, pem_blocks
from sfconnect.auth.signing import LocalSigner
from sfconnect.errors import AuthConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfconnect.auth.base import Signer

_LABELS: Final = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_DER: Final = b"\x30"
_CHECKED: Final = "RS256"
"""What an RSA key signs with unless it is told otherwise; others are left to the server."""


@dataclass(frozen=True, slots=True)
class AppCertificate:
    """A certificate, and the RSA key that it is for."""

    certificate: Certificate = field(repr=False)
    public_key: RSAPublicKey = field(repr=False)

    @classmethod
    async def from_file(cls, path: Path | str) -> AppCertificate:
        """Read a file in PEM or DER form.

        Raises:
            AuthConfigurationError: It cannot be read, or holds no certificate of an RSA key.
        """
        return await to_thread.run_sync(partial(_load_file, Path(path)))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, as ``openssl x509 -fingerprint -sha256`` prints it."""
        return self.certificate.fingerprint(SHA256()).hex(":").upper()

    def time_problem(self, now: float) -> str | None:
        """Say that it has expired, or is not valid yet; times are seconds since the epoch."""
        today = datetime.fromtimestamp(now, UTC)
        if today < self.certificate.not_valid_before_utc:
            return f"is not valid before {self.certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        if today > self.certificate.not_valid_after_utc:
            return f"has expired on {self.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        return None

    def check(self, signer: Signer, signed_jwt: str) -> None:
        """Refuse a JWT that the server could not verify by this certificate.

        It is the signature that is looked at, so a key that never leaves its HSM is checked too.

        Raises:
            AuthConfigurationError: Another key has signed it; both fingerprints are named.
        """
        if signer.algorithm == _CHECKED and not _is_signed_by(self.public_key, signed_jwt):
            raise _other_key(self, signer)


def key_fingerprint(key: RSAPublicKey) -> str:
    """SHA-256 over a public key in DER form (SubjectPublicKeyInfo), in capital hex."""
    digest = Hash(SHA256())
    digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex(":").upper()


def load_certificate(text: str, *, source: str = "certificate") -> AppCertificate:
    """Load a certificate from PEM text, repaired as keys are; of several the first counts.

    Raises:
        AuthConfigurationError: It holds no certificate of an RSA key.
    """
    blocks = pem_blocks(text)
    body = next((blocks[label] for label in _LABELS if label in blocks), None)
    if body is None:
        found = next(iter(blocks), None)
        what = "no PEM certificate" if found is None else f"a {found.lower()}, not a certificate"
        raise _unusable(source, f"holds {what}.")
    pem = pem_block(_LABELS[0], body).encode()
    return _suitable(partial(load_pem_x509_certificate, pem), source)


def _load_file(path: Path) -> AppCertificate:
    source = f"The certificate file {path}"
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise _unusable(source, f"cannot be read: {problem}.") from error
    if content[:1] != _DER:
        return load_certificate(content.decode("utf-8", "replace"), source=source)
    return _suitable(partial(load_der_x509_certificate, content), source)


def _suitable(load: Callable[[], Certificate], source: str) -> AppCertificate:
    try:
        loaded = load()
        key = loaded.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(source, "is damaged.") from error
    if isinstance(key, RSAPublicKey):
        return AppCertificate(loaded, key)
    raise _unusable(source, "is not for an RSA key, and that kind is needed.")


def _is_signed_by(key: RSAPublicKey, signed_jwt: str) -> bool:
    signed, _, signature = signed_jwt.rpartition(".")
    try:
        decoded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        key.verify(decoded, signed.encode("ascii"), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _other_key(certificate: AppCertificate, signer: Signer) -> AuthConfigurationError:
    theirs = key_fingerprint(certificate.public_key)
    ours = ""
    if isinstance(signer, LocalSigner):
        ours = f", and the private key is of {key_fingerprint(signer.key.public_key())}"
    message = (
        "The key that signs does not belong to the certificate. By SHA-256, the certificate "
        f"{certificate.fingerprint} is for the public key {theirs}{ours}."
    )
    hint = (
        "Nothing was sent. Give the key and the certificate that were made together; the app's "
        "settings show which certificate it has."
    )
    return AuthConfigurationError(message, hint=hint, docs_key="key-not-of-certificate")


def _unusable(source: str, problem: str) -> AuthConfigurationError:
    hint = "Give the certificate that was uploaded to the app, as PEM."
    return AuthConfigurationError(f"{source} {problem}", hint=hint, docs_key="certificate-unusable")
