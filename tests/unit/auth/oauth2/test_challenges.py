"""``WWW-Authenticate`` in the forms that servers write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from sfconnect.auth.oauth2.challenges import (
    Challenge,
    bearer_error,
    challenges_of,
    parse_challenges,
)
from sfconnect.messages import Response

FORMS = {
    "scheme alone": ("Negotiate", [("negotiate", {})]),
    "quoted": ('Basic realm="a, b=c"', [("basic", {"realm": "a, b=c"})]),
    "unquoted": ("Bearer error=invalid_token", [("bearer", {"error": "invalid_token"})]),
    "escapes": (r'Basic realm="a \"b\" \\c"', [("basic", {"realm": r'a "b" \c'})]),
    "spaces": ('bearer  Realm = "x" ,\terror="y"', [("bearer", {"realm": "x", "error": "y"})]),
    "two in one": (
        'Basic realm="x", Bearer error="invalid_token", scope="a b"',
        [("basic", {"realm": "x"}), ("bearer", {"error": "invalid_token", "scope": "a b"})],
    ),
    "token68": ("Negotiate YWJj==, Basic", [("negotiate", {}), ("basic", {})]),
    "a name twice": ('Bearer error="a", error="b"', [("bearer", {"error": "a"})]),
    "no scheme": ('realm="x", Basic', [("basic", {})]),
    "unclosed": ('Bearer error="x', [("bearer", {})]),
    "empty": ("", []),
    "commas": (" , ,", []),
}


@pytest.mark.parametrize(("value", "expected"), FORMS.values(), ids=FORMS.keys())
def test_a_header_is_taken_apart(value, expected):
    parsed = parse_challenges(value)

    first = [Challenge(scheme, parameters) for scheme, parameters in expected]
    assert list(parsed)[: len(first)] == first
    if value.count('"') % 2 == 0:
        assert len(parsed) == len(first)


@given(st.text() | st.text(alphabet='Bearer="error\\, invalid_tok\t'))
def test_no_header_breaks_the_reading(value):
    for challenge in parse_challenges(value):
        assert challenge.scheme == challenge.scheme.lower() != ""


NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
TEXTS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.lists(st.tuples(NAMES, st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3))))
def test_what_is_written_is_read_back(challenges):
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    value = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(text)}" for name, text in parameters.items())
        for scheme, parameters in challenges
    )

    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(value)] == challenges


def test_several_headers_are_read_as_one():
    headers = CIMultiDict([("WWW-Authenticate", 'Basic realm="x"')])
    headers.add("www-authenticate", 'Bearer error="Invalid_Token"')
    response = Response(401, headers, b"")

    assert [one.scheme for one in challenges_of(response)] == ["basic", "bearer"]
    assert bearer_error(response) == "invalid_token"


@pytest.mark.parametrize(
    "headers", [{}, {"WWW-Authenticate": 'Basic error="invalid_token"'}, {"Allow": "Bearer"}]
)
def test_only_a_bearer_challenge_speaks_of_a_token(headers):
    assert bearer_error(Response(401, headers, b"")) is None
