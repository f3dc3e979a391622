from __future__ import annotations

import hashlib
import json

import pytest

from sfconnect_emulator.data import Store
from sfconnect_emulator.soql.desk import Desk, refused


def test_a_row_begins_with_its_attributes(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme")
    row = crm.store.retrieve("account", record_id, ["NAME", "id"], version=52.0)

    assert list(row) == ["attributes", "Name", "Id"]
    assert row["attributes"] == {
        "type": "Account", "url": f"/services/data/v52.0/sobjects/Account/{record_id}",
    }  # fmt: skip


def test_without_a_list_of_fields_all_come_in_describe_order(crm: Desk) -> None:
    row = crm.row("Account", crm.create("Account", Name="Acme"))
    t = crm.store.schema.get("Account")

    assert t is not None
    assert list(row) == [f.name for f in t.fields]


def test_a_field_named_twice_comes_once(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme")

    assert crm.row("Account", record_id, "Name", "NAME", "Id") == {"Name": "Acme", "Id": record_id}


def test_an_unknown_field_is_refused(crm: Desk) -> None:
    record_id = crm.create("Account", Name="Acme")

    error = refused(lambda: crm.row("Account", record_id, "Pet__c"))

    assert (error.status, error.code) == (400, "INVALID_FIELD")


def test_an_id_that_never_was_is_not_found(crm: Desk) -> None:
    never = refused(lambda: crm.row("Account", crm.store.org.ids("001").id_of(99)))
    foreign = refused(lambda: crm.row("Contact", crm.create("Account", Name="x")))
    junk = refused(lambda: crm.row("Account", "23foo"))

    assert (never.status, never.code) == (foreign.status, foreign.code) == (404, "NOT_FOUND")
    assert junk.message == "Provided external ID field does not exist or is not accessible: 23foo"


def test_compound_values_are_objects_or_null(crm: Desk) -> None:
    full = crm.create(
        "Everything__c", Location__Latitude__s=1.5, Location__Longitude__s=-2,
        Address__City__s="Rome",
    )  # fmt: skip
    empty = crm.create("Everything__c")

    row = crm.row("Everything__c", full, "Location__c", "Address__c")
    assert row["Location__c"] == {"latitude": 1.5, "longitude": -2.0}
    assert row["Address__c"] == {
        "city": "Rome", "country": None, "geocodeAccuracy": None, "latitude": None,
        "longitude": None, "postalCode": None, "state": None, "street": None,
    }  # fmt: skip
    assert crm.row("Everything__c", empty, "Location__c", "Address__c") == {
        "Location__c": None, "Address__c": None,
    }  # fmt: skip


def test_numbers_and_flags_have_their_json_types(crm: Desk) -> None:
    record_id = crm.create("Everything__c", Int__c=5, Number__c=5, Checkbox__c=True)
    row = crm.row("Everything__c", record_id, "Int__c", "Number__c", "Checkbox__c", "IsDeleted")

    assert json.dumps(row) == (
        '{"Int__c": 5, "Number__c": 5.0, "Checkbox__c": true, "IsDeleted": false}'
    )


def test_a_blob_is_shown_as_the_place_of_its_bytes(crm: Desk) -> None:
    record_id = crm.create("ContentVersion", PathOnClient="x", VersionData="aGk=")
    empty = crm.create("Everything__c")

    assert crm.row("ContentVersion", record_id, "VersionData") == {
        "VersionData": (f"/services/data/v68.0/sobjects/ContentVersion/{record_id}/VersionData"),
    }
    assert crm.row("Everything__c", empty, "Blob__c") == {"Blob__c": None}
    assert crm.store.blob("contentversion", record_id[:15], "versiondata") == b"hi"
    assert crm.store.blob("Everything__c", empty, "Blob__c") == b""


@pytest.mark.parametrize("field", ["Title", "Nothing"])
def test_only_blobs_have_bytes(crm: Desk, field: str) -> None:
    record_id = crm.create("ContentVersion", PathOnClient="x", VersionData="aGk=")
    never = crm.store.org.ids("068").id_of(99)

    assert refused(lambda: crm.store.blob("ContentVersion", record_id, field)).status == 404
    assert refused(lambda: crm.store.blob("ContentVersion", never, "VersionData")).status == 404


def test_every_text_comes_back_as_it_was_written(seeded: Desk) -> None:
    texts = seeded.values("SELECT Text_Area__c FROM Everything__c WHERE Text_Area__c != null")

    assert "back\\slash" in texts
    assert "\U0001f600 emoji" in texts
    assert "cafe\u0301 combining" in texts
    assert "carriage\r\nreturn" in texts


def hashed(store: Store, rows: list[list[object]]) -> str:
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_content_hash_can_be_worked_out_from_an_extract(seeded: Desk) -> None:
    fields = ["Id", "Name", "AnnualRevenue", "IsDeleted", "BillingAddress", "CreatedDate"]
    records = seeded.query(f"SELECT {', '.join(fields)} FROM Account")
    rows = [[record[name] for name in fields] for record in reversed(records)]

    assert seeded.store.content_hash("Account", fields) == hashed(
        seeded.store, sorted(rows, key=lambda row: str(row[0]))
    )


def test_the_content_hash_sees_every_change(crm: Desk) -> None:
    ids = [crm.create("Account", Name=name) for name in "abc"]
    fields = ["Id", "Name"]
    hashes = [crm.store.content_hash("Account", fields)]
    crm.update("Account", ids[1], Name="B")
    hashes.append(crm.store.content_hash("Account", fields))
    crm.delete("Account", ids[2])
    hashes.append(crm.store.content_hash("Account", fields))

    assert len(set(hashes)) == 3
    assert crm.store.content_hash("Account", ["Id"]) != hashes[-1]


@pytest.mark.parametrize("call", ["count", "content_hash", "find_by_external_id"])
def test_an_unknown_object_is_not_found_by_any_call(crm: Desk, call: str) -> None:
    arguments = {"count": (), "content_hash": (["Id"],), "find_by_external_id": ("Id", "x")}

    error = refused(lambda: getattr(crm.store, call)("Nothing__c", *arguments[call]))

    assert (error.status, error.code) == (404, "NOT_FOUND")
