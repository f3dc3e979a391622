"""Credentials as JSON, for stores that keep text. Pure, without I/O."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import msgspec

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials, StoredToken
from sfconnect.messages import JSON_ERRORS

VERSION = 1
"""Of the form of records; a reader refuses any other."""


class _Kept(msgspec.Struct, kw_only=True):
    """The members of credentials, each of a kind that JSON has."""

    access_token: str
    instance_url: str
    token_type: str
    issued_at: float | None
    expires_at: float | None
    refresh_token: str | None
    identity_url: str | None
    scopes: list[str]
    extra: dict[str, Any]


class _Record(msgspec.Struct, kw_only=True):
    version: int
    generation: int
    credentials: _Kept


class _Head(msgspec.Struct):
    version: int


def credentials_to_json(credentials: Credentials) -> dict[str, Any]:
    """Give the members of credentials, secrets in plain text, for a store to write.

    Raises:
        ValueError: ``extra`` holds something that has no JSON form.
    """
    refresh = credentials.refresh_token
    members = {
        "access_token": credentials.access_token.reveal(),
        "instance_url": credentials.instance_url,
        "token_type": credentials.token_type,
        "issued_at": credentials.issued_at,
        "expires_at": credentials.expires_at,
        "refresh_token": None if refresh is None else refresh.reveal(),
        "identity_url": credentials.identity_url,
        "scopes": sorted(credentials.scopes),
        "extra": dict(credentials.extra),
    }
    try:
        # Read back what would be written: dates and the like would come back as text.
        came_back = msgspec.json.decode(msgspec.json.encode(members)) == members
    except (TypeError, ValueError, RecursionError):
        came_back = False
    if not came_back:
        message = "a member of `extra` has no JSON form"
        raise ValueError(message)
    return members


def credentials_from_json(members: object) -> Credentials:
    """Make credentials of what :func:`credentials_to_json` gave.

    Raises:
        ValueError: A member is missing or of another kind. The error quotes nothing.
    """
    try:
        return _credentials(msgspec.convert(members, _Kept))
    except msgspec.ValidationError:
        pass  # not chained: it quotes what it cannot read
    message = "these are no credentials"
    raise ValueError(message)


def encode_record(record: StoredToken) -> bytes:
    """Write a record.

    Raises:
        ValueError: ``extra`` holds something that has no JSON form.
    """
    document = {
        "version": VERSION,
        "generation": record.generation,
        "credentials": credentials_to_json(record.credentials),
    }
    return msgspec.json.encode(document)


def version_of(data: bytes) -> int | None:
    """The version that a record says it has; None where it is damaged."""
    try:
        return msgspec.json.decode(data, type=_Head).version
    except JSON_ERRORS:
        return None


def decode_record(data: bytes) -> StoredToken:
    """Read a record.

    Raises:
        ValueError: It is damaged, or of another version. The error quotes nothing.
    """
    try:
        record = msgspec.json.decode(data, type=_Record)
    except JSON_ERRORS:
        record = None
    if record is None or record.version != VERSION or record.generation < 1:
        message = "this is no record"
        raise ValueError(message)
    return StoredToken(_credentials(record.credentials), record.generation)


def _credentials(kept: _Kept) -> Credentials:
    return Credentials(
        access_token=Secret(kept.access_token),
        instance_url=kept.instance_url,
        token_type=kept.token_type,
        issued_at=kept.issued_at,
        expires_at=kept.expires_at,
        refresh_token=None if kept.refresh_token is None else Secret(kept.refresh_token),
        identity_url=kept.identity_url,
        scopes=frozenset(kept.scopes),
        extra=MappingProxyType(kept.extra),
    )
