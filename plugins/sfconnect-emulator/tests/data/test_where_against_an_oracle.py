"""WHERE compiled to SQL against the same condition judged row by row in plain Python."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect.soql import render
from sfconnect.soql.ast import (
    And,
    Comparison,
    Condition,
    DateLiteral,
    Field,
    From,
    Membership,
    Not,
    Or,
    Query,
    Value,
)
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.data.render import Record
from sfconnect_emulator.soql.desk import Desk

NOW = datetime(2026, 11, 23, 14, 5, 6, tzinfo=UTC)
TODAY = NOW.date()
TEXTS = [None, "a", "A", "b", "ab", "aB ", "\u00e4", "\u00c4", "a%b", "a_b", "a\\b", "a\nb", "NA",
         "null", "0", "\U0001f600", "'", "Stra\u00dfe"]  # fmt: skip
NUMBERS = [None, 0, -1.5, 2.25, 100, 0.1, 99999]
DAYS = [None, "1700-01-01", "2026-11-22", "2026-11-23", "2026-11-30", "2025-12-31", "4000-12-31"]
MOMENTS = [None, "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-23T14:05:06Z",
           "2026-11-24T00:00:00Z", "1700-01-01T00:00:00Z"]  # fmt: skip
MULTI = [None, "Alpha", "Alpha;Beta", "Beta;Gamma", "Alpha;Beta;Gamma", "a,b"]
PERIODS = {
    DateLiteral("TODAY"): (0, 1),
    DateLiteral("YESTERDAY"): (-1, 0),
    DateLiteral("TOMORROW"): (1, 2),
    DateLiteral("LAST_N_DAYS", 2): (-2, 1),
    DateLiteral("NEXT_N_DAYS", 7): (1, 8),
    DateLiteral("N_DAYS_AGO", 1): (-1, 0),
    DateLiteral("THIS_MONTH"): (-22, 8),
    DateLiteral("LAST_YEAR"): (-691, -326),
}
"""Days from today at which a period begins and ends."""


def rows() -> Iterator[dict[str, Any]]:
    """Combine values so that every one meets many others."""
    rng = Random(5)
    cycles = (itertools.cycle(pool) for pool in (TEXTS, NUMBERS, DAYS, MOMENTS, MULTI))
    for n, (text, number, day, moment, multi) in enumerate(zip(*cycles, strict=False)):
        if n == 90:
            return
        yield {
            "Text__c": text, "Number__c": number, "Date__c": day, "DateTime__c": moment,
            "Multi__c": multi, "Checkbox__c": rng.random() < 0.5,
            "Picklist__c": rng.choice([None, "RED", "GREEN"]), "parent": rng.randrange(4),
        }  # fmt: skip


@pytest.fixture(scope="module")
def crm() -> Iterator[Desk]:
    desk = Desk.open(clock=Clock(NOW))
    parents = [desk.create("Account", Name=n, Phone=p) for n, p in (("a", None), ("B", "1"))]
    for row in rows():
        parent = row.pop("parent")
        desk.create("Everything__c", Account__c=(*parents, None, None)[parent], **row)
    yield desk
    desk.store.close()


@pytest.fixture(scope="module")
def records(crm: Desk) -> list[Record]:
    fields = "Id, Text__c, Number__c, Date__c, DateTime__c, Multi__c, Checkbox__c, Picklist__c"
    return crm.query(f"SELECT {fields}, Account__r.Name, Account__r.Phone FROM Everything__c")


# The oracle


def holds(condition: Condition, record: Record) -> bool:
    if isinstance(condition, And):
        return all(holds(part, record) for part in condition.parts)
    if isinstance(condition, Or):
        return any(holds(part, record) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, record)
    assert isinstance(condition.left, Field)
    found = value_at(record, condition.left.path)
    if isinstance(condition, Comparison):
        return compares(found, condition.op, condition.value)
    assert isinstance(condition.values, tuple)
    if condition.op in {"IN", "NOT IN"}:
        inside = any(compares(found, "=", value) for value in condition.values)
        return inside == (condition.op == "IN")
    has = any(includes(found, str(value)) for value in condition.values)
    return has == (condition.op == "INCLUDES")


def value_at(record: Record, path: tuple[str, ...]) -> Any:
    value: Any = record
    for name in path:
        value = None if value is None else value[name]
    return value


def compares(found: Any, op: str, value: Value) -> bool:
    if op == "!=":
        return not compares(found, "=", value)
    if value is None:
        return found is None and op == "="
    if found is None:
        return False
    if op == "LIKE":
        return like(found, str(value))
    if isinstance(value, DateLiteral):
        return in_period(found, op, value)
    ours, theirs = comparable(found), comparable(value)
    verdicts: dict[str, bool] = {
        "=": ours == theirs, "<": ours < theirs, "<=": ours <= theirs,
        ">": ours > theirs, ">=": ours >= theirs,
    }  # fmt: skip
    return verdicts[op]


def comparable(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000+0000").rjust(28, "0")
    if isinstance(value, date):
        return value.isoformat()
    return value.lower() if isinstance(value, str) and "+0000" not in value else to_number(value)


def to_number(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | Decimal) else value


def like(text: str, pattern: str) -> bool:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(part) or re.escape(part[-1].lower()) for part in parts)
    return re.fullmatch(regex, text.lower(), re.DOTALL) is not None


def includes(found: str | None, wanted: str) -> bool:
    return found is not None and set(wanted.split(";")) <= set(found.split(";"))


def in_period(found: str, op: str, literal: DateLiteral) -> bool:
    first, end = (TODAY + timedelta(days=n) for n in PERIODS[literal])
    day = date.fromisoformat(found[:10])
    return {
        "=": first <= day < end, "<": day < first, "<=": day < end, ">": day >= end,
        ">=": day >= first,
    }[op]  # fmt: skip


# Conditions

ORDER = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUAL = st.sampled_from(["=", "!="])
IN = st.sampled_from(["IN", "NOT IN"])
TEXT_VALUES = st.sampled_from([t for t in TEXTS if t]) | st.text("aAbB\u00e4%_", max_size=2).filter(
    bool
)
PATTERNS = st.lists(
    st.sampled_from(["%", "_", r"\%", r"\_", "a", "B", "\u00e4", r"\\", "'"]),
    min_size=1,
    max_size=4,
).map("".join)
NUMBER_VALUES = st.sampled_from([Decimal(str(n)) for n in NUMBERS if n is not None]) | st.integers(
    -5, 105
)
DAY_VALUES = st.sampled_from([date.fromisoformat(d) for d in DAYS if d])
MOMENT_VALUES = st.sampled_from([datetime.fromisoformat(m) for m in MOMENTS if m])
PERIOD_VALUES = st.sampled_from(list(PERIODS))


def compare(name: str, op: st.SearchStrategy[str], value: st.SearchStrategy[Any]) -> Any:
    return st.builds(Comparison, st.just(Field(tuple(name.split(".")))), op, value)


def member(name: str, op: st.SearchStrategy[str], value: st.SearchStrategy[Any]) -> Any:
    values = st.lists(value, min_size=1, max_size=4).map(tuple)
    return st.builds(Membership, st.just(Field(tuple(name.split(".")))), op, values)


def nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


LEAVES = st.one_of(
    *(compare(f, EQUAL, st.none()) for f in ("Text__c", "Number__c", "Date__c", "Account__r.Name")),
    *(compare(f, ORDER, TEXT_VALUES) for f in ("Text__c", "Picklist__c", "Account__r.Name")),
    *(compare(f, st.just("LIKE"), PATTERNS) for f in ("Text__c", "Account__r.Name")),
    *(member(f, IN, nullable(TEXT_VALUES)) for f in ("Text__c", "Account__r.Phone")),
    compare("Number__c", ORDER, NUMBER_VALUES),
    member("Number__c", IN, nullable(NUMBER_VALUES)),
    compare("Checkbox__c", EQUAL, st.booleans()),
    compare("Date__c", ORDER, DAY_VALUES | PERIOD_VALUES),
    member("Date__c", IN, nullable(DAY_VALUES | PERIOD_VALUES)),
    compare("DateTime__c", ORDER, MOMENT_VALUES | PERIOD_VALUES),
    member(
        "Multi__c", st.sampled_from(["INCLUDES", "EXCLUDES"]),
        st.sampled_from(["Alpha", "Beta;Alpha", "Gamma", "a,b", "Delta"]),
    ),
)  # fmt: skip


def deeper(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, inner)


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(LEAVES, deeper, max_leaves=6)


@settings(max_examples=200, deadline=None)
@given(condition=CONDITIONS)
def test_where_keeps_the_rows_that_the_condition_holds_for(
    crm: Desk, records: list[Record], condition: Condition
) -> None:
    soql = render(Query((Field(("Id",)),), From(("Everything__c",)), where=condition))

    assert crm.values(soql) == [r["Id"] for r in records if holds(condition, r)]


@settings(max_examples=60, deadline=None)
@given(condition=CONDITIONS)
def test_a_condition_and_its_opposite_share_out_all_rows(
    crm: Desk, records: list[Record], condition: Condition
) -> None:
    both = [
        crm.engine.run(
            render(Query((Field(("Id",)),), From(("Everything__c",)), where=one)), version=68.0
        ).total_size
        for one in (condition, Not(condition))
    ]

    assert sum(both) == len(records)


@settings(max_examples=40, deadline=None)
@given(condition=CONDITIONS)
def test_count_agrees_with_the_rows(crm: Desk, condition: Condition) -> None:
    rows = render(Query((Field(("Id",)),), From(("Everything__c",)), where=condition))
    counted = rows.replace("SELECT Id", "SELECT COUNT()", 1)

    first, second = (crm.engine.run(soql, version=68.0).total_size for soql in (rows, counted))
    assert first == second
