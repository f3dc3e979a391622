from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from sfconnect_emulator.soql.desk import Desk, plain

DEALS = [
    ("a", "Prospecting", 10, "2025-01-15", "Web"),
    ("b", "Prospecting", None, "2025-02-15", "Other"),
    ("c", "Closed Won", 30.1, "2026-02-15", "Web"),
    ("d", "Closed Won", 0.2, "2026-11-15", None),
    ("E", "Closed Lost", 5, "2026-11-16", "Web"),
]


@pytest.fixture(scope="module")
def org() -> Iterator[Desk]:
    desk = Desk.open()
    account = desk.create("Account", Name="Acme")
    for n, (name, stage, amount, day, source) in enumerate(DEALS):
        desk.create(
            "Opportunity", Name=name, StageName=stage, Amount=amount, CloseDate=day,
            LeadSource=source, AccountId=account if n % 2 else None,
        )  # fmt: skip
    yield desk
    desk.store.close()


def groups(org: Desk, soql: str) -> list[tuple[Any, ...]]:
    return [tuple(plain(record).values()) for record in org.query(soql)]


def test_count_answers_with_a_size_and_no_records(org: Desk) -> None:
    page = org.engine.run("SELECT COUNT() FROM Opportunity", version=68.0)

    assert page.value(68.0) == {"totalSize": 5, "done": True, "records": []}


@pytest.mark.parametrize(
    ("tail", "count"),
    [("WHERE Amount > 1", 3), ("LIMIT 2", 2), ("OFFSET 4", 1), ("LIMIT 9 OFFSET 1", 4)],
)
def test_count_heeds_conditions_and_limits(org: Desk, tail: str, count: int) -> None:
    page = org.engine.run(f"SELECT count() FROM Opportunity {tail}", version=68.0)

    assert page.total_size == count


def test_count_sees_the_recycle_bin_if_asked() -> None:
    desk = Desk.open()
    desk.delete("Account", desk.create("Account", Name="x"))
    counts = [
        desk.engine.run("SELECT COUNT() FROM Account", version=68.0, include_deleted=deleted)
        for deleted in (False, True)
    ]

    assert [page.total_size for page in counts] == [0, 1]


def test_an_aggregate_has_a_type_and_no_url(org: Desk) -> None:
    (record,) = org.query("SELECT COUNT(Id) FROM Opportunity")

    assert record == {"attributes": {"type": "AggregateResult"}, "expr0": 5}


def test_unnamed_expressions_are_numbered_apart_from_aliases(org: Desk) -> None:
    (record,) = org.query("SELECT MIN(Amount), COUNT(Id) n, MAX(Amount) FROM Opportunity")

    assert plain(record) == {"expr0": 0.2, "n": 5, "expr1": 30.1}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("COUNT(Amount)", 4), ("COUNT(LeadSource)", 4), ("COUNT_DISTINCT(LeadSource)", 2),
        ("SUM(Amount)", 45.3), ("AVG(Amount)", 11.325), ("MIN(Amount)", 0.2),
        ("MAX(Amount)", 30.1), ("MIN(CloseDate)", "2025-01-15"), ("MAX(Name)", "E"),
        ("MIN(Name)", "a"), ("MAX(FiscalYear)", 2026), ("SUM(FiscalQuarter)", 1 + 1 + 1 + 4 + 4),
    ],
)  # fmt: skip
def test_aggregates(org: Desk, expression: str, value: object) -> None:
    (record,) = org.query(f"SELECT {expression} FROM Opportunity")

    assert record["expr0"] == pytest.approx(value) if isinstance(value, float) else value
    assert type(record["expr0"]) is type(value)


def test_aggregates_of_nothing_are_null_and_counts_nought(org: Desk) -> None:
    found = groups(org, "SELECT COUNT(Id), SUM(Amount), MAX(Name) FROM Opportunity LIMIT 1")
    nothing = groups(
        org, "SELECT COUNT(Id), SUM(Amount), MAX(Name) FROM Opportunity WHERE Name = 'zz'"
    )

    assert found[0][0] == 5
    assert nothing == [(0, None, None)]


def test_rows_are_grouped_by_fields(org: Desk) -> None:
    assert groups(
        org, "SELECT StageName, COUNT(Id), SUM(Amount) s FROM Opportunity GROUP BY StageName"
    ) == [("Closed Lost", 1, 5.0), ("Closed Won", 2, 30.3), ("Prospecting", 2, 10.0)]


def test_null_is_a_group(org: Desk) -> None:
    assert groups(org, "SELECT LeadSource, COUNT(Id) FROM Opportunity GROUP BY LeadSource") == [
        (None, 1), ("Other", 1), ("Web", 3),
    ]  # fmt: skip


def test_groups_ignore_case() -> None:
    desk = Desk.open()
    for name in ("a", "A", "b"):
        desk.create("Account", Name=name)

    assert groups(desk, "SELECT Name, COUNT(Id) FROM Account GROUP BY Name") == [("A", 2), ("b", 1)]


def test_groups_by_a_parent_are_named_by_the_field(org: Desk) -> None:
    soql = "SELECT Account.Name, COUNT(Id) c FROM Opportunity GROUP BY Account.Name"

    assert plain(org.query(soql)) == [{"Name": None, "c": 3}, {"Name": "Acme", "c": 2}]


def test_groups_may_be_counted_by_dates(org: Desk) -> None:
    assert groups(
        org,
        "SELECT CALENDAR_YEAR(CloseDate) y, CALENDAR_MONTH(CloseDate), COUNT(Id) FROM Opportunity "
        "GROUP BY CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate)",
    ) == [(2025, 1, 1), (2025, 2, 1), (2026, 2, 1), (2026, 11, 2)]


def test_booleans_stay_booleans(org: Desk) -> None:
    assert groups(org, "SELECT IsWon, COUNT(Id) FROM Opportunity GROUP BY IsWon") == [
        (False, 3), (True, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("having", "stages"),
    [
        ("COUNT(Id) > 1", ["Closed Won", "Prospecting"]),
        ("SUM(Amount) >= 10 AND COUNT(Id) = 2", ["Closed Won", "Prospecting"]),
        ("StageName LIKE 'closed%'", ["Closed Lost", "Closed Won"]),
        ("NOT (StageName LIKE 'closed%')", ["Prospecting"]),
        ("MAX(Amount) IN (5, 10)", ["Closed Lost", "Prospecting"]),
    ],
)
def test_having_keeps_some_groups(org: Desk, having: str, stages: list[str]) -> None:
    soql = f"SELECT StageName FROM Opportunity GROUP BY StageName HAVING {having}"

    assert org.values(soql) == stages


@pytest.mark.parametrize(
    ("tail", "stages"),
    [
        ("ORDER BY COUNT(Id), StageName DESC", ["Closed Lost", "Prospecting", "Closed Won"]),
        ("ORDER BY SUM(Amount) DESC", ["Closed Won", "Prospecting", "Closed Lost"]),
        ("ORDER BY total DESC LIMIT 1", ["Closed Won"]),
        ("ORDER BY StageName DESC LIMIT 1 OFFSET 1", ["Closed Won"]),
    ],
)
def test_groups_are_sorted_and_cut(org: Desk, tail: str, stages: list[str]) -> None:
    soql = f"SELECT StageName, SUM(Amount) total FROM Opportunity GROUP BY StageName {tail}"

    assert org.values(soql) == stages


def test_rollup_adds_subtotals_after_their_groups(org: Desk) -> None:
    assert groups(
        org,
        "SELECT StageName, LeadSource, COUNT(Id), GROUPING(LeadSource) g FROM Opportunity "
        "WHERE StageName != 'Closed Lost' GROUP BY ROLLUP(StageName, LeadSource)",
    ) == [
        ("Closed Won", None, 1, 0), ("Closed Won", "Web", 1, 0), ("Closed Won", None, 2, 1),
        ("Prospecting", "Other", 1, 0), ("Prospecting", "Web", 1, 0), ("Prospecting", None, 2, 1),
        (None, None, 4, 1),
    ]  # fmt: skip


def test_cube_adds_every_subtotal(org: Desk) -> None:
    found = groups(
        org,
        "SELECT IsWon, LeadSource, COUNT(Id), GROUPING(IsWon) a, GROUPING(LeadSource) b "
        "FROM Opportunity GROUP BY CUBE(IsWon, LeadSource)",
    )
    totals: dict[tuple[int, int], int] = defaultdict(int)
    for *_, count, by_won, by_source in found:
        totals[by_won, by_source] += count

    assert totals == {(0, 0): 5, (0, 1): 5, (1, 0): 5, (1, 1): 5}
    assert found[-1] == (None, None, 5, 1, 1)


@pytest.mark.parametrize(
    ("soql", "message"),
    [
        ("SELECT Name, COUNT(Id) FROM Opportunity", "Field must be grouped or aggregated: Name"),
        ("SELECT Name FROM Opportunity GROUP BY StageName",
         "Field must be grouped or aggregated: Name"),
        ("SELECT StageName FROM Opportunity GROUP BY StageName HAVING Name = 'x'",
         "Field must be grouped or aggregated: Name"),
        ("SELECT StageName FROM Opportunity GROUP BY StageName ORDER BY Name",
         "Ordered field must be grouped or aggregated: Name"),
        ("SELECT CloseDate FROM Opportunity GROUP BY CALENDAR_YEAR(CloseDate)",
         "Field must be grouped or aggregated: CloseDate"),
        ("SELECT Description FROM Opportunity GROUP BY Description",
         "field 'Description' can not be grouped in a query call"),
        ("SELECT Amount FROM Opportunity GROUP BY Amount",
         "field 'Amount' can not be grouped in a query call"),
        ("SELECT SUM(Name) FROM Opportunity", "field Name does not support aggregate operator SUM"),
        ("SELECT AVG(CloseDate) FROM Opportunity",
         "field CloseDate does not support aggregate operator AVG"),
        ("SELECT MAX(IsWon) FROM Opportunity",
         "field IsWon does not support aggregate operator MAX"),
        ("SELECT COUNT(Id) n, SUM(Amount) N FROM Opportunity", "duplicate alias: N"),
        ("SELECT Account.Name, Owner.Name FROM Opportunity GROUP BY Account.Name, Owner.Name",
         "duplicate alias: Name"),
        ("SELECT COUNT(Id), (SELECT Id FROM Tasks) FROM Opportunity",
         "Grouped query cannot use child relationships in the SELECT list"),
        ("SELECT COUNT(Id) FROM Opportunity GROUP BY Id HAVING Id IN (SELECT OpportunityId FROM "
         "OpportunityLineItem)", "Semi join sub-selects are not allowed in HAVING"),
    ],
)  # fmt: skip
def test_what_cannot_be_grouped_is_refused(org: Desk, soql: str, message: str) -> None:
    error = org.refusal(soql)

    assert (error.status, error.code) == (400, "MALFORMED_QUERY")
    assert error.message.splitlines()[-1] == message


def test_there_is_no_second_page_of_groups() -> None:
    desk = Desk.open(5, {"Account": 2100})
    soql = "SELECT Id, COUNT(Name) FROM Account GROUP BY Id"

    assert desk.refusal(soql).code == "EXCEEDED_ID_LIMIT"
    assert len(desk.query(f"{soql} LIMIT 2000")) == 2000


def test_groups_agree_with_rows_counted_by_hand(seeded: Desk) -> None:
    by_hand: dict[Any, list[float | None]] = defaultdict(list)
    for record in seeded.query("SELECT StageName, Amount FROM Opportunity"):
        by_hand[record["StageName"]].append(record["Amount"])
    found = seeded.query(
        "SELECT StageName s, COUNT(Id) n, SUM(Amount) total FROM Opportunity GROUP BY StageName"
    )

    assert {r["s"]: r["n"] for r in found} == {s: len(v) for s, v in by_hand.items()}
    for record in found:
        amounts = [amount for amount in by_hand[record["s"]] if amount is not None]
        assert record["total"] == pytest.approx(sum(amounts))
