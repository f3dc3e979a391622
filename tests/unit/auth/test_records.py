"""Credentials as JSON: whatever goes in comes back, and whatever is damaged is refused."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials, StoredToken
from sfconnect.auth.records import (
    credentials_from_json,
    credentials_to_json,
    decode_record,
    encode_record,
    version_of,
)

PLAIN = Credentials(Secret("canary-token"), "https://acme.my.salesforce.com")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.floats(min_value=-1e15, max_value=1e15)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
CREDENTIALS = st.builds(
    Credentials,
    access_token=TEXTS.map(Secret),
    instance_url=TEXTS,
    token_type=TEXTS,
    issued_at=st.none() | NUMBERS,
    expires_at=st.none() | NUMBERS,
    refresh_token=st.none() | TEXTS.map(Secret),
    identity_url=st.none() | TEXTS,
    scopes=st.frozensets(TEXTS, max_size=3),
    extra=st.dictionaries(TEXTS, JSON, max_size=3).map(MappingProxyType),
)


@given(CREDENTIALS, st.integers(1, 10**6))
def test_any_record_comes_back_as_it_was(credentials, generation):
    record = StoredToken(credentials, generation)

    assert decode_record(encode_record(record)) == record


@given(CREDENTIALS)
def test_members_survive_another_json_library(credentials):
    """The keyring plugin writes ASCII, for keyrings that take nothing else."""
    text = json.dumps(credentials_to_json(credentials))

    assert credentials_from_json(json.loads(text)) == credentials


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_refused(data):
    with pytest.raises(ValueError, match="no record"):
        decode_record(data)
    assert version_of(data) is None or data.lstrip()[:1] in {b"{", b"["}


DAMAGE = {
    "version": 2,
    "generation": 0,
    "credentials": None,
    "access_token": 7,
    "refresh_token": ["canary"],
    "scopes": "api",
    "extra": None,
    "expires_at": "canary",
}


@pytest.mark.parametrize(("member", "value"), DAMAGE.items(), ids=DAMAGE)
def test_a_member_of_the_wrong_kind_is_refused_without_being_quoted(member, value):
    document = json.loads(encode_record(StoredToken(PLAIN, 1)))
    place = document if member in document else document["credentials"]
    place[member] = value

    with pytest.raises(ValueError, match="this is no record") as caught:
        decode_record(json.dumps(document).encode())

    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("member", ["version", "generation", "credentials"])
def test_a_record_without_a_member_is_refused(member):
    document = json.loads(encode_record(StoredToken(PLAIN, 1)))
    del document[member]

    with pytest.raises(ValueError, match="this is no record"):
        decode_record(json.dumps(document).encode())


DEEP = 100_000


@pytest.mark.parametrize("text", ["[" * DEEP, '{"credentials":' * DEEP, '{"version":' * DEEP])
def test_nesting_without_end_is_damage_like_any_other(text):
    with pytest.raises(ValueError, match="this is no record"):
        decode_record(text.encode())

    assert version_of(text.encode()) is None


@pytest.mark.parametrize("members", [None, [], {"access_token": "canary"}, {"scopes": "canary"}])
def test_members_that_are_no_credentials_are_refused_without_being_quoted(members):
    with pytest.raises(ValueError, match="these are no credentials") as caught:
        credentials_from_json(members)

    assert "canary" not in "".join(traceback.format_exception(caught.value))


NOT_JSON = {
    "date": datetime(2026, 1, 1, tzinfo=UTC),
    "decimal": Decimal("1.10"),
    "set": {1},
    "object": object(),
    "not a number": float("nan"),
    "bytes": b"x",
}


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON)
def test_what_would_come_back_as_something_else_is_not_written(value):
    strange = Credentials(Secret("canary"), "https://org", extra={"member": value})

    with pytest.raises(ValueError, match="`extra` has no JSON form") as caught:
        credentials_to_json(strange)

    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_members_that_a_later_version_adds_do_no_harm():
    document = json.loads(encode_record(StoredToken(PLAIN, 1)))
    document["credentials"]["later"] = 1

    assert decode_record(json.dumps(document).encode()) == StoredToken(PLAIN, 1)


def test_the_version_of_a_record_can_be_told_whatever_else_is_in_it():
    assert version_of(b'{"version": 7, "what": ["ever"]}') == 7
    assert version_of(encode_record(StoredToken(PLAIN, 1))) == 1
    assert version_of(b'{"version": "7"}') is None
