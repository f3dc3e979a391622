from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.soql.desk import Desk

# 23:30 on Sunday evening in Los Angeles, Monday morning in UTC.
NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def org() -> Iterator[Desk]:
    desk = Desk.open(clock=Clock(NOW))
    for name, moment in (
        ("saturday", "2026-11-22T07:59:59Z"), ("sunday", "2026-11-22T08:00:00Z"),
        ("monday in UTC", "2026-11-23T00:00:00Z"), ("monday in LA", "2026-11-23T08:00:00Z"),
        ("long ago", "1700-01-01T12:00:00Z"), ("far away", "4000-12-31T23:59:59Z"),
    ):  # fmt: skip
        desk.create("Everything__c", Name=name, DateTime__c=moment, Date__c=moment[:10])
    yield desk
    desk.store.close()


def names(org: Desk, condition: str, user: str | None = None) -> list[str]:
    return list(org.values(f"SELECT Name FROM Everything__c WHERE {condition}", user=user))


def test_relative_dates_follow_the_time_zone_of_the_user(org: Desk) -> None:
    in_los_angeles = org.store.org.users[1].id

    assert names(org, "DateTime__c = TODAY") == ["monday in UTC", "monday in LA"]
    assert names(org, "DateTime__c = TODAY", in_los_angeles) == ["sunday", "monday in UTC"]
    assert names(org, "DateTime__c = YESTERDAY", in_los_angeles) == ["saturday"]
    assert names(org, "Date__c = TODAY", in_los_angeles) == ["saturday", "sunday"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("DateTime__c > 2026-11-23T00:00:00Z", ["monday in LA", "far away"]),
        ("DateTime__c >= 2026-11-23T00:00:00+00:00", ["monday in UTC", "monday in LA", "far away"]),
        ("DateTime__c = 2026-11-23T01:00:00+01:00", ["monday in UTC"]),
        ("DateTime__c = 2026-11-23T00:00:00.000Z", ["monday in UTC"]),
        ("DateTime__c = 2026-11-23T00:00:00.001Z", []),
        ("DateTime__c < 2026-11-22T07:59:59.500Z", ["saturday", "long ago"]),
        ("Date__c < 1700-01-02", ["long ago"]),
        ("Date__c IN (2026-11-22, 4000-12-31)", ["saturday", "sunday", "far away"]),
        ("DateTime__c IN (TODAY, 4000-12-31T23:59:59Z)",
         ["monday in UTC", "monday in LA", "far away"]),
        ("Date__c > NEXT_N_YEARS:5", ["far away"]),
        ("DateTime__c < LAST_N_YEARS:9999", []),
    ],
)  # fmt: skip
def test_dates_compare(org: Desk, condition: str, expected: list[str]) -> None:
    assert names(org, condition) == expected


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("CALENDAR_YEAR", 2026), ("CALENDAR_QUARTER", 4), ("CALENDAR_MONTH", 11),
        ("FISCAL_YEAR", 2026), ("FISCAL_QUARTER", 4), ("FISCAL_MONTH", 11), ("DAY_IN_MONTH", 22),
        ("DAY_IN_WEEK", 1), ("DAY_IN_YEAR", 326), ("WEEK_IN_MONTH", 4), ("WEEK_IN_YEAR", 47),
        ("HOUR_IN_DAY", 7), ("DAY_ONLY", "2026-11-22"),
    ],
)  # fmt: skip
def test_parts_of_a_date(org: Desk, function: str, value: object) -> None:
    soql = f"SELECT {function}(DateTime__c) FROM Everything__c WHERE Name = 'saturday'"

    assert org.values(soql) == [value]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("CALENDAR_YEAR(Date__c) = 1700", ["long ago"]),
        ("CALENDAR_YEAR(DateTime__c) > 2026", ["far away"]),
        ("DAY_ONLY(DateTime__c) = 2026-11-23", ["monday in UTC", "monday in LA"]),
        ("DAY_ONLY(DateTime__c) = YESTERDAY", ["saturday", "sunday"]),
        ("HOUR_IN_DAY(DateTime__c) IN (12, 23)", ["long ago", "far away"]),
        ("DAY_IN_WEEK(Date__c) = 2", ["monday in UTC", "monday in LA"]),
    ],
)
def test_parts_of_dates_filter(org: Desk, condition: str, expected: list[str]) -> None:
    assert names(org, condition) == expected


def test_a_date_part_may_be_taken_where_the_user_is(org: Desk) -> None:
    in_los_angeles = org.store.org.users[1].id
    condition = "DAY_ONLY(convertTimezone(DateTime__c)) = 2026-11-22"

    assert names(org, condition) == ["saturday", "sunday"]
    assert names(org, condition, in_los_angeles) == ["sunday", "monday in UTC"]
    extremes = "CALENDAR_YEAR(convertTimezone(DateTime__c)) IN (1700, 4000)"
    assert names(org, extremes, in_los_angeles) == ["long ago", "far away"]


@pytest.mark.parametrize(
    "function",
    ["HOUR_IN_DAY(Date__c)", "DAY_ONLY(Date__c)", "CALENDAR_YEAR(Name)", "convertTimezone(Date__c)",
     "CALENDAR_YEAR(CALENDAR_YEAR(Date__c))"],
)  # fmt: skip
def test_functions_take_dates_of_their_kind(org: Desk, function: str) -> None:
    error = org.refusal(f"SELECT Id FROM Everything__c WHERE {function} = 5")

    assert (error.status, error.code) == (400, "MALFORMED_QUERY")


def test_an_empty_date_has_no_parts() -> None:
    desk = Desk.open()
    desk.create("Everything__c")
    soql = (
        "SELECT CALENDAR_YEAR(Date__c), DAY_ONLY(convertTimezone(DateTime__c)) FROM Everything__c"
    )

    assert [list(record.values())[1:] for record in desk.query(soql)] == [[None, None]]


def test_times_of_day_compare() -> None:
    desk = Desk.open()
    for text in ("09:00:00Z", "09:00:00.500Z", "23:59:59Z"):
        desk.create("Everything__c", Name=text, Time__c=text)

    soql = "SELECT Name FROM Everything__c WHERE Time__c > 09:00:00.000Z ORDER BY Time__c DESC"
    assert desk.values(soql) == ["23:59:59Z", "09:00:00.500Z"]
