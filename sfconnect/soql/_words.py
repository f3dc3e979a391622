"""The vocabulary of SOQL: reserved words, operators, functions and relative dates."""

from __future__ import annotations

from typing import Final

# "SOQL and SOSL Reference", "Reserved Keywords": none of these may be an alias. The same words,
# less those that standard objects use as names (Group, First, Last), cannot start a field path.
RESERVED_ALIASES: Final = frozenset({
    "AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LAST",
    "LIKE", "LIMIT", "NOT", "NULL", "NULLS", "OR", "SELECT", "USING", "WHERE", "WITH",
})  # fmt: skip
RESERVED_NAMES: Final = (RESERVED_ALIASES - {"FIRST", "GROUP", "LAST"}) | {"FALSE", "TRUE"}

CLAUSES: Final = (
    "SELECT", "FROM", "USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET",
    "FOR", "UPDATE", "ALL",
)  # fmt: skip

COMPARISONS: Final = {
    "=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "LIKE": "LIKE",
}  # fmt: skip
MEMBERSHIPS: Final = ("IN", "NOT IN", "INCLUDES", "EXCLUDES")

ACCESS_MODES: Final = ("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE")
CATEGORY_SELECTORS: Final = ("AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW")
FIELDS_KINDS: Final = ("ALL", "STANDARD", "CUSTOM")
DISTANCE_UNITS: Final = ("mi", "km")

# Upper case as the tree holds them, and as the reference spells them.
FUNCTION_SPELLINGS: Final = {
    "CONVERTCURRENCY": "convertCurrency",
    "CONVERTTIMEZONE": "convertTimezone",
    "TOLABEL": "toLabel",
}
ONE_ARGUMENT_FUNCTIONS: Final = frozenset({
    "AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MIN", "SUM", "GROUPING",
    "CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR", "DAY_IN_MONTH", "DAY_IN_WEEK",
    "DAY_IN_YEAR", "DAY_ONLY", "FISCAL_MONTH", "FISCAL_QUARTER", "FISCAL_YEAR", "HOUR_IN_DAY",
    "WEEK_IN_MONTH", "WEEK_IN_YEAR", "FORMAT", *FUNCTION_SPELLINGS,
})  # fmt: skip

_SPANS = ("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
_COUNTED_SPANS = ("DAY", *_SPANS)
DATE_LITERALS: Final = frozenset({
    "YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS",
    *(f"{side}_{span}" for side in ("LAST", "THIS", "NEXT") for span in _SPANS),
})  # fmt: skip
COUNTED_DATE_LITERALS: Final = frozenset(
    form.format(span=f"{span}S")
    for form in ("LAST_N_{span}", "NEXT_N_{span}", "N_{span}_AGO")
    for span in _COUNTED_SPANS
)
