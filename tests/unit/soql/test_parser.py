"""The clauses of a query, as the tree holds them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sfconnect.soql import SoqlSyntaxError, parse
from sfconnect.soql.ast import (
    Bind,
    Comparison,
    DataCategory,
    Field,
    FieldsMacro,
    From,
    FromAlias,
    Function,
    GroupBy,
    Ordering,
    Query,
    Subquery,
    Typeof,
    TypeofWhen,
    With,
)

ID = Field(("Id",))
NAME = Field(("Name",))


def query(**clauses: Any) -> Query:
    return replace(Query((ID,), From(("Account",))), **clauses)


def with_rest(rest: str, **options: bool) -> Any:
    return parse(f"SELECT Id FROM Account {rest}", **options)


def select(items: str) -> Any:
    return parse(f"SELECT {items} FROM Account").select


def test_the_smallest_query():
    assert parse("SELECT Id FROM Account") == query()


def test_keywords_may_be_written_in_any_case_and_names_keep_theirs():
    parsed = parse("sELECT iD fROM aCCOUNT oRDER bY nAME dESC nULLS lAST lIMIT 1")

    assert parsed.from_.name == "aCCOUNT"
    assert parsed.order_by == (Ordering(Field(("nAME",)), descending=True, nulls="LAST"),)
    assert parsed.limit == 1


def test_space_and_line_breaks_do_not_count():
    assert parse("\n\tSELECT\r\n Id\fFROM\vAccount \n") == parse("SELECT Id FROM Account")


def test_nodes_know_where_they_begin_but_compare_without_it():
    parsed: Any = parse("SELECT  Id, (SELECT Id FROM Cases) FROM Account WHERE  Name = 'x'")

    assert parsed.select[0].at == 8
    assert parsed.select[1].at == 12
    assert parsed.from_.at == 40
    assert parsed.where.at == parsed.where.left.at == 55
    assert parsed.select[0] == ID


# --- SELECT -------------------------------------------------------------------------------------


def test_fields_have_paths_and_aliases():
    assert select("Id, a.Owner.Name boss") == (ID, Field(("a", "Owner", "Name"), "boss"))
    assert Field(("a", "Owner", "Name")).name == "a.Owner.Name"


@pytest.mark.parametrize(
    "word", ["Format", "Group", "Order", "Scope", "Offset", "Typeof", "Fields", "End", "By", "For"]
)
def test_a_keyword_that_is_not_reserved_is_a_field(word):
    assert select(f"{word}, Name") == (Field((word,)), NAME)


@pytest.mark.parametrize("word", ["Select", "From", "Null", "Not", "True", "Limit"])
def test_any_keyword_may_follow_a_point(word):
    assert select(f"x.{word}") == (Field(("x", word)),)


@pytest.mark.parametrize("text", ["COUNT()", "count()", "Count ( )"])
def test_count_without_argument_stands_alone(text):
    assert select(text) == (Function("COUNT"),)


def test_functions_nest_and_have_aliases():
    inner = Function("CONVERTCURRENCY", (Field(("Amount",)),))

    assert select("format(convertCurrency(Amount)) amt") == (Function("FORMAT", (inner,), "amt"),)


def test_a_function_that_is_not_known_takes_fields_and_values():
    (later,) = select("Later(Name, 'x', 1, TRUE, null)")

    assert later == Function("LATER", (NAME, "x", 1, True, None))


def test_distance_takes_a_place_a_point_or_place_and_a_unit():
    near = Function("GEOLOCATION", (37, -122))

    distance = select("DISTANCE(Here__c, GEOLOCATION(37, -122), 'MI')")[0]
    between = select("DISTANCE(Here__c, There__c, 'km')")[0]

    assert distance.args == (Field(("Here__c",)), near, "MI")
    assert between.args == (Field(("Here__c",)), Field(("There__c",)), "km")


@pytest.mark.parametrize("kind", ["ALL", "STANDARD", "CUSTOM"])
def test_fields_macros(kind):
    assert select(f"fields({kind.lower()})") == (FieldsMacro(kind),)


def test_typeof_has_branches_and_perhaps_an_else():
    text = "TYPEOF What WHEN Account THEN Phone, Owner.Name WHEN Case THEN FIELDS(ALL) ELSE Id END"

    assert select(text) == (
        Typeof(
            Field(("What",)),
            (
                TypeofWhen("Account", (Field(("Phone",)), Field(("Owner", "Name")))),
                TypeofWhen("Case", (FieldsMacro("ALL"),)),
            ),
            (ID,),
        ),
    )
    assert select("TYPEOF What WHEN Case THEN Id END")[0].otherwise == ()


def test_child_queries_are_queries_over_a_relationship():
    (child,) = select("(SELECT Id FROM Account.Contacts c LIMIT 2)")

    assert child == Subquery(query(from_=From(("Account", "Contacts"), "c"), limit=2))
    assert child.query.from_.name == "Account.Contacts"


def test_child_queries_nest():
    (child,) = select("(SELECT Id, (SELECT Id FROM C) FROM B)")

    assert child.query.select[1].query.from_ == From(("C",))


# --- FROM ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Group", "Order", "Case", "Offset", "Update", "Format"])
def test_objects_may_be_named_like_keywords(name):
    assert parse(f"SELECT Id FROM {name}").from_ == From((name,))


@pytest.mark.parametrize("alias", ["a", "AS a"])
def test_an_object_has_an_alias(alias):
    assert parse(f"SELECT a.Id FROM Account {alias}").from_ == From(("Account",), "a")


@pytest.mark.parametrize("alias", ["OFFSET", "UPDATE", "ALL", "Rollup"])
@pytest.mark.parametrize("rest", ["", " LIMIT 1", " OFFSET 1", " UPDATE TRACKING"])
def test_words_of_later_clauses_are_aliases_when_no_clause_follows(alias, rest):
    assert with_rest(f"{alias}{rest}").from_.alias == alias


@pytest.mark.parametrize("rest", ["OFFSET 1", "OFFSET :n", "UPDATE TRACKING", "ALL ROWS"])
def test_words_of_later_clauses_are_no_aliases_when_the_clause_follows(rest):
    assert with_rest(rest, binds=True, apex=True).from_.alias is None


def test_as_alone_is_an_alias():
    assert with_rest("AS").from_.alias == "AS"


def test_parent_paths_get_aliases_of_their_own():
    parsed = parse("SELECT Id FROM Contact c, c.Account a, a.Owner AS o")

    assert parsed.from_aliases == (
        FromAlias(("c", "Account"), "a"),
        FromAlias(("a", "Owner"), "o"),
    )


# --- the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["mine", "Everything", "my_team_territory", "scopingRule"])
def test_a_scope_is_one_word(scope):
    assert with_rest(f"using scope {scope}").scope == scope


@pytest.mark.parametrize("mode", ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"])
def test_with_an_access_mode(mode):
    assert with_rest(f"WITH {mode.lower()}").with_ == With(mode)


def test_with_data_categories():
    assert with_rest(
        "WITH DATA CATEGORY G__c at (a__c, b__c) AND P__c above_or_below c__c"
    ) == query(
        with_=With(
            "DATA CATEGORY",
            (
                DataCategory("G__c", "AT", ("a__c", "b__c")),
                DataCategory("P__c", "ABOVE_OR_BELOW", ("c__c",)),
            ),
        )
    )


def test_with_data_categories_and_an_access_mode():
    clause = with_rest("WITH DATA CATEGORY G__c BELOW a__c WITH SECURITY_ENFORCED").with_

    assert clause.mode == "SECURITY_ENFORCED"


def test_with_any_other_condition():
    clause = with_rest("WITH NetworkId = '0DB' WITH USER_MODE").with_

    assert clause.kind == "FILTER"
    assert clause.condition == Comparison(Field(("NetworkId",)), "=", "0DB")
    assert clause.mode == "USER_MODE"


@pytest.mark.parametrize("kind", ["ROLLUP", "CUBE"])
def test_group_by_subtotals(kind):
    assert with_rest(f"GROUP BY {kind.lower()}(Name, Id)").group_by == GroupBy((NAME, ID), kind)


def test_group_by_fields_and_functions():
    year = Function("CALENDAR_YEAR", (Field(("CreatedDate",)),))

    assert with_rest("GROUP BY Name, CALENDAR_YEAR(CreatedDate)").group_by == GroupBy((NAME, year))


def test_rollup_without_parenthesis_is_a_field():
    assert with_rest("GROUP BY Rollup, Cube").group_by.items == (
        Field(("Rollup",)),
        Field(("Cube",)),
    )


def test_having_follows_group_by():
    having = with_rest("GROUP BY Name HAVING COUNT(Id) > 1").having

    assert having == Comparison(Function("COUNT", (ID,)), ">", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name", Ordering(NAME)),
        ("Name ASC", Ordering(NAME)),
        ("Name desc", Ordering(NAME, descending=True)),
        ("Name NULLS FIRST", Ordering(NAME, nulls="FIRST")),
        ("Name DESC nulls last", Ordering(NAME, descending=True, nulls="LAST")),
        ("COUNT(Id) DESC", Ordering(Function("COUNT", (ID,)), descending=True)),
    ],
)
def test_orderings(text, expected):
    assert with_rest(f"ORDER BY {text}").order_by == (expected,)


def test_limit_and_offset():
    assert with_rest("LIMIT 10 OFFSET 0") == query(limit=10, offset=0)


@pytest.mark.parametrize("text", ["FOR VIEW, REFERENCE", "FOR VIEW FOR REFERENCE"])
def test_for_words_are_kept_in_order(text):
    assert with_rest(text).for_ == ("VIEW", "REFERENCE")


def test_update_words_are_kept_in_order():
    assert with_rest("FOR VIEW UPDATE viewstat, tracking") == query(
        for_=("VIEW",), update=("VIEWSTAT", "TRACKING")
    )


# --- what only Apex runs ------------------------------------------------------------------------


def test_apex_clauses_are_read_on_request():
    parsed = with_rest("LIMIT 1 FOR UPDATE", apex=True)
    deleted = with_rest("LIMIT 1 ALL ROWS", apex=True)

    assert parsed == query(limit=1, for_=("UPDATE",))
    assert deleted == query(limit=1, all_rows=True)


@pytest.mark.parametrize("clause", ["FOR UPDATE", "ALL ROWS"])
def test_apex_clauses_are_refused_otherwise(clause):
    with pytest.raises(SoqlSyntaxError, match="works in Apex only"):
        with_rest(clause)


def test_binds_are_read_on_request():
    parsed = with_rest("WHERE Name = :name AND Id IN :ids LIMIT :n OFFSET :from", binds=True)

    comparison, membership = parsed.where.parts
    assert comparison.value == Bind("name")
    assert membership.values == Bind("ids")
    assert (parsed.limit, parsed.offset) == (Bind("n"), Bind("from"))


def test_a_bind_may_stand_where_a_list_holds_a_value():
    assert with_rest("WHERE Id IN (:one, 'b')", binds=True).where.values == (Bind("one"), "b")


# --- depth --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opening", "count"),
    [("(", 500), ("NOT (", 500), ("F(", 500), ("a IN (SELECT b FROM C WHERE ", 500)],
)
def test_too_much_nesting_is_an_error_and_no_crash(opening, count):
    with pytest.raises(SoqlSyntaxError, match="nested too deeply"):
        with_rest(f"WHERE {opening * count}")


def test_sensible_nesting_is_read():
    assert with_rest(f"WHERE {'(' * 100}Id = '1'{')' * 100}").where == Comparison(ID, "=", "1")
    assert with_rest(f"WHERE {'a IN (SELECT b FROM C WHERE ' * 20}Id = '1'{')' * 20}").where


def test_depth_counts_levels_and_not_parentheses():
    condition = " AND ".join(["(Id = '1')"] * 300)

    assert len(with_rest(f"WHERE {condition}").where.parts) == 300
