"""Every kind of literal, and the values that it stands for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from sfconnect.soql import SoqlSyntaxError, parse
from sfconnect.soql.ast import Currency, DateLiteral


def where(condition: str) -> Any:
    return parse(f"SELECT Id FROM X WHERE {condition}").where


def value(text: str, op: str = "=") -> Any:
    return where(f"f {op} {text}").value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("''", ""),
        ("'plain'", "plain"),
        (r"'O\'Brien'", "O'Brien"),
        (r"'\"'", '"'),
        (r"'a\\b'", "a\\b"),
        (r"'ends \\'", "ends \\"),
        (r"'\n\N\r\R\t\T\b\B\f\F'", "\n\n\r\r\t\t\b\b\f\f"),
        (r"'caf\u00e9 \u00E9'", "café é"),
        (r"'\ud83d\ude80'", "🚀"),
        (r"'\\u0041'", "\\u0041"),
        ("'two\nlines'", "two\nlines"),
        ("'東京 🚀'", "東京 🚀"),
        ("'%_'", "%_"),
    ],
)
def test_strings(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("'a%'", "a%"),
        (r"'100\%'", r"100\%"),
        (r"'a\_b'", r"a\_b"),
        (r"'back\\slash'", r"back\\slash"),
        (r"'\u005c'", r"\\"),
        (r"'it\'s\n'", "it's\n"),
    ],
)
def test_a_pattern_keeps_the_escapes_that_only_it_knows(text, pattern):
    assert value(text, "LIKE") == pattern


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-17", -17),
        ("+17", 17),
        ("007", 7),
        ("9" * 400, int("9" * 400)),
        ("1.50", Decimal("1.50")),
        ("-0.5", Decimal("-0.5")),
        (".5", Decimal("0.5")),
        ("1e3", Decimal(1000)),
        ("2.5E-3", Decimal("0.0025")),
        ("1e+400", Decimal("1e400")),
    ],
)
def test_numbers_are_exact(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"), [("TRUE", True), ("false", False), ("Null", None), ("NULL", None)]
)
def test_constants(text, expected):
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23", date(2026, 11, 23)),
        ("2024-02-29", date(2024, 2, 29)),
        ("2026-11-23T01:02:03Z", datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-23t01:02:03z", datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-23T01:02:03.004Z", datetime(2026, 11, 23, 1, 2, 3, 4000, tzinfo=UTC)),
        ("2026-11-23T01:02:03.1234567Z", datetime(2026, 11, 23, 1, 2, 3, 123456, tzinfo=UTC)),
        ("2026-11-23T01:02:03+02:00", datetime(2026, 11, 22, 23, 2, 3, tzinfo=UTC)),
        ("2026-11-23T01:02:03.0-0530", datetime(2026, 11, 23, 6, 32, 3, tzinfo=UTC)),
        ("12:30:00", time(12, 30)),
        ("12:30:00.250Z", time(12, 30, 0, 250000)),
        ("12:30:59z", time(12, 30, 59)),
    ],
)
def test_dates_and_times(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_datetimes_are_held_in_utc():
    assert value("2026-11-23T01:02:03+02:00").tzinfo is UTC


SPANS = ["WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR"]
PLAIN = ["YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"]
PLAIN += [f"{side}_{span}" for side in ["LAST", "THIS", "NEXT"] for span in SPANS]
COUNTED = [
    form.replace("x", f"{span}S")
    for span in ["DAY", *SPANS]
    for form in ["LAST_N_x", "NEXT_N_x", "N_x_AGO"]
]


@pytest.mark.parametrize("name", PLAIN)
def test_relative_dates(name):
    assert value(name.lower()) == DateLiteral(name)


@pytest.mark.parametrize("name", COUNTED)
def test_relative_dates_that_count(name):
    assert value(f"{name.lower()}:12") == DateLiteral(name, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USD5000", Currency("USD", Decimal(5000))),
        ("eur1234.50", Currency("EUR", Decimal("1234.50"))),
        ("JPY0", Currency("JPY", Decimal(0))),
    ],
)
def test_currencies(text, expected):
    assert value(text) == expected


def test_a_currency_may_be_the_last_thing_in_a_list():
    values = where("f IN (USD1, USD2.5)").values

    assert values == (Currency("USD", Decimal(1)), Currency("USD", Decimal("2.5")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r"'\x'", "unknown escape"),
        (r"'\u12'", "unknown escape"),
        (r"'\%'", "unknown escape"),
        (r"'\ud83d'", "surrogate"),
        (r"'\ude80\ud83d'", "surrogate"),
        ("'\ud800'", "surrogate"),
        ("1.2.3", "not a number"),
        ("5.", "not a number"),
        ("1e99999", "not a number"),
        ("12abc", "not a number"),
        ("9" * 401, "out of any range"),
        ("0" * 1001, "out of any range"),
        ("1e401", "out of any range"),
        ("1e-401", "out of any range"),
        ("2026-02-30", "not a date"),
        ("2026-1-1", "not a date"),
        ("0000-01-01", "not a date"),
        ("2026-11-23T", "not a date"),
        ("2026-11-23T01:02Z", "written 2026-11-23T13:45:00Z"),
        ("2026-11-23T01:02:03", "zone is missing"),
        ("2026-11-23T25:00:00Z", "not a date"),
        ("2026-11-23T01:02:03+24:00", "not a date"),
        ("2026-11-23T01:02:03+01:60", "not a date"),
        ("0001-01-01T00:00:00+01:00", "not a date"),
        ("9999-12-31T23:59:59-01:00", "not a date"),
        ("12:30", "not a date"),
        ("12:30:00+01:00", "not a date"),
        ("LAST_N_DAYS", "':' and a number of periods"),
        ("LAST_N_DAYS:x", "a number of periods"),
        ("LAST_N_DAYS:-1", "a number of periods"),
        ("LAST_N_DAYS:1.5", "a number of periods"),
        ("LAST_N_DAYS:1000000001", "out of any range"),
        ("USD5.5.5", "not an amount"),
        ("USD5.5e3", "not an amount"),
        (f"USD{'9' * 401}", "out of any range"),
        ("TODAYS", "bare word"),
        ("Name", "bare word"),
        ("LIKE", "bare word"),
    ],
)
def test_bad_literals_are_refused(text, message):
    with pytest.raises(SoqlSyntaxError, match=message):
        value(text)
