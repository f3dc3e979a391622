"""Read the SELECT list and the FROM clause."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sfconnect.soql._cursor import SUBQUERY_DEPTH, Cursor
from sfconnect.soql._operands import at_function, at_name, read_field, read_function, read_path
from sfconnect.soql._words import FIELDS_KINDS, RESERVED_ALIASES
from sfconnect.soql.ast import (
    Field,
    FieldsMacro,
    From,
    FromAlias,
    Function,
    Query,
    SelectItem,
    Subquery,
    Typeof,
    TypeofWhen,
)
from sfconnect.soql.tokens import TokenKind

_T = TypeVar("_T")
_COUNT_ALL = "COUNT"
# Clauses whose first word is no reserved word, and what tells them from an alias.
_SOFT_CLAUSES = {"UPDATE": ("TRACKING", "VIEWSTAT"), "ALL": ("ROWS",)}


def read_list(cursor: Cursor, read_item: Callable[[Cursor], _T]) -> tuple[_T, ...]:
    """Read one item or more, with commas between."""
    items = [read_item(cursor)]
    while cursor.accept(","):
        items.append(read_item(cursor))
    return tuple(items)


def read_select(cursor: Cursor, *, nested: bool) -> tuple[SelectItem, ...]:
    """Read the SELECT list; ``COUNT()`` stands alone in it, and not in a nested query."""
    start = cursor.token
    items = read_list(cursor, _select_item)
    for item in items:
        if item == Function(_COUNT_ALL) and (nested or len(items) > 1):
            hint = "COUNT(Id) can stand beside fields."
            raise cursor.fail("COUNT() must be all that a query selects", start, hint=hint)
    return items


def read_nested(cursor: Cursor) -> Query:
    """Read a query in parentheses, from the word SELECT up to the closing one."""
    cursor.enter(cursor.token, SUBQUERY_DEPTH)
    query = cursor.subquery(cursor)
    cursor.expect(")")
    cursor.leave(SUBQUERY_DEPTH)
    return query


def read_from(cursor: Cursor) -> tuple[From, tuple[FromAlias, ...]]:
    """Read what follows FROM: the object, and parent paths that get an alias."""
    start = cursor.token.start
    path = read_path(cursor, "an object")
    source = From(path, _from_alias(cursor), at=start)
    aliases = []
    while cursor.accept(","):
        aliases.append(_parent_alias(cursor))
    return source, tuple(aliases)


def _select_item(cursor: Cursor) -> SelectItem:
    token = cursor.token
    if cursor.accept("("):
        return Subquery(read_nested(cursor), at=token.start)
    if token.word == "TYPEOF" and _begins_typeof(cursor):
        return _typeof(cursor)
    if at_function(cursor):
        return _fields_macro(cursor) if token.word == "FIELDS" else _function(cursor)
    path = read_path(cursor, "a field")
    return Field(path, _alias(cursor), at=token.start)


def _function(cursor: Cursor) -> Function:
    token = cursor.token
    if token.word == _COUNT_ALL and cursor.peek(2).word == ")":
        for _ in range(3):
            cursor.advance()
        return Function(_COUNT_ALL, at=token.start)
    function = read_function(cursor)
    return Function(function.name, function.args, _alias(cursor), at=token.start)


def _fields_macro(cursor: Cursor) -> FieldsMacro:
    name = cursor.advance()
    cursor.expect("(")
    kind = cursor.expect_one_of(FIELDS_KINDS)
    cursor.expect(")")
    return FieldsMacro(kind, at=name.start)


def _begins_typeof(cursor: Cursor) -> bool:
    following = cursor.peek()
    return following.kind is TokenKind.NAME and following.word != "FROM"


def _typeof(cursor: Cursor) -> Typeof:
    start = cursor.advance().start
    reference = read_field(cursor, "a reference field")
    whens = [_when(cursor)]
    while cursor.token.word == "WHEN":
        whens.append(_when(cursor))
    otherwise = read_list(cursor, _typeof_field) if cursor.accept("ELSE") else ()
    cursor.expect("END")
    return Typeof(reference, tuple(whens), otherwise, at=start)


def _when(cursor: Cursor) -> TypeofWhen:
    cursor.expect("WHEN")
    if not at_name(cursor):
        raise cursor.unexpected("an object")
    type_name = cursor.advance().text
    cursor.expect("THEN")
    return TypeofWhen(type_name, read_list(cursor, _typeof_field))


def _typeof_field(cursor: Cursor) -> Field | FieldsMacro:
    if cursor.token.word == "FIELDS" and at_function(cursor):
        return _fields_macro(cursor)
    return read_field(cursor)


def _alias(cursor: Cursor) -> str | None:
    token = cursor.token
    if token.kind is not TokenKind.NAME or token.word in RESERVED_ALIASES:
        return None
    return cursor.advance().text


def _from_alias(cursor: Cursor) -> str | None:
    """Read the alias of an object, with or without AS, if no clause begins here.

    OFFSET, UPDATE and ALL are aliases unless what follows makes a clause of them.
    """
    if cursor.token.word == "AS" and cursor.peek().kind is TokenKind.NAME:
        cursor.advance()
        return _expected_alias(cursor, "an alias")
    word, following = cursor.token.word, cursor.peek()
    if word in {"FOR", "ORDER"} or following.word in _SOFT_CLAUSES.get(word, ()):
        return None
    if word == "OFFSET" and (following.kind is TokenKind.NUMBER or following.word == ":"):
        return None
    return _alias(cursor)


def _parent_alias(cursor: Cursor) -> FromAlias:
    path = read_path(cursor, "a parent path")
    if cursor.token.word == "AS":
        cursor.advance()
    return FromAlias(path, _expected_alias(cursor, "an alias for the parent path"))


def _expected_alias(cursor: Cursor, wanted: str) -> str:
    alias = _alias(cursor)
    if alias is None:
        raise cursor.unexpected(wanted)
    return alias
