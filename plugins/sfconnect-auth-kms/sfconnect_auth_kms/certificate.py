"""Make the certificate that the app in Salesforce needs: of a key that signs in KMS alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from anyio import to_thread
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from sfconnect.errors import AuthConfigurationError

if TYPE_CHECKING:
    from sfconnect_auth_kms.signer import KmsSigner

DAYS: Final = 730


async def self_signed(
    signer: KmsSigner, *, common_name: str = "sfconnect", days: int = DAYS
) -> str:
    """Make a self-signed certificate of the signer's key, as PEM; upload it to the app.

    Raises:
        AuthError: See ``KmsSigner.sign``; it needs kms:GetPublicKey as well.
    """
    return await to_thread.run_sync(partial(make, signer, common_name, days))


def make(signer: KmsSigner, common_name: str, days: int) -> str:
    """Do what :func:`self_signed` does, blocking.

    Raises:
        AuthError: KMS refused, or the key is not an RSA key.
    """
    public_key = load_der_public_key(signer.fetch_public_key())
    if not isinstance(public_key, RSAPublicKey):
        message = f"The KMS key {signer.kms_key} is not an RSA key."
        hint = "Make one: aws kms create-key --key-usage SIGN_VERIFY --key-spec RSA_2048"
        raise AuthConfigurationError(message, hint=hint, docs_key="kms-key-unsuitable")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # A clock that is behind takes what was made just now for not yet valid.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )
    certificate = builder.sign(_KmsPrivateKey(signer, public_key), SHA256())
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


class _KmsPrivateKey(RSAPrivateKey):
    """What the builder of certificates takes for a private key: it can sign, and nothing else."""

    def __init__(self, signer: KmsSigner, public_key: RSAPublicKey) -> None:
        self._signer = signer
        self._public_key = public_key

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def public_key(self) -> RSAPublicKey:
        return self._public_key

    def sign(self, data: bytes, *_padding_and_algorithm: object) -> bytes:
        # The builder asks for PKCS #1 v1.5 and SHA-256, which is all that there is here.
        return self._signer.service().sign(self._signer.kms_key, data)

    def __copy__(self) -> _KmsPrivateKey:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> _KmsPrivateKey:
        return self

    def decrypt(self, *_arguments: object) -> NoReturn:
        raise _never()

    def private_numbers(self) -> NoReturn:
        raise _never()

    def private_bytes(self, *_arguments: object) -> NoReturn:
        raise _never()


def _never() -> NotImplementedError:
    return NotImplementedError("the private key never leaves AWS KMS")
