"""The page of login errors says what the code says, row by row, and leaves nothing out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

import sfconnect
from sfconnect._types import Secret
from sfconnect.auth import Credentials
from sfconnect.auth.oauth2.refusals import OAUTH_RULES, LoginFacts, Rule, explain
from sfconnect.auth.oauth2.wire import Refusal
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth.hints import RULES
from sfconnect.salesforce.service import SalesforceService

PAGE = (Path(__file__).parents[2] / "docs/reference/login-errors.md").read_text(encoding="utf-8")
SOURCES = Path(sfconnect.__file__).parent
CLIENT_AUTH = {"private_key_jwt", "tls_client_auth"}
DETAILS = ["authorize_url", "sandbox_username", "wanted_audience", "token_url", "error_uri"]


class UnknownDrift(float):
    """Shows its placeholder instead of a number."""

    def __format__(self, spec: str) -> str:
        return "{drift}"

    def __round__(self, digits: Any = None) -> Any:
        return self


class Placeholders(LoginFacts):
    """Facts that fill each placeholder with itself, so that texts come out as they are written."""

    host = "{host}"


@dataclass(frozen=True)
class Row:
    """One wording of one row."""

    says: str
    flow: str
    error: str
    key: str
    meaning: str
    advice: str
    rules: tuple[Rule, ...]

    @property
    def refusal(self) -> Refusal:
        code, _, description = self.says.partition(": ")
        return Refusal(400, error=code, description=description)

    @property
    def facts(self) -> LoginFacts:
        by_client = self.flow in CLIENT_AUTH
        return Placeholders(
            "any flow" if by_client else self.flow,
            "https://acme.my.salesforce.com",
            client_auth=self.flow if by_client else "",
            drift_s=UnknownDrift(),
            username="{username}",
            audience="{audience}",
            other_audience="{other_audience}",
            details={name: f"{{{name}}}" for name in DETAILS},
        )

    @property
    def rule(self) -> Rule:
        return next(
            rule for rule in (*self.rules, *OAUTH_RULES) if rule.matches(self.refusal, self.facts)
        )


def rows() -> Iterator[Row]:
    salesforce, _, rest = PAGE.partition("## Any OAuth 2.0 server")
    for section in salesforce.split("\n### ")[1:]:
        error = re.findall(r"`\w+`", section.partition("\n")[0])[0]
        for says, flow, *others in cells(section):
            yield from variants(says, [flow, error, *others], RULES)
    for says, *others in cells(rest.partition("\n## ")[0]):
        yield from variants(says, others, ())


def cells(section: str) -> Iterator[list[str]]:
    for line in section.splitlines():
        if line.startswith("| `"):
            yield line.removeprefix("| ").removesuffix(" |").split(" | ")


def variants(says: str, others: list[str], rules: tuple[Rule, ...]) -> Iterator[Row]:
    flow, error, key, meaning, advice = ("" if cell == "—" else cell for cell in others)
    for one in says.split("<br>"):
        said, of_flow, kind, named = (cell.strip("`") for cell in (one, flow, error, key))
        yield Row(said, of_flow, kind, named, meaning, advice, rules)


ROWS = list(rows())


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
    shown = [row.rule for row in ROWS if not row.rules]

    assert [rule.key for rule in OAUTH_RULES if not any(rule is one for one in shown)] == []


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
