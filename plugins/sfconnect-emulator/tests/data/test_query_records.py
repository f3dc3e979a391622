from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.soql.desk import Desk, plain, refused

BASE = "/services/data/v68.0/sobjects"


@pytest.fixture(scope="module")
def org() -> Iterator[Desk]:
    """Two accounts, one under the other; contacts, cases and activities on them."""
    desk = Desk.open(clock=Clock())
    acme = desk.create("Account", Name="Acme", Ext_Id__c="A", BillingCity="Rome")
    beta = desk.create("Account", Name="Beta", Ext_Id__c="B", ParentId=acme, AnnualRevenue=5)
    for name in ("Cy", "Ann", "Bob"):
        desk.create("Contact", LastName=name, AccountId=acme, Email=f"{name}@example.com")
    lone = desk.create("Contact", LastName="Lone")
    queue = desk.values("SELECT Id FROM Group ORDER BY Name LIMIT 1")[0]
    desk.create("Case", Subject="mine", AccountId=beta)
    desk.create("Case", Subject="queued", OwnerId=queue)
    desk.create("Task", Subject="on account", WhatId=beta, WhoId=lone)
    desk.create("Task", Subject="on nothing")
    parent = desk.create("Everything__c", Name="P", Account__c=acme)
    for n in range(3):
        desk.create("Everything_Item__c", Everything__c=parent, Label__c=f"L{n}")
    yield desk
    desk.store.close()


def by_name(org: Desk, object_name: str, name: str) -> str:
    return str(org.values(f"SELECT Id FROM {object_name} WHERE Name = '{name}'")[0])


def test_a_record_begins_with_type_and_url(org: Desk) -> None:
    (record,) = org.query("SELECT Name, Id FROM Account WHERE Name = 'Acme'")
    record_id = by_name(org, "Account", "Acme")

    assert list(record) == ["attributes", "Name", "Id"]
    assert record["attributes"] == {"type": "Account", "url": f"{BASE}/Account/{record_id}"}


def test_the_url_carries_the_version_of_the_request(org: Desk) -> None:
    page = org.engine.run("SELECT Id FROM Account LIMIT 1", version=41.0)

    assert page.records[0]["attributes"]["url"].startswith("/services/data/v41.0/sobjects/")


def test_members_come_in_select_order_with_the_spelling_of_the_schema(org: Desk) -> None:
    (record,) = org.query("select PHONE, id, aNNuaLrevenue, ISDELETED from aCCOUNT limit 1")

    assert list(record)[1:] == ["Phone", "Id", "AnnualRevenue", "IsDeleted"]


def test_a_parent_is_nested_where_it_is_first_named(org: Desk) -> None:
    (record,) = org.query(
        "SELECT Account.Name, LastName, account.owner.name, ACCOUNT.BillingCity FROM Contact "
        "WHERE LastName = 'Ann'"
    )

    assert plain(record) == {
        "Account": {"Name": "Acme", "Owner": {"Name": "Integration User"}, "BillingCity": "Rome"},
        "LastName": "Ann",
    }  # fmt: skip
    assert list(record["Account"]) == ["attributes", "Name", "Owner", "BillingCity"]
    assert record["Account"]["attributes"]["type"] == "Account"
    assert record["Account"]["Owner"]["attributes"]["url"] == f"{BASE}/User/{org.user_id}"


def test_a_parent_that_is_not_there_is_null(org: Desk) -> None:
    (record,) = org.query("SELECT Account.Owner.Name FROM Contact WHERE LastName = 'Lone'")

    assert record["Account"] is None


@pytest.mark.parametrize(
    "path", ["Account.Name", "Contact.Account.Name", "c.Account.Name", "c.account.NAME"]
)
def test_paths_may_begin_with_the_object_or_its_alias(org: Desk, path: str) -> None:
    (record,) = org.query(f"SELECT {path} FROM Contact c WHERE c.LastName = 'Ann'")

    assert plain(record) == {"Account": {"Name": "Acme"}}


def test_a_parent_may_have_an_alias_of_its_own(org: Desk) -> None:
    soql = "SELECT a.Name, o.Name FROM Contact c, c.Account a, a.Owner o WHERE a.Name = 'acme'"

    assert plain(org.query(soql))[0] == {
        "Account": {"Name": "Acme", "Owner": {"Name": "Integration User"}},
    }  # fmt: skip


def test_compound_fields_are_objects(org: Desk) -> None:
    (record,) = org.query("SELECT BillingAddress, ShippingAddress FROM Account WHERE Name='Acme'")

    assert record["BillingAddress"]["city"] == "Rome"
    assert record["ShippingAddress"] is None
    (contact,) = org.query("SELECT Account.BillingAddress FROM Contact WHERE LastName = 'Ann'")
    assert contact["Account"]["BillingAddress"]["city"] == "Rome"


# Children


def test_children_are_a_page_of_their_own(org: Desk) -> None:
    (record,) = org.query(
        "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account "
        "WHERE Name = 'Acme'"
    )

    children = record["Contacts"]
    assert list(children) == ["totalSize", "done", "records"]
    assert (children["totalSize"], children["done"]) == (3, True)
    assert [c["LastName"] for c in children["records"]] == ["Ann", "Bob", "Cy"]
    assert children["records"][0]["attributes"]["type"] == "Contact"


def test_a_parent_without_children_has_null(org: Desk) -> None:
    (record,) = org.query("SELECT (SELECT Id FROM contacts) FROM Account WHERE Name = 'Beta'")

    assert record["Contacts"] is None


@pytest.mark.parametrize("source", ["Contacts", "CONTACTS", "Account.Contacts", "a.Contacts"])
def test_the_relationship_may_be_written_with_its_parent(org: Desk, source: str) -> None:
    (record,) = org.query(
        f"SELECT (SELECT Contact.LastName FROM {source} LIMIT 1) FROM Account a LIMIT 1"
    )

    assert record["Contacts"]["totalSize"] == 1


def test_conditions_order_and_limits_count_per_parent(org: Desk) -> None:
    (record,) = org.query(
        "SELECT (SELECT LastName FROM Contacts WHERE LastName != 'Bob' ORDER BY LastName DESC "
        "LIMIT 1 OFFSET 1) FROM Account WHERE Name = 'Acme'"
    )

    assert plain(record)["Contacts"]["records"] == [{"LastName": "Ann"}]


def test_an_offset_beyond_the_children_leaves_null(org: Desk) -> None:
    (record,) = org.query("SELECT (SELECT Id FROM Contacts OFFSET 9) FROM Account LIMIT 1")

    assert record["Contacts"] is None


def test_children_may_name_parents_and_children(org: Desk) -> None:
    (record,) = org.query(
        "SELECT (SELECT Name, Account__r.Name, (SELECT Label__c FROM Everything_Items__r "
        "WHERE Label__c > 'L0') FROM Everythings__r) FROM Account WHERE Name = 'Acme'"
    )

    (child,) = plain(record)["Everythings__r"]["records"]
    assert child["Account__r"] == {"Name": "Acme"}
    assert child["Everything_Items__r"]["records"] == [{"Label__c": "L1"}, {"Label__c": "L2"}]


def test_deleted_children_are_seen_by_query_all_only() -> None:
    desk = Desk.open()
    account = desk.create("Account", Name="a")
    desk.delete("Contact", desk.create("Contact", LastName="x", AccountId=account))
    soql = "SELECT (SELECT Id, IsDeleted FROM Contacts) FROM Account"

    assert desk.query(soql)[0]["Contacts"] is None
    deleted = desk.query(soql, include_deleted=True)[0]["Contacts"]["records"]
    assert [child["IsDeleted"] for child in deleted] == [True]


# Polymorphic references


def test_a_polymorphic_parent_has_the_type_that_it_is(org: Desk) -> None:
    owners = org.query("SELECT Owner.Name, Owner.Type FROM Case ORDER BY Subject")

    assert [record["Owner"]["attributes"]["type"] for record in owners] == ["User", "Group"]
    assert plain(owners) == [
        {"Owner": {"Name": "Integration User", "Type": "User"}},
        {"Owner": {"Name": "Sales Queue", "Type": "Group"}},
    ]


def test_a_polymorphic_parent_that_is_not_there_is_null(org: Desk) -> None:
    records = org.query("SELECT What.Name, Who.Name FROM Task ORDER BY Subject")

    assert plain(records) == [
        {"What": {"Name": "Beta"}, "Who": {"Name": "Lone"}}, {"What": None, "Who": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "subjects"),
    [
        ("What.Type = 'Account'", ["on account"]), ("What.Type != 'Account'", ["on nothing"]),
        ("What.Type IN ('Case', 'Campaign')", []), ("What.Name = 'BETA'", ["on account"]),
        ("Who.Type = 'contact'", ["on account"]), ("What.Type = null", ["on nothing"]),
    ],
)  # fmt: skip
def test_rows_are_found_by_the_type_and_name_of_what_they_point_at(
    org: Desk, condition: str, subjects: list[str]
) -> None:
    assert org.values(f"SELECT Subject FROM Task WHERE {condition}") == subjects


def test_typeof_reads_other_fields_for_each_type(org: Desk) -> None:
    typeof = "TYPEOF Owner WHEN User THEN Username, Profile.Name WHEN Group THEN DeveloperName END"
    records = org.query(f"SELECT {typeof} FROM Case ORDER BY Subject")

    assert plain(records) == [
        {"Owner": {
            "Username": org.store.org.user.username, "Profile": {"Name": "System Administrator"},
        }},
        {"Owner": {"DeveloperName": "Sales_Queue"}},
    ]  # fmt: skip
    assert records[1]["Owner"]["attributes"]["type"] == "Group"


def test_a_user_tells_profile_and_license(org: Desk) -> None:
    soql = "SELECT Profile.Name, Profile.UserLicense.Name FROM User WHERE IsActive = true"
    records = org.query(f"{soql} ORDER BY Username LIMIT 2")

    assert [record["Profile"]["Name"] for record in records] == [
        "System Administrator", "Standard User",
    ]  # fmt: skip
    assert {record["Profile"]["UserLicense"]["Name"] for record in records} == {"Salesforce"}


def test_typeof_falls_back_to_its_else(org: Desk) -> None:
    typeof = "TYPEOF What WHEN Case THEN Subject ELSE Id, Name END"
    records = org.query(f"SELECT {typeof} FROM Task ORDER BY Subject")

    assert plain(records) == [
        {"What": {"Id": by_name(org, "Account", "Beta"), "Name": "Beta"}}, {"What": None},
    ]  # fmt: skip


def test_typeof_without_else_gives_the_bare_reference(org: Desk) -> None:
    (record, _) = org.query("SELECT TYPEOF What WHEN Case THEN Id END FROM Task ORDER BY Subject")

    assert record["What"]["attributes"]["type"] == "Account"
    assert plain(record) == {"What": {}}


def test_typeof_works_with_one_type_and_with_fields(org: Desk) -> None:
    (record,) = org.query(
        "SELECT TYPEOF Account WHEN Account THEN FIELDS(CUSTOM) END FROM Contact "
        "WHERE LastName = 'Ann'"
    )

    assert plain(record)["Account"]["Ext_Id__c"] == "A"


def test_typeof_knows_the_types_that_a_reference_may_have(org: Desk) -> None:
    error = org.refusal("SELECT TYPEOF Who WHEN Account THEN Name END FROM Task")

    assert error.code == "INVALID_FIELD"


# Macros and functions


@pytest.mark.parametrize(
    ("kind", "some", "others"),
    [
        ("ALL", "Ext_Id__c", "Name"),
        ("STANDARD", "Name", "Id"),
        ("CUSTOM", "Ext_Id__c", "Active__c"),
    ],
)
def test_fields_stands_for_many_fields(org: Desk, kind: str, some: str, others: str) -> None:
    (record,) = org.query(f"SELECT FIELDS({kind}) FROM Account LIMIT 1")
    t = org.store.schema.get("Account")

    assert t is not None
    expected = [
        f.name for f in t.fields if kind == "ALL" or f.custom == (kind == "CUSTOM")
    ]  # fmt: skip
    assert list(record)[1:] == expected
    assert {some, others} <= set(record)


@pytest.mark.parametrize("tail", ["", "LIMIT 201"])
@pytest.mark.parametrize("kind", ["ALL", "CUSTOM"])
def test_unbounded_fields_need_a_small_limit(org: Desk, kind: str, tail: str) -> None:
    error = org.refusal(f"SELECT FIELDS({kind}) FROM Account {tail}")

    assert (error.status, error.code) == (400, "MALFORMED_QUERY")
    assert error.message == "The SOQL FIELDS function must have a LIMIT of at most 200"


def test_standard_fields_need_no_limit(org: Desk) -> None:
    assert org.query("SELECT FIELDS(STANDARD) FROM Account")


def test_to_label_shows_the_label_in_place_of_the_value() -> None:
    desk = Desk.open()
    desk.create("Everything__c", Picklist__c="RED", Open_Picklist__c="Other")

    assert plain(desk.query("SELECT toLabel(Picklist__c) FROM Everything__c")) == [
        {"Picklist__c": "Red"}
    ]
    assert plain(desk.query("SELECT tolabel(Open_Picklist__c) l FROM Everything__c")) == [
        {"l": "Other"}
    ]
    assert desk.values("SELECT Id FROM Everything__c WHERE toLabel(Picklist__c) = 'red'")


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("Number__c", 1234567.891, "1,234,567.89"), ("Currency__c", 1234.5, "$1,234.50"),
        ("Percent__c", 12.5, "12.5000%"), ("Date__c", "2026-01-09", "1/9/2026"),
        ("DateTime__c", "2026-01-09T00:05:00Z", "1/9/2026, 12:05 AM"),
        ("DateTime__c", "2026-01-09T13:05:00Z", "1/9/2026, 1:05 PM"), ("Int__c", 5000, "5,000"),
        ("Checkbox__c", True, "true"), ("Text__c", "x", "x"), ("Number__c", None, None),
    ],
)  # fmt: skip
def test_format_shows_values_as_a_user_reads_them(
    field: str, value: object, shown: str | None
) -> None:
    desk = Desk.open()
    desk.create("Everything__c", **{field: value})

    assert desk.values(f"SELECT FORMAT({field}) FROM Everything__c") == [shown]
    assert plain(desk.query(f"SELECT FORMAT(convertCurrency({field})) f FROM Everything__c")) == [
        {"f": shown}
    ]


def test_a_function_of_a_parent_field_stays_with_the_parent(org: Desk) -> None:
    (record,) = org.query("SELECT toLabel(Account.Type) FROM Contact WHERE LastName = 'Ann'")

    assert plain(record) == {"Account": {"Type": None}}


def test_distances_filter_sort_and_show() -> None:
    desk = Desk.open()
    for name, latitude, longitude in (("Berlin", 52.52, 13.405), ("Suva", -18.14, 178.44)):
        desk.create(
            "Everything__c", Name=name, Location__Latitude__s=latitude,
            Location__Longitude__s=longitude,
        )  # fmt: skip
    desk.create("Everything__c", Name="Nowhere")
    munich = "DISTANCE(Location__c, GEOLOCATION(48.137, 11.576), '{}')"

    near = desk.values(f"SELECT Name FROM Everything__c WHERE {munich.format('km')} < 600")
    order = desk.values(f"SELECT Name FROM Everything__c ORDER BY {munich.format('mi')} DESC")
    kilometres = desk.values(f"SELECT {munich.format('km')} FROM Everything__c")
    miles = desk.values(f"SELECT {munich.format('mi')} FROM Everything__c")

    assert near == ["Berlin"]
    assert order == ["Nowhere", "Suva", "Berlin"]
    assert kilometres[0] == pytest.approx(504.3, abs=1)
    assert kilometres[0] / miles[0] == pytest.approx(1.609344, abs=1e-5)
    assert kilometres[2] is None


# Scopes


def test_the_recycle_bin_is_seen_by_query_all_only() -> None:
    desk = Desk.open()
    kept, gone = (desk.create("Account", Name=name) for name in "ab")
    desk.delete("Account", gone)

    assert desk.values("SELECT Id FROM Account") == [kept]
    assert desk.values("SELECT Id FROM Account", include_deleted=True) == [kept, gone]
    bin_ = desk.values("SELECT Id FROM Account WHERE IsDeleted = true", include_deleted=True)
    assert bin_ == [gone]


def test_my_scope_is_what_i_own() -> None:
    desk = Desk.open()
    other = desk.store.org.users[1].id
    mine, theirs = desk.create("Account", Name="m"), desk.create("Account", Name="t", OwnerId=other)
    soql = "SELECT Id FROM Account USING SCOPE mine"

    assert desk.values(soql) == [mine]
    assert desk.values(soql, user=other) == [theirs]
    assert desk.values("SELECT Id FROM Account USING SCOPE everything") == [mine, theirs]


@pytest.mark.parametrize("tail", ["WITH SECURITY_ENFORCED", "FOR VIEW", "FOR REFERENCE",
                                  "UPDATE TRACKING", "WITH USER_MODE"])  # fmt: skip
def test_clauses_that_change_no_row_are_taken(org: Desk, tail: str) -> None:
    assert len(org.query(f"SELECT Id FROM Account {tail}")) == 2


# Writing


def test_the_body_of_a_page_is_its_value(seeded: Desk) -> None:
    for soql in (
        "SELECT FIELDS(STANDARD) FROM Account",
        "SELECT Name, Account.Name, Account.Owner.Name, MailingAddress, IsDeleted FROM Contact",
        "SELECT Id, Location__c, Json__c, Complex__c, Blob__c, Checkbox__c FROM Everything__c",
        "SELECT What.Name, TYPEOF Who WHEN Contact THEN Name, IsDeleted ELSE Id END FROM Task",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT COUNT(Id), IsWon FROM Opportunity GROUP BY IsWon",
        "SELECT COUNT() FROM Opportunity",
    ):
        page = seeded.engine.run(soql, version=68.0)
        body = page.body(68.0)

        assert json.loads(body) == page.value(68.0), soql
        assert seeded.engine.run(soql, version=68.0).body(68.0) == body


def test_a_change_is_seen_by_the_next_query_at_once() -> None:
    desk = Desk.open(7, {"Account": 150})
    soql = "SELECT Id, Name FROM Account"
    first = desk.engine.run(soql, version=68.0)
    before = first.body(68.0)
    record_id = first.records[0]["Id"]
    desk.update("Account", record_id, Name="Changed")
    late = desk.engine.run(soql, version=68.0)
    desk.update("Account", record_id, Name="Changed again")

    assert first.body(68.0) == before
    assert late.records[0]["Name"] == "Changed"
    assert json.loads(late.body(68.0))["records"][0]["Name"] == "Changed"
    assert json.loads(desk.engine.run(soql, version=68.0).body(68.0))["records"][0]["Name"] == (
        "Changed again"
    )


def test_a_remembered_page_can_still_be_looked_at(seeded: Desk) -> None:
    soql = "SELECT Id, Name, IsDeleted FROM Account"
    first = seeded.engine.run(soql, version=68.0)
    first.body(68.0)

    assert seeded.engine.run(soql, version=68.0).records == first.records
    assert refused(lambda: seeded.query("SELECT")).code == "MALFORMED_QUERY"
