from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.data.ids import normalize
from sfconnect_emulator.data.render import Record
from sfconnect_emulator.soql.desk import Desk, refused
from sfconnect_emulator.soql.pages import Page, Written

URL = "/services/data/v68.0/query/"


@pytest.fixture
def org() -> Iterator[Desk]:
    desk = Desk.open(7, {"Account": 45, "Contact": 300}, clock=Clock())
    yield desk
    desk.store.close()


def first_page(org: Desk, soql: str, rows: int = 10) -> Page:
    return org.engine.run(soql, version=68.0, max_rows=rows)


def pages(org: Desk, page: Page) -> Iterator[Page]:
    yield page
    while page.next is not None:
        page = org.engine.more(page.next)
        yield page


def ids(page: Page) -> list[str]:
    return [record["Id"] for record in page.records]


@pytest.mark.parametrize(
    "tail", ["", "ORDER BY Name DESC", "WHERE Name != 'x' ORDER BY BillingCity NULLS LAST"]
)
def test_pages_together_are_the_whole_answer(org: Desk, tail: str) -> None:
    soql = f"SELECT Id FROM Account {tail}"
    found = list(pages(org, first_page(org, soql)))

    assert [len(page.records) for page in found] == [10, 10, 10, 10, 5]
    assert {page.total_size for page in found} == {45}
    assert [page.done for page in found] == [False, False, False, False, True]
    assert [i for page in found for i in ids(page)] == org.values(soql)


def test_the_locator_is_an_id_and_the_place_of_the_next_row(org: Desk) -> None:
    page = first_page(org, "SELECT Id FROM Account")
    shown = page.value(68.0)
    locator, _, offset = str(page.next).partition("-")

    assert shown["nextRecordsUrl"] == f"{URL}{page.next}"
    assert list(shown) == ["totalSize", "done", "nextRecordsUrl", "records"]
    assert locator.startswith("0r8")
    assert normalize(locator) == locator
    assert offset == "10"
    assert str(org.engine.more(str(page.next)).next) == f"{locator}-20"


def test_the_last_page_names_no_next_one(org: Desk) -> None:
    *_, last = pages(org, first_page(org, "SELECT Id FROM Account"))

    assert "nextRecordsUrl" not in last.value(68.0)
    assert b"nextRecordsUrl" not in last.body(68.0)


def test_an_answer_that_fits_needs_no_locator(org: Desk) -> None:
    page = first_page(org, "SELECT Id FROM Account", 45)

    assert (page.done, page.next, len(page.records)) == (True, None, 45)


def test_a_page_can_be_read_again(org: Desk) -> None:
    page = first_page(org, "SELECT Id FROM Account")

    assert ids(org.engine.more(str(page.next))) == ids(org.engine.more(str(page.next)))


@pytest.mark.parametrize("tail", ["", "WHERE Name != 'x'", "ORDER BY Name"])
def test_pages_stay_as_they_were_found_while_rows_change(org: Desk, tail: str) -> None:
    soql = f"SELECT Id, Phone FROM Account {tail}"
    expected = org.values(soql)
    page = first_page(org, soql)
    org.create("Account", Name="A new one")
    org.update("Account", expected[15], Name="x", Phone="new")
    org.delete("Account", expected[30])

    found = [record for each in pages(org, page) for record in each.records]

    assert [record["Id"] for record in found] == expected
    assert found[15]["Phone"] == "new"


def test_the_size_of_later_pages_may_be_changed(org: Desk) -> None:
    page = first_page(org, "SELECT Id FROM Account")
    later = org.engine.more(str(page.next), max_rows=20)

    assert len(later.records) == 20
    assert str(later.next).endswith("-30")


def test_later_pages_may_be_asked_for_in_another_version(org: Desk) -> None:
    page = first_page(org, "SELECT Id FROM Account")
    later = org.engine.more(str(page.next), version=60.0)

    assert later.value(60.0)["nextRecordsUrl"].startswith("/services/data/v60.0/query/")


@pytest.mark.parametrize(
    "form", ["{}", "{}-", "{}-x", "{}-45", "{}-999999", "x{}-10", "{}-10-10", ""]
)
def test_a_malformed_locator_is_invalid(org: Desk, form: str) -> None:
    locator = str(first_page(org, "SELECT Id FROM Account").next).partition("-")[0]

    error = refused(lambda: org.engine.more(form.format(locator)))

    assert (error.status, error.code) == (400, "INVALID_QUERY_LOCATOR")
    assert error.message == "invalid query locator"


def test_a_locator_of_another_org_is_invalid(org: Desk) -> None:
    other = Desk.open(8, {"Account": 45})
    page = first_page(org, "SELECT Id FROM Account")

    assert refused(lambda: other.engine.more(str(page.next))).code == "INVALID_QUERY_LOCATOR"


def test_a_locator_lives_for_two_days(org: Desk) -> None:
    locator = str(first_page(org, "SELECT Id FROM Account").next)
    org.clock.freeze()
    org.clock.advance(timedelta(days=2, seconds=-60).total_seconds())
    alive = org.engine.more(locator)
    org.clock.advance(61)

    assert len(alive.records) == 10
    assert refused(lambda: org.engine.more(locator)).code == "INVALID_QUERY_LOCATOR"


def test_locators_can_be_made_to_expire(org: Desk) -> None:
    locator = str(first_page(org, "SELECT Id FROM Account").next)
    org.engine.locators.expire_all()

    assert refused(lambda: org.engine.more(locator)).code == "INVALID_QUERY_LOCATOR"


def test_the_oldest_locators_make_room_for_new_ones(org: Desk) -> None:
    locators = [str(first_page(org, "SELECT Id FROM Account", 44).next) for _ in range(2001)]

    assert refused(lambda: org.engine.more(locators[0])).code == "INVALID_QUERY_LOCATOR"
    assert org.engine.more(locators[1]).records
    assert len(set(locators)) == 2001


def busiest(org: Desk) -> tuple[str, int]:
    (record,) = org.query(
        "SELECT AccountId, COUNT(Id) n FROM Contact WHERE AccountId != null GROUP BY AccountId "
        "ORDER BY COUNT(Id) DESC LIMIT 1"
    )
    return record["AccountId"], record["n"]


def children_of(org: Desk, account: str) -> Record:
    page = first_page(
        org,
        "SELECT Id, (SELECT Id, Account.Name FROM Contacts ORDER BY Name) FROM Account "
        f"WHERE Id = '{account}'",
    )
    found: Record = page.records[0]["Contacts"]
    return found


def test_many_children_come_in_pages_of_their_own(org: Desk) -> None:
    account, count = busiest(org)
    children = children_of(org, account)
    found = list(children["records"])
    url = children["nextRecordsUrl"]
    while url:
        page = org.engine.more(url.removeprefix(URL)).value(68.0)
        found += page["records"]
        url = page.get("nextRecordsUrl")

    assert (children["totalSize"], children["done"]) == (count, False)
    assert list(children) == ["totalSize", "done", "nextRecordsUrl", "records"]
    soql = f"SELECT Id FROM Contact WHERE AccountId = '{account}' ORDER BY Name"
    assert [record["Id"] for record in found] == org.values(soql)
    assert len({record["Account"]["Name"] for record in found}) == 1


def test_children_stay_as_they_were_found_while_rows_change(org: Desk) -> None:
    account, count = busiest(org)
    children = children_of(org, account)
    org.create("Contact", LastName="New", AccountId=account)

    page = org.engine.more(children["nextRecordsUrl"].removeprefix(URL))

    assert page.total_size == count


def test_pages_of_parents_bring_their_own_children(org: Desk) -> None:
    soql = "SELECT Id, (SELECT AccountId FROM Contacts LIMIT 10) FROM Account"
    found = [record for page in pages(org, first_page(org, soql)) for record in page.records]

    with_children = [record for record in found if record["Contacts"]]
    assert with_children
    assert all(
        child["AccountId"] == record["Id"]
        for record in with_children
        for child in record["Contacts"]["records"]
    )


def test_pages_of_very_many_rows_are_read_in_parts() -> None:
    desk = Desk.open(7, {"Account": 21_000})
    found = desk.engine.run("SELECT Id FROM Account ORDER BY Name", version=68.0, max_rows=21_000)

    assert len({record["Id"] for record in found.records}) == 21_000


def test_the_memory_of_written_pages_is_bounded() -> None:
    written = Written(max_bytes=100)
    for key in "abc":
        assert written.find(key, 1) is None
        written.keep(key, 1, key.encode() * 40)
    written.keep("late", 0, b"read before the data changed")

    assert written.find("a", 1) is None
    assert written.find("c", 1) == b"c" * 40
    assert written.find("late", 1) is None
    assert written.find("c", 2) is None


def test_all_kinds_of_pages_are_written_as_they_are_valued(org: Desk) -> None:
    for page in pages(org, first_page(org, "SELECT Id, (SELECT Id FROM Contacts) FROM Account")):
        assert json.loads(page.body(68.0)) == page.value(68.0)
