from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sfconnect_emulator.data import Org, Store
from sfconnect_emulator.data.ids import normalize
from sfconnect_emulator.data.material import AWKWARD, AWKWARD_KEYS, EXTREME_DATES
from sfconnect_emulator.data.seed import ORDER, seed
from sfconnect_emulator.data.tables import columns
from sfconnect_emulator.schema import SObjectType, standard_schema
from sfconnect_emulator.soql.desk import Desk

OBJECTS = {t.name: t for t in standard_schema()}
EVERY_KIND = dict.fromkeys(ORDER, 40)


def all_hashes(desk: Desk) -> dict[str, str]:
    return {
        name: desk.store.content_hash(name, [f.name for f in t.fields])
        for name, t in OBJECTS.items()
    }


def test_the_same_seed_gives_the_same_data() -> None:
    assert all_hashes(Desk.open(11, EVERY_KIND)) == all_hashes(Desk.open(11, EVERY_KIND))


def test_another_seed_gives_other_data() -> None:
    one, other = all_hashes(Desk.open(1, EVERY_KIND)), all_hashes(Desk.open(2, EVERY_KIND))

    assert {name for name in ORDER if one[name] == other[name]} == set()


def test_data_do_not_depend_on_the_time_of_day(seeded: Desk) -> None:
    now = Desk.open(7, dict.fromkeys(ORDER, 120))

    assert all_hashes(now) == all_hashes(seeded)


def test_data_stay_the_same_from_one_release_to_the_next() -> None:
    desk = Desk.open(7, {"Account": 500})
    fields = ["Id", "Name", "BillingCity", "AnnualRevenue", "Ext_Id__c", "CreatedDate"]

    # A change of this value is a change of every org: say so in the changelog.
    assert desk.store.content_hash("Account", fields).startswith("44b4811b58f95dd1")


def test_as_many_rows_are_made_as_were_asked_for(seeded: Desk) -> None:
    founded = {"User": len(seeded.store.org.users), "Pricebook2": 1}

    assert {name: seeded.store.count(name) for name in ORDER} == {
        name: 120 + founded.get(name, 0) for name in ORDER
    }
    assert seeded.store.count("ContentDocument") == 120


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_any_number_of_rows_can_be_made(count: int) -> None:
    desk = Desk.open(3, dict.fromkeys(ORDER, count))

    assert desk.store.count("Everything__c") == desk.store.count("Account") == count


def test_rows_come_with_the_parents_that_they_need() -> None:
    desk = Desk.open(3, {"OpportunityLineItem": 30, "Everything_Item__c": 5})

    assert desk.store.count("OpportunityLineItem") == 30
    assert desk.store.count("Opportunity") == 3
    assert desk.store.count("Everything__c") == 1


def test_objects_may_be_named_in_any_case() -> None:
    assert Desk.open(3, {"aCCount": 3}).store.count("Account") == 3


@pytest.mark.parametrize(("name", "count"), [("Nothing__c", 1), ("Profile", 1), ("Account", -1)])
def test_what_cannot_be_seeded_is_refused(name: str, count: int) -> None:
    with pytest.raises(ValueError, match=name):
        Desk.open(3, {name: count})


def test_seeding_twice_adds_rows() -> None:
    desk = Desk.open(3, {"Account": 5, "Contact": 5})
    seed(desk.store, {"Contact": 10}, seed=4)

    assert desk.store.count("Contact") == 15
    assert len(set(desk.values("SELECT Id FROM Contact"))) == 15


@pytest.mark.parametrize("name", OBJECTS)
def test_every_reference_leads_to_a_row_of_the_right_kind(name: str, seeded: Desk) -> None:
    known = {i for other in OBJECTS for i in seeded.values(f"SELECT Id FROM {other}")}
    t = OBJECTS[name]
    references = [f for f in t.fields if f.type == "reference"]

    for f in references:
        found = {i for i in seeded.values(f"SELECT {f.name} FROM {name}") if i is not None}
        assert found <= known
        assert {seeded.store.object_of(i) for i in found} <= set(f.reference_to)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_row_has_what_its_object_requires(name: str, seeded: Desk) -> None:
    required = [f.name for f in columns(OBJECTS[name]) if not f.nillable and f.type != "base64"]
    rows = seeded.query(f"SELECT {', '.join(required)} FROM {name}")

    missing = {f for row in rows for f in required if row[f] is None}
    assert missing <= {"Name"} if name == "CampaignMember" else not missing


@pytest.mark.parametrize("name", ORDER)
def test_values_fit_their_fields(name: str, seeded: Desk) -> None:
    t = OBJECTS[name]
    for f in columns(t):
        if f.type in {"string", "textarea", "picklist", "phone", "email", "url"}:
            found = [v for v in seeded.values(f"SELECT {f.name} FROM {name}") if v is not None]
            assert all(0 < len(v) <= f.length for v in found), f.name


@pytest.mark.parametrize("name", ORDER)
def test_restricted_picklists_hold_their_entries_only(name: str, seeded: Desk) -> None:
    t = OBJECTS[name]
    for f in t.fields:
        if f.restricted:
            entries = {entry.value for entry in f.picklist_values} | {None}
            found = seeded.values(f"SELECT {f.name} FROM {name}")
            assert {part for v in found for part in (v.split(";") if v else [v])} <= entries, f.name


def test_ids_are_unique_and_ascend(seeded: Desk) -> None:
    for name in ORDER:
        ids = seeded.values(f"SELECT Id FROM {name}")
        assert ids == sorted(set(ids))
        assert all(normalize(i) == i for i in ids)


def test_external_ids_are_unique_and_some_are_awkward(seeded: Desk) -> None:
    keys = [k for k in seeded.values("SELECT Ext_Id__c FROM Account") if k]

    assert len({key.lower() for key in keys}) == len(keys)
    assert set(AWKWARD_KEYS) <= set(keys)


def test_times_run_in_order(seeded: Desk) -> None:
    for name in ORDER:
        rows = seeded.query(f"SELECT CreatedDate, LastModifiedDate, SystemModstamp FROM {name}")
        assert all(r["CreatedDate"] <= r["LastModifiedDate"] == r["SystemModstamp"] for r in rows)


def test_awkward_texts_and_dates_are_all_there() -> None:
    desk = Desk.open(5, {"Account": 2000, "Contact": 500})

    assert set(AWKWARD) <= set(desk.values("SELECT Name FROM Account"))
    assert set(EXTREME_DATES) <= set(desk.values("SELECT Birthdate FROM Contact"))
    texts = desk.values("SELECT Description FROM Account", max_rows=2000)
    assert None in texts
    assert max(len(text or "") for text in texts) > 30_000
    assert any("\r\n" in (text or "") for text in texts)


def test_leading_zeros_are_kept() -> None:
    desk = Desk.open(5, {"Account": 500})

    numbers = desk.values("SELECT AccountNumber FROM Account")
    assert {len(number) for number in numbers} == {8}
    assert any(number.startswith("0") for number in numbers)


def test_children_are_spread_unevenly() -> None:
    desk = Desk.open(5, {"Account": 300, "Contact": 1500})
    children = Counter(desk.values("SELECT AccountId FROM Contact", max_rows=2000))
    without = set(desk.values("SELECT Id FROM Account")) - set(children)

    assert max(count for parent, count in children.items() if parent) >= 30
    assert len(without) >= 30
    assert children[None] > 0


def test_derived_fields_are_as_if_the_rows_had_been_written(seeded: Desk) -> None:
    for row in seeded.query("SELECT FirstName, LastName, Name FROM Contact"):
        assert row["Name"] == " ".join(filter(None, (row["FirstName"], row["LastName"])))
    for row in seeded.query("SELECT StageName, IsClosed, IsWon FROM Opportunity"):
        assert row["IsClosed"] == row["StageName"].startswith("Closed")
        assert row["IsWon"] == (row["StageName"] == "Closed Won")
    for row in seeded.query("SELECT Number__c, Formula__c FROM Everything__c"):
        doubled = None if row["Number__c"] is None else round(row["Number__c"] * 2, 2)
        assert row["Formula__c"] == doubled


def test_parents_have_the_sums_of_their_children(seeded: Desk) -> None:
    sums = seeded.query(
        "SELECT OpportunityId, SUM(TotalPrice) s FROM OpportunityLineItem GROUP BY OpportunityId"
    )
    amounts = {r["Id"]: r["Amount"] for r in seeded.query("SELECT Id, Amount FROM Opportunity")}
    members = seeded.query("SELECT Id, NumberOfContacts, NumberOfLeads FROM Campaign")

    assert sums
    assert all(amounts[row["OpportunityId"]] == row["s"] for row in sums)
    assert sum(row["NumberOfContacts"] + row["NumberOfLeads"] for row in members) == 120


def test_the_first_rows_of_an_org_are_there_without_seeding() -> None:
    desk = Desk.open()
    org = desk.store.org

    assert desk.query("SELECT Id, Name FROM Organization")[0]["Name"] == org.name
    assert desk.values("SELECT Id FROM Organization") == [org.org_id]
    assert desk.values("SELECT Id FROM User") == [user.id for user in org.users]
    assert desk.values("SELECT IsActive FROM User") == [True, True, True, False]
    assert desk.values("SELECT IsStandard FROM Pricebook2") == [True]
    assert len(desk.values("SELECT Id FROM Group WHERE Type = 'Queue'")) == 2


def test_an_org_follows_from_its_seed() -> None:
    one, same, other = Org.from_seed(1), Org.from_seed(1), Org.from_seed(2)

    assert one == same
    assert one.org_id != other.org_id
    assert one.org_id.startswith("00D")
    assert normalize(one.org_id) == one.org_id
    assert one.user.name == "Integration User"


def test_rows_outlive_the_process_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "org.db"
    first = Desk.open(7, {"Account": 20}, path=path)
    created = first.create("Account", Name="Mine", Ext_Id__c="K1")
    before = all_hashes(first)
    was_new = first.store.is_new
    first.store.close()

    again = Desk.open(7, path=path)

    assert (was_new, again.store.is_new) == (True, False)
    assert all_hashes(again) == before
    assert again.upsert("Account", "Ext_Id__c", "k1", Phone="1") == (created, False)
    assert again.create("Account", Name="Next") > created
    again.store.close()


def test_a_file_belongs_to_one_org(tmp_path: Path) -> None:
    Desk.open(7, path=tmp_path / "org.db").store.close()

    with pytest.raises(ValueError, match="another org"):
        Store(
            standard_schema(), path=tmp_path / "org.db", org=Org.from_seed(8),
            clock=Desk.open().clock.now,
        )  # fmt: skip


def test_a_process_that_dies_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "org.db"
    first = Desk.open(7, path=path)
    created = first.create("Account", Name="Mine")

    second = Desk.open(7, path=path)

    assert second.row("Account", created, "Name") == {"Name": "Mine"}
    first.store.close()
    second.store.close()


def test_seedable_objects_are_objects_of_the_schema() -> None:
    seedable: list[SObjectType] = [OBJECTS[name] for name in ORDER]

    assert all(t.createable for t in seedable)
