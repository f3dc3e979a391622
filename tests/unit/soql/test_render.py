"""The canonical spelling, and trees that have none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sfconnect.soql import parse, render
from sfconnect.soql.ast import (
    And,
    Bind,
    Comparison,
    Currency,
    DataCategory,
    DateLiteral,
    Field,
    FieldsMacro,
    From,
    FromAlias,
    Function,
    GroupBy,
    Membership,
    Not,
    Or,
    Ordering,
    Query,
    Subquery,
    Typeof,
    TypeofWhen,
    With,
)

ID = Field(("Id",))
A = Comparison(Field(("a",)), "=", 1)
BASE = Query((ID,), From(("X",)))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("select  Id ,Name from  X", "SELECT Id, Name FROM X"),
        ("SELECT count() FROM X", "SELECT COUNT() FROM X"),
        ("SELECT TOLABEL(a) FROM X", "SELECT toLabel(a) FROM X"),
        ("SELECT ConvertCurrency(a) FROM X", "SELECT convertCurrency(a) FROM X"),
        ("SELECT Id FROM X AS x", "SELECT Id FROM X x"),
        ("SELECT Id FROM X ORDER BY a ASC, b desc", "SELECT Id FROM X ORDER BY a, b DESC"),
        ("SELECT Id FROM X WHERE ((a <> 1))", "SELECT Id FROM X WHERE a != 1"),
        ("SELECT Id FROM X WHERE (a=1)AND(b=2)", "SELECT Id FROM X WHERE a = 1 AND b = 2"),
        ("SELECT Id FROM X WHERE a=true OR b=NULL", "SELECT Id FROM X WHERE a = TRUE OR b = null"),
        ("SELECT Id FROM X WHERE a=usd5", "SELECT Id FROM X WHERE a = USD5"),
        ("SELECT Id FROM X WHERE a=today", "SELECT Id FROM X WHERE a = TODAY"),
        ("SELECT Id FROM X WHERE a=1e3", "SELECT Id FROM X WHERE a = 1000"),
        (
            "SELECT Id FROM X WHERE a=2026-11-23T01:00:00.000+01:00",
            "SELECT Id FROM X WHERE a = 2026-11-23T00:00:00Z",
        ),
        (r"SELECT Id FROM X WHERE a='\u0041\"'", "SELECT Id FROM X WHERE a = 'A\"'"),
        ("SELECT Id FROM X FOR VIEW FOR REFERENCE", "SELECT Id FROM X FOR VIEW, REFERENCE"),
        (
            "SELECT Id FROM X WITH DATA CATEGORY a AT (b)",
            "SELECT Id FROM X WITH DATA CATEGORY a AT b",
        ),
    ],
)  # fmt: skip
def test_queries_are_written_in_one_spelling(text, canonical):
    assert render(parse(text)) == canonical
    assert render(parse(canonical)) == canonical


@pytest.mark.parametrize("tail", ["FOR UPDATE", "FOR VIEW, UPDATE", "LIMIT 1 ALL ROWS"])
def test_apex_clauses_are_written(tail):
    text = f"SELECT Id FROM X {tail}"

    assert render(parse(text, apex=True)) == text


def test_binds_are_written_by_their_names():
    conditions = "a = :v AND b IN :w AND c LIKE :p AND d IN (:y, 1)"
    text = f"SELECT Id FROM X WHERE {conditions} LIMIT :n OFFSET :m"

    assert render(parse(text, binds=True)) == text


def where(condition: Any) -> Query:
    return replace(BASE, where=condition)


def select(*items: Any) -> Query:
    return replace(BASE, select=items)


BAD_TREES = {
    "nothing selected": select(),
    "field without path": select(Field(())),
    "field with a clause in it": select(Field(("Id FROM Y --",))),
    "field with a line break": select(Field(("Id\n",))),
    "reserved field": select(Field(("From",))),
    "name that is no text": select(Field((5,))),  # type: ignore[arg-type]  # the mistake under test
    "alias with a clause in it": select(Field(("Id",), "x FROM Y")),
    "reserved alias": select(Field(("Id",), "limit")),
    "function with a clause in it": select(Function("COUNT(Id), MAX", (ID,))),
    "reserved function": select(Function("SELECT", (ID,))),
    "function of a relative date": select(Function("F", (DateLiteral("TODAY"),))),
    "function of a currency": select(Function("F", (Currency("EUR", Decimal(1)),))),
    "unknown kind of fields": select(FieldsMacro("ALL), (SELECT Id")),
    "typeof without branches": select(Typeof(ID, ())),
    "branch without fields": select(Typeof(ID, (TypeofWhen("User", ()),))),
    "branch without type": select(Typeof(ID, (TypeofWhen("", (ID,)),))),
    "bad child query": select(Subquery(select())),
    "no object": replace(BASE, from_=From(())),
    "object alias that begins a clause": replace(BASE, from_=From(("X",), "for")),
    "bad parent alias": replace(BASE, from_aliases=(FromAlias(("x", "Y"), "1"),)),
    "empty scope": replace(BASE, scope=""),
    "unknown operator": where(Comparison(ID, "= null OR Id !=", None)),
    "value without a literal": where(Comparison(ID, "=", float("nan"))),  # type: ignore[arg-type]  # likewise
    "unknown membership": where(Membership(ID, "AMONG", ("a",))),
    "empty list": where(Membership(ID, "IN", ())),
    "bad semi-join": where(Membership(ID, "IN", select())),
    "one part joined by AND": where(And((A,))),
    "no part joined by OR": where(Or(())),
    "bad negated part": where(Not(Comparison(ID, "LIKE?", "x"))),
    "bad bind": where(Comparison(ID, "=", Bind("a b"))),
    "unknown WITH": replace(BASE, with_=With("MAGIC")),
    "filter without condition": replace(BASE, with_=With("FILTER")),
    "bad second WITH": replace(BASE, with_=With("FILTER", condition=A, mode="MAGIC")),
    "category without names": replace(
        BASE, with_=With("DATA CATEGORY", (DataCategory("a", "AT", ()),))
    ),
    "unknown category selector": replace(
        BASE, with_=With("DATA CATEGORY", (DataCategory("a", "NEAR", ("b",)),))
    ),
    "bad category": replace(
        BASE, with_=With("DATA CATEGORY", (DataCategory("a", "AT", ("b", "c d")),))
    ),
    "no groups": replace(BASE, group_by=GroupBy(())),
    "unknown grouping": replace(BASE, group_by=GroupBy((ID,), "SETS")),
    "unknown order of nulls": replace(BASE, order_by=(Ordering(ID, nulls="FIRST LIMIT 1"),)),
    "negative limit": replace(BASE, limit=-1),
    "text as offset": replace(BASE, offset="1"),  # type: ignore[arg-type]  # likewise
    "unknown FOR": replace(BASE, for_=("SALE",)),
    "unknown UPDATE": replace(BASE, update=("VIEW",)),
}


@pytest.mark.parametrize("query", BAD_TREES.values(), ids=BAD_TREES.keys())
def test_a_tree_that_soql_cannot_say_is_refused(query):
    with pytest.raises(ValueError, match=r".+"):
        render(query)


def test_a_tree_with_a_foreign_value_is_refused():
    with pytest.raises(TypeError, match="no literal for a value of type bytes"):
        render(where(Comparison(ID, "=", b"x")))  # type: ignore[arg-type]  # the mistake under test


def test_a_refusal_does_not_repeat_the_name():
    with pytest.raises(ValueError, match="a name that SOQL does not allow") as caught:
        render(select(Field(("Ada Lovelace",))))

    assert "Lovelace" not in str(caught.value)
