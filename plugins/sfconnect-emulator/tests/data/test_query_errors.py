from __future__ import annotations

import pytest

from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.soql.desk import Desk

NO_COLUMN = (
    "No such column '{}' on entity '{}'. If you are attempting to use a custom field, be sure to "
    "append the '__c' after the custom field name. Please reference your WSDL or the describe "
    "call for the appropriate names."
)
NO_RELATIONSHIP = (
    "Didn't understand relationship '{}' in {}. If you are attempting to use a custom "
    "relationship, be sure to append the '__r' after the custom relationship name. Please "
    "reference your WSDL or the describe call for the appropriate names."
)


@pytest.fixture(scope="module")
def org(seeded: Desk) -> Desk:
    return seeded


def test_an_unknown_field_is_shown_with_a_caret(org: Desk) -> None:
    error = org.refusal("SELECT Bacon__c FROM Account LIMIT 2")

    assert (error.status, error.code, error.fields) == (400, "INVALID_FIELD", None)
    assert error.message == (
        "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\n"
        + NO_COLUMN.format("Bacon__c", "Account")
    )


def test_an_unknown_object_is_shown_with_a_caret(org: Desk) -> None:
    error = org.refusal("SELECT Id FROM Bacon__c")

    assert (error.status, error.code, error.fields) == (400, "INVALID_TYPE", None)
    assert error.message == (
        "\nSELECT Id FROM Bacon__c\n               ^\nERROR at Row:1:Column:16\n"
        "sObject type 'Bacon__c' is not supported. If you are attempting to use a custom object, "
        "be sure to append the '__c' after the entity name. Please reference your WSDL or the "
        "describe call for the appropriate names."
    )


def test_a_bad_id_points_at_the_bracket_of_its_condition(org: Desk) -> None:
    inside = org.refusal("SELECT Id FROM Account WHERE ( Id = 'abc')")
    bare = org.refusal("SELECT Id FROM Account WHERE Id = 'abc'")

    assert inside.code == bare.code == "INVALID_QUERY_FILTER_OPERATOR"
    assert inside.message.splitlines()[2:] == [
        " " * 29 + "^", "ERROR at Row:1:Column:30", "invalid ID field: abc",
    ]  # fmt: skip
    assert bare.message.splitlines()[3] == "ERROR at Row:1:Column:30"


def test_the_excerpt_of_a_long_query_begins_at_a_word_near_the_place(org: Desk) -> None:
    fields = ", ".join(f.name for f in org.store.schema.get("Account").fields[:20])  # type: ignore[union-attr]  # exists
    soql = f"SELECT {fields} FROM Account WHERE Name != 'some text' AND (Id = 'abc') LIMIT 5"
    error = org.refusal(soql)
    _, excerpt, caret, place, _ = error.message.split("\n")
    index = soql.index("(Id")

    assert place == f"ERROR at Row:1:Column:{index + 1}"
    assert excerpt[len(caret) - 1 :] == "(Id = 'abc') LIMIT 5"
    assert 40 < len(caret) <= 51
    assert soql.endswith(excerpt)
    assert soql[: -len(excerpt)].endswith((" ", ","))


def test_rows_and_columns_are_counted_in_lines(org: Desk) -> None:
    error = org.refusal("SELECT Id,\n  Bacon\nFROM Account")

    assert error.message.splitlines()[:4] == [
        "", "SELECT Id,   Bacon FROM Account", " " * 13 + "^", "ERROR at Row:2:Column:3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("soql", "token"),
    [
        ("SELEKT Id FROM Account", "SELEKT"),
        ("SELECT Id FORM Account", "FORM"),
        ("SELECT Id FROM Account WHERE", "<EOF>"),
        ("SELECT FROM Account", "FROM"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "OR"),
        ("SELECT Id FROM Account WHERE Name = :name", ":"),
        ("SELECT Id FROM Account FOR UPDATE", "UPDATE"),
        ("SELECT Id FROM Account ALL ROWS", "ALL"),
    ],
)
def test_bad_grammar_names_the_token(org: Desk, soql: str, token: str) -> None:
    error = org.refusal(soql)

    assert (error.status, error.code) == (400, "MALFORMED_QUERY")
    assert error.message == f"unexpected token: {token}"


@pytest.mark.parametrize(
    ("soql", "code", "message"),
    [
        ("SELECT Foo.Name FROM Contact", "INVALID_FIELD",
         NO_RELATIONSHIP.format("Foo", "field path")),
        ("SELECT Id FROM Contact WHERE Account.Foo.Name = 'x'", "INVALID_FIELD",
         NO_RELATIONSHIP.format("Foo", "field path")),
        ("SELECT Account.Foo FROM Contact", "INVALID_FIELD", NO_COLUMN.format("Foo", "Account")),
        ("SELECT Id FROM Contact ORDER BY Foo", "INVALID_FIELD",
         NO_COLUMN.format("Foo", "Contact")),
        ("SELECT What.Amount FROM Task", "INVALID_FIELD", NO_COLUMN.format("Amount", "Name")),
        ("SELECT Id FROM Task WHERE What.Amount = 5", "INVALID_FIELD",
         NO_COLUMN.format("Amount", "Name")),
        ("SELECT Id FROM Task WHERE What.Owner.Name = 'x'", "INVALID_FIELD",
         NO_RELATIONSHIP.format("Owner", "field path")),
        ("SELECT What.Owner.Name FROM Task", "INVALID_FIELD",
         NO_RELATIONSHIP.format("Owner", "field path")),
        ("SELECT TYPEOF Foo WHEN Account THEN Id END FROM Task", "INVALID_FIELD",
         NO_RELATIONSHIP.format("Foo", "field path")),
        ("SELECT (SELECT Id FROM Foos) FROM Account", "INVALID_FIELD",
         NO_RELATIONSHIP.format("Foos", "FROM part of query call")),
        ("SELECT (SELECT Id FROM Owner.Contacts) FROM Account", "INVALID_FIELD",
         NO_RELATIONSHIP.format("Contacts", "FROM part of query call")),
        ("SELECT (SELECT Foo FROM Contacts) FROM Account", "INVALID_FIELD",
         NO_COLUMN.format("Foo", "Contact")),
        ("SELECT Id, Name, id FROM Account", "INVALID_FIELD", "duplicate field selected: id"),
        ("SELECT Name, Account.Name, Contact.Name FROM Contact", "INVALID_FIELD",
         "duplicate field selected: Name"),
        ("SELECT FIELDS(STANDARD), Name FROM Account", "INVALID_FIELD",
         "duplicate field selected: Name"),
        ("SELECT (SELECT Id FROM Contacts), (SELECT Id FROM contacts) FROM Account",
         "INVALID_FIELD", "duplicate field selected: Contacts"),
        ("SELECT toLabel(Type), Type FROM Account", "INVALID_FIELD",
         "duplicate field selected: Type"),
        ("SELECT Name alias FROM Account", "MALFORMED_QUERY",
         "only aggregate expressions use field aliasing"),
        ("SELECT Id FROM Account WHERE Description LIKE 'x'", "INVALID_FIELD",
         "field 'Description' can not be filtered in a query call"),
        ("SELECT Id FROM Account WHERE BillingAddress = 'x'", "INVALID_FIELD",
         "field 'BillingAddress' can not be filtered in a query call"),
        ("SELECT Id FROM Account ORDER BY Description", "MALFORMED_QUERY",
         "field 'Description' can not be sorted in a query call"),
        ("SELECT Id FROM Everything__c ORDER BY Multi__c", "MALFORMED_QUERY",
         "field 'Multi__c' can not be sorted in a query call"),
        ("SELECT Id FROM Account WHERE CreatedDate = '2026-01-01T00:00:00Z'", "INVALID_FIELD",
         "value of filter criterion for field 'CreatedDate' must be of type dateTime and should "
         "not be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE CreatedDate = 2026-01-01", "INVALID_FIELD",
         "value of filter criterion for field 'CreatedDate' must be of type dateTime and should "
         "not be enclosed in quotes"),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2026-01-01T00:00:00Z", "INVALID_FIELD",
         "value of filter criterion for field 'CloseDate' must be of type date and should not be "
         "enclosed in quotes"),
        ("SELECT Id FROM Account WHERE IsDeleted = 'true'", "INVALID_FIELD",
         "value of filter criterion for field 'IsDeleted' must be of type boolean and should not "
         "be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE AnnualRevenue IN ('5')", "INVALID_FIELD",
         "value of filter criterion for field 'AnnualRevenue' must be of type double and should "
         "not be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE NumberOfEmployees = true", "INVALID_FIELD",
         "value of filter criterion for field 'NumberOfEmployees' must be of type int and should "
         "not be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD",
         "value of filter criterion for field 'Name' must be of type string and should be "
         "enclosed in quotes"),
        ("SELECT Id FROM Everything__c WHERE Time__c = '09:00:00Z'", "INVALID_FIELD",
         "value of filter criterion for field 'Time__c' must be of type time and should not be "
         "enclosed in quotes"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid operator on id field"),
        ("SELECT Id FROM Account WHERE OwnerId LIKE '005%'", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid operator on id field"),
        ("SELECT Id FROM Account WHERE AnnualRevenue LIKE '5%'", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid operator on number field"),
        ("SELECT Id FROM Account WHERE IsDeleted > false", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid operator on boolean field"),
        ("SELECT Id FROM Account WHERE Name INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid operator on string field"),
        ("SELECT Id FROM Everything__c WHERE Multi__c LIKE 'x'", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid operator on multipicklist field"),
        ("SELECT Id FROM Account WHERE Name IN (SELECT Id FROM Contact)",
         "INVALID_QUERY_FILTER_OPERATOR",
         "The left operand of a semi join must be an id or reference field"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Contact)",
         "INVALID_QUERY_FILTER_OPERATOR",
         "The selected field 'Name' of a semi join must be an id or reference"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Foo)", "INVALID_TYPE",
         "sObject type 'Foo' is not supported."),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE",
         "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM Account WHERE SHOUT(Name) = 'x'", "MALFORMED_QUERY",
         "Invalid function: SHOUT"),
        ("SELECT Id FROM Account WHERE Name = 'a' OR Id IN (SELECT AccountId FROM Contact)",
         "MALFORMED_QUERY",
         "Semi join sub-selects are only allowed at the top level WHERE expressions and not in "
         "nested WHERE expressions."),
        ("SELECT Id FROM Account WHERE (NOT Id IN (SELECT AccountId FROM Contact))",
         "MALFORMED_QUERY",
         "Semi join sub-selects are only allowed at the top level WHERE expressions and not in "
         "nested WHERE expressions."),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE AccountId IN "
         "(SELECT Id FROM Account))", "MALFORMED_QUERY",
         "Nesting of semi join sub-selects is not supported"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) AND Id IN "
         "(SELECT AccountId FROM Case) AND Id IN (SELECT AccountId FROM Opportunity)",
         "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
         "maximum 2 semi join sub-selects are allowed in a query"),
        ("SELECT Parent.Parent.Parent.Parent.Parent.Parent.Name FROM Account", "INVALID_FIELD",
         "Relationship paths may have at most 5 levels"),
        ("SELECT Id FROM Account WHERE Parent.Parent.Parent.Parent.Parent.Parent.Name = 'x'",
         "INVALID_FIELD", "Relationship paths may have at most 5 levels"),
        ("SELECT Id FROM Account ORDER BY DISTANCE(Name, GEOLOCATION(1, 2), 'km')",
         "MALFORMED_QUERY", "DISTANCE() takes location fields and GEOLOCATION()"),
    ],
)  # fmt: skip
def test_queries_that_are_refused(org: Desk, soql: str, code: str, message: str) -> None:
    error = org.refusal(soql)

    assert (error.status, error.code, error.fields) == (400, code, None)
    assert error.message.split("\n")[-1].startswith(message)


def test_five_hops_are_allowed(org: Desk) -> None:
    assert org.query("SELECT Parent.Parent.Parent.Parent.Parent.Name FROM Account LIMIT 1")


def test_two_semi_joins_are_allowed(org: Desk) -> None:
    accounts = set(org.values("SELECT Id FROM Account"))
    with_contact = set(org.values("SELECT AccountId FROM Contact"))
    with_case = set(org.values("SELECT AccountId FROM Case"))

    found = org.values(
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) AND "
        "(Name != null AND Id NOT IN (SELECT AccountId FROM Case))"
    )

    assert set(found) == (accounts & with_contact) - with_case


@pytest.mark.parametrize(("version", "limit"), [(68.0, 100_000), (48.0, 100_000), (47.0, 20_000)])
def test_the_length_of_a_query_is_limited_by_version(org: Desk, version: float, limit: int) -> None:
    soql = "SELECT Id FROM Account WHERE Name IN ("
    listed = "'" + "', '".join(["x" * 3000] * 40) + "'"
    longest = (soql + listed)[: limit - 2].rsplit("',", 1)[0] + "')"
    padded = longest + " " * (limit - len(longest))

    assert org.engine.run(padded, version=version).total_size == 0
    with pytest.raises(Exception, match=f"can not be longer than {limit} characters"):
        org.engine.run(padded + " ", version=version)


def test_a_filter_value_is_limited(org: Desk) -> None:
    assert org.values(f"SELECT Id FROM Account WHERE Name = '{'x' * 4000}'") == []
    assert org.refusal(f"SELECT Id FROM Account WHERE Name = '{'x' * 4001}'").code == (
        "MALFORMED_QUERY"
    )


def test_long_lists_and_deep_logic_are_no_trouble(org: Desk) -> None:
    ids = org.values("SELECT Id FROM Account")
    listed = "', '".join(ids * 30)
    alternatives = " OR ".join(f"Id = '{i}'" for i in ids * 12)

    assert org.values(f"SELECT Id FROM Account WHERE Id IN ('{listed}')") == ids
    assert org.values(f"SELECT Id FROM Account WHERE {alternatives}") == ids


def test_children_of_children_came_with_version_58(org: Desk) -> None:
    soql = "SELECT (SELECT (SELECT Id FROM Everything_Items__r) FROM Everythings__r) FROM Account"

    assert org.engine.run(soql, version=58.0).records
    with pytest.raises(Exception, match="more than 1 level away"):
        org.engine.run(soql, version=57.0)


def test_child_queries_are_limited_in_number(org: Desk) -> None:
    children = ", ".join(["(SELECT Id FROM Contacts)"] * 21)

    assert org.refusal(f"SELECT {children} FROM Account").code == "QUERY_TOO_COMPLICATED"


@pytest.mark.parametrize("value", ["''", "null"])
def test_an_empty_id_finds_nothing(org: Desk, value: str) -> None:
    assert org.values(f"SELECT Id FROM Account WHERE Id = {value}") == []


def test_ids_are_found_in_either_length(org: Desk) -> None:
    record_id = org.values("SELECT Id FROM Account")[3]

    for text in (record_id, record_id[:15]):
        assert org.values(f"SELECT Id FROM Account WHERE Id = '{text}'") == [record_id]
        assert org.values(f"SELECT Id FROM Account WHERE Id IN ('{text}')") == [record_id]


def test_case_counts_only_for_case_sensitive_fields() -> None:
    desk = Desk.open()
    for key in ("K1", "k1", "k%", "kx"):
        desk.create("Everything__c", Text__c=key, Case_Key__c=key)
    where = "SELECT Text__c FROM Everything__c WHERE"

    assert desk.values(f"{where} Text__c = 'k1'") == ["K1", "k1"]
    assert desk.values(f"{where} Case_Key__c = 'k1'") == ["k1"]
    assert desk.values(f"{where} Case_Key__c IN ('K1', 'kx')") == ["K1", "kx"]
    assert desk.values(f"{where} Case_Key__c LIKE 'k_'") == ["k1", "k%", "kx"]
    assert desk.values(f"{where} Case_Key__c LIKE 'k\\%'") == ["k%"]
    assert desk.values(f"{where} Case_Key__c LIKE '%1'") == ["K1", "k1"]


@pytest.mark.parametrize("condition", ["Name > null", "CreatedDate <= null", "Name < ''"])
def test_nothing_is_before_or_after_null(org: Desk, condition: str) -> None:
    assert org.values(f"SELECT Id FROM Account WHERE {condition}") == []


def test_an_empty_pattern_or_choice_means_null(org: Desk) -> None:
    nulls = org.values("SELECT Id FROM Everything__c WHERE Multi__c = null")

    assert nulls
    assert org.values("SELECT Id FROM Everything__c WHERE Multi__c INCLUDES ('')") == nulls
    by_pattern = org.values("SELECT Id FROM Everything__c WHERE Text__c LIKE ''")
    assert by_pattern == org.values("SELECT Id FROM Everything__c WHERE Text__c = ''")


def test_currency_literals_are_amounts() -> None:
    desk = Desk.open()
    desk.create("Account", Name="x", AnnualRevenue=5000)

    assert desk.values("SELECT Name FROM Account WHERE AnnualRevenue >= USD5000") == ["x"]


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT FIELDS(STANDARD) FROM Account",
        "SELECT FIELDS(ALL) FROM Account LIMIT 1",
        "SELECT (SELECT FIELDS(STANDARD) FROM Contacts) FROM Account",
        "SELECT TYPEOF What WHEN Account THEN FIELDS(STANDARD) END FROM Task",
        "SELECT TYPEOF What WHEN Account THEN Name ELSE Name, FIELDS(STANDARD) END FROM Task",
    ],
)
def test_fields_are_a_function_from_version_51_on(org: Desk, soql: str) -> None:
    with pytest.raises(ApiError) as caught:
        org.engine.run(soql, version=50.0)

    assert (caught.value.code, caught.value.message) == (
        *("MALFORMED_QUERY", "unexpected token: FIELDS"),
    )
    org.engine.run(soql, version=51.0)
