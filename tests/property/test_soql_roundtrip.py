"""Any tree that SOQL can say survives being written and read."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfconnect.soql import like_escape, parse, render
from sfconnect.soql.ast import (
    And,
    Bind,
    Comparison,
    Currency,
    DataCategory,
    DateLiteral,
    Field,
    FieldsMacro,
    From,
    FromAlias,
    Function,
    GroupBy,
    Membership,
    Not,
    Or,
    Ordering,
    Query,
    Subquery,
    Typeof,
    TypeofWhen,
    With,
)

SOFT_KEYWORDS = ["Format", "Group", "Order", "Scope", "Offset", "Update", "All", "Case", "View"]
NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9]{0,5}(__[cr])?\Z").map(lambda name: f"x{name}")
PATHS = st.lists(NAMES | st.sampled_from(SOFT_KEYWORDS), min_size=1, max_size=3).map(tuple)
ALIASES = st.none() | NAMES

TEXTS = st.text(max_size=20)
NUMBERS = st.integers(-(10**20), 10**20) | st.decimals(
    allow_nan=False, allow_infinity=False
).filter(lambda value: abs(value.adjusted()) <= 400)
MOMENTS = st.datetimes(
    timezones=st.just(UTC) | st.integers(-720, 840).map(lambda m: timezone(timedelta(minutes=m)))
).filter(lambda moment: 2 <= moment.year <= 9998)
RELATIVE = st.sampled_from(["TODAY", "LAST_90_DAYS", "THIS_FISCAL_QUARTER"]).map(
    DateLiteral
) | st.builds(
    DateLiteral,
    st.sampled_from(["LAST_N_DAYS", "NEXT_N_FISCAL_YEARS", "N_WEEKS_AGO"]),
    st.integers(0, 10**9),
)
MONEY = st.builds(
    Currency,
    st.from_regex(r"\A[A-Z]{3}\Z"),
    st.decimals(0, 10**12, places=2) | st.integers(0, 10**12).map(Decimal),
)
SIMPLE_VALUES = TEXTS | NUMBERS | st.booleans() | st.none()
VALUES = SIMPLE_VALUES | st.dates() | MOMENTS | st.times() | RELATIVE | MONEY
PATTERNS = st.lists(TEXTS.map(like_escape) | st.sampled_from(["%", "_"])).map("".join)

FIELDS = st.builds(Field, PATHS)
FUNCTIONS = st.recursive(
    st.builds(
        Function,
        st.sampled_from(["COUNT", "SUM", "CALENDAR_YEAR", "TOLABEL", "CONVERTCURRENCY"]),
        st.tuples(FIELDS),
    )
    | st.builds(
        Function,
        st.just("DISTANCE"),
        st.tuples(
            FIELDS,
            st.builds(Function, st.just("GEOLOCATION"), st.tuples(NUMBERS, NUMBERS)),
            st.sampled_from(["mi", "km"]),
        ),
    ),
    lambda inner: st.builds(
        Function,
        st.just("LATER"),
        st.lists(inner | FIELDS | SIMPLE_VALUES, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=3,
)
OPERANDS = FIELDS | FUNCTIONS
MACROS = st.builds(FieldsMacro, st.sampled_from(["ALL", "STANDARD", "CUSTOM"]))


def some(items: Any, most: int = 3) -> Any:
    return st.lists(items, min_size=1, max_size=most).map(tuple)


def maybe(items: Any) -> Any:
    return st.none() | items


TYPEOFS = st.builds(
    Typeof,
    FIELDS,
    some(st.builds(TypeofWhen, NAMES, some(FIELDS | MACROS))),
    st.just(()) | some(FIELDS),
)
ORDERINGS = st.builds(Ordering, OPERANDS, st.booleans(), maybe(st.sampled_from(["FIRST", "LAST"])))
CATEGORIES = st.builds(
    DataCategory, NAMES, st.sampled_from(["AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW"]), some(NAMES)
)
MODES = st.sampled_from(["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"])


def conditions(joins: Any) -> Any:
    leaves = (
        st.builds(Comparison, OPERANDS, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), VALUES)
        | st.builds(Comparison, OPERANDS, st.just("LIKE"), PATTERNS)
        | st.builds(
            Membership,
            OPERANDS,
            st.sampled_from(["IN", "NOT IN", "INCLUDES", "EXCLUDES"]),
            some(VALUES),
        )
        | st.builds(Membership, FIELDS, st.sampled_from(["IN", "NOT IN"]), joins)
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(Not, inner)
            | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
            | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
        ),
        max_leaves=4,
    )


SEMI_JOINS = st.builds(
    Query,
    st.tuples(FIELDS),
    st.builds(From, PATHS),
    where=maybe(st.builds(Comparison, FIELDS, st.just("="), VALUES)),
)
CONDITIONS = conditions(SEMI_JOINS)
WITHS = (
    st.builds(With, MODES)
    | st.builds(With, st.just("DATA CATEGORY"), some(CATEGORIES), mode=maybe(MODES))
    | st.builds(With, st.just("FILTER"), condition=CONDITIONS, mode=maybe(MODES))
)


@st.composite
def queries(draw: Any, depth: int = 1) -> Query:
    items: Any = st.builds(Field, PATHS, ALIASES) | MACROS | TYPEOFS
    items |= FUNCTIONS.flatmap(lambda f: ALIASES.map(lambda a: Function(f.name, f.args, a)))
    if depth:
        items |= st.builds(Subquery, queries(depth=depth - 1))
    select = some(items) | st.just((Function("COUNT"),)) if depth else some(items)
    group_by = draw(
        maybe(st.builds(GroupBy, some(OPERANDS), st.sampled_from(["", "ROLLUP", "CUBE"])))
    )
    return Query(
        select=draw(select),
        from_=draw(st.builds(From, PATHS, ALIASES)),
        from_aliases=draw(st.just(()) | some(st.builds(FromAlias, PATHS, NAMES))),
        scope=draw(maybe(NAMES)),
        where=draw(maybe(CONDITIONS)),
        with_=draw(maybe(WITHS)),
        group_by=group_by,
        having=draw(maybe(CONDITIONS)) if group_by else None,
        order_by=draw(st.just(()) | some(ORDERINGS)),
        limit=draw(maybe(st.integers(0, 10**9))),
        offset=draw(maybe(st.integers(0, 10**9) | st.builds(Bind, NAMES))),
        for_=draw(st.just(()) | some(st.sampled_from(["VIEW", "REFERENCE", "UPDATE"]))),
        update=draw(st.just(()) | some(st.sampled_from(["TRACKING", "VIEWSTAT"]))),
        all_rows=draw(st.booleans()),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(queries())
def test_a_rendered_tree_is_read_back_as_the_same_tree(query):
    text = render(query)

    again = parse(text, binds=True, apex=True)

    assert again == query
    assert render(again) == text


@settings(max_examples=100, deadline=None)
@given(CONDITIONS)
def test_conditions_keep_their_structure(condition):
    query = Query((Field(("Id",)),), From(("X",)), where=condition)

    assert parse(render(query)).where == condition
