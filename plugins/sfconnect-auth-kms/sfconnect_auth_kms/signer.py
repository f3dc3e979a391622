"""The signer: RS256 by a call of AWS KMS."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

from anyio import to_thread

from sfconnect import ConfigurationError
from sfconnect.auth import option
from sfconnect.errors import AuthConfigurationError
from sfconnect_auth_kms.service import Service

_ARN: Final = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]+):\d*:(?:key|alias)/.+")
_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class KmsSigner:
    """Sign with an RSA key of AWS KMS; AWS credentials come from where its tools have them.

    Each signature is a call of KMS, two with ``kms_fingerprint``. It is made in a thread, since a
    login needs one signature and lasts for hours. Nothing is kept but what botocore knows of AWS.
    """

    plugin_api: ClassVar[int] = 1

    kms_key: str = option(
        help="Id, ARN or alias of the key, of usage SIGN_VERIFY and kind RSA.",
        example="alias/sfconnect",
    )
    kms_region: str | None = option(
        help="Region of the key; left out, that of the ARN, or AWS's own setting.", default=None
    )
    kms_fingerprint: str | None = option(
        help="SHA-256 of the public key that must be behind kms_key, in hex.", default=None
    )
    key_id: str | None = option(
        help="Name of the key in the header of assertions; Salesforce wants none.", default=None
    )
    kms_endpoint_url: str | None = option(
        help="Address of KMS, where it is reached through an endpoint of one's own.", default=None
    )
    kms_timeout_s: float = option(
        help="Seconds to connect, and to wait for an answer, of one try.", default=10.0
    )

    def __post_init__(self) -> None:
        if not self.kms_key.strip():
            raise ConfigurationError("kms_key is empty.", hint="Give an id, an ARN or an alias.")
        if self.kms_fingerprint is not None and not _is_fingerprint(self.kms_fingerprint):
            message = f"kms_fingerprint must have {_DIGITS} hexadecimal digits."
            raise ConfigurationError(message, hint="`sfconnect-kms-certificate` shows it.")
        if not self.kms_timeout_s > 0:
            raise ConfigurationError("kms_timeout_s must be more than 0.")

    @property
    def algorithm(self) -> str:
        """The only one that Salesforce takes."""
        return "RS256"

    async def sign(self, data: bytes) -> bytes:
        """Sign as RS256 does: PKCS #1 v1.5 over SHA-256.

        A cancelled caller does not wait for the answer.

        Raises:
            AuthConfigurationError: The key is unknown, unsuitable, not the expected one, or may
                not be used.
            CredentialUnavailableError: There are no AWS credentials.
            InvalidCredentialsError: AWS does not take them.
            TransientAuthError: KMS cannot be reached, or asks to come back.
        """
        return await to_thread.run_sync(partial(self._sign, data), abandon_on_cancel=True)

    async def public_key(self) -> bytes:
        """Return the public half of the key as DER (SubjectPublicKeyInfo).

        Raises:
            AuthError: See :meth:`sign`.
        """
        return await to_thread.run_sync(self.fetch_public_key, abandon_on_cancel=True)

    def fetch_public_key(self) -> bytes:
        """Do what :meth:`public_key` does, blocking."""
        public_key = self.service().public_key(self.kms_key)
        self._check(public_key)
        return public_key

    def service(self) -> Service:
        """Where the key is."""
        found = _ARN.fullmatch(self.kms_key)
        region = self.kms_region or (found["region"] if found else None)
        return Service(region, self.kms_endpoint_url, self.kms_timeout_s)

    def _sign(self, data: bytes) -> bytes:
        if self.kms_fingerprint is not None:
            self.fetch_public_key()
        return self.service().sign(self.kms_key, data)

    def _check(self, public_key: bytes) -> None:
        wanted, found = self.kms_fingerprint, fingerprint_of(public_key)
        if wanted is None or _digits(wanted) == found:
            return
        message = f"The KMS key {self.kms_key} has the fingerprint {found}, not {wanted}."
        hint = (
            "Assertions would be signed with another key than the one whose certificate the app "
            "has: correct kms_key, or upload the certificate of this one."
        )
        raise AuthConfigurationError(message, hint=hint, docs_key="kms-fingerprint")


def fingerprint_of(public_key: bytes) -> str:
    """SHA-256 of a public key in DER form, as 64 hexadecimal digits."""
    return hashlib.sha256(public_key).hexdigest()


def _digits(fingerprint: str) -> str:
    return fingerprint.replace(":", "").replace(" ", "").lower()


def _is_fingerprint(text: str) -> bool:
    return re.fullmatch(rf"[0-9a-f]{{{_DIGITS}}}", _digits(text)) is not None
