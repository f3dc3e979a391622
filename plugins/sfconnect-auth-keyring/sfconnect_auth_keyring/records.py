"""Records as text: versioned JSON in ASCII, whole or as an index of parts. Pure, without I/O."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sfconnect.auth import StoredToken, credentials_from_json, credentials_to_json
from sfconnect.errors import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Index:
    """What stands under the key of a record that lies in parts."""

    generation: int
    parts: int
    digest: str

    @classmethod
    def of(cls, text: str, generation: int, max_characters: int) -> Index:
        """Describe a text that is to be split."""
        return cls(generation, -(-len(text) // max_characters), _digest(text))

    def names(self, key: str) -> list[str]:
        """What the parts are filed under; no other generation has the same names."""
        return [f"{key}.{self.generation}.{number}" for number in range(self.parts)]

    def split(self, text: str, max_characters: int) -> list[str]:
        """Cut the text into its parts."""
        return [text[n * max_characters :][:max_characters] for n in range(self.parts)]


def encode(record: StoredToken) -> str:
    """Write a record.

    Raises:
        TokenStoreError: The credentials hold something that has no JSON form.
    """
    try:
        credentials = credentials_to_json(record.credentials)
    except ValueError as error:
        message = f"Credentials cannot be kept: {error}."
        raise TokenStoreError(message, docs_key="keyring-no-json") from error
    return _json({"generation": record.generation, "credentials": credentials})


def encode_index(index: Index) -> str:
    """Write what stands for the parts."""
    members = {"generation": index.generation, "parts": index.parts, "digest": index.digest}
    return _json(members)


def decode_head(text: str, place: str) -> StoredToken | Index:
    """Read what stands under a key.

    Raises:
        TokenStoreError: It is damaged, or of a newer version.
    """
    try:
        document = json.loads(text)
        version = document["version"]
        if version == VERSION:
            return _index(document) if "parts" in document else _record(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        version = None  # not chained: decoders quote what they cannot read
    raise _damaged(place) if version is None else _newer(place, version)


def decode(text: str, index: Index, place: str) -> StoredToken:
    """Read a record from its parts.

    Raises:
        TokenStoreError: A part is missing or damaged.
    """
    if _digest(text) != index.digest:
        raise _damaged(place)
    record = decode_head(text, place)
    if isinstance(record, Index):
        raise _damaged(place)
    return record


def _json(members: Mapping[str, Any]) -> str:
    # ASCII alone: keyrings count and keep other characters in different ways.
    return json.dumps({"version": VERSION, **members}, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _index(document: Mapping[str, Any]) -> Index:
    return Index(int(document["generation"]), int(document["parts"]), str(document["digest"]))


def _record(document: Mapping[str, Any]) -> StoredToken:
    credentials = credentials_from_json(document["credentials"])
    return StoredToken(credentials, int(document["generation"]))


def _damaged(place: str) -> TokenStoreError:
    message = f"The record {place} of the keyring is damaged."
    hint = f"Remove it, and log in anew: python -m keyring del {place}"
    return TokenStoreError(message, hint=hint, docs_key="keyring-damaged")


def _newer(place: str, version: object) -> TokenStoreError:
    message = f"The record {place} of the keyring has version {version!s:.20}, not {VERSION}."
    hint = "A newer sfconnect-auth-keyring has written it; install that one here too."
    return TokenStoreError(message, hint=hint, docs_key="keyring-newer")
