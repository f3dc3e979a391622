from __future__ import annotations

import os
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect_emulator.data.ids import (
    IdSpace,
    check_characters,
    decode_counter,
    encode_counter,
    normalize,
)

SAMPLES = os.environ.get("SFCONNECT_SAMPLES")
SHORT_IDS = st.text(string.ascii_letters + string.digits, min_size=15, max_size=15)
SPACES = st.builds(
    IdSpace, st.just("a00"), st.just("Hs"), st.integers(min_value=0, max_value=62**6)
)


@pytest.mark.parametrize(
    ("short", "check"),
    [
        ("000000000000000", "AAA"),
        ("00000000000000A", "AAQ"),
        ("A0000000000000a", "BAA"),
        ("AAAAAAAAAAAAAAA", "555"),
        ("aB0c1DEfg2hIJk3", "CDG"),
    ],
)
def test_check_characters_hold_one_bit_for_every_upper_case_letter(short: str, check: str) -> None:
    assert check_characters(short) == check


@pytest.mark.samples
@pytest.mark.skipif(SAMPLES is None, reason="SFCONNECT_SAMPLES names no folder of samples")
def test_check_characters_agree_with_recorded_ids() -> None:
    bodies = sorted(Path(str(SAMPLES), "recorded").glob("*.json"))
    found = {
        value
        for body in bodies
        for value in re.findall(
            r"\b0(?:01|03|05|06|0D|0Q|12|68)[0-9A-Za-z]{15}\b", body.read_text()
        )
    }
    wrong = {value for value in found if check_characters(value[:15]) != value[15:]}

    # A few recordings were edited by hand, which spoils the check characters.
    assert len(found) > 50
    assert len(wrong) * 5 <= len(found)


@given(SHORT_IDS)
def test_an_id_of_15_characters_gets_18_that_stay_as_they_are(short: str) -> None:
    full = normalize(short)

    assert full is not None
    assert full[:15] == short
    assert normalize(full) == full


@given(SHORT_IDS, st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"))
def test_a_wrong_check_character_makes_no_id(short: str, check: str) -> None:
    full = normalize(short) or ""
    changed = full[:17] + check

    assert normalize(changed) == (full if check == full[17] else None)


@pytest.mark.parametrize(
    "text",
    ["", "001", "001000000000001" + "A", "00100000000000-", "0010000000000\u00e91", "x" * 19],
)
def test_text_of_another_form_is_no_id(text: str) -> None:
    assert normalize(text) is None


@given(st.integers(min_value=0, max_value=62**9 - 1))
def test_counters_are_nine_digits_that_read_back(number: int) -> None:
    text = encode_counter(number)

    assert len(text) == 9
    assert decode_counter(text) == number


@given(SPACES, st.integers(min_value=1, max_value=10**6), st.integers(min_value=0, max_value=300))
def test_many_ids_at_once_are_the_same_as_one_by_one(
    space: IdSpace, first: int, count: int
) -> None:
    assert space.ids_of(first, count) == [space.id_of(first + n) for n in range(count)]


@given(SPACES, st.integers(min_value=1, max_value=10**6), st.integers(min_value=1, max_value=10**6))
def test_ids_sort_in_order_of_creation(space: IdSpace, one: int, other: int) -> None:
    assert (space.id_of(one) < space.id_of(other)) == (one < other)


@given(SPACES, st.integers(min_value=1, max_value=10**9))
def test_an_id_tells_its_row(space: IdSpace, row: int) -> None:
    assert space.row_of(space.id_of(row)) == row


def test_an_id_of_another_object_or_org_has_no_row() -> None:
    space = IdSpace("001", "Hs", 100)

    assert space.row_of(IdSpace("003", "Hs", 100).id_of(5)) is None
    assert space.row_of(IdSpace("001", "xY", 100).id_of(5)) is None
    assert space.row_of(IdSpace("001", "Hs", 0).id_of(50)) is None
