from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect_emulator.data import ApiError
from sfconnect_emulator.data.values import (
    WrongJsonTypeError,
    format_datetime,
    parse_datetime,
    to_stored,
)
from sfconnect_emulator.schema import FieldType, standard_schema

MOMENTS = st.datetimes(
    datetime.fromisoformat("1700-01-02"), datetime.fromisoformat("4000-12-30")
).map(lambda moment: moment.replace(microsecond=0))


def field(name: str, object_name: str = "Everything__c") -> FieldType:
    t = standard_schema().get(object_name)
    assert t is not None
    found = t.field(name)
    assert found is not None
    return found


def refusal(name: str, value: object, object_name: str = "Everything__c") -> tuple[Any, ...]:
    with pytest.raises(ApiError) as caught:
        to_stored(field(name, object_name), value)
    error = caught.value
    return error.status, error.code, error.message, error.fields


@pytest.mark.parametrize(
    ("name", "given_", "stored"),
    [
        ("Text__c", "plain", "plain"),
        ("Text__c", " spaced ", " spaced "),
        ("Text__c", "", None),
        ("Text__c", None, None),
        ("Text__c", "half \ud83d pair", "half ? pair"),
        ("Checkbox__c", True, True),
        ("Checkbox__c", "TRUE", True),
        ("Checkbox__c", "false", False),
        ("Checkbox__c", None, False),
        ("Int__c", 5, 5),
        ("Int__c", "5", 5),
        ("Int__c", 5.0, 5),
        ("Int__c", -999_999_999, -999_999_999),
        ("Long__c", 2**52, 2**52),
        ("Number__c", "1.005", 1.01),
        ("Number__c", -1.005, -1.01),
        ("Number__c", 7, 7.0),
        ("Precise__c", 3.141592653589793, 3.141592653589793),
        ("Currency__c", 9_999_999_999_999.99, 9_999_999_999_999.99),
        ("Date__c", "2026-02-28", "2026-02-28"),
        ("Date__c", "2026-02-28T23:00:00Z", "2026-02-28"),
        ("Date__c", "1700-01-01", "1700-01-01"),
        ("Date__c", "4000-12-31", "4000-12-31"),
        ("DateTime__c", "2026-11-23T14:05:06Z", "2026-11-23T14:05:06.000+0000"),
        ("DateTime__c", "2026-11-23T14:05:06.789+01:00", "2026-11-23T13:05:06.000+0000"),
        ("DateTime__c", "2026-11-23T14:05:06.000+0000", "2026-11-23T14:05:06.000+0000"),
        ("DateTime__c", "2026-11-23", "2026-11-23T00:00:00.000+0000"),
        ("Time__c", "14:05:06.007Z", "14:05:06.007Z"),
        ("Time__c", "14:05:06", "14:05:06.000Z"),
        ("Picklist__c", "red", "RED"),
        ("Open_Picklist__c", "Not listed", "Not listed"),
        ("Multi__c", "Gamma;Alpha;Gamma", "Alpha;Gamma"),
        ("Multi__c", ";", None),
        ("Email__c", "a.b+c@example.co.uk", "a.b+c@example.co.uk"),
        ("Account__c", "001000000000001", "001000000000001AAA"),
        ("Blob__c", "aGk=", b"hi"),
        ("Blob__c", b"raw", b"raw"),
    ],
)
def test_values_are_stored_in_one_form(name: str, given_: object, stored: object) -> None:
    found = to_stored(field(name), given_)

    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Text__c", 5), ("Text__c", True), ("Text__c", ["a"]), ("Checkbox__c", "maybe"),
        ("Checkbox__c", 1), ("Int__c", "abc"), ("Int__c", 1.5), ("Int__c", True),
        ("Int__c", {}), ("Number__c", "abc"), ("Number__c", math.inf), ("Number__c", "NaN"),
        ("Date__c", "2026-02-30"), ("Date__c", "today"), ("Date__c", 5),
        ("DateTime__c", "2026-11-23T25:00:00Z"), ("DateTime__c", 5),
        ("Time__c", "25:00:00"), ("Time__c", 5), ("Account__c", 5), ("Blob__c", "no base64!"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_no_value(name: str, value: object) -> None:
    with pytest.raises(WrongJsonTypeError):
        to_stored(field(name), value)


def test_too_long_a_text_is_refused_with_its_label_and_limit() -> None:
    status, code, message, fields = refusal("Required_Text__c", "x" * 41)

    assert (status, code, fields) == (400, "STRING_TOO_LONG", ["Required_Text__c"])
    assert message.startswith("Required Text: data value too large: xxx")
    assert message.endswith("(max length=40)")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_text_that_fits_comes_back_as_it_is(text: str) -> None:
    assert to_stored(field("Required_Text__c"), text) == text


@pytest.mark.parametrize("text", ["x", "a@b", "a b@c.de", "a@b..de", "@c.de", "a@c.de."])
def test_an_e_mail_address_needs_its_form(text: str) -> None:
    assert refusal("Email", text, "Contact") == (
        400, "INVALID_EMAIL_ADDRESS", f"Email: invalid email address: {text}", ["Email"],
    )  # fmt: skip


@pytest.mark.parametrize(("name", "value", "shown"), [
    ("Picklist__c", "PINK", "PINK"), ("Multi__c", "Alpha;Omega", "Omega"),
])  # fmt: skip
def test_a_restricted_picklist_takes_its_entries_only(name: str, value: str, shown: str) -> None:
    status, code, message, fields = refusal(name, value)

    assert (status, code, fields) == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", [name])
    assert message.endswith(f"bad value for restricted picklist field: {shown}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Int__c", 10**9), ("Int__c", -(10**9)), ("Int__c", 2**31), ("Long__c", 2**60),
        ("Number__c", 1e16), ("Number__c", "-1e300"), ("Percent__c", 10**14),
        ("Precise__c", 100),
    ],
)  # fmt: skip
def test_a_number_with_too_many_digits_is_out_of_range(name: str, value: object) -> None:
    status, code, _, fields = refusal(name, value)

    assert (status, code, fields) == (400, "NUMBER_OUTSIDE_VALID_RANGE", [name])


@pytest.mark.parametrize("value", ["1699-12-31", "4001-01-01", "0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("name", ["Date__c", "DateTime__c"])
def test_dates_outside_the_calendar_of_an_org_are_refused(name: str, value: str) -> None:
    assert refusal(name, value)[1] == "FIELD_INTEGRITY_EXCEPTION"


@pytest.mark.parametrize("value", ["", "001", "00100000000000!", "001000000000001AAB"])
def test_a_reference_has_to_be_an_id(value: str) -> None:
    if value:
        assert refusal("Account__c", value)[1] == "MALFORMED_ID"
    else:
        assert to_stored(field("Account__c"), value) is None


@given(
    MOMENTS,
    st.integers(min_value=-14, max_value=14),
)
def test_datetimes_are_kept_to_the_second_in_utc(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    text = format_datetime(moment)

    assert parse_datetime(text) == moment
    assert text.endswith(".000+0000")
    assert len(text) == 28


@given(st.lists(MOMENTS, min_size=2))
def test_stored_datetimes_sort_as_text(moments: list[datetime]) -> None:
    whole = [m.replace(tzinfo=UTC) for m in moments]

    assert sorted(map(format_datetime, whole)) == [format_datetime(m) for m in sorted(whole)]
