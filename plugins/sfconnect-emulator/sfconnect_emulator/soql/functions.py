"""SOQL's functions of one value, as SQL: parts of dates, labels, formats, distances."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from sfconnect.soql.ast import Field, Function
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.tables import Stored
from sfconnect_emulator.data.values import parse_datetime
from sfconnect_emulator.schema.traits import NUMERIC
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.scope import Operand, Scope

AGGREGATES: Final = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})
_EARTH_RADIUS: Final = {"km": 6371.0088, "mi": 3958.7613}

_YEAR: Final = "CAST(substr({x}, 1, 4) AS INTEGER)"
_MONTH: Final = "CAST(substr({x}, 6, 2) AS INTEGER)"
_DAY: Final = "CAST(substr({x}, 9, 2) AS INTEGER)"
_QUARTER: Final = f"(({_MONTH} + 2) / 3)"
_DAY_OF_YEAR: Final = "CAST(strftime('%j', substr({x}, 1, 10)) AS INTEGER)"
_DATE_PARTS: Final = {
    "CALENDAR_YEAR": _YEAR, "CALENDAR_QUARTER": _QUARTER, "CALENDAR_MONTH": _MONTH,
    "FISCAL_YEAR": _YEAR, "FISCAL_QUARTER": _QUARTER, "FISCAL_MONTH": _MONTH,
    "DAY_IN_MONTH": _DAY, "DAY_IN_YEAR": _DAY_OF_YEAR,
    "DAY_IN_WEEK": "(CAST(strftime('%w', substr({x}, 1, 10)) AS INTEGER) + 1)",
    "WEEK_IN_MONTH": f"(({_DAY} - 1) / 7 + 1)", "WEEK_IN_YEAR": f"(({_DAY_OF_YEAR} - 1) / 7 + 1)",
    "HOUR_IN_DAY": "CAST(substr({x}, 12, 2) AS INTEGER)", "DAY_ONLY": "substr({x}, 1, 10)",
}  # fmt: skip
_NOON: Final = 12
_DATETIME_ONLY: Final = frozenset({"HOUR_IN_DAY", "DAY_ONLY"})


def register(connection: sqlite3.Connection) -> None:
    """Teach SQLite the functions that compiled queries call."""
    connection.create_collation("folded", _compare_folded)
    connection.create_function("distance", 5, _distance, deterministic=True)
    connection.create_function("local_time", 2, _local_time, deterministic=True)
    connection.create_function("shown", 2, _shown, deterministic=True)


def scalar(scope: Scope, function: Function) -> Operand:
    """Compile a function that is no aggregate.

    Raises:
        ApiError: The function is unknown, or does not take what it is given.
    """
    if function.name in _DATE_PARTS:
        return _date_part(scope, function)
    compile_ = _OTHERS.get(function.name)
    if compile_ is None:
        raise _refused(scope.context, function, f"Invalid function: {function.name}")
    return compile_(scope, function)


def argument(scope: Scope, function: Function) -> Operand:
    """Compile the only argument of a function."""
    first = function.args[0] if function.args else None
    if isinstance(first, Field):
        return scope.operand(first)
    if isinstance(first, Function):
        return scalar(scope, first)
    raise _refused(scope.context, function, f"Invalid argument of function {function.name}")


def _refused(context: Context, function: Function, message: str) -> ApiError:
    return context.problems.at(function.at, "MALFORMED_QUERY", message)


def _date_part(scope: Scope, function: Function) -> Operand:
    x = argument(scope, function)
    fits = {"datetime"} if function.name in _DATETIME_ONLY else {"date", "datetime"}
    if x.type not in fits:
        label = x.field.name if x.field else x.type
        message = f"field '{label}' does not support function {function.name}"
        raise _refused(scope.context, function, message)
    sql = _DATE_PARTS[function.name].format(x=x.sql)
    return Operand(sql, "date" if function.name == "DAY_ONLY" else "int")


def _convert_timezone(scope: Scope, function: Function) -> Operand:
    x = argument(scope, function)
    if x.type != "datetime":
        raise _refused(scope.context, function, "convertTimezone() takes a dateTime field")
    zone = scope.context.param(scope.context.zone_name)
    return Operand(f"local_time({x.sql}, {zone})", "datetime", x.field)


def _to_label(scope: Scope, function: Function) -> Operand:
    x = argument(scope, function)
    entries = x.field.picklist_values if x.field else ()
    differing = [entry for entry in entries if entry.label != entry.value]
    if not differing:
        return Operand(x.sql, "string", x.field)
    param = scope.context.param
    cases = " ".join(f"WHEN {param(e.value)} THEN {param(e.label)}" for e in differing)
    return Operand(f"CASE {x.sql} {cases} ELSE {x.sql} END", "string", x.field)


def _format(scope: Scope, function: Function) -> Operand:
    x = argument(scope, function)
    kind = f"{x.type}:{x.field.scale}" if x.field and x.type in NUMERIC else x.type
    return Operand(f"shown({x.sql}, {scope.context.param(kind)})", "string", x.field)


def _same(scope: Scope, function: Function) -> Operand:
    """Convert between currencies: an org with one currency has nothing to convert."""
    return argument(scope, function)


def _distance_function(scope: Scope, function: Function) -> Operand:
    context = scope.context
    here, there, unit = function.args
    places = [_place(scope, function, place) for place in (here, there)]
    (lat1, lon1), (lat2, lon2) = places
    unit_sql = context.param(str(unit).lower())
    return Operand(f"distance({lat1}, {lon1}, {lat2}, {lon2}, {unit_sql})", "double")


def _place(scope: Scope, function: Function, place: object) -> tuple[str, str]:
    if isinstance(place, Field):
        found = scope.compound(place)
        if found is not None:
            return found
    if isinstance(place, Function) and place.name == "GEOLOCATION":
        numbers = [a for a in place.args if isinstance(a, int | Decimal)]
        if len(numbers) == len(place.args):
            latitude, longitude = (scope.context.param(float(a)) for a in numbers)
            return latitude, longitude
    raise _refused(scope.context, function, "DISTANCE() takes location fields and GEOLOCATION()")


_OTHERS: Final[Mapping[str, Callable[[Scope, Function], Operand]]] = {
    "CONVERTTIMEZONE": _convert_timezone,
    "TOLABEL": _to_label,
    "FORMAT": _format,
    "CONVERTCURRENCY": _same,
    "DISTANCE": _distance_function,
}


def _compare_folded(left: str, right: str) -> int:
    """Compare without regard to case; equal texts in their own order, so that one is least."""
    a, b = (left.lower(), left), (right.lower(), right)
    return (a > b) - (a < b)


def _distance(
    lat1: float | None, lon1: float | None, lat2: float | None, lon2: float | None, unit: str
) -> float | None:
    """Return the length of the great circle between two places."""
    if lat1 is None or lon1 is None or lat2 is None or lon2 is None:
        return None
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_phi, half_lambda = (phi2 - phi1) / 2, math.radians(lon2 - lon1) / 2
    chord = math.sin(half_phi) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lambda) ** 2
    return 2 * _EARTH_RADIUS[unit] * math.asin(math.sqrt(min(1.0, chord)))


def _local_time(value: str | None, zone: str) -> str | None:
    """Shift a stored datetime to a user's time zone; the offset it is written with goes away."""
    if value is None:
        return None
    tz = UTC if zone == "GMT" else ZoneInfo(zone)
    try:
        return parse_datetime(value).astimezone(tz).strftime("%Y-%m-%dT%H:%M:%S.000")
    except OverflowError:
        return value


def _shown(value: Stored, kind: str) -> str | None:
    """Write a value as a user with the locale en_US reads it."""
    if value is None:
        return None
    type_, _, scale = kind.partition(":")
    if scale and isinstance(value, int | float):
        number = f"{value:,.{int(scale)}f}"
        return {"currency": f"${number}", "percent": f"{number}%"}.get(type_, number)
    if type_ in {"date", "datetime"}:
        return _shown_moment(parse_datetime(str(value)), type_)
    if type_ == "boolean":
        return "true" if value else "false"
    return str(value)


def _shown_moment(moment: datetime, type_: str) -> str:
    day = f"{moment.month}/{moment.day}/{moment.year}"
    hour = moment.hour % 12 or 12
    clock = f"{hour}:{moment:%M} {'AM' if moment.hour < _NOON else 'PM'}"
    return day if type_ == "date" else f"{day}, {clock}"
