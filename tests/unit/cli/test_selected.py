"""The columns of a query follow from its SELECT list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sfconnect.cli.selected import cells_of, has_macro, is_bare_count, plain, typed_columns
from sfconnect.errors import ConfigurationError
from sfconnect.soql import parse

ROW: Mapping[str, Any] = {
    "attributes": {"type": "Contact", "url": "/x"},
    "Id": "003",
    "Name": "Ada",
    "Account": {"attributes": {}, "Name": "Acme", "Owner": {"attributes": {}, "Name": "Bo"}},
    "Cases": {"totalSize": 1, "done": True, "records": [{"attributes": {}, "Id": "500"}]},
    "What": {"attributes": {"type": "Account"}, "Name": "Acme"},
}


def cells(soql: str, row: Mapping[str, Any] = ROW) -> dict[str, Any]:
    return {cell.name: cell.value(row) for cell in cells_of(parse(soql))}


def test_fields_and_parents_are_columns_named_by_their_path() -> None:
    assert cells("SELECT Id, Account.Name, Account.Owner.Name FROM Contact") == {
        "Id": "003",
        "Account.Name": "Acme",
        "Account.Owner.Name": "Bo",
    }


def test_names_are_found_in_any_case_and_keep_the_spelling_of_the_query() -> None:
    assert cells("SELECT ID, account.NAME FROM Contact") == {"ID": "003", "account.NAME": "Acme"}


def test_a_missing_parent_gives_null() -> None:
    assert cells("SELECT Account.Owner.Name FROM Contact", {"Account": None}) == {
        "Account.Owner.Name": None
    }


def test_children_are_a_list_of_rows() -> None:
    assert cells("SELECT (SELECT Id FROM Cases) FROM Contact") == {"Cases": [{"Id": "500"}]}


def test_no_children_are_null() -> None:
    assert cells("SELECT (SELECT Id FROM Cases) FROM Contact", {"Cases": None}) == {"Cases": None}


def test_typeof_is_an_object() -> None:
    soql = "SELECT TYPEOF What WHEN Account THEN Name END FROM Event"

    assert cells(soql) == {"What": {"Name": "Acme"}}


@pytest.mark.parametrize("prefix", ["c", "C", "Contact", "contact"])
def test_an_alias_of_the_object_is_no_parent(prefix: str) -> None:
    alias = "" if prefix.lower() == "contact" else " c"

    assert cells(f"SELECT {prefix}.Name FROM Contact{alias}") == {f"{'Name'}": "Ada"}


def test_expressions_are_numbered_as_the_api_numbers_them() -> None:
    row = {"Name": "x", "expr0": 3, "n": 2, "expr1": 1.5}
    soql = "SELECT Name, COUNT(Id), MAX(Amount) n, AVG(Amount) FROM Opportunity GROUP BY Name"

    assert cells(soql, row) == {"Name": "x", "expr0": 3, "n": 2, "expr1": 1.5}


def test_a_grouped_path_is_known_by_its_last_word() -> None:
    soql = "SELECT Account.Name, COUNT(Id) FROM Contact GROUP BY Account.Name"

    assert cells(soql, {"Name": "Acme", "expr0": 2}) == {"Account.Name": "Acme", "expr0": 2}


def test_a_function_of_display_keeps_the_name_of_its_field() -> None:
    assert cells("SELECT toLabel(Name) FROM Contact") == {"Name": "Ada"}


def test_a_bare_count_is_one_column() -> None:
    query = parse("SELECT COUNT() FROM Account")

    assert is_bare_count(query)
    assert [cell.name for cell in cells_of(query)] == ["count"]
    assert not is_bare_count(parse("SELECT COUNT(Id) FROM Account"))


def test_a_macro_has_no_fixed_columns() -> None:
    query = parse("SELECT FIELDS(STANDARD) FROM Account")

    assert has_macro(query)
    with pytest.raises(ConfigurationError, match="no fixed columns"):
        cells_of(query)


def test_bookkeeping_is_taken_out_at_every_depth() -> None:
    assert plain(ROW) == {
        "Id": "003",
        "Name": "Ada",
        "Account": {"Name": "Acme", "Owner": {"Name": "Bo"}},
        "Cases": [{"Id": "500"}],
        "What": {"Name": "Acme"},
    }


DESCRIBES: dict[str, dict[str, Any]] = {
    "Contact": {
        "fields": [
            {"name": "Id", "type": "id", "relationshipName": None, "referenceTo": []},
            {
                "name": "AccountId",
                "type": "reference",
                "relationshipName": "Account",
                "referenceTo": ["Account"],
            },
            {
                "name": "OwnerId",
                "type": "reference",
                "relationshipName": "Owner",
                "referenceTo": ["Group", "User"],
            },
        ]
    },
    "Account": {
        "fields": [{"name": "Founded__c", "type": "date", "relationshipName": None}],
    },
}


class Org:
    """Counts how often each object is described."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def sobject(self, name: str, /) -> Any:
        self.asked.append(name)

        class Described:
            async def describe(self) -> dict[str, Any]:
                return DESCRIBES[name]

        return Described()


@pytest.mark.parametrize(
    ("item", "type_"),
    [
        ("id", "id"),
        ("Account.Founded__c", "date"),
        ("Owner.Name", "unknown"),
        ("Nobody.Name", "unknown"),
        ("Missing", "unknown"),
        ("COUNT(Id)", "long"),
        ("COUNT_DISTINCT(Id)", "long"),
        ("SUM(Amount)", "double"),
        ("MAX(Account.Founded__c)", "date"),
        ("CALENDAR_YEAR(CreatedDate)", "unknown"),
        ("(SELECT Id FROM Cases)", "unknown"),
    ],
)
async def test_the_type_of_a_column_is_found_along_its_path(item: str, type_: str) -> None:
    query = parse(f"SELECT {item} FROM Contact")

    (column,) = await typed_columns(Org(), query, cells_of(query))  # type: ignore[arg-type]  # only describes are asked

    assert column.type == type_


async def test_every_object_is_described_once() -> None:
    org = Org()
    query = parse("SELECT Id, Account.Founded__c, Account.Name FROM Contact")

    await typed_columns(org, query, cells_of(query))  # type: ignore[arg-type]  # only describes are asked

    assert sorted(org.asked) == ["Account", "Contact"]
