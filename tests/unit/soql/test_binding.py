"""Values for the named places of a query."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sfconnect.soql import SoqlSyntaxError, bind, like_escape
from sfconnect.soql.ast import Bind, Currency, DateLiteral

X = "SELECT Id FROM X WHERE "


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("a = :v", {"v": "O'Brien"}, r"a = 'O\'Brien'"),
        ("a=:v", {"v": -1}, "a = -1"),
        ("a = :v", {"v": 0.5}, "a = 0.5"),
        ("a = :v", {"v": Decimal("1.50")}, "a = 1.50"),
        ("a != :v", {"v": None}, "a != null"),
        ("a > :v", {"v": date(2026, 11, 23)}, "a > 2026-11-23"),
        ("a > :v", {"v": DateLiteral("TODAY")}, "a > TODAY"),
        ("a > :v", {"v": Currency("EUR", Decimal(5))}, "a > EUR5"),
        ("a LIKE :v", {"v": like_escape("50%") + "%"}, r"a LIKE '50\%%'"),
        ("a IN :v", {"v": ["x", "y"]}, "a IN ('x', 'y')"),
        ("a NOT IN :v", {"v": (1, 2.5)}, "a NOT IN (1, 2.5)"),
        ("a INCLUDES :v", {"v": {"x;y"}}, "a INCLUDES ('x;y')"),
        ("a IN (:v, 'c', :w)", {"v": "b", "w": "d"}, "a IN ('b', 'c', 'd')"),
        ("a = :v OR b = :v", {"v": 1}, "a = 1 OR b = 1"),
        ("(NOT a = :v) AND b = :w", {"v": 1, "w": 2}, "(NOT a = 1) AND b = 2"),
        (
            "DISTANCE(p, GEOLOCATION(:lat, :lon), 'km') < :far",
            {"lat": 52.5, "lon": -13, "far": 10},
            "DISTANCE(p, GEOLOCATION(52.5, -13), 'km') < 10",
        ),
        (
            "a IN (SELECT b FROM Y WHERE c = :v)",
            {"v": "x"},
            "a IN (SELECT b FROM Y WHERE c = 'x')",
        ),
        (
            "DISTANCE(p, GEOLOCATION(:v, 1), 'km') IN :w",
            {"v": 1, "w": [2]},
            "DISTANCE(p, GEOLOCATION(1, 1), 'km') IN (2)",
        ),
    ],
)
def test_values_take_the_places_of_their_names(condition, values, expected):
    assert bind(X + condition, **values) == X + expected


def test_binds_work_in_every_clause():
    text = (
        "SELECT Id, (SELECT Id FROM Ys WHERE a = :a LIMIT :n) FROM X WITH b = :b"
        " GROUP BY Id HAVING COUNT(Id) > :n LIMIT :n OFFSET :m"
    )

    assert bind(text, a="x", b="y", n=5, m=0) == (
        "SELECT Id, (SELECT Id FROM Ys WHERE a = 'x' LIMIT 5) FROM X WITH b = 'y'"
        " GROUP BY Id HAVING COUNT(Id) > 5 LIMIT 5 OFFSET 0"
    )


def test_a_value_may_have_any_name():
    assert bind(X + "a = :text AND b = :self", text=1, self=2) == X + "a = 1 AND b = 2"


def test_a_query_without_places_needs_no_values():
    assert bind("select Id from X") == "SELECT Id FROM X"


def test_a_value_is_never_read_as_query_text():
    assert bind(X + "a = :v", v=":w OR b = 'c'") == X + r"a = ':w OR b = \'c\''"


@pytest.mark.parametrize(
    ("condition", "values", "error", "message"),
    [
        ("a = :v", {}, ValueError, "there is no value for :v"),
        ("a = :v", {"v": 1, "y": 2, "x": 3}, ValueError, "no place for :x, :y"),
        ("a = :v", {"v": [1]}, TypeError, ":v is a list"),
        ("a IN :v", {"v": "abc"}, TypeError, ":v needs a list"),
        ("a IN :v", {"v": []}, ValueError, ":v: SOQL has no empty list"),
        ("a IN (:v)", {"v": ["x"]}, TypeError, ":v is a list"),
        ("a LIKE :v", {"v": None}, TypeError, ":v needs text"),
        ("a LIKE :v", {"v": ["x"]}, TypeError, ":v needs text"),
        ("a = :v", {"v": float("inf")}, ValueError, ":v: SOQL has no literal for NaN"),
        ("a = :v", {"v": object()}, TypeError, ":v: SOQL has no literal for a value of type"),
        ("a = :v", {"v": Bind("w")}, TypeError, ":v: SOQL has no literal for a value of type"),
        ("a = 1 LIMIT :v", {"v": "1"}, ValueError, "LIMIT and OFFSET take whole numbers"),
        ("a = 1 LIMIT :v", {"v": -1}, ValueError, "LIMIT and OFFSET take whole numbers"),
        ("a = 1 OFFSET :v", {"v": True}, ValueError, "LIMIT and OFFSET take whole numbers"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    condition: str, values: dict[str, Any], error: type[Exception], message: str
):
    with pytest.raises(error, match=message):
        bind(X + condition, **values)


def test_a_bad_query_is_a_syntax_error():
    with pytest.raises(SoqlSyntaxError):
        bind("SELECT :v FROM X", v="Id")
