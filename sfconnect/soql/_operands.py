"""Read what a value can be taken from: field paths and functions."""

from __future__ import annotations

from sfconnect.soql._cursor import Cursor
from sfconnect.soql._literals import read_value
from sfconnect.soql._words import DISTANCE_UNITS, ONE_ARGUMENT_FUNCTIONS, RESERVED_NAMES
from sfconnect.soql.ast import Field, Function, Value
from sfconnect.soql.tokens import Token, TokenKind

_COORDINATES = 2


def at_name(cursor: Cursor) -> bool:
    """Tell whether a field, relationship or function can begin here.

    GROUP and ORDER are objects and fields too, unless BY follows them.
    """
    token = cursor.token
    if token.kind is not TokenKind.NAME or token.word in RESERVED_NAMES:
        return False
    return token.word not in {"GROUP", "ORDER"} or cursor.peek().word != "BY"


def at_function(cursor: Cursor) -> bool:
    """Tell whether the current name is followed by an opening parenthesis."""
    return cursor.peek().word == "(" and at_name(cursor)


def read_path(cursor: Cursor, wanted: str) -> tuple[str, ...]:
    """Read a name, or names joined by points; keywords may follow a point."""
    if not at_name(cursor):
        raise cursor.unexpected(wanted)
    path = [cursor.advance().text]
    while cursor.accept("."):
        if cursor.token.kind is not TokenKind.NAME:
            raise cursor.unexpected("a name after the point")
        path.append(cursor.advance().text)
    return tuple(path)


def read_field(cursor: Cursor, wanted: str = "a field") -> Field:
    """Read a field path without alias."""
    start = cursor.token.start
    return Field(read_path(cursor, wanted), at=start)


def read_operand(cursor: Cursor, wanted: str = "a field") -> Field | Function:
    """Read a field or a function, as WHERE, GROUP BY, HAVING and ORDER BY take them."""
    return read_function(cursor) if at_function(cursor) else read_field(cursor, wanted)


def read_function(cursor: Cursor, *, in_distance: bool = False) -> Function:
    """Read a function with at least one argument.

    Names that are not known are let through, as new ones come with every release.
    """
    name = cursor.advance()
    cursor.enter(name)
    cursor.expect("(")
    args = [_argument(cursor, name)]
    while cursor.accept(","):
        args.append(_argument(cursor, name))
    cursor.expect(")")
    cursor.leave()
    function = Function(name.word, tuple(args), at=name.start)
    _check_arguments(cursor, name, function, in_distance=in_distance)
    return function


def _argument(cursor: Cursor, function: Token) -> Field | Function | Value:
    if at_function(cursor):
        return read_function(cursor, in_distance=function.word == "DISTANCE")
    if at_name(cursor):
        return read_field(cursor)
    if cursor.token.word == ")":
        raise cursor.unexpected("an argument")
    return read_value(cursor)


def _check_arguments(cursor: Cursor, name: Token, function: Function, *, in_distance: bool) -> None:
    if name.word in ONE_ARGUMENT_FUNCTIONS:
        if len(function.args) != 1 or not isinstance(function.args[0], Field | Function):
            raise cursor.fail(f"{name.word} takes one field", name)
    elif name.word == "DISTANCE":
        _check_distance(cursor, name, function.args)
    elif name.word == "GEOLOCATION":
        if not in_distance:
            raise cursor.fail("GEOLOCATION is an argument of DISTANCE only", name)
        if len(function.args) != _COORDINATES:
            raise cursor.fail("GEOLOCATION takes a latitude and a longitude", name)
    elif name.word == "FIELDS":
        raise cursor.fail("FIELDS() belongs in the SELECT list", name)


def _check_distance(
    cursor: Cursor, name: Token, args: tuple[Field | Function | Value, ...]
) -> None:
    match args:
        case (Field(), Field() | Function(name="GEOLOCATION"), unit):
            fits = isinstance(unit, str) and unit.lower() in DISTANCE_UNITS
        case _:
            fits = False
    if not fits:
        hint = "It is written DISTANCE(Place__c, GEOLOCATION(37.775, -122.418), 'mi') or 'km'."
        raise cursor.fail("these are not the arguments of DISTANCE", name, hint=hint)
