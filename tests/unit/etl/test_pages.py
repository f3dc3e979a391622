"""Pages become rows of the columns asked for, without loss and without surprise."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.errors import ResponseError
from sfconnect.etl.columns import Column, Kind
from sfconnect.etl.pages import PageDecoder, opaque_text
from tests.unit.etl.conftest import page_of

RAW = dict.fromkeys(Kind, msgspec.Raw)
TEXT = dict.fromkeys(Kind, str | None)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_any_json_value_has_a_text_from_which_it_can_be_read_back(value: object) -> None:
    text = opaque_text(msgspec.Raw(json.dumps(value).encode()))

    if value is None or isinstance(value, str):
        assert text == value
    else:
        assert text is not None
        assert json.loads(text) == value


@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
def test_a_number_kept_raw_keeps_every_character(number: str) -> None:
    page = f'{{"totalSize":1,"done":true,"records":[{{"N":{number}}}]}}'.encode()

    (row,) = PageDecoder([Column("N", "double")], RAW).decode(page).rows

    assert opaque_text(msgspec.structs.astuple(row)[0]) == number


def test_what_a_page_says_of_itself_is_kept() -> None:
    decoder = PageDecoder([Column("Id", "id")], TEXT)

    first = decoder.decode(page_of([{"Id": "1"}], total=2, next_="/next"))
    last = decoder.decode(page_of([{"Id": "2"}], total=2))

    assert (first.total, first.done, last.done) == (2, False, True)


def test_members_that_are_no_columns_are_dropped() -> None:
    decoder = PageDecoder([Column("Id", "id")], TEXT)

    (row,) = decoder.decode(page_of([{"Id": "1", "Other": {"deep": [1]}}])).rows

    assert msgspec.structs.astuple(row) == ("1",)


def test_values_come_in_the_order_of_the_columns_not_of_the_page() -> None:
    decoder = PageDecoder([Column("A", "string"), Column("B", "string")], TEXT)

    (row,) = decoder.decode(page_of([{"B": "b", "A": "a"}])).rows

    assert msgspec.structs.astuple(row) == ("a", "b")


@pytest.mark.parametrize("name", ["class", "from", "None", "c0", "c1", "self"])
def test_a_field_may_have_any_name(name: str) -> None:
    decoder = PageDecoder([Column("Id", "id"), Column(name, "string")], TEXT)

    (row,) = decoder.decode(page_of([{"Id": "1", name: "x"}])).rows

    assert msgspec.json.decode(msgspec.json.encode(row)) == {"Id": "1", name: "x"}


def test_a_page_in_another_encoding_is_an_error() -> None:
    page = page_of([{"Id": "é"}]).decode().encode("latin-1")

    with pytest.raises(ResponseError, match="cannot be read"):
        PageDecoder([Column("Id", "id")], TEXT).decode(page)
