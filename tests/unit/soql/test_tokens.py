"""How the text of a query is cut."""

from __future__ import annotations

import pytest

from sfconnect.soql.tokens import TokenKind, tokenize


def cut(soql):
    return [(token.kind.name, token.text) for token in tokenize(soql)[:-1]]


@pytest.mark.parametrize(
    ("soql", "expected"),
    [
        ("Name", [("NAME", "Name")]),
        ("a.b", [("NAME", "a"), ("SIGN", "."), ("NAME", "b")]),
        ("a<>1", [("NAME", "a"), ("SIGN", "<>"), ("NUMBER", "1")]),
        ("a<=-1.5", [("NAME", "a"), ("SIGN", "<="), ("NUMBER", "-1.5")]),
        ("a>=+.5e-3", [("NAME", "a"), ("SIGN", ">="), ("NUMBER", "+.5e-3")]),
        ("a!='b'", [("NAME", "a"), ("SIGN", "!="), ("STRING", "'b'")]),
        (r"'it\'s'", [("STRING", r"'it\'s'")]),
        ("'two\nlines'", [("STRING", "'two\nlines'")]),
        ("''''", [("STRING", "''"), ("STRING", "''")]),
        ("2026-11-23", [("TEMPORAL", "2026-11-23")]),
        ("2026-11-23T01:02:03+01:00", [("TEMPORAL", "2026-11-23T01:02:03+01:00")]),
        ("12:30:00.000Z", [("TEMPORAL", "12:30:00.000Z")]),
        ("10abc", [("NUMBER", "10abc")]),
        ("LAST_N_DAYS:5", [("NAME", "LAST_N_DAYS"), ("SIGN", ":"), ("NUMBER", "5")]),
        ("USD5.01", [("NAME", "USD5"), ("NUMBER", ".01")]),
        (" \t\r\n\f\vx ", [("NAME", "x")]),
        ("", []),
    ],
)
def test_text_is_cut_into_tokens(soql, expected):
    assert cut(soql) == expected


def test_a_token_knows_where_it_stands():
    name, sign, end = tokenize("  Name =")

    assert (name.start, name.end, sign.start) == (2, 6, 7)
    assert (end.kind, end.start, end.text) == (TokenKind.END, 8, "")


def test_words_are_compared_in_upper_case_and_literals_not_at_all():
    assert [token.word for token in tokenize("select <= 'from' 1")] == ["SELECT", "<=", "", "", ""]


@pytest.mark.parametrize("bad", ["'open", '"', ";", "é", "#", "!", "\u00a0", "_x", "\x00"])
def test_nothing_is_read_after_text_that_is_no_soql(bad):
    tokens = tokenize(f"Name {bad} Other")

    assert [token.kind.name for token in tokens] == ["NAME", "BAD", "END"]
    assert tokens[1].start == 5
