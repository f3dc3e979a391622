"""Where and why a query is refused, and what the error tells."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from sfconnect.soql import SoqlSyntaxError, parse

X = "SELECT Id FROM X "

# query, column of the mistake (all on line 1), a part of the message
BAD_QUERIES: list[tuple[str, int, str]] = [
    ("", 1, "expected SELECT, found the end of the query"),
    ("   ", 4, "expected SELECT, found the end of the query"),
    ("SELEKT Id FROM X", 1, "found 'SELEKT'. Did you mean SELECT?"),
    ("FIND {x}", 1, "expected SELECT, found 'FIND'"),
    ("SELECT", 7, "expected a field, found the end of the query"),
    ("SELECT FROM X", 8, "expected a field, found 'FROM'"),
    ("SELECT * FROM X", 8, "the character '*' does not belong here. SOQL has no *"),
    ("SELECT Id, FROM X", 12, "expected a field, found 'FROM'"),
    ("SELECT Id", 10, "expected FROM, found the end of the query"),
    ("SELECT Id FORM X", 11, "found 'FORM'. Did you mean FROM?"),
    ("SELECT Id Name Type FROM X", 16, "expected FROM, found 'Type'"),
    ("SELECT a..b FROM X", 10, "expected a name after the point, found '.'"),
    ("SELECT a.1 FROM X", 9, "expected FROM, found a number"),
    ("SELECT 'x' FROM X", 8, "expected a field, found a string"),
    ("SELECT COUNT(), Id FROM X", 8, "COUNT() must be all that a query selects"),
    ("SELECT (SELECT COUNT() FROM Y) FROM X", 16, "COUNT() must be all that a query selects"),
    ("SELECT COUNT() n FROM X", 16, "expected FROM, found 'n'"),
    ("SELECT COUNT(Id, Name) FROM X", 8, "COUNT takes one field"),
    ("SELECT SUM('x') FROM X", 8, "SUM takes one field"),
    ("SELECT MAX() FROM X", 12, "expected an argument, found ')'"),
    ("SELECT FORMAT(Id FROM X", 18, "expected ')', found 'FROM'"),
    ("SELECT GEOLOCATION(1, 2) FROM X", 8, "GEOLOCATION is an argument of DISTANCE only"),
    ("SELECT DISTANCE(p, q) FROM X", 8, "not the arguments of DISTANCE"),
    ("SELECT DISTANCE(p, q, 'm') FROM X", 8, "not the arguments of DISTANCE"),
    ("SELECT DISTANCE(p, q, 5) FROM X", 8, "not the arguments of DISTANCE"),
    ("SELECT DISTANCE(p, GEOLOCATION(1), 'km') FROM X", 20, "a latitude and a longitude"),
    ("SELECT FIELDS(EVERY) FROM X", 15, "expected ALL, STANDARD or CUSTOM, found 'EVERY'"),
    ("SELECT FIELDS(ALLL) FROM X", 15, "Did you mean ALL?"),
    ("SELECT TYPEOF What END FROM X", 20, "expected WHEN, found 'END'"),
    ("SELECT TYPEOF What WHEN A THEN b FROM X", 34, "expected END, found 'FROM'"),
    ("SELECT TYPEOF What WHEN 5 THEN b END FROM X", 25, "expected an object, found a number"),
    ("SELECT (SELECT Id FROM Y FROM X", 26, "expected ')', found 'FROM'"),
    ("SELECT (Id) FROM X", 9, "expected SELECT, found 'Id'"),
    ("SELECT Id FROM", 15, "expected an object, found the end of the query"),
    ("SELECT Id FROM WHERE a = 1", 16, "expected an object, found 'WHERE'"),
    ("SELECT Id FROM X, Y", 20, "expected an alias for the parent path"),
    (X + "AS WHERE a = 1", 21, "expected an alias, found 'WHERE'"),
    (X + "WEHRE a = 1", 18, "found 'WEHRE'. Did you mean WHERE?"),
    (X + "x y", 20, "expected the end of the query, found 'y'"),
    (X + "USING mine", 24, "expected SCOPE, found 'mine'"),
    (X + "USING SCOPE 5", 30, "expected a scope, found a number"),
    (X + "WHERE", 23, "expected a field, found the end of the query"),
    (X + "WHERE a", 25, "expected an operator, found the end of the query"),
    (X + "WHERE a LIK 'b'", 26, "found 'LIK'. Did you mean LIKE?"),
    (X + "WHERE a IS NULL", 26, "found 'IS'. SOQL has no IS: write = null"),
    (X + "WHERE a BETWEEN 1 AND 2", 26, "SOQL has no BETWEEN"),
    (X + "WHERE a NOT LIKE 'b'", 26, "SOQL has no NOT LIKE. Write (NOT field LIKE '…')"),
    (X + "WHERE a =", 27, "expected a value, found the end of the query"),
    (X + "WHERE a == 1", 27, "expected a value, found '='"),
    (X + "WHERE a = b", 28, "expected a value, found a bare word. Strings take single quotes"),
    (X + "WHERE a = TODDAY", 28, "found a bare word. Did you mean TODAY?"),
    (X + "WHERE a LIKE b", 31, "expected a value, found a bare word"),
    (X + "WHERE a LIKE 5", 31, "expected a string, found a number"),
    (X + 'WHERE a = "b"', 28, "the character '\"' does not belong here. Strings take single"),
    (X + "WHERE a = \u2019b\u2019", 28, "the character U+2019 does not belong here. Strings take"),
    (X + "WHERE\u00a0a = 1", 23, "the character U+00A0 does not belong here. This is a no-break"),
    (X + "WHERE a = 'b", 28, "the string that begins here is not closed"),
    (X + "WHERE a = 'O'Brien'", 31, r"found a word. A quote inside a string is written \'"),
    (X + r"WHERE a = 'b\q'", 30, r"unknown escape. A backslash itself is written \\"),
    (X + r"WHERE a = '5\%'", 30, r"unknown escape. \% and \_ are for LIKE patterns"),
    (X + "WHERE a = 1.5.2", 28, "this is not a number"),
    (X + "WHERE a = 2026-13-01", 28, "this is not a date or time"),
    (X + "WHERE a = 2026-01-01T00:00:00", 28, "The zone is missing"),
    (X + "WHERE a IN 'b'", 29, "expected '(', found a string"),
    (X + "WHERE a IN ()", 30, "expected a value, found ')'"),
    (X + "WHERE a IN ('b',)", 34, "expected a value, found ')'"),
    (X + "WHERE a IN ('b' 'c')", 34, "expected ')', found a string"),
    (X + "WHERE a IN (SELECT b, c FROM Y)", 30, "a semi-join selects exactly one field"),
    (X + "WHERE a IN (SELECT COUNT(b) FROM Y)", 30, "a semi-join selects exactly one field"),
    (X + "WHERE a INCLUDES (SELECT b FROM Y)", 36, "found a bare word"),
    (X + "WHERE a = 1 AND b = 2 OR c = 3", 40, "AND and OR are mixed on one level"),
    (X + "WHERE a = 1 OR (b = 2 OR c = 3 AND d = 4)", 49, "AND and OR are mixed on one level"),
    (X + "WHERE NOT a = 1 AND b = 2", 34, "NOT cannot stand before AND"),
    (X + "WHERE a = 1 OR NOT b = 2", 33, "NOT cannot stand after OR"),
    (X + "WHERE NOT NOT a = 1", 28, "expected a field, found 'NOT'"),
    (X + "WHERE (a = 1", 30, "expected ')', found the end of the query"),
    (X + "WHERE (a = 1 ANDD b = 2)", 31, "found 'ANDD'. Did you mean AND?"),
    (X + "WHERE a = 1)", 29, "expected the end of the query, found ')'"),
    (X + "WHERE a = :b", 28, "a bind variable cannot be sent"),
    (X + "WHERE FIELDS(ALL) = 1", 24, "FIELDS() belongs in the SELECT list"),
    (X + "WHERE COUNT() = 1", 30, "expected an argument, found ')'"),
    (X + "WITH", 22, "expected a field, found the end of the query"),
    (X + "WITH DATA CATEGORY", 36, "expected the name of a data category"),
    (X + "WITH DATA CATEGORY a IN b", 39, "expected AT, ABOVE, BELOW or ABOVE_OR_BELOW"),
    (X + "WITH USER_MODE WITH USER_MODE", 33, "expected the end of the query, found 'WITH'"),
    (X + "WITH a = 1 WITH b = 2", 34, "expected SECURITY_ENFORCED, USER_MODE or SYSTEM_MODE"),
    (X + "GROUP a", 24, "expected BY, found 'a'"),
    (X + "GROUP BY ORDER BY a", 27, "expected a field, found 'ORDER'"),
    (X + "GROUP BY ROLLUP(a", 35, "expected ')', found the end of the query"),
    (X + "HAVING COUNT(Id) > 1", 18, "HAVING needs a GROUP BY before it"),
    (X + "ORDER BY", 26, "expected a field, found the end of the query"),
    (X + "ORDER BY a DECS", 29, "found 'DECS'. Did you mean DESC?"),
    (X + "WHERE a = 1 ADN b = 2", 30, "found 'ADN'. Did you mean AND?"),
    (X + "ORDER BY a NULLS", 34, "expected FIRST or LAST, found the end of the query"),
    (X + "LIMIT ten", 24, "expected a whole number, found 'ten'"),
    (X + "LIMIT -1", 24, "expected a whole number that is not negative"),
    (X + "LIMIT -0", 24, "expected a whole number that is not negative"),
    (X + "LIMIT 1.5", 24, "expected a whole number that is not negative"),
    (X + "LIMIT 10OFFSET 5", 24, "this is not a number"),
    (X + "OFFSET 1 LIMIT 1", 27, "The clauses come in the order SELECT, FROM"),
    (X + "FOR EDIT", 22, "expected VIEW or REFERENCE, found 'EDIT'"),
    (X + "FOR UPDATE", 22, "FOR UPDATE works in Apex only"),
    (X + "FOR VIEW UPDATE TRACKING,", 43, "expected TRACKING or VIEWSTAT, found the end"),
    (X + "ALL ROWS", 18, "ALL ROWS works in Apex only. Over REST, the queryAll"),
    (X + ";", 18, "the character ';' does not belong here. A query ends without a semicolon"),
    (X + "// why", 18, "SOQL has no comments"),
    (X + "WHERE a = 1 # why", 30, "the character '#' does not belong here"),
]


def refused(soql: str, **options: Any) -> SoqlSyntaxError:
    with pytest.raises(SoqlSyntaxError) as caught:
        parse(soql, **options)
    return caught.value


@pytest.mark.parametrize(
    ("soql", "column", "message"), BAD_QUERIES, ids=[q for q, _, _ in BAD_QUERIES]
)
def test_a_bad_query_is_refused_at_its_mistake(soql, column, message):
    error = refused(soql)

    assert (error.line, error.column) == (1, column)
    assert error.index == column - 1
    assert message in str(error)


@pytest.mark.parametrize(
    ("soql", "line", "column"),
    [
        ("SELECT Id\nFROM X\nWHERE a ~ 1", 3, 9),
        ("SELECT Id\r\nFROM X\r\n  LIMIT x", 3, 9),
        ("SELECT Id\nFROM X WHERE a = 'two\nlines' b", 3, 8),
        ("SELECT Id FROM X\n~", 2, 1),
        ("SELECT Id FROM X WHERE\n", 2, 1),
    ],
)
def test_lines_and_columns_are_counted_in_the_whole_query(soql, line, column):
    error = refused(soql)

    assert (error.line, error.column) == (line, column)


def test_a_bind_without_a_name_is_refused():
    error = refused("SELECT Id FROM X WHERE a = :5", binds=True)

    assert error.message == "expected the name of a bind, found a number"


def test_a_syntax_error_is_a_value_error():
    assert issubclass(SoqlSyntaxError, ValueError)


def test_the_sentence_names_place_reason_and_hint():
    error = refused("SELECT Id\nFORM Account")

    assert str(error) == "SOQL line 2, column 1: expected FROM, found 'FORM'. Did you mean FROM?"
    assert error.message == "expected FROM, found 'FORM'"
    assert error.hint == "Did you mean FROM?"
    assert error.found == "FORM"


def test_an_error_without_a_hint_has_none():
    error = refused("SELECT Id FROM X WHERE (a = 1")

    assert error.hint is None
    assert str(error).endswith("found the end of the query.")
    assert error.found == ""


@pytest.mark.parametrize(
    "condition",
    [
        "Name = 'Ada Lovelace' 'x'",
        "Name = 'O'Lovelace'",
        "Name = Lovelace",
        "Name LIKE Lovelace",
        "Name IN ('Lovelace' Lovelace)",
        "Name IN ('Lovelace', Lovelace)",
        r"Name = 'Lovelace\q'",
        "Name = 'Lovelace",
        "LIMIT 'Lovelace'",
        "'Lovelace' = Name",
    ],
)
def test_neither_sentence_nor_repr_repeats_a_literal(condition):
    error = refused(f"SELECT Id FROM Contact WHERE {condition}")

    assert "Lovelace" not in str(error)
    assert "Lovelace" not in repr(error)
    assert "Lovelace" in error.soql


def test_the_excerpt_points_at_the_mistake():
    assert refused("SELECT Id FORM Account").excerpt == (
        "SELECT Id FORM Account\n"
        "          ^"
    )  # fmt: skip


def test_the_excerpt_shows_the_line_of_the_mistake_alone():
    assert refused("SELECT Id\n\tFROM X y z\nLIMIT 1").excerpt == "\tFROM X y z\n\t         ^"


def test_the_excerpt_of_a_long_line_is_cut_on_both_sides():
    names = ", ".join(["Name"] * 20)
    excerpt = refused(f"SELECT {names}, *, {names} FROM X").excerpt

    shown, caret = excerpt.splitlines()
    assert shown[caret.index("^")] == "*"
    assert (shown[0], shown[-1]) == ("…", "…")
    assert len(shown) < 90


def test_the_excerpt_at_the_end_has_its_caret_behind_the_text():
    assert refused("SELECT Id ").excerpt == "SELECT Id\n          ^"


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_an_error_can_be_copied_and_pickled(clone):
    error = refused("SELECT Id FROM X WEHRE a = 1")

    other: Any = clone(error)

    assert isinstance(other, SoqlSyntaxError)
    assert str(other) == str(error)
    assert (other.message, other.soql, other.index) == (error.message, error.soql, error.index)
    assert (other.found, other.hint, other.excerpt) == (error.found, error.hint, error.excerpt)
