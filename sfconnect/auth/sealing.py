"""Encrypt records with AES-256-GCM, so that a copied file tells nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from sfconnect.messages import JSON_ERRORS

if TYPE_CHECKING:
    from sfconnect._types import Secret

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CIPHER: Final = "AES-256-GCM"
_PURPOSE: Final = b"sfconnect token record\0"


class _Box(msgspec.Struct, kw_only=True):
    cipher: str
    key_id: str
    nonce: bytes
    data: bytes


class _Envelope(msgspec.Struct, kw_only=True):
    version: int
    sealed: _Box


@dataclass(frozen=True, slots=True)
class Seal:
    """A key, and what is done with it. A record is bound to its name, so none can be exchanged."""

    key: Secret
    """The 32 bytes in Base64, of either alphabet."""

    @property
    def key_id(self) -> str:
        """A few characters that tell keys apart, and nothing of the key."""
        return hashlib.sha256(b"sfconnect key id\0" + self._bytes()).hexdigest()[:12]

    def close(self, data: bytes, name: str, *, version: int) -> bytes:
        """Encrypt a record; each time with a nonce of its own."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # only where it is asked for

        nonce = os.urandom(_NONCE_BYTES)
        text = AESGCM(self._bytes()).encrypt(nonce, data, _PURPOSE + name.encode())
        box = _Box(cipher=_CIPHER, key_id=self.key_id, nonce=nonce, data=text)
        return msgspec.json.encode(_Envelope(version=version, sealed=box))

    def open(self, data: bytes, name: str) -> bytes:
        """Decrypt a record.

        Raises:
            ValueError: It was not written with this key under this name, or has been changed.
        """
        from cryptography.exceptions import InvalidTag  # see above
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        box = _envelope(data).sealed
        try:
            return AESGCM(self._bytes()).decrypt(box.nonce, box.data, _PURPOSE + name.encode())
        except InvalidTag:
            message = "it was changed, or is another's"
            raise ValueError(message) from None

    def _bytes(self) -> bytes:
        return _key_bytes(self.key)


def key_problem(key: Secret) -> str | None:
    """Say what is wrong with a key, without quoting it; None if nothing is."""
    try:
        length = len(_key_bytes(key))
    except ValueError:
        return "it is not Base64"
    return None if length == KEY_BYTES else f"it has {length} bytes, and {KEY_BYTES} are needed"


def key_id_of(data: bytes) -> str | None:
    """The id of the key that a record was encrypted with; None if it is not encrypted.

    Raises:
        ValueError: It is encrypted in a way that is not known here.
    """
    if b'"sealed"' not in data[:100]:
        return None
    return _envelope(data).sealed.key_id


def _envelope(data: bytes) -> _Envelope:
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
    except JSON_ERRORS:
        envelope = None
    if envelope is None or envelope.sealed.cipher != _CIPHER:
        message = "this is no encrypted record"
        raise ValueError(message)
    return envelope


def _key_bytes(key: Secret) -> bytes:
    text = key.reveal().strip().replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        message = "not Base64"
    raise ValueError(message)
