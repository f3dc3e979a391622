from __future__ import annotations

from typing import Any

import pytest

from sfconnect_emulator.soql.desk import Desk, refused

MEMBERS = {
    "aggregate", "apexType", "booleanType", "columnName", "custom", "displayName",
    "foreignKeyName", "insertable", "joinColumns", "numberType", "textType", "updatable",
}  # fmt: skip


@pytest.fixture(scope="module")
def org() -> Desk:
    return Desk.open()


def columns(org: Desk, soql: str) -> Any:
    return org.engine.column_metadata(soql, version=68.0)


def names(found: Any) -> list[str]:
    return [column["columnName"] for column in found["columnMetadata"]]


def test_the_answer_says_what_is_read(org: Desk) -> None:
    found = columns(org, "SELECT id, NAME FROM account")

    assert found["entityName"] == "Account"
    assert (found["groupBy"], found["idSelected"], found["keyPrefix"]) == (False, True, "001")
    assert names(found) == ["Id", "Name"]
    assert all(set(column) == MEMBERS for column in found["columnMetadata"])


@pytest.mark.parametrize(
    ("field", "apex", "kind"),
    [
        ("Id", "Id", None), ("Name", "String", "textType"),
        ("Checkbox__c", "Boolean", "booleanType"),
        ("Int__c", "Integer", "numberType"), ("Currency__c", "Double", "numberType"),
        ("Date__c", "Date", None), ("DateTime__c", "Datetime", None), ("Time__c", "Time", None),
        ("Blob__c", "Blob", None), ("Address__c", "complexvaluetype", None),
    ],
)  # fmt: skip
def test_a_column_says_its_type(org: Desk, field: str, apex: str, kind: str | None) -> None:
    (column,) = columns(org, f"SELECT {field} FROM Everything__c")["columnMetadata"]

    kinds = {"textType", "booleanType", "numberType"}
    assert column["apexType"] == apex
    assert {name for name in kinds if column[name]} == ({kind} if kind else set())
    assert column["custom"] == field.endswith("__c")


def test_rights_and_references_are_told(org: Desk) -> None:
    name, created, owner = columns(org, "SELECT Name, CreatedDate, OwnerId FROM Account")[
        "columnMetadata"
    ]

    assert (name["insertable"], name["updatable"]) == (True, True)
    assert (created["insertable"], created["updatable"]) == (False, False)
    assert owner["foreignKeyName"] == "Owner"


def test_parents_join_the_columns_that_are_read_of_them(org: Desk) -> None:
    found = columns(
        org, "SELECT account.owner.name, LastName, Account.Name FROM Contact"
    )["columnMetadata"]  # fmt: skip

    account, last = found
    assert (account["columnName"], last["columnName"]) == ("Account", "LastName")
    owner, name = account["joinColumns"]
    assert (owner["columnName"], name["columnName"]) == ("Owner", "Name")
    assert [column["columnName"] for column in owner["joinColumns"]] == ["Name"]


def test_children_join_their_columns_too(org: Desk) -> None:
    _, children = columns(org, "SELECT Id, (SELECT Id, Email FROM contacts) FROM Account")[
        "columnMetadata"
    ]

    assert (children["columnName"], children["aggregate"]) == ("Contacts", True)
    assert [column["columnName"] for column in children["joinColumns"]] == ["Id", "Email"]


def test_expressions_have_the_names_of_their_members(org: Desk) -> None:
    soql = (
        "SELECT StageName, COUNT(Id), SUM(Amount) total, MAX(CloseDate), AVG(Amount), "
        "GROUPING(StageName) FROM Opportunity GROUP BY ROLLUP(StageName)"
    )
    found = columns(org, soql)
    records = org.query(soql)

    assert names(found) == ["StageName", "expr0", "total", "expr1", "expr2", "expr3"]
    assert names(found) == list(records[0])[1:]
    assert found["groupBy"] is True
    shown = {c["columnName"]: c for c in found["columnMetadata"]}
    assert shown["expr0"]["displayName"] == "count(Id)"
    assert (shown["expr0"]["apexType"], shown["expr0"]["aggregate"]) == ("Integer", True)
    assert (shown["total"]["apexType"], shown["expr1"]["apexType"]) == ("Double", "Date")
    assert shown["total"]["displayName"] == "total"


def test_functions_that_keep_a_field_keep_its_name(org: Desk) -> None:
    found = columns(org, "SELECT toLabel(Type), FORMAT(AnnualRevenue) r FROM Account")

    assert names(found) == ["Type", "r"]


def test_macros_and_typeof_have_columns(org: Desk) -> None:
    everything = columns(org, "SELECT FIELDS(ALL) FROM Account LIMIT 1")
    typeof = columns(org, "SELECT TYPEOF What WHEN Account THEN Name END, What.Name FROM Task")
    t = org.store.schema.get("Account")

    assert t is not None
    assert names(everything) == [f.name for f in t.fields]
    assert names(typeof)[0] == "What"


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Foo FROM Account", "INVALID_FIELD"), ("SELECT Id FROM Foo", "INVALID_TYPE"),
        ("SELECT (SELECT Id FROM Foos) FROM Account", "INVALID_FIELD"),
        ("SELECT Id FORM Account", "MALFORMED_QUERY"),
        ("SELECT COUNT(Foo) FROM Account", "INVALID_FIELD"),
        ("SELECT COUNT_DISTINCT(Foo) FROM Account", "INVALID_FIELD"),
        ("SELECT AVG(Foo) FROM Account", "INVALID_FIELD"),
        ("SELECT SUM(Foo) FROM Account", "INVALID_FIELD"),
        ("SELECT AVG(Owner.Foo) x FROM Account", "INVALID_FIELD"),
        ("SELECT Type, GROUPING(Foo) FROM Account GROUP BY ROLLUP(Type)", "INVALID_FIELD"),
        ("SELECT Type FROM Account GROUP BY Type HAVING COUNT(Foo) > 1", "INVALID_FIELD"),
        ("SELECT Name FROM Account GROUP BY Type", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Foo = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Account ORDER BY Foo", "INVALID_FIELD"),
        ("SELECT (SELECT Foo FROM Contacts) FROM Account", "INVALID_FIELD"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_run_has_no_columns(org: Desk, soql: str, code: str) -> None:
    assert refused(lambda: columns(org, soql)).code == code
