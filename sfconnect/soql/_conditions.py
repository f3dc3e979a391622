"""Read conditions: comparisons, memberships and the logic between them."""

from __future__ import annotations

from sfconnect.soql._cursor import Cursor
from sfconnect.soql._literals import read_bind, read_pattern, read_value
from sfconnect.soql._operands import read_operand
from sfconnect.soql._select import read_list, read_nested
from sfconnect.soql._words import COMPARISONS, MEMBERSHIPS
from sfconnect.soql.ast import (
    And,
    Comparison,
    Condition,
    Field,
    Function,
    Membership,
    Not,
    Or,
    Query,
)

_JUNCTIONS = ("AND", "OR")
_OPERATOR_WORDS = ("LIKE", *MEMBERSHIPS)
_LONE_NOT_HINT = "Write (NOT …) with its own parentheses."
_FOREIGN_OPERATORS = {
    "IS": "SOQL has no IS: write = null or != null.",
    "BETWEEN": "SOQL has no BETWEEN: use >= and <=.",
}


def read_condition(cursor: Cursor) -> Condition:
    """Read a condition up to where its level ends.

    One level holds only AND, only OR, or one NOT: Salesforce has no precedence between them and
    refuses a query that mixes them without parentheses.
    """
    if cursor.accept("NOT"):
        negated = Not(_simple(cursor))
        if cursor.token.word in _JUNCTIONS:
            message = f"NOT cannot stand before {cursor.token.word}"
            raise cursor.fail(message, cursor.token, hint=_LONE_NOT_HINT)
        return negated
    first = _simple(cursor)
    junction = cursor.token.word
    return _joined(cursor, first, junction) if junction in _JUNCTIONS else first


def _joined(cursor: Cursor, first: Condition, junction: str) -> And | Or:
    parts = [first]
    while cursor.accept(junction):
        if cursor.token.word == "NOT":
            message = f"NOT cannot stand after {junction}"
            raise cursor.fail(message, cursor.token, hint=_LONE_NOT_HINT)
        parts.append(_simple(cursor))
    if cursor.token.word in _JUNCTIONS:
        hint = "Put parentheses around what belongs together."
        raise cursor.fail("AND and OR are mixed on one level", cursor.token, hint=hint)
    return And(tuple(parts)) if junction == "AND" else Or(tuple(parts))


def _simple(cursor: Cursor) -> Condition:
    opening = cursor.token
    if not cursor.accept("("):
        return _field_condition(cursor)
    cursor.enter(opening)
    condition = read_condition(cursor)
    if cursor.token.word != ")":
        raise cursor.unexpected("')'", keywords=_JUNCTIONS)
    cursor.advance()
    cursor.leave()
    return condition


def _field_condition(cursor: Cursor) -> Comparison | Membership:
    start = cursor.token.start
    left = read_operand(cursor, "a field")
    token = cursor.token
    if token.word in COMPARISONS:
        cursor.advance()
        value = read_pattern(cursor) if token.word == "LIKE" else read_value(cursor)
        return Comparison(left, COMPARISONS[token.word], value, at=start)
    return _membership(cursor, left, start)


def _membership(cursor: Cursor, left: Field | Function, start: int) -> Membership:
    op = _membership_operator(cursor)
    if cursor.token.word == ":":
        return Membership(left, op, read_bind(cursor), at=start)
    cursor.expect("(")
    if op.endswith("IN") and cursor.token.word == "SELECT":
        return Membership(left, op, _semi_join(cursor), at=start)
    values = read_list(cursor, read_value)
    cursor.expect(")")
    return Membership(left, op, values, at=start)


def _membership_operator(cursor: Cursor) -> str:
    token = cursor.token
    if cursor.accept_pair("NOT", "IN"):
        return "NOT IN"
    if cursor.at_pair("NOT", "LIKE"):
        raise cursor.fail("SOQL has no NOT LIKE", token, hint="Write (NOT field LIKE '…').")
    if token.word in MEMBERSHIPS:
        return cursor.advance().word
    hint = _FOREIGN_OPERATORS.get(token.word)
    raise cursor.unexpected("an operator", keywords=() if hint else _OPERATOR_WORDS, hint=hint)


def _semi_join(cursor: Cursor) -> Query:
    opening = cursor.token
    query = read_nested(cursor)
    if len(query.select) != 1 or not isinstance(query.select[0], Field):
        raise cursor.fail("a semi-join selects exactly one field", opening)
    return query
