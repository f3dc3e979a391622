"""Rules of a query that need no schema: how long it is, and how deep it nests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sfconnect.soql import SoqlSyntaxError
from sfconnect.soql.ast import (
    And,
    Condition,
    FieldsMacro,
    Membership,
    Not,
    Or,
    Query,
    Subquery,
    Typeof,
)
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.soql.problems import Problems

MAX_LENGTH: Final = 100_000
MAX_LENGTH_BEFORE_48: Final = 20_000
_LONGER_QUERIES: Final = 48
_NESTED_CHILDREN: Final = 58
_FIELDS_FUNCTION: Final = 51
MAX_OFFSET: Final = 2000
MAX_SUBQUERIES: Final = 20
MAX_SEMI_JOINS: Final = 2
_ONLY_AT_TOP: Final = (
    "are only allowed at the top level WHERE expressions and not in nested WHERE expressions."
)


def check_length(soql: str, version: float) -> None:
    """Refuse a query that is too long for its API version."""
    limit = MAX_LENGTH if version >= _LONGER_QUERIES else MAX_LENGTH_BEFORE_48
    if len(soql) > limit:
        message = f"SOQL statements can not be longer than {limit} characters"
        raise ApiError(400, "MALFORMED_QUERY", message)


def grammar(error: SoqlSyntaxError) -> ApiError:
    """Return the answer to a query that does not parse."""
    return ApiError(400, "MALFORMED_QUERY", f"unexpected token: {error.found or '<EOF>'}")


def check(query: Query, soql: str, version: float) -> None:
    """Refuse what the version lacks, large offsets, misplaced semi-joins, too many children."""
    problems = Problems(soql)
    if version < _FIELDS_FUNCTION and any(isinstance(item, FieldsMacro) for item in _items(query)):
        raise problems.plain("MALFORMED_QUERY", "unexpected token: FIELDS")
    if isinstance(query.offset, int) and query.offset > MAX_OFFSET:
        message = f"Maximum SOQL offset allowed is {MAX_OFFSET}"
        raise problems.plain("NUMBER_OUTSIDE_VALID_RANGE", message)
    if query.where is not None:
        _check_semi_joins(query.where, problems)
    children = [item.query for item in query.select if isinstance(item, Subquery)]
    if len(children) > MAX_SUBQUERIES:
        message = f"A query may have at most {MAX_SUBQUERIES} child queries"
        raise problems.plain("QUERY_TOO_COMPLICATED", message)
    for child in children:
        deeper = any(isinstance(item, Subquery) for item in child.select)
        if deeper and version < _NESTED_CHILDREN:
            message = "SOQL statements cannot query aggregate relationships more than 1 level away"
            raise problems.plain("INVALID_FIELD", f"{message} from the root entity object.")
        check(child, soql, version)


def _items(query: Query) -> Iterator[object]:
    """What a query selects, in the branches of TYPEOF too."""
    for item in query.select:
        yield item
        if isinstance(item, Typeof):
            yield from (field for when in item.whens for field in when.fields)
            yield from item.otherwise or ()


def _check_semi_joins(condition: Condition, problems: Problems) -> None:
    """Refuse more than two semi-joins, and ones inside OR, NOT or another semi-join."""
    allowed = list(_semi_joins(condition, top=True))
    if len(allowed) > MAX_SEMI_JOINS:
        message = f"maximum {MAX_SEMI_JOINS} semi join sub-selects are allowed in a query"
        raise problems.at(allowed[-1].at, "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS", message)
    for m in _semi_joins(condition, top=False):
        if not any(m is one for one in allowed):
            message = f"Semi join sub-selects {_ONLY_AT_TOP}"
            raise problems.at(m.at, "MALFORMED_QUERY", message)
        nested = m.values.where if isinstance(m.values, Query) else None
        for inner in _semi_joins(nested, top=False) if nested else ():
            message = "Nesting of semi join sub-selects is not supported"
            raise problems.at(inner.at, "MALFORMED_QUERY", message)


def _semi_joins(condition: Condition, *, top: bool) -> Iterator[Membership]:
    """Find semi-joins; with ``top`` only those that are joined to the whole by AND."""
    if isinstance(condition, Membership) and isinstance(condition.values, Query):
        yield condition
    elif isinstance(condition, And) or (isinstance(condition, Or) and not top):
        for part in condition.parts:
            yield from _semi_joins(part, top=top)
    elif isinstance(condition, Not) and not top:
        yield from _semi_joins(condition.part, top=top)
