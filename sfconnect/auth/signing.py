"""Signed assertions: load an RSA key however it was handed over, and sign JWTs with it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from anyio import to_thread
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sfconnect._types import Secret
from sfconnect.auth.pem import pem_block, pem_blocks
from sfconnect.errors import AuthConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect._types import JsonValue
    from sfconnect.auth.base import Signer

MIN_BITS: Final = 2048
_MAKE_ONE: Final = "Make one: sfconnect auth keygen"
_TIMES: Final = ("exp", "iat", "nbf")


@dataclass(frozen=True, slots=True)
class LocalSigner:
    """Signs with an RSA key held in this process."""

    key: RSAPrivateKey = field(repr=False)
    algorithm: str = "RS256"
    key_id: str | None = None

    @classmethod
    async def from_file(cls, path: Path | str, passphrase: Secret | None = None) -> LocalSigner:
        """Read a key file.

        Raises:
            AuthConfigurationError: The file cannot be read or holds no usable key.
        """
        return cls(await to_thread.run_sync(partial(_load_file, Path(path), passphrase)))

    @classmethod
    async def from_pem(
        cls, pem: Secret, passphrase: Secret | None = None, *, source: str = "private_key"
    ) -> LocalSigner:
        """Take a key as text.

        Raises:
            AuthConfigurationError: The text holds no usable key; ``source`` names the place.
        """
        # Checking a key takes long enough to be felt by whoever shares the event loop.
        load = partial(load_rsa_key, pem.reveal(), passphrase, source=source)
        return cls(await to_thread.run_sync(load))

    async def sign(self, data: bytes) -> bytes:
        """Sign as RS256 does: PKCS #1 v1.5 over SHA-256 (RFC 7518 §3.3)."""
        return self.key.sign(data, PKCS1v15(), SHA256())


async def sign_jwt(
    signer: Signer,
    claims: Mapping[str, JsonValue],
    header: Mapping[str, JsonValue] | None = None,
) -> str:
    """Make a signed JWT in its compact form. Times are sent as whole seconds."""
    full_header: dict[str, JsonValue] = {"alg": signer.algorithm, "typ": "JWT"}
    if signer.key_id is not None:
        full_header["kid"] = signer.key_id
    full_header.update(header or {})
    whole = {name: _whole(value) if name in _TIMES else value for name, value in claims.items()}
    signed = f"{_encode(full_header)}.{_encode(whole)}"
    signature = await signer.sign(signed.encode("ascii"))
    return f"{signed}.{_base64url(signature)}"


def _whole(value: JsonValue) -> JsonValue:
    return int(value) if isinstance(value, float) else value


def _encode(value: Mapping[str, JsonValue]) -> str:
    return _base64url(msgspec.json.encode(value))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _load_file(path: Path, passphrase: Secret | None) -> RSAPrivateKey:
    source = f"The key file {path}"
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise _unusable(source, f"cannot be read: {problem}.", "key-file-unreadable") from error
    if content[:1] == b"\x30":
        hint = "Convert it: openssl pkcs8 -inform DER -outform PEM -in KEY -out KEY.pem"
        raise _unusable(source, "is in DER form, not PEM.", "key-not-pem", hint)
    return load_rsa_key(content.decode("utf-8", "replace"), passphrase, source=source)


def load_rsa_key(
    text: str, passphrase: Secret | None = None, *, source: str = "private_key"
) -> RSAPrivateKey:
    r"""Load a private key from PEM text, repaired where deployment tools have mangled it.

    Taken are PKCS #1 and #8, encrypted or not; line ends that became ``\n`` in letters, spaces
    or nothing; the whole PEM once more in base64; and files with certificates beside the key.

    Raises:
        AuthConfigurationError: There is no usable key. The error never quotes the text.
    """
    pem = _private_block(text, source)
    password = passphrase.reveal().encode() if passphrase else None
    needs_password = "ENCRYPTED" in pem
    if needs_password and password is None:
        hint = "Set passphrase, or decrypt the key: openssl rsa -in KEY -out NEW"
        raise _unusable(source, "is encrypted and no passphrase is given.", "key-encrypted", hint)
    # A passphrase for a key that needs none is an error to cryptography, not to us.
    key = _parsed(pem.encode(), password if needs_password else None)
    if key is None:  # not chained: parsers may quote what they could not read
        problem = "cannot be decrypted." if needs_password else "is damaged."
        hint = "Check the passphrase." if needs_password else "Copy it again, whole."
        raise _unusable(source, problem, "key-damaged", hint)
    return _suitable(key, source)


def _parsed(pem: bytes, password: bytes | None) -> object:
    try:
        return load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _suitable(key: object, source: str) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey):
        kind = type(key).__name__.removesuffix("PrivateKey").removesuffix("Private").strip("_")
        raise _unusable(source, f"is a {kind} key; RSA is needed.", "key-not-rsa", _MAKE_ONE)
    if key.key_size < MIN_BITS:
        problem = f"has {key.key_size} bits; at least {MIN_BITS} are needed."
        raise _unusable(source, problem, "key-too-short", _MAKE_ONE)
    return key


def _private_block(text: str, source: str) -> str:
    """Find the private key among the blocks of a PEM file, with its lines restored."""
    blocks = pem_blocks(text)
    label = next((label for label in blocks if label.endswith("PRIVATE KEY")), None)
    if label == "OPENSSH PRIVATE KEY":
        hint = "Convert a copy of it: ssh-keygen -p -m PEM -f KEY"
        raise _unusable(source, "is in OpenSSH's own form, not PEM.", "key-not-pem", hint)
    if label is not None:
        return pem_block(label, blocks[label])
    hint = "Give the private key, which begins with -----BEGIN PRIVATE KEY----- or the like."
    found = next(iter(blocks), None)
    if found is None:
        raise _unusable(source, "holds no PEM key.", "key-not-pem", hint)
    what = "a certificate" if "CERTIFICATE" in found else f"a {found.lower()}"
    raise _unusable(source, f"holds {what}, not the private key.", "key-not-private", hint)


def _unusable(
    source: str, problem: str, key: str, hint: str | None = None
) -> AuthConfigurationError:
    return AuthConfigurationError(f"{source} {problem}", hint=hint, docs_key=key)
