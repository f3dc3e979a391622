from __future__ import annotations

import pytest

from sfconnect_emulator.data import ApiError
from sfconnect_emulator.data.ids import normalize
from sfconnect_emulator.soql.desk import Desk, refused

STAMP = "2026-11-23T14:05:06.000+0000"


def facts(error: ApiError) -> tuple[int, str, list[str] | None]:
    return error.status, error.code, error.fields


def test_a_row_gets_an_id_of_its_object(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme")

    assert record_id.startswith("001")
    assert len(record_id) == 18
    assert normalize(record_id[:15]) == record_id


def test_ids_are_given_in_order_and_never_twice(crm: Desk) -> None:
    ids = [crm.create("Account", Name=f"A{n}") for n in range(100)]

    assert ids == sorted(set(ids))


def test_a_row_knows_who_made_it_and_when(crm: Desk) -> None:
    row = crm.row("Account", crm.create("Account", Name="Acme"))

    assert row["CreatedDate"] == row["LastModifiedDate"] == row["SystemModstamp"] == STAMP
    assert row["CreatedById"] == row["LastModifiedById"] == row["OwnerId"] == crm.user_id
    assert row["IsDeleted"] is False


def test_names_may_be_written_in_any_case(crm: Desk) -> None:
    record_id = crm.create("aCCOUNT", nAME="Acme", ext_id__C="K1")

    assert crm.row("ACCOUNT", record_id, "NAME", "EXT_ID__C") == {
        "Name": "Acme", "Ext_Id__c": "K1",
    }  # fmt: skip


def test_attributes_in_the_body_say_nothing(crm: Desk) -> None:
    record_id = crm.create("Account", attributes={"type": "Account"}, Name="Acme")

    assert crm.row("Account", record_id, "Name") == {"Name": "Acme"}


def test_an_unknown_object_is_not_found(crm: Desk) -> None:
    error = refused(lambda: crm.create("Nothing__c", Name="x"))

    assert facts(error) == (404, "NOT_FOUND", None)
    assert error.message == "The requested resource does not exist"


def test_an_unknown_field_is_named_without_a_list_of_fields(crm: Desk) -> None:
    error = refused(lambda: crm.create("Account", Name="x", Pet__c="cat"))

    assert facts(error) == (400, "INVALID_FIELD", None)
    assert error.message == "No such column 'Pet__c' on sobject of type Account"


def test_missing_required_fields_are_listed(crm: Desk) -> None:
    error = refused(lambda: crm.create("Opportunity", Amount=5))

    assert facts(error) == (400, "REQUIRED_FIELD_MISSING", ["Name", "StageName", "CloseDate"])
    assert error.message == "Required fields are missing: [Name, StageName, CloseDate]"


@pytest.mark.parametrize("value", [None, ""])
def test_a_required_field_may_not_be_empty(crm: Desk, value: str | None) -> None:
    error = refused(lambda: crm.create("Contact", LastName=value))

    assert facts(error) == (400, "REQUIRED_FIELD_MISSING", ["LastName"])


def test_the_id_does_not_belong_in_the_body(crm: Desk) -> None:
    error = refused(lambda: crm.create("Account", id="001000000000001AAA", Name="x"))

    assert facts(error) == (400, "INVALID_FIELD", None)
    assert error.message == "The Id field should not be specified in the sobject data."


@pytest.mark.parametrize(
    ("object_name", "field", "value"),
    [
        ("Account", "CreatedDate", STAMP), ("Account", "IsDeleted", False),
        ("Account", "BillingAddress", {"city": "Rome"}), ("Contact", "Name", "Ada"),
        ("Everything__c", "Formula__c", 5), ("Everything__c", "Auto_Number__c", "EV-1"),
        ("Case", "CaseNumber", "1"), ("Opportunity", "IsWon", True),
    ],
)  # fmt: skip
def test_read_only_fields_are_refused_by_name(
    crm: Desk, object_name: str, field: str, value: object
) -> None:
    error = refused(lambda: crm.create(object_name, **{field: value}))

    assert facts(error) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE", [field])
    assert error.message == (
        f"Unable to create/update fields: {field}. Please check the security settings of this "
        "field and verify that it is read/write for your profile or permission set."
    )


def test_a_value_of_the_wrong_json_type_is_placed_in_the_body(crm: Desk) -> None:
    error = refused(lambda: crm.create("Account", Name="x", NumberOfEmployees="abc"))

    assert facts(error) == (400, "JSON_PARSER_ERROR", None)
    assert error.message == (
        "Cannot deserialize instance of int from VALUE_STRING value abc or request may be missing "
        "a required field at [line:1, column:33]"
    )


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (True, "VALUE_BOOLEAN value true"), ([1], "START_ARRAY value ["),
        ({"a": 1}, "START_OBJECT value {"), (1.5, "VALUE_NUMBER_FLOAT value 1.5"),
    ],
)  # fmt: skip
def test_the_kind_of_a_wrong_value_is_named(crm: Desk, value: object, token: str) -> None:
    error = refused(lambda: crm.create("Account", Name="x", NumberOfEmployees=value))

    assert f"from {token} or request" in error.message


def test_a_lookup_has_to_name_a_row_of_the_right_object(crm: Desk) -> None:
    account = crm.create("Account", Name="Acme")
    contact = crm.create("Contact", LastName="Ada", AccountId=account[:15])

    wrong = refused(lambda: crm.create("Contact", LastName="Bob", AccountId=contact))

    assert crm.row("Contact", contact, "AccountId") == {"AccountId": account}
    assert facts(wrong) == (400, "FIELD_INTEGRITY_EXCEPTION", ["AccountId"])


def test_a_lookup_to_a_row_that_is_not_there_is_refused(crm: Desk) -> None:
    ids = crm.store.org.ids("001")
    deleted = crm.create("Account", Name="Gone")
    crm.delete("Account", deleted)

    never = refused(lambda: crm.create("Contact", LastName="x", AccountId=ids.id_of(999)))
    gone = refused(lambda: crm.create("Contact", LastName="x", AccountId=deleted))

    assert facts(never) == facts(gone) == (400, "INVALID_CROSS_REFERENCE_KEY", [])


def test_a_lookup_may_name_its_parent_by_external_id(crm: Desk) -> None:
    account = crm.create("Account", Name="Acme", Ext_Id__c="K7")
    contact = crm.create("Contact", LastName="Ada", Account={"Ext_Id__c": "k7"})

    assert crm.row("Contact", contact, "AccountId") == {"AccountId": account}


def test_a_custom_lookup_is_written_through_its_relationship(crm: Desk) -> None:
    parent = crm.create("Everything__c", Name="P", Ext__c="P1")
    item = crm.create("Everything_Item__c", Everything__r={"Ext__c": "P1"})

    assert crm.row("Everything_Item__c", item, "Everything__c") == {"Everything__c": parent}


def test_a_polymorphic_lookup_is_told_apart_by_type(crm: Desk) -> None:
    queue = crm.values("SELECT Id FROM Group LIMIT 1")[0]
    name = crm.store.org.user.username

    case = crm.create("Case", Owner={"attributes": {"type": "User"}, "Username": name})
    other = crm.create("Case", OwnerId=queue)

    assert crm.row("Case", case, "OwnerId") == {"OwnerId": crm.user_id}
    assert crm.row("Case", other, "OwnerId") == {"OwnerId": queue}


def test_an_unknown_external_id_of_a_parent_is_refused(crm: Desk) -> None:
    error = refused(lambda: crm.create("Contact", LastName="x", Account={"Ext_Id__c": "K7"}))

    assert facts(error) == (400, "INVALID_FIELD", None)
    assert error.message == (
        "Foreign key external ID: K7 not found for field Ext_Id__c in entity Account"
    )


def test_a_parent_is_named_by_one_external_id(crm: Desk) -> None:
    two = refused(lambda: crm.create("Contact", LastName="x", Account={"Ext_Id__c": 1, "Id": 2}))
    foreign = refused(lambda: crm.create("Contact", LastName="x", Account={"Phone": "1"}))

    assert two.message.startswith("More than 1 field provided in an external foreign key")
    assert foreign.message == "No such column 'Phone' on sobject of type Account"


def test_a_relationship_set_to_null_empties_the_lookup(crm: Desk) -> None:
    contact = crm.create("Contact", LastName="x", Account=None)

    assert crm.row("Contact", contact, "AccountId") == {"AccountId": None}


@pytest.mark.parametrize("second", ["K1", "k1"])
def test_a_unique_value_is_taken_once_whatever_its_case(crm: Desk, second: str) -> None:
    first = crm.create("Account", Name="a", Ext_Id__c="K1")

    error = refused(lambda: crm.create("Account", Name="b", Ext_Id__c=second))

    assert facts(error) == (400, "DUPLICATE_VALUE", [])
    assert error.message == (
        f"duplicate value found: Ext_Id__c duplicates value on record with id: {first[:15]}"
    )


def test_a_case_sensitive_key_may_differ_in_case_only(crm: Desk) -> None:
    crm.create("Everything__c", Case_Key__c="K1")
    crm.create("Everything__c", Case_Key__c="k1")

    assert refused(lambda: crm.create("Everything__c", Case_Key__c="k1")).code == "DUPLICATE_VALUE"


def test_a_value_is_free_again_after_its_row_was_deleted(crm: Desk) -> None:
    crm.delete("Account", crm.create("Account", Name="a", Ext_Id__c="K1"))

    assert crm.create("Account", Name="b", Ext_Id__c="K1")


def test_a_refused_row_leaves_nothing_behind(crm: Desk) -> None:
    before = crm.store.count("Contact"), crm.create("Account", Name="a")
    refused(lambda: crm.create("Contact", LastName="x", AccountId="001000000000009AAA"))
    refused(lambda: crm.create("Account", Ext_Id__c="x"))

    after = crm.store.count("Contact"), crm.create("Account", Name="b")

    assert after[0] == before[0]
    space = crm.store.org.ids("001")
    first, second = space.row_of(before[1]), space.row_of(after[1])
    assert first is not None
    assert second is not None
    assert second - first <= 2


def test_two_users_cannot_share_a_login_name(crm: Desk) -> None:
    profile = crm.values("SELECT Id FROM Profile LIMIT 1")[0]
    row = {
        "Username": crm.store.org.user.username.upper(), "LastName": "X", "Email": "x@example.com",
        "Alias": "x", "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "ProfileId": profile,
        "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "CommunityNickname": "x",
    }  # fmt: skip

    assert refused(lambda: crm.create("User", **row)).code == "DUPLICATE_USERNAME"
    assert crm.create("User", **{**row, "Username": "new@example.com"}).startswith("005")


@pytest.mark.parametrize("name", ["Organization", "Profile", "ContentDocument"])
def test_some_objects_cannot_be_created(crm: Desk, name: str) -> None:
    assert refused(lambda: crm.create(name)).code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


def test_defaults_fill_what_was_not_given(crm: Desk) -> None:
    lead = crm.row("Lead", crm.create("Lead", LastName="x", Company="y"))
    task = crm.row("Task", crm.create("Task"))

    assert lead["Status"] == "Open - Not Contacted"
    assert lead["IsConverted"] is False
    assert (task["Status"], task["Priority"], task["TaskSubtype"]) == (
        "Not Started", "Normal", "Task",
    )  # fmt: skip


def test_auto_numbers_count_up(crm: Desk) -> None:
    cases = [crm.row("Case", crm.create("Case"), "CaseNumber")["CaseNumber"] for _ in range(3)]
    rows = [crm.row("Everything__c", crm.create("Everything__c")) for _ in range(2)]

    assert cases == ["00000001", "00000002", "00000003"]
    assert [row["Auto_Number__c"] for row in rows] == ["EV-00001", "EV-00002"]
    assert rows[0]["Name"] == rows[0]["Id"][:15]


def test_formulas_follow_their_fields(crm: Desk) -> None:
    record_id = crm.create("Everything__c", Name="N", Number__c=2.25, Text__c="t")
    made = crm.row("Everything__c", record_id, "Formula__c", "Formula_Text__c")
    crm.update("Everything__c", record_id, Number__c=None, Text__c=None)

    assert made == {"Formula__c": 4.5, "Formula_Text__c": "t (N)"}
    assert crm.row("Everything__c", record_id, "Formula__c", "Formula_Text__c") == {
        "Formula__c": None, "Formula_Text__c": " (N)",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("first", "whole"), [("Ada", "Ada Lovelace"), (None, "Lovelace"), ("", "Lovelace")]
)
@pytest.mark.parametrize("name", ["Contact", "Lead"])
def test_a_name_is_put_together(crm: Desk, name: str, first: str | None, whole: str) -> None:
    extra = {"Company": "x"} if name == "Lead" else {}
    record_id = crm.create(name, FirstName=first, LastName="Lovelace", **extra)

    assert crm.row(name, record_id, "Name") == {"Name": whole}


def test_the_stage_of_an_opportunity_sets_what_hangs_on_it(crm: Desk) -> None:
    record_id = crm.create(
        "Opportunity", Name="o", StageName="Value Proposition", CloseDate="2026-11-30", Amount=300
    )
    fields = ("Probability", "ExpectedRevenue", "IsClosed", "IsWon", "ForecastCategory", "Fiscal")
    opened = crm.row("Opportunity", record_id, *fields)
    crm.update("Opportunity", record_id, StageName="Closed Won")

    assert opened == {
        "Probability": 50.0, "ExpectedRevenue": 150.0, "IsClosed": False, "IsWon": False,
        "ForecastCategory": "Pipeline", "Fiscal": "2026 4",
    }  # fmt: skip
    won = crm.row("Opportunity", record_id, *fields, "LastStageChangeDate")
    assert (won["Probability"], won["IsClosed"], won["IsWon"]) == (100.0, True, True)
    assert won["LastStageChangeDate"] == STAMP


@pytest.mark.parametrize(
    ("name", "value"), [("Commit", "Forecast"), ("Best Case", "BestCase"), ("Omitted", "Omitted")]
)
def test_a_forecast_may_be_given(crm: Desk, name: str, value: str) -> None:
    record_id = crm.create(
        "Opportunity", Name="o", StageName="Prospecting", CloseDate="2026-01-01",
        ForecastCategoryName=name, Probability=33,
    )  # fmt: skip

    row = crm.row("Opportunity", record_id, "ForecastCategory", "Probability")
    assert row == {"ForecastCategory": value, "Probability": 33.0}


def test_a_closed_case_knows_when(crm: Desk) -> None:
    account = crm.create("Account", Name="a")
    contact = crm.create("Contact", LastName="x", AccountId=account, Email="x@example.com")
    case = crm.create("Case", ContactId=contact)
    crm.clock.advance(3600)
    crm.update("Case", case, Status="Closed")

    row = crm.row("Case", case, "IsClosed", "ClosedDate", "AccountId", "ContactEmail")
    assert row == {
        "IsClosed": True, "ClosedDate": "2026-11-23T15:05:06.000+0000", "AccountId": account,
        "ContactEmail": "x@example.com",
    }  # fmt: skip


def test_an_activity_finds_its_account(crm: Desk) -> None:
    account = crm.create("Account", Name="a")
    contact = crm.create("Contact", LastName="x", AccountId=account)
    by_what = crm.create("Task", WhatId=account)
    by_who = crm.create("Event", WhoId=contact, StartDateTime=STAMP)

    assert crm.row("Task", by_what, "AccountId") == {"AccountId": account}
    assert crm.row("Event", by_who, "AccountId", "ActivityDate", "ActivityDateTime") == {
        "AccountId": account, "ActivityDate": "2026-11-23", "ActivityDateTime": STAMP,
    }  # fmt: skip


def test_a_line_item_takes_its_prices_from_the_price_book(crm: Desk) -> None:
    book = crm.values("SELECT Id FROM Pricebook2")[0]
    product = crm.create("Product2", Name="Widget", ProductCode="W-1")
    entry = crm.create("PricebookEntry", Pricebook2Id=book, Product2Id=product, UnitPrice=9.99)
    opportunity = crm.create(
        "Opportunity", Name="o", StageName="Prospecting", CloseDate="2026-01-01"
    )
    item = crm.create(
        "OpportunityLineItem", OpportunityId=opportunity, PricebookEntryId=entry, Quantity=3
    )

    row = crm.row("OpportunityLineItem", item)
    assert (row["UnitPrice"], row["TotalPrice"], row["Product2Id"]) == (9.99, 29.97, product)
    assert (row["Name"], row["ProductCode"]) == ("o Widget", "W-1")
    fields = ("Amount", "HasOpportunityLineItem", "ExpectedRevenue")
    assert crm.row("Opportunity", opportunity, *fields) == {
        "Amount": 29.97, "HasOpportunityLineItem": True, "ExpectedRevenue": 3.0,
    }  # fmt: skip


def test_a_campaign_counts_its_members(crm: Desk) -> None:
    campaign = crm.create("Campaign", Name="c")
    contact = crm.create("Contact", FirstName="Ada", LastName="x")
    lead = crm.create("Lead", LastName="y", Company="z")
    member = crm.create("CampaignMember", CampaignId=campaign, ContactId=contact)
    crm.create("CampaignMember", CampaignId=campaign, LeadId=lead, Status="Responded")

    assert crm.row("Campaign", campaign, "NumberOfContacts", "NumberOfLeads") == {
        "NumberOfContacts": 1, "NumberOfLeads": 1,
    }  # fmt: skip
    assert crm.row("CampaignMember", member, "Name", "Type", "LeadOrContactId") == {
        "Name": "Ada x", "Type": "Contact", "LeadOrContactId": contact,
    }  # fmt: skip


def test_a_first_version_opens_a_document_and_a_second_follows(crm: Desk) -> None:
    first = crm.create("ContentVersion", PathOnClient="a/report.pdf", VersionData="aGk=")
    opened = crm.row("ContentVersion", first)
    second = crm.create(
        "ContentVersion", PathOnClient="b", Title="New", VersionData="eA==",
        ContentDocumentId=opened["ContentDocumentId"],
    )  # fmt: skip

    assert (opened["Title"], opened["FileType"], opened["ContentSize"]) == ("report", "PDF", 2)
    assert (opened["VersionNumber"], opened["IsLatest"]) == ("1", True)
    assert crm.row("ContentVersion", first, "IsLatest") == {"IsLatest": False}
    assert crm.row("ContentVersion", second, "IsLatest", "VersionNumber") == {
        "IsLatest": True, "VersionNumber": "2",
    }  # fmt: skip
    document = crm.row("ContentDocument", opened["ContentDocumentId"])
    assert (document["LatestPublishedVersionId"], document["Title"]) == (second, "New")
    assert crm.store.blob("ContentVersion", second, "VersionData") == b"x"
