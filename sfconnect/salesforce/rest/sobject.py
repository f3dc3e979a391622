"""One object of the org: its records and its description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sfconnect.call import Call, Sender
from sfconnect.errors import ConfigurationError
from sfconnect.messages import Replay, Request, Response
from sfconnect.salesforce.resources import Row, data_path, decode_row
from sfconnect.salesforce.rest.calls import (
    checked_fields,
    decode_id,
    decode_nothing,
    record_body,
    save_error,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfconnect._types import JsonValue

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """What an upsert did. ``id`` is None where an old API version does not tell it.

    An upsert whose answer was lost is sent again, and finds the record that its first attempt
    made: then ``created`` is False although the call created it.
    """

    id: str | None
    created: bool


class SObject:
    """Calls on one object; nothing is sent before a call is awaited.

    Record ids and keys may hold any character: they are percent-encoded as one path segment.
    """

    __slots__ = ("_sender", "_version", "name")

    def __init__(self, sender: Sender, version: str, name: str) -> None:
        self.name = _checked_name(name, "object")
        self._sender = sender
        self._version = version

    def __repr__(self) -> str:
        return f"SObject({self.name!r})"

    def _path(self, *segments: str) -> str:
        return data_path(self._version, "sobjects", self.name, *segments)

    def _without_value(self, field: str) -> str:
        """The path of a record by external id, as it may be shown: the id may be personal."""
        return f"{self._path(field)}/…"

    def create(self, values: Mapping[str, JsonValue]) -> Call[str]:
        """Create a record; gives its id.

        Sent once: if the connection breaks after it left, the call raises ``OutcomeUnknownError``
        rather than perhaps create twice. An upsert by external id can be repeated.
        """
        body = record_body(values)
        return Call(write("POST", self._path(), body, Replay.UNSAFE), decode_id, self._sender)

    def retrieve(self, record_id: str, *, fields: Sequence[str] | None = None) -> Call[Row]:
        """Read a record: the named fields, or every field that the user may read.

        Raises:
            NotFoundError: There is none, it is deleted, or the user may not see it.
        """
        params = None if fields is None else {"fields": checked_fields(fields)}
        request = Request("GET", self._path(_checked_id(record_id)), params=params)
        return Call(request, decode_row, self._sender)

    def retrieve_by(
        self, external_id: str, value: str, *, fields: Sequence[str] | None = None
    ) -> Call[Row]:
        """Read the record that an external id names.

        Raises:
            NotFoundError: There is none, or the user may not see it.
            MultipleMatchesError: The field is not unique and several records have the value.
        """
        params = None if fields is None else {"fields": checked_fields(fields)}
        field = _checked_name(external_id, "field")
        path = self._path(field, str(value))
        request = Request("GET", path, params=params, shown_as=self._without_value(field))
        return Call(request, decode_row, self._sender)

    def update(self, record_id: str, values: Mapping[str, JsonValue]) -> Call[None]:
        """Write fields of a record; those that are not named keep their values, None clears.

        ``Id`` and ``attributes`` among the values are left out, so a row that was read may be
        given back.
        """
        path = self._path(_checked_id(record_id))
        request = write("PATCH", path, record_body(values), Replay.SAFE)
        return Call(request, decode_nothing, self._sender)

    def delete(self, record_id: str) -> Call[None]:
        """Move a record to the recycle bin.

        If the connection breaks after the record was deleted, the repeat finds it gone and raises
        ``NotFoundError`` with the code ``ENTITY_IS_DELETED``.
        """
        request = Request("DELETE", self._path(_checked_id(record_id)))
        return Call(request, decode_nothing, self._sender)

    def upsert(
        self,
        external_id: str,
        value: str,
        values: Mapping[str, JsonValue],
        *,
        update_only: bool = False,
    ) -> Call[UpsertResult]:
        """Create the record with this external id, or update it if there is one.

        Args:
            external_id: Name of the external id field; it is left out of ``values``.
            value: What the field holds; any text.
            values: The other fields.
            update_only: Never create; no match is then a ``NotFoundError``.

        Raises:
            MultipleMatchesError: Several records have the value; none was written.
        """
        field = _checked_name(external_id, "field")
        path = self._path(field, str(value))
        params = {"updateOnly": "true"} if update_only else None
        body = record_body(values, without=field)
        shown_as = self._without_value(field)
        request = write("PATCH", path, body, Replay.KEYED, params=params, shown_as=shown_as)
        return Call(request, _decode_upsert, self._sender)

    def describe(self) -> Call[Row]:
        """Describe the object: fields, child relationships, record types, rights."""
        return Call(Request("GET", self._path("describe")), decode_row, self._sender)


def _decode_upsert(response: Response) -> UpsertResult:
    if not response.content:  # up to version 45.0 an update answers 204
        return UpsertResult(None, created=False)
    result = decode_row(response)
    if result.get("success") is False:
        raise save_error(result, response)
    created = result.get("created", response.status == HTTPStatus.CREATED)
    return UpsertResult(result.get("id"), created=bool(created))


def _checked_name(name: str, kind: str) -> str:
    if _NAME.fullmatch(name) is None:
        message = f"{name!r} is not the API name of {'an' if kind == 'object' else 'a'} {kind}."
        hint = "API names have letters, digits and underscores, such as Account or Invoice__c."
        raise ConfigurationError(message, hint=hint)
    return name


def _checked_id(record_id: Any) -> str:
    # Only what can be no id at all is refused here; what the org does not know, it says itself.
    if isinstance(record_id, str) and record_id.strip():
        return record_id
    message = f"A record id is a text of 15 or 18 characters, not {record_id!r}."
    raise ConfigurationError(message)
