"""No value leaves its literal, and each is read back as it was."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfconnect.soql import bind, like_escape, parse, quote, quote_like

ATTACKS = st.text(alphabet=st.sampled_from("'\\\"%_nuU0027dDeE() \n\r\t,;:=-/*OR"), max_size=30)
TEXTS = st.text() | ATTACKS
NUMBERS = (
    st.integers(-(10**399), 10**399)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(-(10**30), 10**30, allow_nan=False)
)


def read_back(literal: str, op: str = "=") -> Any:
    """Parse the literal between two conditions that must stay what they are."""
    parsed: Any = parse(f"SELECT Id FROM X WHERE a = 1 AND Name {op} {literal} AND b = 2").where
    first, middle, last = parsed.parts
    assert (first.left.name, first.value) == ("a", 1)
    assert (last.left.name, last.value) == ("b", 2)
    assert (middle.left.name, middle.op) == ("Name", op)
    return middle.values if op == "IN" else middle.value


@given(TEXTS)
def test_any_text_is_read_back_as_itself(text):
    assert read_back(quote(text)) == text


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_any_list_of_texts_is_read_back_as_itself(texts):
    assert read_back(quote(texts), "IN") == tuple(texts)


@given(TEXTS)
def test_any_bound_text_is_read_back_as_itself(text):
    query: Any = parse(bind("SELECT Id FROM X WHERE a = 1 AND b = :value", value=text))

    assert query.where.parts[1].value == text


@given(TEXTS)
def test_text_is_quoted_without_line_breaks_and_controls(text):
    assert not re.search(r"[\x00-\x1f\x7f]", quote(text))


@given(TEXTS)
def test_any_pattern_is_one_literal_and_settles(pattern):
    read = read_back(quote_like(pattern), "LIKE")

    assert read_back(quote_like(read), "LIKE") == read


@given(TEXTS, TEXTS)
def test_escaped_text_matches_itself_and_nothing_else(text, other):
    pattern = read_back(quote_like(like_escape(text)), "LIKE")

    assert matches(pattern, text)
    assert matches(pattern, other) == (other == text)


def matches(pattern: str, text: str) -> bool:
    """LIKE in terms of regular expressions, case-sensitive."""
    parts = re.findall(r"\\[\\%_]|.", pattern, re.DOTALL)
    wildcards = {"%": ".*", "_": "."}
    regex = "".join(wildcards.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL) is not None


@given(NUMBERS)
def test_any_finite_number_is_read_back_exactly(number):
    exact = Decimal(repr(number)) if isinstance(number, float) else number

    assert read_back(quote(number)) == exact


@given(NUMBERS | TEXTS | st.booleans() | st.none())
def test_quoting_what_was_read_changes_nothing(value):
    literal = quote(value)

    assert quote(read_back(literal)) == literal


@given(
    st.dates()
    | st.times()
    | st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001  # hypothesis adds the zones
        max_value=datetime(9998, 12, 31),  # noqa: DTZ001
        timezones=st.timezones(),
    )
)
def test_any_date_and_time_is_read_back_as_the_same_moment(value: date | time):
    read = read_back(quote(value))

    assert type(read) is type(value)
    if isinstance(value, datetime):
        # Through UTC, as Python takes two zones to differ in a fold where only one has it.
        value = value.astimezone(UTC)
    assert read == value
