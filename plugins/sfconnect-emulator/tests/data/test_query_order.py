from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfconnect_emulator.soql.desk import Desk

NAMES = ["b", "A", "a", "\u00e4", "C", "_"]


@pytest.fixture(scope="module")
def org() -> Iterator[Desk]:
    desk = Desk.open()
    for n, name in enumerate(NAMES):
        desk.create("Account", Name=name, AnnualRevenue=None if n in {1, 4} else n, Site=f"s{n}")
    yield desk
    desk.store.close()


def names(org: Desk, tail: str) -> list[str]:
    return list(org.values(f"SELECT Name FROM Account {tail}"))


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("", ["b", "A", "a", "\u00e4", "C", "_"]),
        ("ORDER BY Name", ["_", "A", "a", "b", "C", "\u00e4"]),
        ("ORDER BY Name DESC", ["\u00e4", "C", "b", "A", "a", "_"]),
        ("ORDER BY AnnualRevenue", ["A", "C", "b", "a", "\u00e4", "_"]),
        ("ORDER BY AnnualRevenue DESC", ["A", "C", "_", "\u00e4", "a", "b"]),
        ("ORDER BY AnnualRevenue NULLS LAST", ["b", "a", "\u00e4", "_", "A", "C"]),
        ("ORDER BY AnnualRevenue DESC NULLS LAST", ["_", "\u00e4", "a", "b", "A", "C"]),
        ("ORDER BY AnnualRevenue NULLS FIRST, Name DESC", ["C", "A", "b", "a", "\u00e4", "_"]),
        ("ORDER BY Owner.Name, Site DESC", ["_", "C", "\u00e4", "a", "A", "b"]),
        ("ORDER BY Id DESC LIMIT 2", ["_", "C"]),
        ("ORDER BY Site LIMIT 2 OFFSET 3", ["\u00e4", "C"]),
        ("ORDER BY Site OFFSET 5", ["_"]),
        ("ORDER BY Site OFFSET 6", []),
        ("LIMIT 0", []),
        (f"ORDER BY Site LIMIT {10**30}", ["b", "A", "a", "\u00e4", "C", "_"]),
        ("WHERE Name > 'a' ORDER BY Name LIMIT 1", ["b"]),
    ],
)
def test_rows_come_in_the_order_that_was_asked_for(
    org: Desk, tail: str, expected: list[str]
) -> None:
    assert names(org, tail) == expected


def test_dates_sort_by_parts_of_theirs() -> None:
    desk = Desk.open()
    for day in ("2026-03-01", "2024-12-01", "2025-06-15"):
        desk.create("Everything__c", Name=day, Date__c=day)

    soql = "SELECT Name FROM Everything__c ORDER BY CALENDAR_MONTH(Date__c) DESC"
    assert desk.values(soql) == ["2024-12-01", "2025-06-15", "2026-03-01"]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(min_value=0, max_value=8), st.integers(min_value=0, max_value=8),
    st.sampled_from(["", "ORDER BY Name", "ORDER BY AnnualRevenue DESC, Id"]),
)  # fmt: skip
def test_limit_and_offset_cut_the_whole_answer(
    org: Desk, limit: int, offset: int, order: str
) -> None:
    whole = names(org, order)
    page = org.engine.run(
        f"SELECT Name FROM Account {order} LIMIT {limit} OFFSET {offset}", version=68.0
    )

    assert [record["Name"] for record in page.records] == whole[offset : offset + limit]
    assert page.total_size == len(whole[offset : offset + limit])
