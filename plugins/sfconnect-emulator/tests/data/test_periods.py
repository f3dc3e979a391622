from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.soql.ast import DateLiteral
from sfconnect_emulator.soql.periods import days_of

MONDAY = date(2026, 11, 23)
SPANS = ("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
COUNTED = tuple(f"{span}S" for span in ("DAY", *SPANS))
DAYS = st.dates(date(1700, 1, 1), date(4000, 12, 31))


def period(text: str, today: date = MONDAY) -> tuple[str, str]:
    name, _, n = text.partition(":")
    first, end = days_of(DateLiteral(name, int(n) if n else None), today)
    return first.isoformat(), end.isoformat()


@pytest.mark.parametrize(
    ("literal", "first", "end"),
    [
        ("YESTERDAY", "2026-11-22", "2026-11-23"),
        ("TODAY", "2026-11-23", "2026-11-24"),
        ("TOMORROW", "2026-11-24", "2026-11-25"),
        ("LAST_WEEK", "2026-11-15", "2026-11-22"),
        ("THIS_WEEK", "2026-11-22", "2026-11-29"),
        ("NEXT_WEEK", "2026-11-29", "2026-12-06"),
        ("LAST_MONTH", "2026-10-01", "2026-11-01"),
        ("THIS_MONTH", "2026-11-01", "2026-12-01"),
        ("NEXT_MONTH", "2026-12-01", "2027-01-01"),
        ("LAST_QUARTER", "2026-07-01", "2026-10-01"),
        ("THIS_QUARTER", "2026-10-01", "2027-01-01"),
        ("NEXT_QUARTER", "2027-01-01", "2027-04-01"),
        ("LAST_YEAR", "2025-01-01", "2026-01-01"),
        ("THIS_YEAR", "2026-01-01", "2027-01-01"),
        ("NEXT_YEAR", "2027-01-01", "2028-01-01"),
        ("THIS_FISCAL_QUARTER", "2026-10-01", "2027-01-01"),
        ("LAST_FISCAL_YEAR", "2025-01-01", "2026-01-01"),
        ("LAST_90_DAYS", "2026-08-25", "2026-11-24"),
        ("NEXT_90_DAYS", "2026-11-24", "2027-02-22"),
        ("LAST_N_DAYS:7", "2026-11-16", "2026-11-24"),
        ("LAST_N_DAYS:0", "2026-11-23", "2026-11-24"),
        ("NEXT_N_DAYS:7", "2026-11-24", "2026-12-01"),
        ("N_DAYS_AGO:3", "2026-11-20", "2026-11-21"),
        ("LAST_N_WEEKS:2", "2026-11-08", "2026-11-22"),
        ("NEXT_N_WEEKS:1", "2026-11-29", "2026-12-06"),
        ("N_WEEKS_AGO:1", "2026-11-15", "2026-11-22"),
        ("LAST_N_MONTHS:2", "2026-09-01", "2026-11-01"),
        ("NEXT_N_MONTHS:2", "2026-12-01", "2027-02-01"),
        ("N_MONTHS_AGO:11", "2025-12-01", "2026-01-01"),
        ("LAST_N_QUARTERS:4", "2025-10-01", "2026-10-01"),
        ("N_QUARTERS_AGO:1", "2026-07-01", "2026-10-01"),
        ("LAST_N_YEARS:2", "2024-01-01", "2026-01-01"),
        ("NEXT_N_FISCAL_YEARS:1", "2027-01-01", "2028-01-01"),
        ("N_FISCAL_QUARTERS_AGO:4", "2025-10-01", "2026-01-01"),
    ],
)
def test_a_literal_stands_for_days(literal: str, first: str, end: str) -> None:
    assert period(literal) == (first, end)


@pytest.mark.parametrize(
    ("today", "sunday"),
    [("2026-11-21", "2026-11-15"), ("2026-11-22", "2026-11-22"), ("2026-11-28", "2026-11-22")],
)
def test_weeks_begin_on_sunday(today: str, sunday: str) -> None:
    assert period("THIS_WEEK", date.fromisoformat(today))[0] == sunday


@given(st.sampled_from(SPANS), DAYS)
def test_last_this_and_next_follow_one_another(span: str, today: date) -> None:
    last, this, following = (
        days_of(DateLiteral(f"{side}_{span}"), today) for side in ("LAST", "THIS", "NEXT")
    )

    assert last[1] == this[0] <= today < this[1] == following[0]


@given(st.sampled_from(COUNTED), DAYS, st.integers(min_value=1, max_value=50))
def test_the_last_n_end_before_the_next_n_begin(span: str, today: date, n: int) -> None:
    last = days_of(DateLiteral(f"LAST_N_{span}", n), today)
    following = days_of(DateLiteral(f"NEXT_N_{span}", n), today)

    assert last[0] < last[1] <= following[0] < following[1]


@given(st.sampled_from(COUNTED), DAYS)
def test_nought_ago_is_now(span: str, today: date) -> None:
    first, end = days_of(DateLiteral(f"N_{span}_AGO", 0), today)

    assert first <= today < end


@given(st.sampled_from(COUNTED[1:]), DAYS, st.integers(min_value=1, max_value=50))
def test_the_last_n_are_as_many_single_periods(span: str, today: date, n: int) -> None:
    whole = days_of(DateLiteral(f"LAST_N_{span}", n), today)
    ago = [days_of(DateLiteral(f"N_{span}_AGO", k), today) for k in range(n, 0, -1)]

    assert whole == (ago[0][0], ago[-1][1])
    assert all(one[1] == other[0] for one, other in pairwise(ago))


@pytest.mark.parametrize("form", ["LAST_N_{}", "NEXT_N_{}", "N_{}_AGO"])
@pytest.mark.parametrize("span", COUNTED)
def test_periods_beyond_the_calendar_end_with_it(form: str, span: str) -> None:
    first, end = days_of(DateLiteral(form.format(span), 10**9), MONDAY)

    assert date.min <= first <= end <= date.max


def test_an_unknown_literal_is_an_error() -> None:
    with pytest.raises(ValueError, match="SOMEDAY"):
        days_of(DateLiteral("SOMEDAY"), MONDAY)


@given(st.integers(min_value=0, max_value=10_000))
def test_days_are_counted_one_by_one(n: int) -> None:
    ago = days_of(DateLiteral("N_DAYS_AGO", n), MONDAY)

    assert ago == (MONDAY - timedelta(days=n), MONDAY - timedelta(days=n - 1))
