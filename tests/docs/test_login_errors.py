"""The page of login errors says what the code says, row by row, and leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from multidict import CIMultiDict

import sfconnect
from sfconnect._types import Secret
from sfconnect.auth import Credentials
from sfconnect.auth.oauth2.refusals import OAUTH_RULES, PROVIDER_RULES, explain
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth.hints import RULES
from sfconnect.salesforce.service import SalesforceService
from tests.docs.login_error_rows import PAGE, ROWS, Row

SOURCES = Path(sfconnect.__file__).parent


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.flow} {row.says}" for row in ROWS])
def test_each_row_is_what_the_code_says(row: Row) -> None:
    error = explain(row.refusal, row.facts, row.rules)

    assert type(error).__name__ == row.error
    assert error.docs_key == row.key
    assert row.rule.cause == row.meaning
    assert (error.hint or "") == row.advice
    assert error.message.endswith(row.meaning)


def test_each_rule_of_salesforce_has_a_row() -> None:
    shown = [row.rule for row in ROWS]

    assert [rule.key for rule in RULES if not any(rule is one for one in shown)] == []


def test_each_rule_of_oauth_has_a_row() -> None:
    shown = [row.rule for row in ROWS if not row.is_salesforces]
    challenged = {"client-auth-basic"}  # it is about a header: among the answers of another kind
    rules = [rule for rule in (*PROVIDER_RULES, *OAUTH_RULES) if rule.key not in challenged]

    assert [rule.key for rule in rules if not any(rule is one for one in shown)] == []
    assert sorted(key for key in challenged if f"`{key}`" not in PAGE) == []


def test_each_rule_tells_a_cause_and_what_to_do() -> None:
    silent = {"refused"}  # a code that nobody knows speaks for itself
    told = {"server-fault"}  # there is nothing to do
    rules = [*RULES, *OAUTH_RULES, *PROVIDER_RULES]

    assert [rule.key for rule in rules if not rule.cause and rule.key not in silent] == []
    assert [rule.key for rule in rules if not rule.hint and rule.key not in silent | told] == []


def test_each_key_that_an_error_may_have_is_on_the_page() -> None:
    given = r"(?:docs_key=|\n_KEY: Final = )\"([a-z0-9-]+)\""
    pattern = re.compile(given + r"|\"(key-[a-z-]+)\"")
    texts = [path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py")]
    keys = {first or second for text in texts for first, second in pattern.findall(text)}

    assert len(keys) > 30
    assert sorted(key for key in keys if f"`{key}`" not in PAGE) == []


def answer(status: int, body: str) -> Response:
    return Response(status, CIMultiDict({"Content-Type": "application/json"}), body.encode())


AFTER = [
    line for line in PAGE.partition("## After the login")[2].splitlines() if line[:3].strip("| ")
]
"""Rows that begin with a status."""


@pytest.mark.parametrize("line", [line for line in AFTER if re.match(r"\| \d{3} `", line)])
def test_an_answer_of_the_api_is_typed_and_explained_as_the_page_says(line: str) -> None:
    status, words, error, advice = re.findall(r"\| (\d+) `([^`]+)` \| `(\w+)` \| (.*) \|", line)[0]
    code = words if words.isupper() else "INVALID_SESSION_ID"
    refused = answer(int(status), f'[{{"errorCode":"{code}","message":"{words}"}}]')
    request = Request("GET", "/services/data/v68.0/limits")

    found = SalesforceService().decode_error(request, refused)

    assert type(found).__name__ == error
    assert "API Enabled" in (found.hint or "")
    assert "API Enabled" in advice
    assert not SalesforceService().token_is_dead(refused)
    assert found.retry_safe is (error == "ThrottledError")


def test_an_opaque_token_at_the_gateway_is_explained_as_the_page_says() -> None:
    service = SalesforceService()
    opaque = Credentials(Secret("00Dxx!abc"), "https://api.salesforce.com")

    error = service.explain_refusal(Request("GET", "/einstein/x"), answer(404, ""), opaque)

    assert error is not None
    assert error.docs_key == "token-format"
    assert "| 404 with nothing, from `api.salesforce.com` | `AuthConfigurationError`" in PAGE
