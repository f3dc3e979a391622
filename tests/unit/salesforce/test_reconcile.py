"""What became of a create whose answer was lost, by a field that is unique."""

from __future__ import annotations

import asyncio
import gc
import pickle
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from sfconnect.errors import (
    ConfigurationError,
    ConnectError,
    FailedAttempt,
    OutcomeUnknownError,
    SfConnectError,
)
from sfconnect.messages import Request, Response
from sfconnect.policy import DidNotHappen, Happened, Reconciled, StillUnknown
from sfconnect.salesforce.reconcile import ReconcileByField
from sfconnect.salesforce.rest import SObject
from tests.unit.salesforce.canned import CannedSender, page, response

BEGAN = 1_700_000_000.0  # 2023-11-14T22:13:20Z
HOOK = ReconcileByField("Ext_Id__c")
CREATE = (
    SObject(CannedSender(), "68.0", "Account").create({"Name": "A", "Ext_Id__c": "k'1"}).request
)


def row(
    value: object = "k'1", created: str = "2023-11-14T22:13:21.000+0000", **others: object
) -> dict[str, Any]:
    return {"Id": "001", "CreatedDate": created, "Ext_Id__c": value, "Name": "A", **others}


def unknown(request: Request | None = CREATE, began: float | None = BEGAN) -> OutcomeUnknownError:
    error = OutcomeUnknownError("It may have happened.", request=request)
    error.attempts = (FailedAttempt(1, BEGAN + 1, "ConnectionLostError", None, began=began),)
    return error


async def asked(
    *rows: dict[str, Any], hook: ReconcileByField = HOOK, **facts: Any
) -> tuple[Reconciled, CannedSender]:
    sender = CannedSender(page(list(rows)))
    return await hook(unknown(**facts), sender), sender


async def test_a_record_that_is_there_is_the_one_that_was_created() -> None:
    found, sender = await asked(row())

    assert found == Happened({"id": "001", "success": True, "errors": []})
    (query,) = sender.requests
    assert (query.method, query.path) == ("GET", "/services/data/v68.0/query")
    assert query.params == {
        "q": "SELECT Id, CreatedDate, Ext_Id__c, Name FROM Account "
        "WHERE Ext_Id__c = 'k\\'1' LIMIT 2"
    }


async def test_a_record_that_is_not_there_was_not_created() -> None:
    found, _ = await asked()

    assert found == DidNotHappen()


async def test_several_records_of_one_value_tell_nothing() -> None:
    found, _ = await asked(row(), row())

    assert found == StillUnknown("several records have the value, so Ext_Id__c is not unique")


@pytest.mark.parametrize(
    ("created", "happened"),
    [
        ("2023-11-14T22:13:20.000+0000", True),
        ("2023-11-14T22:08:20.000+0000", True),
        ("2023-11-14T22:08:19.000+0000", False),
        ("2020-01-01T00:00:00.000+0000", False),
    ],
)
async def test_a_record_from_before_the_call_is_anothers(created: str, happened: bool) -> None:
    found, _ = await asked(row(created=created))

    assert isinstance(found, Happened if happened else DidNotHappen)


async def test_a_record_that_holds_something_else_may_be_anothers() -> None:
    found, _ = await asked(row(Name="Another"))

    assert found == StillUnknown("there is a record with the value, but its Name is another")


ID = "001000000000001"


@pytest.mark.parametrize(
    ("written", "held"),
    [
        (" A  b ", "A b"),
        ("Ann@Example.com", "ann@example.com"),
        ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05.000+0000"),
        ("2026-01-02", "2026-01-02"),
        (ID, f"{ID}AAA"),
        ("12", 12.0),
        (7, 7.0),
        ("", None),
        (None, None),
        (True, True),
    ],
)
async def test_what_an_org_writes_in_its_own_way_is_the_same(written: object, held: object) -> None:
    content = msgspec.json.encode({"Ext_Id__c": "k'1", "x__c": written})

    found, sender = await asked(row(X__c=held), request=replace(CREATE, content=content))

    assert isinstance(found, Happened)
    assert "SELECT Id, CreatedDate, Ext_Id__c, x__c FROM" in str(sender.requests[0].params)


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("a", "b"),
        ("a", None),
        (None, "a"),
        (True, False),
        (1, 2),
        (0, None),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06.000+0000"),
        (ID, "001000000000002AAA"),
    ],
)
async def test_another_value_leaves_it_unknown(written: object, held: object) -> None:
    content = msgspec.json.encode({"Ext_Id__c": "k'1", "x__c": written})

    found, _ = await asked(row(x__c=held), request=replace(CREATE, content=content))

    assert isinstance(found, StillUnknown)


async def test_long_texts_and_parents_are_not_compared() -> None:
    body = {"Ext_Id__c": "k'1", "Body": "x" * 256, "Owner": {"Key__c": 1}, "Bad Name": 1}
    content = msgspec.json.encode(body)

    found, sender = await asked(row(), request=replace(CREATE, content=content))

    assert isinstance(found, Happened)
    assert "SELECT Id, CreatedDate, Ext_Id__c FROM" in str(sender.requests[0].params)


async def test_without_a_time_any_record_will_do() -> None:
    found, _ = await asked(row(created="2000-01-01T00:00:00.000+0000"), began=None)

    assert isinstance(found, Happened)


async def test_a_record_whose_value_only_looks_alike_is_anothers() -> None:
    found, _ = await asked(row("K'1"))

    assert found == DidNotHappen()


async def test_spaces_that_the_org_cuts_off_make_no_difference() -> None:
    create = replace(CREATE, content=b'{"Ext_Id__c": " k1 "}')

    found, _ = await asked(row("k1"), request=create)

    assert isinstance(found, Happened)


async def test_numbers_are_compared_as_numbers() -> None:
    create = replace(CREATE, content=b'{"ext_id__C": 7}')

    found, sender = await asked(row(7.0), request=create)

    assert isinstance(found, Happened)
    assert "WHERE Ext_Id__c = 7 LIMIT 2" in str(sender.requests[0].params)


async def test_each_object_may_have_a_field_of_its_own() -> None:
    hook = ReconcileByField({"Account": "Ext_Id__c", "Contact": "Key__c"})
    contact = replace(CREATE, path="/services/data/v68.0/sobjects/Contact")

    found, _ = await asked(row(), hook=hook)
    other, _ = await asked(row(), hook=hook, request=contact)

    assert isinstance(found, Happened)
    assert isinstance(other, StillUnknown)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (None, "not there any more"),
        (replace(CREATE, content=None), "not there any more"),
        (replace(CREATE, method="PATCH"), "not the create"),
        (replace(CREATE, path="/services/data/v68.0/composite"), "not the create"),
        (replace(CREATE, path="/services/data/v68.0/sobjects/Account/001"), "not the create"),
        (replace(CREATE, content=b'{"Name": "A"}'), "no value"),
        (replace(CREATE, content=b'{"Ext_Id__c": null}'), "no value"),
        (replace(CREATE, content=b'{"Ext_Id__c": ""}'), "no value"),
        (replace(CREATE, content=b'{"Ext_Id__c": true}'), "no value"),
        (replace(CREATE, content=b'{"Ext_Id__c": {"a": 1}}'), "no value"),
        (replace(CREATE, content=b"[1]"), "no value"),
        (replace(CREATE, content=b"{cut"), "no value"),
    ],
    ids=range(12),
)
async def test_what_it_cannot_know_stays_unknown_and_asks_nothing(
    request_: Request | None, why: str
) -> None:
    found, sender = await asked(request=request_)

    assert isinstance(found, StillUnknown)
    assert why in found.why
    assert sender.requests == []


async def test_a_query_that_fails_is_the_callers_to_hear_of() -> None:
    with pytest.raises(SfConnectError):
        await HOOK(unknown(), CannedSender(ConnectError("No.")))


def described(**facts: object) -> Response:
    """A describe of an object with the field of the hook."""
    unique = {"name": "Ext_Id__c", "unique": True, "filterable": True, **facts}
    return response({"fields": [{"name": "Name", "unique": False}, unique]})


async def test_before_the_first_create_describe_is_asked_once() -> None:
    hook, sender = ReconcileByField("ext_id__c"), CannedSender(described())

    await asyncio.gather(*(hook.prepare(CREATE, sender) for _ in range(10)))
    await hook.prepare(CREATE, sender)

    (asked,) = sender.requests
    assert (asked.method, asked.path) == ("GET", "/services/data/v68.0/sobjects/Account/describe")


@pytest.mark.parametrize(
    ("describe", "words"),
    [
        (described(unique=False), "Account.Ext_Id__c is not unique"),
        (described(filterable=False), "Account.Ext_Id__c cannot be filtered by"),
        (described(name="Other__c"), "the user sees no field Account.Ext_Id__c"),
        (response({}), "the user sees no field Account.Ext_Id__c"),
    ],
)
async def test_a_field_that_cannot_tell_a_record_is_refused_every_time(
    describe: Response, words: str
) -> None:
    hook, sender = ReconcileByField("Ext_Id__c"), CannedSender(describe)

    for _ in range(2):
        with pytest.raises(ConfigurationError, match=words) as caught:
            await hook.prepare(CREATE, sender)
        assert "check=False" in str(caught.value.hint)

    assert len(sender.requests) == 1
    await hook.prepare(replace(CREATE, content=b'{"Name": "A"}'), sender)


async def test_each_connection_and_each_object_is_asked_about() -> None:
    hook = ReconcileByField({"account": "Ext_Id__c", "Contact": "Ext_Id__c"})
    first, second = CannedSender(described(), described()), CannedSender(described())

    await hook.prepare(CREATE, first)
    await hook.prepare(replace(CREATE, path="/services/data/v68.0/sobjects/Contact"), first)
    await hook.prepare(CREATE, second)

    assert (len(first.requests), len(second.requests)) == (2, 1)


async def test_creates_that_wait_for_a_describe_share_its_failure() -> None:
    hook, sender = ReconcileByField("Ext_Id__c"), CannedSender(ConnectError("No."))
    creates = [hook.prepare(CREATE, sender) for _ in range(10)]

    ends = await asyncio.gather(*creates, return_exceptions=True)

    assert {type(end) for end in ends} == {ConnectError}
    assert len(sender.requests) == 1


async def test_a_describe_that_fails_is_asked_for_again() -> None:
    hook, sender = ReconcileByField("Ext_Id__c"), CannedSender(ConnectError("No."), described())

    with pytest.raises(ConnectError):
        await hook.prepare(CREATE, sender)
    await hook.prepare(CREATE, sender)

    assert len(sender.requests) == 2


@pytest.mark.parametrize(
    ("hook", "request_"),
    [
        (HOOK, replace(CREATE, content=b'{"Name": "A"}')),
        (HOOK, replace(CREATE, content=None)),
        (HOOK, replace(CREATE, path="/services/data/v68.0/composite")),
        (ReconcileByField({"Contact": "Ext_Id__c"}), CREATE),
        (ReconcileByField("Ext_Id__c", check=False), CREATE),
    ],
    ids=range(5),
)
async def test_what_it_would_not_be_asked_about_needs_no_describe(
    hook: ReconcileByField, request_: Request
) -> None:
    sender = CannedSender()

    await hook.prepare(request_, sender)

    assert sender.requests == []


async def test_a_hook_goes_to_other_processes_without_what_it_knows() -> None:
    hook, sender = ReconcileByField("Ext_Id__c", 5.0), CannedSender(described())
    await hook.prepare(CREATE, sender)

    twin = pickle.loads(pickle.dumps(hook))

    assert twin == hook
    assert len(hook._known) == 1
    assert len(twin._known) == 0


async def test_what_it_knows_ends_with_the_connection() -> None:
    hook, sender = ReconcileByField("Ext_Id__c"), CannedSender(described())
    await hook.prepare(CREATE, sender)

    del sender
    gc.collect()

    assert len(hook._known) == 0


def test_the_skew_is_a_number_of_seconds() -> None:
    with pytest.raises(ConfigurationError, match="clock_skew_s cannot be -1"):
        ReconcileByField("Ext_Id__c", clock_skew_s=-1)
    assert ReconcileByField("Ext_Id__c", clock_skew_s=0).clock_skew_s == 0  # clocks that agree


@pytest.mark.parametrize("field", ["Ext Id", "A = 'x' OR Name", "", {"Account": "1x"}])
def test_the_field_is_an_api_name(field: str | dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"ReconcileByField\.field cannot be"):
        ReconcileByField(field)
