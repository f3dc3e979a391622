"""Whatever the text, the parser answers with a tree or with a syntax error that points into it."""

from __future__ import annotations

import pickle

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sfconnect.soql import SoqlSyntaxError, parse, render

PIECES = st.sampled_from(
    """SELECT FROM WHERE AND OR NOT IN LIKE INCLUDES GROUP BY ROLLUP CUBE HAVING ORDER LIMIT OFFSET
    USING SCOPE WITH DATA CATEGORY AT SECURITY_ENFORCED FOR VIEW UPDATE TRACKING ALL ROWS TYPEOF
    WHEN THEN ELSE END FIELDS COUNT DISTANCE GEOLOCATION NULLS FIRST LAST ASC DESC AS TODAY
    LAST_N_DAYS TRUE null Id Name Account a.b ( ) , . : = != <> < >= 'x' 'O\\'B' '\\u0041' '\\q' ' 1
    -2.5 1e9 2026-11-23 2026-11-23T00:00:00Z 12:00:00Z USD5 USD5.01 é ; \ud800""".split()  # noqa: SIM905  # as a list of strings nobody could read it
)
WORD_SALAD = st.lists(PIECES, max_size=25).map(" ".join)
QUERY_LIKE = st.lists(PIECES, max_size=12).map(
    lambda pieces: "SELECT Id FROM X WHERE a = 1 AND " + " ".join(pieces)
)


def read(text: str, *, binds: bool = False, apex: bool = False) -> None:
    try:
        query = parse(text, binds=binds, apex=apex)
    except SoqlSyntaxError as error:
        check(error, text)
    else:
        again = render(query)
        assert parse(again, binds=binds, apex=apex) == query


def check(error: SoqlSyntaxError, text: str) -> None:
    assert 0 <= error.index <= len(text)
    assert text.startswith(error.found, error.index) or not error.found
    assert error.line >= 1
    assert error.column >= 1
    assert error.excerpt.endswith("^")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@settings(max_examples=400)
@given(st.text())
@example("SELECT Id FROM A WHERE a = '\\")
@example("'" * 99)
@example("\x00")
def test_any_text_is_read_or_refused(text):
    read(text)


@settings(max_examples=600)
@given(WORD_SALAD | QUERY_LIKE, st.booleans(), st.booleans())
@example("SELECT Id FROM X WHERE a = '\\q'", False, False)
def test_any_order_of_words_is_read_or_refused(text, binds, apex):
    read(text, binds=binds, apex=apex)


@given(st.sampled_from(["(", "a IN (SELECT b FROM c WHERE ", "NOT (", "F("]), st.integers(1, 2000))
def test_any_depth_is_read_or_refused(opening, depth):
    read("SELECT Id FROM X WHERE " + opening * depth)


@given(WORD_SALAD)
def test_cutting_a_query_short_never_breaks_the_parser(text):
    whole = f"SELECT Id, COUNT(a) b FROM X WHERE c IN ('d', 5) {text}"

    for end in range(0, len(whole), 7):
        read(whole[:end])
