from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfconnect.errors import ConfigurationError, RecordError, ResponseError
from sfconnect.messages import Replay
from sfconnect.salesforce.rest import SObject, UpsertResult
from tests.unit.salesforce.canned import CannedSender, response

ID = "001000000000001AAA"
BASE = "/services/data/v68.0/sobjects/Account"


def account(*answers: Any) -> tuple[SObject, CannedSender]:
    sender = CannedSender(*answers)
    return SObject(sender, "68.0", "Account"), sender


async def test_create_posts_the_values_once_and_gives_the_id() -> None:
    sobject, sender = account(response({"id": ID, "success": True, "errors": []}, status=201))

    record_id = await sobject.create({"Name": "Ädä", "Revenue": 1.5, "Site": None})

    (request,) = sender.requests
    assert record_id == ID
    assert (request.method, request.path, request.replay) == ("POST", BASE, Replay.UNSAFE)
    assert isinstance(request.content, bytes)
    assert msgspec.json.decode(request.content) == {"Name": "Ädä", "Revenue": 1.5, "Site": None}
    assert request.headers["Content-Type"] == "application/json"


async def test_create_with_unknown_members_in_the_answer_still_works() -> None:
    body = {"id": ID, "success": True, "errors": [], "warnings": [], "infos": []}
    sobject, _ = account(response(body, status=201))

    assert await sobject.create({"Name": "x"}) == ID


async def test_a_save_result_without_success_is_an_error_despite_its_status() -> None:
    errors = [{"statusCode": "STRING_TOO_LONG", "message": "m", "fields": ["Name"]}]
    sobject, _ = account(response({"success": False, "errors": errors}))

    with pytest.raises(RecordError) as caught:
        await sobject.create({"Name": "x"})

    assert (caught.value.code, caught.value.fields) == ("STRING_TOO_LONG", ("Name",))


@pytest.mark.parametrize("fields", [None, ["Id", "Owner.Name"]])
async def test_retrieve_asks_for_the_named_fields_or_all(fields: list[str] | None) -> None:
    sobject, sender = account(response({"attributes": {}, "Id": ID}))

    row = await sobject.retrieve(ID, fields=fields)

    (request,) = sender.requests
    assert row["Id"] == ID
    assert (request.method, request.path) == ("GET", f"{BASE}/{ID}")
    assert request.params == (None if fields is None else {"fields": "Id,Owner.Name"})


async def test_retrieve_by_names_the_record_by_its_external_id() -> None:
    sobject, sender = account(response({"Id": ID}))

    await sobject.retrieve_by("Ext_Id__c", "a/b c")

    assert sender.requests[0].path == f"{BASE}/Ext_Id__c/a%2Fb%20c"


async def test_update_may_be_repeated_and_leaves_out_what_salesforce_refuses() -> None:
    sobject, sender = account(response(status=204))

    await sobject.update(ID, {"attributes": {"type": "Account"}, "id": ID, "Name": "n"})

    (request,) = sender.requests
    assert (request.method, request.path, request.replay) == ("PATCH", f"{BASE}/{ID}", Replay.SAFE)
    assert request.content == b'{"Name":"n"}'


async def test_delete_gives_nothing() -> None:
    sobject, sender = account(response(status=204))

    await sobject.delete(ID)

    assert (sender.requests[0].method, sender.requests[0].content) == ("DELETE", None)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (response({"id": ID, "success": True, "created": True}, status=201), (ID, True)),
        (response({"id": ID, "success": True, "created": False}), (ID, False)),
        (response({"id": ID, "success": True}, status=201), (ID, True)),
        (response(status=204), (None, False)),
    ],
    ids=["created", "updated", "created-v45", "updated-v45"],
)
async def test_upsert_reads_the_answers_of_every_version(
    answer: Any, result: tuple[str | None, bool]
) -> None:
    sobject, sender = account(answer)

    outcome = await sobject.upsert("Ext_Id__c", "K 7", {"Ext_Id__c": "K 7", "Name": "n"})

    (request,) = sender.requests
    assert outcome == UpsertResult(result[0], created=result[1])
    assert request.replay is Replay.KEYED
    assert request.path == f"{BASE}/Ext_Id__c/K%207"
    assert request.content == b'{"Name":"n"}'
    assert request.params is None


async def test_upsert_can_be_kept_from_creating() -> None:
    sobject, sender = account(response({"id": ID, "success": True, "created": False}))

    await sobject.upsert("Ext_Id__c", "K", {"Name": "n"}, update_only=True)

    assert sender.requests[0].params == {"updateOnly": "true"}


async def test_upsert_that_failed_is_an_error_despite_its_status() -> None:
    sobject, _ = account(response({"success": False, "errors": [{"errorCode": "X"}]}))

    with pytest.raises(RecordError):
        await sobject.upsert("Ext_Id__c", "K", {"Name": "n"})


async def test_describe_reads_the_description() -> None:
    sobject, sender = account(response({"name": "Account", "fields": []}))

    assert (await sobject.describe())["name"] == "Account"
    assert sender.requests[0].path == f"{BASE}/describe"


Build = Callable[[SObject, str], Any]
BY_VALUE: dict[str, Build] = {
    "retrieve": lambda sobject, value: sobject.retrieve(value),
    "update": lambda sobject, value: sobject.update(value, {}),
    "delete": lambda sobject, value: sobject.delete(value),
    "retrieve_by": lambda sobject, value: sobject.retrieve_by("Ext__c", value),
    "upsert": lambda sobject, value: sobject.upsert("Ext__c", value, {}),
}


@pytest.mark.parametrize("build", BY_VALUE.values(), ids=BY_VALUE)
@given(value=st.text(min_size=1))
def test_any_value_stays_one_segment_of_the_path(build: Build, value: str) -> None:
    assume(value.strip() and value not in {".", ".."})
    try:
        value.encode()
    except UnicodeEncodeError:
        assume(False)
    sobject, _ = account()

    path = build(sobject, value).request.path

    *head, last = path.split("/")
    assert "/".join(head).startswith(BASE)
    assert unquote(last) == value
    assert urlsplit(f"https://acme.my.salesforce.com{path}").hostname == "acme.my.salesforce.com"


@pytest.mark.parametrize("build", BY_VALUE.values(), ids=BY_VALUE)
@pytest.mark.parametrize("value", ["", ".", ".."])
def test_what_cannot_be_a_segment_is_refused_before_anything_is_sent(
    build: Build, value: str
) -> None:
    sobject, _ = account()

    with pytest.raises(ConfigurationError):
        build(sobject, value)


@pytest.mark.parametrize("name", ["", "Acc ount", "Account/x", "../x", "1st", "Ä", "a-b", "a\n"])
def test_an_impossible_object_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="not the API name of an object"):
        SObject(CannedSender(), "68.0", name)


def test_an_impossible_external_id_field_is_refused() -> None:
    sobject, _ = account()

    with pytest.raises(ConfigurationError, match="not the API name of a field"):
        _ = sobject.upsert("Ext Id", "K", {})


@pytest.mark.parametrize("fields", ["Id", [], ()])
def test_fields_must_be_a_list_with_something_in_it(fields: Any) -> None:
    sobject, _ = account()

    with pytest.raises(ConfigurationError, match="list of field names"):
        _ = sobject.retrieve(ID, fields=fields)


@pytest.mark.parametrize("record_id", [None, 1, "  "])
def test_a_record_id_must_be_a_text(record_id: Any) -> None:
    sobject, _ = account()

    with pytest.raises(ConfigurationError, match="record id"):
        _ = sobject.retrieve(record_id)


@pytest.mark.parametrize(
    "body", [b"[]", b'"x"', b"{cut", b""], ids=["list", "text", "cut", "empty"]
)
async def test_a_success_of_the_wrong_shape_is_an_error(body: bytes) -> None:
    sobject, _ = account(response(body))

    with pytest.raises(ResponseError):
        await sobject.retrieve(ID)


async def test_a_call_can_be_sent_again() -> None:
    sobject, sender = account(response({"Id": "a"}), response({"Id": "b"}))
    call = sobject.retrieve(ID)

    assert [(await call)["Id"], (await call)["Id"]] == ["a", "b"]
    assert sender.requests[0] is sender.requests[1]


def test_calls_and_objects_show_no_values() -> None:
    sobject, _ = account()

    call = sobject.create({"Name": "private"})

    assert "private" not in repr(call)
    assert repr(sobject) == "SObject('Account')"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "The value of Amount is not a finite number"),
        (float("-inf"), "The value of Amount is not a finite number"),
        (datetime(2026, 1, 1), "The value of Amount is a datetime without a time zone"),  # noqa: DTZ001
        (object(), "The value of Amount is a object, which has no JSON form"),
        ({"Nested": object()}, "The value of Amount is a dict, which has no JSON form"),
    ],
    ids=["nan", "inf", "naive", "object", "nested"],
)
def test_a_value_that_cannot_be_sent_as_it_is_is_named_by_its_field(value: Any, words: str) -> None:
    sobject, _ = account()

    with pytest.raises(ConfigurationError, match=words):
        _ = sobject.update(ID, {"Name": "n", "Amount": value})


def test_exact_numbers_dates_and_times_are_sent_as_what_they_are() -> None:
    sobject, _ = account()
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    call = sobject.create({"A": Decimal("1.10"), "D": at.date(), "T": at})  # type: ignore[dict-item]

    assert call.request.content == b'{"A":1.10,"D":"2026-01-02","T":"2026-01-02T03:04:05Z"}'
