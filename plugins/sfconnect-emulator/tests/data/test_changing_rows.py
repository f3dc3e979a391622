from __future__ import annotations

import pytest

from sfconnect_emulator.data import ApiError
from sfconnect_emulator.soql.desk import Desk, refused


def facts(error: ApiError) -> tuple[int, str, list[str] | None]:
    return error.status, error.code, error.fields


def test_an_update_changes_only_what_is_given(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme", Phone="1", Fax="2")
    before = crm.row("Account", record_id)
    crm.clock.advance(300)
    crm.update("account", record_id[:15], phone="3", Fax=None)

    after = crm.row("Account", record_id)
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"Phone", "Fax", "LastModifiedDate", "SystemModstamp"}
    assert (after["Phone"], after["Fax"]) == ("3", None)
    assert after["CreatedDate"] == before["CreatedDate"]


def test_a_row_remembers_who_changed_it_last(crm: Desk) -> None:
    other = crm.store.org.users[1].id
    record_id = crm.create("Account", Name="Acme")
    crm.store.update("Account", record_id, {"Name": "New"}, user_id=other)

    row = crm.row("Account", record_id, "CreatedById", "LastModifiedById")
    assert row == {"CreatedById": crm.user_id, "LastModifiedById": other}


def test_an_update_may_keep_its_own_unique_value(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme", Ext_Id__c="K1")
    crm.create("Account", Name="Other", Ext_Id__c="K2")
    crm.update("Account", record_id, Ext_Id__c="k1")

    assert crm.row("Account", record_id, "Ext_Id__c") == {"Ext_Id__c": "k1"}
    error = refused(lambda: crm.update("Account", record_id, Ext_Id__c="K2"))
    assert error.code == "DUPLICATE_VALUE"


def test_a_required_field_cannot_be_emptied(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme")

    error = refused(lambda: crm.update("Account", record_id, Name=None))

    assert facts(error) == (400, "REQUIRED_FIELD_MISSING", ["Name"])


@pytest.mark.parametrize("field", ["Id", "id"])
def test_the_id_cannot_be_changed(crm: Desk, field: str) -> None:
    record_id = crm.create("Account", Name="Acme")

    error = refused(lambda: crm.update("Account", record_id, **{field: record_id}))

    assert facts(error) == (400, "INVALID_FIELD", None)


def test_a_master_cannot_be_exchanged(crm: Desk) -> None:
    one, two = crm.create("Everything__c"), crm.create("Everything__c")
    item = crm.create("Everything_Item__c", Everything__c=one)

    error = refused(lambda: crm.update("Everything_Item__c", item, Everything__c=two))

    assert facts(error) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Everything__c"])


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_an_id_of_another_object_is_of_the_wrong_type(crm: Desk, operation: str) -> None:
    contact = crm.create("Contact", LastName="x")

    error = refused(lambda: getattr(crm, operation)("Account", contact))

    assert facts(error) == (400, "MALFORMED_ID", ["Id"])
    assert error.message == f"Record ID: id value of incorrect type: {contact}"


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_an_id_that_never_was_is_no_cross_reference(crm: Desk, operation: str) -> None:
    never = crm.store.org.ids("001").id_of(12345)

    error = refused(lambda: getattr(crm, operation)("Account", never))

    assert facts(error) == (404, "INVALID_CROSS_REFERENCE_KEY", [])


@pytest.mark.parametrize("operation", ["update", "delete", "row"])
def test_a_deleted_row_says_so_to_every_verb(crm: Desk, operation: str) -> None:
    record_id = crm.create("Account", Name="Acme")
    crm.delete("Account", record_id)

    error = refused(lambda: getattr(crm, operation)("Account", record_id))

    assert facts(error) == (404, "ENTITY_IS_DELETED", [])
    assert error.message == "entity is deleted"


def test_a_deleted_row_is_counted_no_more_but_kept(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme")
    crm.delete("Account", record_id)

    assert crm.store.count("Account") == 0
    assert crm.values("SELECT Id FROM Account") == []
    assert crm.values("SELECT IsDeleted FROM Account", include_deleted=True) == [True]


def test_children_that_hang_on_a_row_go_with_it(crm: Desk) -> None:
    account = crm.create("Account", Name="Acme")
    contact = crm.create("Contact", LastName="x", AccountId=account)
    task = crm.create("Task", WhoId=contact)
    child = crm.create("Account", Name="Child", ParentId=account)
    crm.delete("Account", account)

    assert crm.store.count("Contact") == crm.store.count("Task") == 0
    assert crm.values(f"SELECT Id FROM Task WHERE Id = '{task}'", include_deleted=True) == [task]
    assert crm.row("Account", child, "ParentId") == {"ParentId": None}


def test_a_row_with_children_that_hold_it_cannot_be_deleted(crm: Desk) -> None:
    account = crm.create("Account", Name="Acme")
    contact = crm.create("Contact", LastName="x", AccountId=account)
    crm.create("Case", AccountId=account)

    error = refused(lambda: crm.delete("Account", account))

    assert facts(error) == (400, "DELETE_FAILED", [])
    assert error.message.startswith("Your attempt to delete Acme could not be completed because")
    assert "00000001" in error.message
    assert crm.row("Contact", contact, "AccountId") == {"AccountId": account}


@pytest.mark.parametrize("name", ["User", "Organization", "ContentVersion"])
def test_some_rows_cannot_be_deleted(crm: Desk, name: str) -> None:
    if name == "ContentVersion":
        crm.create(name, PathOnClient="x", VersionData="eA==")
    record_id = crm.values(f"SELECT Id FROM {name} LIMIT 1")[0]

    error = refused(lambda: crm.delete(name, record_id))

    assert error.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


def test_a_profile_cannot_be_changed(crm: Desk) -> None:
    record_id = crm.values("SELECT Id FROM Profile LIMIT 1")[0]

    error = refused(lambda: crm.update("Profile", record_id, Name="x"))

    assert error.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


def test_taking_away_a_line_item_lowers_the_amount(crm: Desk) -> None:
    book = crm.values("SELECT Id FROM Pricebook2")[0]
    product = crm.create("Product2", Name="Widget")
    entry = crm.create("PricebookEntry", Pricebook2Id=book, Product2Id=product, UnitPrice=10)
    deal = crm.create("Opportunity", Name="o", StageName="Prospecting", CloseDate="2026-01-01")
    common = {"OpportunityId": deal, "PricebookEntryId": entry}
    items = [crm.create("OpportunityLineItem", Quantity=n, **common) for n in (1, 2)]

    crm.delete("OpportunityLineItem", items[0])
    assert crm.row("Opportunity", deal, "Amount") == {"Amount": 20.0}
    crm.delete("OpportunityLineItem", items[1])
    assert crm.row("Opportunity", deal, "Amount", "HasOpportunityLineItem") == {
        "Amount": 20.0, "HasOpportunityLineItem": False,
    }  # fmt: skip


def test_an_upsert_creates_once_and_then_updates(crm: Desk) -> None:
    first = crm.upsert("Account", "ext_id__c", "K1", Name="Acme")
    second = crm.upsert("Account", "Ext_Id__c", "k1", Name="Acme 2")

    assert (first[1], second[1]) == (True, False)
    assert first[0] == second[0]
    assert crm.row("Account", first[0], "Name", "Ext_Id__c") == {
        "Name": "Acme 2", "Ext_Id__c": "K1",
    }  # fmt: skip


def test_an_upsert_by_id_updates(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme")

    assert crm.upsert("Account", "Id", record_id[:15], Name="New") == (record_id, False)
    never = crm.store.org.ids("001").id_of(999)
    assert refused(lambda: crm.upsert("Account", "Id", never, Name="x")).status == 404
    assert refused(lambda: crm.upsert("Account", "Id", "junk", Name="x")).code == "MALFORMED_ID"


def test_a_number_may_be_an_external_id(crm: Desk) -> None:
    first = crm.upsert("Everything__c", "Number_Key__c", "12", Text__c="a")
    second = crm.upsert("Everything__c", "Number_Key__c", 12.0, Text__c="b")

    assert (first[1], second[1]) == (True, False)
    assert crm.store.find_by_external_id("Everything__c", "number_key__c", "12") == [first[0]]
    assert crm.store.find_by_external_id("Everything__c", "number_key__c", "twelve") == []


def test_an_upsert_that_matches_several_rows_lists_them(crm: Desk) -> None:
    ids = [crm.create("Everything__c", Group_Key__c=key) for key in ("G", "g", "H")]

    error = refused(lambda: crm.upsert("Everything__c", "Group_Key__c", "G", Text__c="x"))

    assert (error.status, error.matches) == (300, ids[:2])


def test_an_upsert_may_be_told_not_to_create(crm: Desk) -> None:
    error = refused(
        lambda: crm.store.upsert(
            "Account", "Ext_Id__c", "K1", {"Name": "x"}, user_id=crm.user_id, update_only=True
        )
    )

    assert facts(error) == (404, "NOT_FOUND", None)
    assert crm.store.count("Account") == 0


@pytest.mark.parametrize("field", ["Phone", "Nothing__c"])
def test_only_external_ids_serve_for_upserts(crm: Desk, field: str) -> None:
    error = refused(lambda: crm.upsert("Account", field, "x", Name="y"))

    assert facts(error) == (404, "NOT_FOUND", None)
    assert error.message == (
        f"Provided external ID field does not exist or is not accessible: {field}"
    )


@pytest.mark.parametrize("field", ["Id", "EXT_ID__C"])
def test_the_key_of_an_upsert_does_not_belong_in_its_body(crm: Desk, field: str) -> None:
    error = refused(lambda: crm.upsert("Account", "Ext_Id__c", "K1", Name="x", **{field: "K2"}))

    assert error.code == "INVALID_FIELD"
    assert error.message.endswith("field should not be specified in the sobject data.")


@pytest.mark.parametrize(
    "key", ["a/b", "a b", "\u00fcml\u00e4ut", "%41", "'; --", "\U0001f511", "x" * 63]
)
def test_awkward_keys_find_their_row(crm: Desk, key: str) -> None:
    record_id, _ = crm.upsert("Account", "Ext_Id__c", key, Name="x")

    assert crm.store.find_by_external_id("Account", "Ext_Id__c", key) == [record_id]
    assert crm.store.find_by_external_id("Account", "Ext_Id__c", key + "!") == []


def test_a_transaction_that_fails_leaves_nothing(crm: Desk) -> None:
    def fail() -> None:
        with crm.store.transaction():
            crm.create("Account", Name="one")
            with crm.store.transaction():
                crm.create("Account", Name="two")
            crm.create("Account")

    refused(fail)

    assert crm.store.count("Account") == 0
    assert crm.create("Account", Name="three") == crm.store.org.ids("001").id_of(1)


def test_an_error_survives_pickling() -> None:
    import pickle

    error = ApiError(300, "X", "text", ["F"], matches=["001"])
    copy = pickle.loads(pickle.dumps(error))

    assert (copy.status, copy.code, copy.message) == (300, "X", "text")
    assert (copy.fields, copy.matches) == (["F"], ["001"])
