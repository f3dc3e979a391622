"""How values are written as literals, and which have none."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from sfconnect.soql import like_escape, parse, quote, quote_like, render
from sfconnect.soql.ast import Bind, Currency, DateLiteral


class Colour(StrEnum):
    RED = "Red"


class Rank(IntEnum):
    FIRST = 1


EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("", "''"),
        ("plain", "'plain'"),
        ("O'Brien", r"'O\'Brien'"),
        ("\\", r"'\\'"),
        ("\\'", r"'\\\''"),
        ("a\nb\rc\td\be\f", r"'a\nb\rc\td\be\f'"),
        ("\x00\x1b\x7f", r"'\u0000\u001b\u007f'"),
        ("100%_", "'100%_'"),
        ('say "hi"', "'say \"hi\"'"),
        ("東京 🚀 é", "'東京 🚀 é'"),
        (Colour.RED, "'Red'"),
        (True, "TRUE"),
        (False, "FALSE"),
        (None, "null"),
        (0, "0"),
        (-42, "-42"),
        (Rank.FIRST, "1"),
        (10**399, "1" + "0" * 399),
        (1.5, "1.5"),
        (-0.0, "0.0"),
        (1e16, "10000000000000000"),
        (5e-324, "5E-324"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (0.1, "0.1"),
        (Decimal("12.50"), "12.50"),
        (Decimal(-7), "-7"),
        (Decimal("1E+5"), "100000"),
        (Decimal("1E+40"), "1E40"),
        (Decimal("-0.00"), "0.00"),
        (date(2026, 11, 23), "2026-11-23"),
        (date(999, 1, 2), "0999-01-02"),
        (datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC), "2026-11-23T01:02:03Z"),
        (datetime(2026, 11, 23, 1, 2, 3, 4000, tzinfo=UTC), "2026-11-23T01:02:03.004Z"),
        (datetime(2026, 11, 23, 1, 2, 3, 4, tzinfo=UTC), "2026-11-23T01:02:03.000004Z"),
        (datetime(2026, 11, 23, 1, 2, 3, tzinfo=EAST), "2026-11-22T19:32:03Z"),
        (time(8, 30), "08:30:00.000Z"),
        (time(8, 30, 15, 250000), "08:30:15.250Z"),
        (time(8, 30, 15, 1), "08:30:15.000001Z"),
        (DateLiteral("TODAY"), "TODAY"),
        (DateLiteral("LAST_N_DAYS", 30), "LAST_N_DAYS:30"),
        (Currency("EUR", Decimal("12.50")), "EUR12.50"),
        (Currency("EUR", Decimal("1E+3")), "EUR1000"),
        (["a", "b"], "('a', 'b')"),
        ((1, None, True), "(1, null, TRUE)"),
        ({"only"}, "('only')"),
        (frozenset({2.5}), "(2.5)"),
    ],
)
def test_values_become_literals(value, literal):
    assert quote(value) == literal


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "NaN and infinities"),
        (float("-inf"), "NaN and infinities"),
        (Decimal("NaN"), "NaN and infinities"),
        (Decimal("sNaN"), "NaN and infinities"),
        (Decimal("1E+401"), "out of any range"),
        (Decimal("1E-401"), "out of any range"),
        (Decimal("1" * 401), "out of any range"),
        (10**400, "out of any range"),
        (-(10**5000), "out of any range"),
        (datetime(2026, 11, 23), "needs a time zone"),  # noqa: DTZ001  # the mistake under test
        (datetime(1, 1, 1, tzinfo=EAST), "outside the years 1 to 9999"),
        (time(1, tzinfo=UTC), "has no zone"),
        ("\ud83d", "surrogate"),
        ("\ude80\ud83d", "surrogate"),
        ([], "no empty list"),
        (DateLiteral("SOMEDAY"), "no relative date"),
        (DateLiteral("TODAY", 3), "no relative date"),
        (DateLiteral("LAST_N_DAYS"), "no relative date"),
        (DateLiteral("LAST_N_DAYS", -1), "no relative date"),
        (DateLiteral("LAST_N_DAYS", 10**10), "no relative date"),
        (DateLiteral("TODAY OR Id != null"), "no relative date"),
        (Currency("eur", Decimal(1)), "three capital letters"),
        (Currency("EUR1 OR", Decimal(1)), "three capital letters"),
        (Currency("EUR", Decimal(-1)), "cannot be negative"),
        (Currency("EUR", Decimal("NaN")), "cannot be negative"),
        (Currency("EUR", Decimal("1E+400")), "out of any range"),
        (Currency("EUR", Decimal("1E-399")), "out of any range"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_without_a_literal_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        quote(value)


@pytest.mark.parametrize("value", [b"bytes", object(), {"a": 1}, [["nested"]], 1j, Bind("x")])
def test_types_without_a_literal_are_refused(value: Any):
    with pytest.raises(TypeError, match="SOQL has no literal for a value of type"):
        quote(value)


def test_a_refusal_does_not_repeat_the_value():
    with pytest.raises(ValueError, match="surrogate") as caught:
        quote("Ada Lovelace \ud800")

    assert "Lovelace" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("plain", "plain"), ("100%", r"100\%"), ("a_b", r"a\_b"), ("a\\b", r"a\\b"), ("\\%", r"\\\%")],
)
def test_like_escape_makes_text_match_itself(text, pattern):
    assert like_escape(text) == pattern


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("North%", "'North%'"),
        (r"100\%%", r"'100\%%'"),
        (r"a\_b\\c", r"'a\_b\\c'"),
        ("O'%\n", r"'O\'%\n'"),
        ("dangling\\", r"'dangling\\'"),
        (r"odd\x", r"'odd\\x'"),
    ],
)
def test_patterns_keep_their_own_escapes(pattern, literal):
    assert quote_like(pattern) == literal


def test_a_pattern_with_half_a_surrogate_pair_is_refused():
    with pytest.raises(ValueError, match="surrogate"):
        quote_like("\udc00%")


@pytest.mark.parametrize(
    "attack",
    [
        "x' OR Name != '",
        "x\\' OR Name != \\'",
        "x\\",
        "x\\\\' OR Id != null OR Name = '",
        "'",
        "\\u0027 OR Id != null",
        "x\n' OR Id != null --",
        "') OR (Id != null",
    ],
)
def test_text_that_tries_to_leave_its_literal_stays_inside(attack):
    equal: Any = parse(f"SELECT Id FROM X WHERE Name = {quote(attack)}").where
    listed: Any = parse(f"SELECT Id FROM X WHERE Name IN {quote([attack, 'b'])}").where
    like: Any = parse(f"SELECT Id FROM X WHERE Name LIKE {quote_like(like_escape(attack))}").where

    assert equal.value == attack
    assert listed.values == (attack, "b")
    assert like.value == like_escape(attack)


@pytest.mark.parametrize(
    ("last", "beyond"),
    [
        (Decimal("1e400"), Decimal("1e401")),
        (Decimal("1e-400"), Decimal("1e-401")),
        (Decimal("1" * 400), Decimal("1" * 401)),
        (DateLiteral("LAST_N_DAYS", 1_000_000_000), DateLiteral("LAST_N_DAYS", 1_000_000_001)),
        (DateLiteral("NEXT_N_YEARS", 0), DateLiteral("NEXT_N_YEARS", -1)),
    ],
    ids=["large", "small", "long", "far", "now"],
)
def test_the_last_value_that_has_a_literal_can_be_read_and_the_next_has_none(
    last: Any, beyond: Any
) -> None:
    soql = f"SELECT Id FROM Account WHERE Field__c = {quote(last)}"

    assert render(parse(soql)) == soql
    with pytest.raises(ValueError, match=r"out of any range|no relative date"):
        quote(beyond)
