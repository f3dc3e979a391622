"""The errors that `auth explain` tells of are errors that there are, under the keys they have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sfconnect
from sfconnect.auth.oauth2.refusals import OAUTH_RULES, LoginFacts, explain
from sfconnect.auth.oauth2.wire import Refusal
from sfconnect.cli.explained import HOMES, Problem, explained_names, explanation_of
from sfconnect.salesforce.auth.hints import RULES

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs/reference/login-errors.md").read_text(encoding="utf-8")
KEY = re.compile(r"\"([a-z0-9]+(?:-[a-z0-9]+)+)\"")
NAMES = explained_names()
GRANTS = {
    "client-credentials": "client_credentials",
    "refresh-token": "refresh_token",
    "oauth2-refresh-token": "refresh_token",
    "authorization-code": "authorization_code",
}
"""What the flow is called in errors, where that is not the login's name."""


def keys_in(folder: Path) -> set[str]:
    """What may be a key, in the sources of a plugin."""
    sources = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return {key for text in sources for key in KEY.findall(text)}


def source_of(name: str) -> Path:
    """Where the errors of a login are made."""
    if name not in HOMES:
        return Path(sfconnect.__file__).parent
    home = HOMES[name]
    return CHECKOUT / "plugins" / home / home.replace("-", "_")


def problems_of(name: str) -> tuple[Problem, ...]:
    explanation = explanation_of(name)
    assert explanation is not None
    return explanation.problems


@pytest.mark.parametrize("name", NAMES)
def test_each_key_is_one_that_an_error_of_the_login_has(name: str) -> None:
    there = keys_in(source_of(name))

    told = {problem.key for problem in problems_of(name) if problem.key}

    assert sorted(told - there) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HOMES])
def test_each_key_is_on_the_page_of_login_errors(name: str) -> None:
    told = {problem.key for problem in problems_of(name) if problem.key}

    assert sorted(key for key in told if f"`{key}`" not in PAGE) == []


OURS = [
    pytest.param(problem, name, id=f"{name}: {problem.says}")
    for name in NAMES
    if name not in HOMES
    for problem in problems_of(name)
    if any(rule.key == problem.key for rule in (*RULES, *OAUTH_RULES))
]
"""What servers say; there are rules for it."""


@pytest.mark.parametrize(("problem", "name"), OURS)
def test_what_the_server_says_leads_to_the_key(problem: Problem, name: str) -> None:
    facts = LoginFacts(GRANTS.get(name, name), "https://acme.my.salesforce.com")
    rules = () if name.startswith("oauth2-") else RULES

    code, colon, words = problem.says.partition(": ")
    said = [(code, words)] if colon else [("invalid_grant", code), (code, "")]

    keys = {explain(Refusal(400, error=e, description=w), facts, rules).docs_key for e, w in said}
    assert problem.key in keys
