"""Paths and bodies that the REST surfaces share. Nothing here does I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sfconnect.errors import ResponseError
from sfconnect.messages import path_segment

if TYPE_CHECKING:
    from sfconnect.messages import Response

Row: TypeAlias = dict[str, Any]
"""A record as Salesforce gives it, ``attributes`` and nested records included."""


def data_path(version: str, *segments: str) -> str:
    """Join percent-encoded segments below ``/services/data/vNN.0``."""
    return "/".join((f"/services/data/v{version}", *map(path_segment, segments)))


def decode_row(response: Response) -> Row:
    """Decode one JSON object.

    Raises:
        ResponseError: The body is anything else.
    """
    value = response.json()
    if not isinstance(value, dict):
        raise unexpected(response, "one JSON object")
    return value


def decode_rows(response: Response) -> list[Row]:
    """Decode a JSON array of objects."""
    value = response.json()
    if not isinstance(value, list):
        raise unexpected(response, "a JSON array")
    return value


def unexpected(response: Response, wanted: str) -> ResponseError:
    """Make the error for a success whose body has the wrong shape."""
    message = f"The answer (status {response.status}) should have been {wanted}."
    return ResponseError(message, status=response.status, request_id=response.request_id)
