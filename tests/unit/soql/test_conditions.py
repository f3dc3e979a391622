"""Comparisons, memberships and the logic between them."""

from __future__ import annotations

from typing import Any

import pytest

from sfconnect.soql import parse
from sfconnect.soql.ast import (
    And,
    Comparison,
    DateLiteral,
    Field,
    From,
    Function,
    Membership,
    Not,
    Or,
    Query,
)

A, B, C, D = (Comparison(Field((name,)), "=", 1) for name in "abcd")


def where(condition: str) -> Any:
    return parse(f"SELECT Id FROM X WHERE {condition}").where


@pytest.mark.parametrize("op", ["=", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("space", ["", " "])
def test_comparisons(op, space):
    assert where(f"a{space}{op}{space}1") == Comparison(Field(("a",)), op, 1)


def test_two_spellings_of_unequal():
    assert where("a <> 1") == where("a != 1")


def test_like_takes_a_string():
    assert where("a like 'x%'") == Comparison(Field(("a",)), "LIKE", "x%")


def test_the_left_side_may_be_a_function():
    assert where("CALENDAR_YEAR(a) = 2026").left == Function("CALENDAR_YEAR", (Field(("a",)),))


@pytest.mark.parametrize(
    ("text", "op"),
    [("IN", "IN"), ("not in", "NOT IN"), ("INCLUDES", "INCLUDES"), ("Excludes", "EXCLUDES")],
)
def test_memberships(text, op):
    assert where(f"a {text} ('x', 'y;z')") == Membership(Field(("a",)), op, ("x", "y;z"))


def test_a_list_mixes_kinds_of_values():
    assert where("a IN ('x', 1, null, TRUE, TODAY)").values == (
        "x", 1, None, True, DateLiteral("TODAY"),
    )  # fmt: skip


@pytest.mark.parametrize("op", ["IN", "NOT IN"])
def test_semi_and_anti_joins(op):
    joined = Query((Field(("b",)),), From(("Y",)), where=C)

    assert where(f"a {op} (SELECT b FROM Y WHERE c = 1)") == Membership(Field(("a",)), op, joined)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1 AND b=1 AND c=1", And((A, B, C))),
        ("a=1 or b=1 or c=1", Or((A, B, C))),
        ("(a=1 AND b=1) OR c=1", Or((And((A, B)), C))),
        ("a=1 AND (b=1 OR c=1)", And((A, Or((B, C))))),
        ("(a=1 OR b=1) AND (c=1 OR d=1)", And((Or((A, B)), Or((C, D))))),
        ("NOT a=1", Not(A)),
        ("NOT (a=1 AND b=1)", Not(And((A, B)))),
        ("NOT (NOT a=1)", Not(Not(A))),
        ("(NOT a=1) AND b=1", And((Not(A), B))),
        ("a=1 OR (NOT b=1)", Or((A, Not(B)))),
    ],
)
def test_logic(text, expected):
    assert where(text) == expected


def test_parentheses_that_change_nothing_leave_no_trace():
    assert where("((((a=1))))") == A
    assert where("((a=1) AND ((b=1)))") == And((A, B))


def test_parentheses_around_the_same_junction_are_kept():
    assert where("(a=1 AND b=1) AND c=1") == And((And((A, B)), C))
