"""The rows of the page of login errors, for tests that hold them against the code and the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfconnect.auth.oauth2.refusals import OAUTH_RULES, PROVIDER_RULES, LoginFacts, Rule
from sfconnect.auth.oauth2.wire import Refusal
from sfconnect.salesforce.auth.hints import RULES

PAGE = (Path(__file__).parents[2] / "docs/reference/login-errors.md").read_text(encoding="utf-8")
CLIENT_AUTH = {"private_key_jwt", "tls_client_auth"}
DETAILS = ["authorize_url", "sandbox_username", "wanted_audience", "token_url", "error_uri"]


class UnknownDrift(float):
    """Shows its placeholder instead of a number."""

    def __round__(self, digits: Any = None) -> Any:
        return self

    def __format__(self, spec: str) -> str:
        return "{drift}"


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
    tried: str
    """``org``, ``answer``, or nothing where the page does not tell."""
    cell: str
    """All wordings of the row."""
    rules: tuple[Rule, ...]

    @property
    def is_salesforces(self) -> bool:
        return self.rules is RULES

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
    """All rows, a row with several wordings several times."""
    salesforce, _, rest = PAGE.partition("## Any OAuth 2.0 server")
    for section in salesforce.split("\n### ")[1:]:
        error = re.findall(r"`\w+`", section.partition("\n")[0])[0]
        for says, flow, *others in cells(section):
            yield from variants(says, [flow, error, *others], RULES)
    for says, *others in cells(rest.partition("\n## ")[0]):
        yield from variants(says, [*others, ""], PROVIDER_RULES)


def cells(section: str) -> Iterator[list[str]]:
    for line in section.splitlines():
        if line.startswith("| `"):
            yield line.removeprefix("| ").removesuffix(" |").split(" | ")


def variants(says: str, others: list[str], rules: tuple[Rule, ...]) -> Iterator[Row]:
    filled = ("" if cell == "—" else cell for cell in others)
    flow, error, key, meaning, advice, tried = filled
    for one in says.split("<br>"):
        said, of_flow, kind, named = (cell.strip("`") for cell in (one, flow, error, key))
        yield Row(said, of_flow, kind, named, meaning, advice, tried, says, rules)


ROWS = list(rows())
