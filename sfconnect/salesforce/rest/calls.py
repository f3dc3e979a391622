"""Requests of the REST surface, and how to read their answers. Nothing here does I/O."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from sfconnect.call import Call, Sender
from sfconnect.errors import ConfigurationError, RecordError
from sfconnect.messages import Replay, Request, Response, json_request
from sfconnect.salesforce.resources import Row, data_path, decode_row, decode_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfconnect._types import JsonValue


def decode_nothing(response: Response) -> None:
    """Accept any success; the body, if there is one, says nothing more."""


def decode_id(response: Response) -> str:
    """Read the id out of a save result.

    Raises:
        RecordError: The result says that the record was not saved.
    """
    result = decode_row(response)
    record_id = result.get("id")
    if result.get("success") is False or not isinstance(record_id, str):
        raise save_error(result, response)
    return record_id


def save_error(result: Mapping[str, Any], response: Response) -> RecordError:
    """Make the error of a save result that came with a status of success."""
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    first = first if isinstance(first, dict) else {}
    fields = first.get("fields")
    return RecordError(
        "The record was not saved.",
        code=str(first.get("statusCode") or first.get("errorCode") or "") or None,
        fields=[str(name) for name in fields] if isinstance(fields, list) else (),
        status=response.status,
        request_id=response.request_id,
    )


def record_body(values: Mapping[str, JsonValue], *, without: str | None = None) -> Row:
    """Return the values to write, without the record's own id and address.

    Salesforce refuses ``Id`` in the body of a write that names the record in its path, and the
    external id in that of an upsert by it; a row that was read has them.
    """
    dropped = {"id", "attributes", (without or "id").lower()}
    return {name: value for name, value in values.items() if name.lower() not in dropped}


def checked_fields(fields: Sequence[str]) -> str:
    """Join field names for ``?fields=``.

    Raises:
        ConfigurationError: A single string was given, or nothing.
    """
    if isinstance(fields, str) or not fields:
        message = "fields takes a list of field names."
        raise ConfigurationError(message, hint="Write fields=['Id', 'Name'].")
    return ",".join(fields)


def write(
    method: str,
    path: str,
    values: Mapping[str, JsonValue],
    replay: Replay,
    *,
    params: Mapping[str, str] | None = None,
    shown_as: str | None = None,
) -> Request:
    """Build a write with a JSON body.

    Raises:
        ConfigurationError: A value has no JSON form; it is named by its field.
    """
    for name, value in values.items():
        _check_value(name, value)
    try:
        return json_request(
            method, path, params=params, json=values, replay=replay, shown_as=shown_as
        )
    except (TypeError, ValueError) as error:
        raise _without_json_form(values) from error


def _check_value(name: str, value: object) -> None:
    # JSON has no NaN; encoders write null for it, which would clear the field.
    if isinstance(value, float) and not isfinite(value):
        message = f"The value of {name} is not a finite number."
        raise ConfigurationError(message, hint="Give None to clear the field.")
    if isinstance(value, datetime) and value.tzinfo is None:
        message = f"The value of {name} is a datetime without a time zone."
        raise ConfigurationError(message, hint="Give it one, such as datetime.now(UTC).")


def _without_json_form(values: Mapping[str, object]) -> ConfigurationError:
    for name, value in values.items():
        try:
            msgspec.json.encode(value)
        except (TypeError, ValueError):
            kind = type(value).__name__
            message = f"The value of {name} is a {kind}, which has no JSON form."
            break
    else:
        message = "A field name is not a text."
    hint = "Give text, a number, a bool, a date, an aware datetime, None, or a mapping of those."
    return ConfigurationError(message, hint=hint)


def limits_call(sender: Sender, version: str) -> Call[Row]:
    """``GET /limits``: every quota of the org, ``{name: {Max, Remaining}}``."""
    return Call(Request("GET", data_path(version, "limits")), decode_row, sender)


def versions_call(sender: Sender) -> Call[list[Row]]:
    """``GET /services/data``: the API versions that the org speaks."""
    return Call(Request("GET", "/services/data/"), decode_rows, sender)


def describe_global_call(sender: Sender, version: str) -> Call[Row]:
    """``GET /sobjects``: every object that the user may see."""
    return Call(Request("GET", data_path(version, "sobjects")), decode_row, sender)
