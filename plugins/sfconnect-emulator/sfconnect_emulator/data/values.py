"""From a value in a request body to the value that is stored, refusing what an org refuses."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from sfconnect_emulator.data import ids
from sfconnect_emulator.data.errors import ApiError, incorrect_id_type
from sfconnect_emulator.data.tables import Stored
from sfconnect_emulator.schema import FieldType

EARLIEST: Final = date(1700, 1, 1)
LATEST: Final = date(4000, 12, 31)

_EMAIL: Final = re.compile(r"[^@\s,;<>()]+@[^@\s,;<>().]+(\.[^@\s,;<>().]+)+")
_INT_LIMIT: Final = 2**31
_LONG_LIMIT: Final = 2**53


class WrongJsonTypeError(Exception):
    """The JSON value cannot be read as the field's type; the writer knows where it stood."""


def to_stored(f: FieldType, value: object) -> Stored:
    """Convert and check one value; an empty string is stored as null."""
    if value is None or value == "":
        return False if f.type == "boolean" else None
    return _CONVERTERS.get(f.type, _text)(f, value)


def format_datetime(moment: datetime) -> str:
    """Write an aware datetime as the API does: UTC, no colon in the offset, whole seconds."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S}.000+0000"


def parse_datetime(text: str) -> datetime:
    """Read a datetime from a body or a stored row; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(f: FieldType, value: object) -> Stored:
    if not isinstance(value, str):
        raise WrongJsonTypeError("string")
    clean = value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if f.length and len(clean) > f.length:
        message = f"{f.label}: data value too large: {clean} (max length={f.length})"
        raise ApiError(400, "STRING_TOO_LONG", message, (f.name,))
    return clean


def _email(f: FieldType, value: object) -> Stored:
    text = _text(f, value)
    if not isinstance(text, str) or not _EMAIL.fullmatch(text):
        message = f"{f.label}: invalid email address: {value}"
        raise ApiError(400, "INVALID_EMAIL_ADDRESS", message, (f.name,))
    return text


def _bad_choice(f: FieldType, value: object) -> ApiError:
    message = f"{f.label}: bad value for restricted picklist field: {value}"
    return ApiError(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (f.name,))


def _choice(f: FieldType, value: object) -> Stored:
    text = str(_text(f, value))
    known = {entry.value.lower(): entry.value for entry in f.picklist_values}
    found = known.get(text.lower())
    if found is None and f.restricted:
        raise _bad_choice(f, value)
    return found or text


def _choices(f: FieldType, value: object) -> Stored:
    """Store a multipicklist in the order of its entries, each once."""
    given = [part for part in str(_text(f, value)).split(";") if part]
    known = [entry.value for entry in f.picklist_values]
    foreign = [part for part in given if part not in known]
    if foreign and f.restricted:
        raise _bad_choice(f, foreign[0])
    return ";".join([*(k for k in known if k in given), *dict.fromkeys(foreign)]) or None


def _boolean(_: FieldType, value: object) -> Stored:
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise WrongJsonTypeError("boolean")
    return value


def _decimal(f: FieldType, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise WrongJsonTypeError(f.type)
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise WrongJsonTypeError("double" if f.precision else f.type) from None
    if not exact.is_finite():
        raise WrongJsonTypeError("double")
    return exact


def _out_of_range(f: FieldType, value: object) -> ApiError:
    message = f"{f.label}: value outside of valid range on numeric field: {value}"
    return ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", message, (f.name,))


def _whole(f: FieldType, value: object) -> Stored:
    exact = _decimal(f, value)
    if exact != exact.to_integral_value():
        raise WrongJsonTypeError(f.type)
    limit = _INT_LIMIT if f.type == "int" else _LONG_LIMIT
    if abs(exact) >= min(limit, 10**f.digits if f.digits else limit):
        raise _out_of_range(f, value)
    return int(exact)


def _number(f: FieldType, value: object) -> Stored:
    """Round to the field's scale, half away from zero; refuse too many digits before the point."""
    exact = _decimal(f, value)
    if exact and exact.adjusted() >= f.precision - f.scale:
        raise _out_of_range(f, value)
    rounded = exact.quantize(Decimal(1).scaleb(-f.scale), ROUND_HALF_UP)
    result = float(rounded)
    return result if math.isfinite(result) else None


def _date_range(f: FieldType, day: date) -> None:
    if not EARLIEST <= day <= LATEST:
        message = f"{f.label}: invalid date: {day.isoformat()}"
        raise ApiError(400, "FIELD_INTEGRITY_EXCEPTION", message, (f.name,))


def _date(f: FieldType, value: object) -> Stored:
    try:
        day = parse_datetime(str(value)).date() if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None:
        raise WrongJsonTypeError("date")
    _date_range(f, day)
    return day.isoformat()


def _datetime(f: FieldType, value: object) -> Stored:
    try:
        moment = parse_datetime(value).astimezone(UTC) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise WrongJsonTypeError("datetime")
    _date_range(f, moment.date())
    return format_datetime(moment)


def _time(_: FieldType, value: object) -> Stored:
    try:
        moment = time.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise WrongJsonTypeError("time")
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _reference(f: FieldType, value: object) -> Stored:
    """Bring an id to 18 characters; whether its row exists is for the writer to find out."""
    if not isinstance(value, str):
        raise WrongJsonTypeError("reference")
    full = ids.normalize(value)
    if full is None:
        raise incorrect_id_type(f.label, value, f.name)
    return full


def _base64(_: FieldType, value: object) -> Stored:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error:
        raise WrongJsonTypeError("base64Binary") from None


_CONVERTERS: Final[dict[str, Callable[[FieldType, object], Stored]]] = {
    "email": _email,
    "picklist": _choice,
    "multipicklist": _choices,
    "boolean": _boolean,
    "int": _whole,
    "long": _whole,
    "double": _number,
    "currency": _number,
    "percent": _number,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "reference": _reference,
    "base64": _base64,
}
