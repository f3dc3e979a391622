"""Encrypted records: opened with their key under their name, and in no other way."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import Secret
from sfconnect.auth.sealing import Seal, key_id_of, key_problem

RAW = bytes(range(32))
SEAL = Seal(Secret(base64.b64encode(RAW).decode()))
OTHER = Seal(Secret(base64.b64encode(bytes(32)).decode()))


@given(st.binary(max_size=200), st.text("abcdef0123456789", min_size=1))
def test_what_was_sealed_comes_back(data, name):
    assert SEAL.open(SEAL.close(data, name, version=1), name) == data


def test_nothing_of_the_content_can_be_read():
    sealed = SEAL.close(b"canary-canary-canary", "key", version=1)

    assert b"canary" not in sealed
    assert base64.b64encode(b"canary-canary")[:12] not in sealed
    assert json.loads(sealed)["version"] == 1


def test_the_same_content_never_looks_the_same():
    """A nonce that is used twice would give the key of the authentication away."""
    assert len({SEAL.close(b"data", "key", version=1) for _ in range(100)}) == 100


def test_another_key_does_not_open_it_and_is_known_as_another():
    sealed = SEAL.close(b"data", "key", version=1)

    with pytest.raises(ValueError, match="another's"):
        OTHER.open(sealed, "key")
    assert key_id_of(sealed) == SEAL.key_id != OTHER.key_id


def test_a_record_does_not_open_under_the_name_of_another():
    """Else whoever can write files could give one user the session of another."""
    with pytest.raises(ValueError, match="another's"):
        SEAL.open(SEAL.close(b"data", "ada", version=1), "eve")


@pytest.mark.parametrize("member", ["nonce", "data"])
def test_a_changed_record_does_not_open(member):
    document = json.loads(SEAL.close(b"data", "key", version=1))
    changed = bytearray(base64.b64decode(document["sealed"][member]))
    changed[0] ^= 1
    document["sealed"][member] = base64.b64encode(changed).decode()

    with pytest.raises(ValueError, match="another's"):
        SEAL.open(json.dumps(document).encode(), "key")


@pytest.mark.parametrize("nonce", ["", "AA=="])
def test_a_cut_nonce_is_damage(nonce):
    document = json.loads(SEAL.close(b"data", "key", version=1))
    document["sealed"]["nonce"] = nonce

    with pytest.raises(ValueError, match=r"Nonce|another"):
        SEAL.open(json.dumps(document).encode(), "key")


@pytest.mark.parametrize(
    "data",
    [
        b'{"version":1,"sealed":{}}',
        b'{"version":1,"sealed":null}',
        b'{"version":1,"sealed":{"cipher":"ROT13","key_id":"x","nonce":"","data":""}}',
        b'{"sealed"',
        b'{"sealed":' * 100_000,
    ],
    ids=lambda data: data[:20].decode(),
)
def test_what_is_encrypted_in_another_way_is_refused(data):
    with pytest.raises(ValueError, match="no encrypted record"):
        key_id_of(data)


def test_a_plain_record_has_no_key():
    assert key_id_of(b'{"version":1,"generation":1}') is None


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(RAW).decode(),
        base64.b64encode(RAW).decode().rstrip("="),
        base64.urlsafe_b64encode(RAW).decode(),
        f" {base64.b64encode(RAW).decode()}\n",
    ],
    ids=["plain", "unpadded", "for URLs", "with blanks"],
)
def test_a_key_may_be_written_as_its_tools_do(text):
    assert key_problem(Secret(text)) is None
    assert Seal(Secret(text)).open(SEAL.close(b"data", "key", version=1), "key") == b"data"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has 0 bytes, and 32 are needed"),
        ("c2hvcnQ=", "it has 5 bytes"),
        ("my password is canary", "it is not Base64"),
        ("canary-ünïcode", "it is not Base64"),
    ],
)
def test_what_is_no_key_is_told_without_quoting_it(text, problem):
    told = key_problem(Secret(text)) or ""

    assert problem in told
    assert "canary" not in told


def test_a_seal_shows_no_key():
    assert base64.b64encode(RAW).decode() not in repr(SEAL)
    assert RAW.hex() not in SEAL.key_id
