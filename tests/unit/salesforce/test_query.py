from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sfconnect.errors import ConfigurationError, IncompleteResultError, ResponseError, ServerError
from sfconnect.salesforce.query import Query
from tests.unit.salesforce.canned import CannedSender, page, response

NEXT = "/services/data/v68.0/query/0r8xx0000000001AAA-{}"


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"attributes": {"type": "Account"}, "Id": str(number)} for number in numbers]


def query(*answers: Any, **options: Any) -> tuple[Query, CannedSender]:
    sender = CannedSender(*answers)
    return Query(sender, "68.0", "SELECT Id FROM Account", **options), sender


async def collect(selected: Query, into: list[str]) -> None:
    """Read the ids one by one, so that those before an error are kept."""
    async for row in selected:
        into.append(row["Id"])  # noqa: PERF401  # a comprehension would lose them


async def test_rows_of_all_pages_come_in_order() -> None:
    selected, sender = query(
        page(rows(1, 2), total=5, following=NEXT.format(2)),
        page(rows(3, 4), total=5, following=NEXT.format(4)),
        page(rows(5), total=5),
    )

    found = [row["Id"] async for row in selected]

    assert found == ["1", "2", "3", "4", "5"]
    assert sender.requests[0].params == {"q": "SELECT Id FROM Account"}
    assert [request.path for request in sender.requests[1:]] == [NEXT.format(2), NEXT.format(4)]
    assert {request.surface for request in sender.requests} == {"query"}


async def test_pages_are_fetched_ahead_by_no_more_than_asked() -> None:
    answers = [page(rows(n), total=9, following=NEXT.format(n)) for n in range(8)]
    selected, sender = query(*answers, page(rows(8), total=9), ahead=2)
    pages = selected.pages()

    await anext(pages)
    for _ in range(50):
        await asyncio.sleep(0)

    assert len(sender.requests) == 3
    await pages.aclose()  # type: ignore[attr-defined]  # an async generator
    assert not sender.tasks


async def test_nothing_is_fetched_ahead_when_that_is_switched_off() -> None:
    selected, sender = query(page(rows(1), total=2, following=NEXT.format(1)), ahead=0)
    pages = selected.pages()

    await anext(pages)
    await asyncio.sleep(0.01)

    assert len(sender.requests) == 1
    await pages.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_query_all_asks_for_deleted_rows_too() -> None:
    selected, sender = query(page([]), deleted=True)

    assert await selected.all() == []
    assert sender.requests[0].path == "/services/data/v68.0/queryAll"


async def test_a_relative_or_absolute_next_page_is_used_as_the_org_wrote_it() -> None:
    selected, sender = query(
        page(rows(1), total=3, following="services/data/v68.0/query/x-1"),
        page(rows(2), total=3, following="https://acme.my.salesforce.com/services/x-2"),
        page(rows(3), total=3),
    )

    await selected.all()

    assert [request.path for request in sender.requests[1:]] == [
        "/services/data/v68.0/query/x-1",
        "https://acme.my.salesforce.com/services/x-2",
    ]


async def test_first_asks_for_the_smallest_page_and_gives_one_row_or_none() -> None:
    selected, sender = query(page(rows(1, 2)), page([]))

    assert await selected.first() == rows(1)[0]
    assert await selected.first() is None
    assert sender.requests[0].headers == {"Sforce-Query-Options": "batchSize=200"}


async def test_count_is_the_total_not_the_page() -> None:
    selected, _ = query(page(rows(1), total=5000, following=NEXT.format(200)))

    assert await selected.count() == 5000


async def test_a_count_query_has_a_total_and_no_rows() -> None:
    selected, _ = query(page([], total=41), page([], total=41))

    assert await selected.all() == []
    assert await selected.count() == 41


async def test_page_rows_are_asked_for() -> None:
    selected, sender = query(page([]), page_rows=500)

    await selected.all()

    assert sender.requests[0].headers == {"Sforce-Query-Options": "batchSize=500"}


@pytest.mark.parametrize("page_rows", [0, 199, 2001])
def test_a_page_size_that_salesforce_does_not_know_is_refused(page_rows: int) -> None:
    with pytest.raises(ConfigurationError, match="from 200 to 2000"):
        query(page_rows=page_rows)


def test_an_empty_query_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        Query(CannedSender(), "68.0", "  ")


async def test_missing_rows_are_an_error_at_the_end() -> None:
    selected, _ = query(
        page(rows(1, 2), total=5, following=NEXT.format(2)), page(rows(3, 4), total=5)
    )
    seen: list[str] = []

    with pytest.raises(IncompleteResultError, match="4 rows, and its total is 5"):
        await collect(selected, seen)

    assert seen == ["1", "2"]


async def test_a_page_that_is_not_the_last_must_say_where_the_next_is() -> None:
    selected, _ = query(response({"totalSize": 5, "done": False, "records": rows(1)}))

    with pytest.raises(IncompleteResultError):
        await selected.all()


@pytest.mark.parametrize("body", [{}, {"records": 1, "done": True}, {"records": []}, []])
async def test_an_answer_that_is_no_page_is_an_error(body: Any) -> None:
    selected, _ = query(response(body))

    with pytest.raises(ResponseError):
        await selected.all()


async def test_an_error_on_a_later_page_comes_after_the_rows_before_it() -> None:
    selected, _ = query(
        page(rows(1, 2), total=5, following=NEXT.format(2)), ServerError("down", status=500)
    )
    seen: list[str] = []

    with pytest.raises(ServerError):
        await collect(selected, seen)

    assert seen == ["1", "2"]


def child(numbers: list[int], *, total: int, following: str | None = None) -> dict[str, Any]:
    value: dict[str, Any] = {"totalSize": total, "done": following is None}
    if following is not None:
        value["nextRecordsUrl"] = following
    return {**value, "records": rows(*numbers)}


async def test_children_with_more_pages_are_completed_before_their_row_is_given() -> None:
    parents: list[dict[str, Any]] = [
        {"Id": "p1", "Contacts": child([1], total=3, following=NEXT.format("c1"))},
        {"Id": "p2", "Contacts": None},
        {"Id": "p3", "Contacts": child([9], total=1)},
    ]
    selected, sender = query(
        page(parents),
        page(rows(2), total=3, following=NEXT.format("c2")),
        page(rows(3), total=3),
    )

    found = await selected.all()

    assert found[0]["Contacts"] == child([1, 2, 3], total=3)
    assert found[1]["Contacts"] is None
    assert [request.path for request in sender.requests[1:]] == [
        NEXT.format("c1"),
        NEXT.format("c2"),
    ]


async def test_grandchildren_with_more_pages_are_completed_too() -> None:
    inner: dict[str, Any] = {"Id": "c1", "Cases": child([1], total=2, following=NEXT.format("g"))}
    contacts: dict[str, Any] = {"totalSize": 1, "done": True, "records": [inner]}
    selected, _ = query(page([{"Id": "p", "Contacts": contacts}]), page(rows(2), total=2))

    (parent,) = await selected.all()

    assert parent["Contacts"]["records"][0]["Cases"] == child([1, 2], total=2)


async def test_grandchildren_on_later_pages_are_completed_too() -> None:
    late: dict[str, Any] = {"Id": "c2", "Cases": child([1], total=2, following=NEXT.format("g"))}
    contacts = {"totalSize": 2, "done": False, "nextRecordsUrl": NEXT.format("c"), "records": []}
    selected, _ = query(
        page([{"Id": "p", "Contacts": {**contacts, "records": [{"Id": "c1", "Cases": None}]}}]),
        page([late], total=2),
        page(rows(2), total=2),
    )

    (parent,) = await selected.all()

    assert parent["Contacts"]["records"][1]["Cases"] == child([1, 2], total=2)


async def test_missing_children_are_an_error() -> None:
    parent = {"Id": "p", "Contacts": child([1], total=4, following=NEXT.format("c"))}
    selected, _ = query(page([parent]), page(rows(2), total=4))

    with pytest.raises(IncompleteResultError):
        await selected.all()


async def test_raw_answers_are_given_as_they_came() -> None:
    first = page(rows(1), total=2, following=NEXT.format(1))
    selected, _ = query(first, page(rows(2), total=2))

    answers = [answer async for answer in selected.responses()]

    assert answers[0] is first
    assert len(answers) == 2


async def test_a_query_runs_anew_each_time_it_is_iterated() -> None:
    selected, sender = query(page(rows(1)), page(rows(1)))

    assert await selected.all() == await selected.all()
    assert len(sender.requests) == 2


def test_the_repr_does_not_show_the_query() -> None:
    selected = Query(CannedSender(), "68.0", "SELECT Id FROM Account WHERE Name = 'private'")

    assert "private" not in repr(selected)
