"""The key pair of the registered app: what ``jwt-bearer`` clients sign with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

KEY_BITS = 2048


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its self-signed certificate, both PEM."""

    private_key: str = field(repr=False)
    certificate: str

    @classmethod
    def generate(cls, common_name: str = "sfconnect emulator") -> KeyPair:
        """Make a fresh RSA pair; keys are random even where the data follow a seed."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        certificate = _self_signed(key, common_name)
        return cls(
            private.decode("ascii"),
            certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        )


@lru_cache(maxsize=1)
def process_key_pair() -> KeyPair:
    """One pair per process: generating a key costs more than starting a small org."""
    return KeyPair.generate()


def _self_signed(key: rsa.RSAPrivateKey, common_name: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=730))
        .sign(key, hashes.SHA256())
    )
