"""What is read of an object, and the query that reads it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from sfconnect.errors import ConfigurationError
from sfconnect.etl.columns import Column, Kind
from sfconnect.etl.plan import MAX_QUERY_BYTES, did_you_mean, plan_object
from tests.unit.etl.conftest import describe_of, field_of


def test_all_fields_are_read_in_the_order_of_describe() -> None:
    plan = plan_object(describe_of("Account", "Id", "Name", field_of("Size__c", "double")))

    assert plan.object == "Account"
    assert plan.soql == "SELECT Id, Name, Size__c FROM Account"
    assert [column.name for column in plan.columns] == ["Id", "Name", "Size__c"]


@pytest.mark.parametrize("type_", ["address", "location", "base64"])
def test_fields_that_make_no_column_are_left_out(type_: str) -> None:
    plan = plan_object(describe_of("Account", "Id", field_of("Odd", type_), "City"))

    assert plan.soql == "SELECT Id, City FROM Account"


def test_a_field_asked_for_is_read_even_if_it_makes_no_good_column() -> None:
    describe = describe_of("Account", "Id", field_of("Address", "address"))

    assert plan_object(describe, fields=["Address"]).soql == "SELECT Address FROM Account"


def test_fields_asked_for_keep_their_order_get_their_spelling_and_come_once() -> None:
    plan = plan_object(describe_of("Account", "Id", "Name"), fields=["NAME", "id", "Name"])

    assert plan.soql == "SELECT Name, Id FROM Account"


def test_a_condition_follows_the_object() -> None:
    plan = plan_object(describe_of("Account", "Id"), where="Name != null")

    assert plan.soql == "SELECT Id FROM Account WHERE Name != null"


def test_an_unknown_field_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan_object(describe_of("Account", "Id", "Industry"), fields=["industri"])

    assert caught.value.message == "Account has no field 'industri'."
    assert caught.value.hint == "Did you mean 'Industry'?"


def test_nothing_is_suggested_when_no_name_is_near() -> None:
    assert did_you_mean("zzz", ["Account", "Contact"]) is None


def test_an_object_that_cannot_be_queried_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be queried"):
        plan_object(describe_of("ActivityHistory", "Id", queryable=False))


@pytest.mark.parametrize(
    "where",
    [
        "Name != null LIMIT 10",
        "Name = 'x' ORDER BY Name",
        "Name = 'x' OFFSET 5",
    ],
)
def test_more_than_a_condition_is_refused_since_it_would_cut_the_count_too(where: str) -> None:
    with pytest.raises(ConfigurationError, match="more than a condition") as caught:
        plan_object(describe_of("Account", "Id"), where=where)

    assert "LIMIT" in str(caught.value.hint)


@pytest.mark.parametrize(
    "where",
    [
        "Name = 'LIMIT 10' AND (NOT Name LIKE 'a%')",
        "Id IN (SELECT AccountId FROM Contact WHERE Email != null LIMIT 5)",
        "a condition that only the org understands",
    ],
)
def test_a_condition_is_the_org_s_to_judge(where: str) -> None:
    assert plan_object(describe_of("Account", "Id"), where=where).soql.endswith(f" WHERE {where}")


def test_a_query_that_does_not_fit_a_url_is_refused_before_it_is_sent() -> None:
    wide = [f"A_rather_long_name_of_a_field_{i}__c" for i in range(500)]

    with pytest.raises(ConfigurationError) as caught:
        plan_object(describe_of("Wide__c", *wide))

    assert "Wide__c" in caught.value.message
    assert caught.value.hint == "Name the fields you need."


def test_a_query_may_be_as_long_as_the_api_accepts() -> None:
    assert MAX_QUERY_BYTES == 14_000
    shortest = len(quote("SELECT Id FROM Account WHERE Name = ''", safe=""))
    room = "x" * (MAX_QUERY_BYTES - shortest)

    plan = plan_object(describe_of("Account", "Id"), where=f"Name = '{room}'")

    assert len(quote(plan.soql, safe="")) == MAX_QUERY_BYTES
    with pytest.raises(ConfigurationError, match="takes 14,001 bytes of a URL"):
        plan_object(describe_of("Account", "Id"), where=f"Name = '{room}x'")


def test_an_object_is_taken_for_readable_unless_describe_denies_it() -> None:
    describe = {**describe_of("Account", "Id")}
    describe.pop("queryable", None)

    assert plan_object(describe).soql == "SELECT Id FROM Account"


def test_the_length_counts_what_percent_encoding_adds() -> None:
    condition = "Name = '" + "é" * (MAX_QUERY_BYTES // 6) + "'"

    with pytest.raises(ConfigurationError, match="bytes of a URL"):
        plan_object(describe_of("Account", "Id"), where=condition)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("id", Kind.TEXT),
        ("reference", Kind.TEXT),
        ("multipicklist", Kind.TEXT),
        ("encryptedstring", Kind.TEXT),
        ("boolean", Kind.BOOLEAN),
        ("int", Kind.INTEGER),
        ("long", Kind.INTEGER),
        ("double", Kind.FLOAT),
        ("percent", Kind.FLOAT),
        ("currency", Kind.DECIMAL),
        ("date", Kind.DATE),
        ("datetime", Kind.DATETIME),
        ("time", Kind.TIME),
        ("anyType", Kind.OPAQUE),
        ("address", Kind.OPAQUE),
        ("a type of some later release", Kind.OPAQUE),
    ],
)
def test_every_type_has_a_way_to_be_carried(type_: str, kind: Kind) -> None:
    assert Column("F", type_).kind is kind


def test_a_column_keeps_what_describe_says_and_takes_null_for_nothing() -> None:
    column = Column.from_describe(
        {
            "name": "AccountId",
            "type": "reference",
            "length": 18,
            "precision": None,
            "referenceTo": ["Account"],
            "calculated": False,
            "compoundFieldName": None,
        }
    )

    assert column == Column("AccountId", "reference", length=18, reference_to=("Account",))
