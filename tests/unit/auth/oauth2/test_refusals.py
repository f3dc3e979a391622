"""What a refusal means: the general rules, the texts, and what may not be in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfconnect.auth.oauth2.refusals import PROVIDER_RULES, LoginFacts, Rule, explain
from sfconnect.auth.oauth2.wire import Refusal, Shape
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    TransientAuthError,
)

FACTS = LoginFacts(
    "client_credentials",
    "https://auth.example.com:8443/token",
    client_id="app-12345678",
    secrets=("hun/ter 2", ""),
)

MEANINGS = [
    ("invalid_client", InvalidCredentialsError),
    ("INVALID_CLIENT", InvalidCredentialsError),
    ("invalid_grant", InvalidCredentialsError),
    ("unauthorized_client", AuthConfigurationError),
    ("unsupported_grant_type", AuthConfigurationError),
    ("invalid_scope", AuthConfigurationError),
    ("invalid_request", AuthConfigurationError),
    ("access_denied", AppAccessDenied),
    ("server_error", TransientAuthError),
    ("temporarily_unavailable", TransientAuthError),
    ("slow_down", LoginRateLimited),
    ("rate_limit_exceeded", LoginRateLimited),
    ("something_new", AuthConfigurationError),
]


@pytest.mark.parametrize(("code", "kind"), MEANINGS)
def test_the_codes_of_oauth_have_their_meaning(code, kind):
    error = explain(Refusal(400, error=code, request_id="r1"), FACTS)

    assert type(error) is kind
    assert (error.code, error.status, error.request_id) == (code, 400, "r1")
    assert error.docs_key


def test_a_dead_refresh_token_needs_a_new_authorisation():
    facts = LoginFacts("refresh_token", "https://auth.example.com/token")

    assert type(explain(Refusal(400, error="invalid_grant"), facts)) is ReauthorizationRequired


@pytest.mark.parametrize("status", [500, 502, 503, 599])
@pytest.mark.parametrize("shape", ["oauth", "html", "empty", "other"])
def test_a_failing_server_is_a_passing_fault_whatever_it_says(status, shape: Shape):
    refusal = Refusal(status, shape, "invalid_client", retry_after=3.0)

    error = explain(refusal, FACTS)

    assert type(error) is TransientAuthError
    assert error.retry_after == 3.0
    assert f"status {status}" in error.message


def test_the_title_of_a_failing_servers_page_is_told():
    error = explain(Refusal(503, "html", description="Down for maintenance"), FACTS)

    assert error.message == (
        "auth.example.com:8443 could not answer the login "
        "(status 503, a page titled 'Down for maintenance')."
    )


def test_status_429_is_a_rate_limit():
    error = explain(Refusal(429, "empty", retry_after=9.0), FACTS)

    assert type(error) is LoginRateLimited
    assert error.retry_after == 9.0


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (
            Refusal(200, "html", description="Sign in"),
            "status 200 with a web page titled 'Sign in'",
        ),
        (Refusal(403, "html"), "status 403 with a web page"),
        (Refusal(200, "empty"), "status 200 with an empty body"),
        (
            Refusal(302, "redirect", description="sso.example.com"),
            "status 302 with a redirect to sso.example.com, which is not followed",
        ),
        (Refusal(302, "redirect"), "a redirect to another place, which is not followed"),
        (
            Refusal(404, "other", description="9 characters of text/plain."),
            "something else: 9 characters of text/plain",
        ),
    ],
)
def test_an_answer_that_is_not_oauth_is_described(refusal, said):
    error = explain(refusal, FACTS)

    assert type(error) is AuthConfigurationError
    assert said in error.message
    assert "https://auth.example.com:8443/token" in (error.hint or "")
    assert ".." not in error.message


def test_the_message_says_who_asked_whom_for_what():
    facts = LoginFacts(
        "jwt-bearer",
        "https://login.example.com/token",
        client_id="3MVG9abcdefgh",
        username="ada@example.com",
        audience="https://login.example.com",
    )

    error = explain(Refusal(400, error="invalid_grant", description="no way"), facts)

    assert error.message == (
        "login.example.com refused the jwt-bearer login: invalid_grant: no way "
        "(client_id 3MVG9a…, username ada@example.com, audience https://login.example.com). "
        "The server does not take what the login is made of."
    )


def test_a_refusal_of_nobody_in_particular_is_short():
    error = explain(Refusal(400, error="odd"), LoginFacts("g", "https://a.example.com"))

    assert error.message == "a.example.com refused the g login: odd."
    assert error.hint is None


@pytest.mark.parametrize("secret", ["hun/ter 2", "hun%2Fter+2", "hun/ter%202"])
@pytest.mark.parametrize("shape", ["oauth", "html", "redirect", "other"])
@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_secret_in_the_servers_words_is_taken_out(secret, shape: Shape, status):
    error = explain(Refusal(status, shape, f"bad {secret}", f"sent {secret}."), FACTS)

    assert secret not in str(error)
    assert secret not in repr(error.__dict__)


def test_a_token_of_a_known_shape_is_taken_out_too():
    token = "00D000000000001AAA!AQ.secret"

    error = explain(Refusal(400, error="x", description=f"session {token}"), FACTS)

    assert "secret" not in str(error)


def test_a_secret_of_a_letter_does_not_eat_the_servers_words():
    facts = replace(FACTS, secrets=("a", "x y"))

    error = explain(Refusal(400, error="x", description="a bad app says a or x+y"), facts)

    assert "… bad app says … or …" in error.message


def test_a_long_text_is_cut_after_secrets_were_taken_out():
    """A secret that the cut divides would not be found any more."""
    refusal = Refusal(400, error="x", description="." * 297 + "hun/ter 2" + "." * 500)

    error = explain(refusal, FACTS)

    assert "hun" not in error.message
    assert len(error.message) < 450


def test_the_repr_of_the_facts_shows_no_secret():
    assert "hun" not in repr(FACTS)


RULES = (
    Rule("invalid_grant", "locked", AppAccessDenied, "Unlock {username} at {host}.", "locked"),
    Rule("", "audience", AuthConfigurationError, "Not {audience}: {other_audience}.", "audience"),
    Rule("", "clock", AuthError, "Off by {drift} s.", "clock"),
    Rule("x", "", AuthError, "For refreshing.", "only-refresh", frozenset({"refresh_token"})),
)


@pytest.mark.parametrize(
    ("refusal", "hint"),
    [
        (Refusal(400, error="invalid_grant", description="User LOCKED out"), "Unlock ada at h."),
        (Refusal(400, error="other", description="user locked"), None),
        (Refusal(400, error="any", description="bad audience"), "Not A: B."),
        (Refusal(400, error="any", description="wrong clock"), "Off by -61 s."),
        (Refusal(400, error="x"), None),
    ],
)
def test_the_first_rule_that_matches_code_text_and_grant_decides(refusal, hint):
    facts = LoginFacts(
        "jwt", "https://h", username="ada", audience="A", other_audience="B", drift_s=-61.2
    )

    assert explain(refusal, facts, RULES).hint == hint


@pytest.mark.parametrize(("drift_s", "told"), [(-0.3, "0"), (0.4, "0"), (-1.6, "-2"), (59.5, "60")])
def test_a_difference_of_clocks_is_told_in_whole_seconds_and_never_as_minus_none(drift_s, told):
    facts = LoginFacts("jwt", "https://h", drift_s=drift_s)

    error = explain(Refusal(400, error="x", description="clock"), facts, RULES)

    assert error.hint == f"Off by {told} s."


def test_hints_get_along_without_facts():
    facts = LoginFacts("refresh_token", "https://h")
    locked = Refusal(400, error="invalid_grant", description="locked")
    clock = Refusal(400, error="x", description="clock")

    assert explain(locked, facts, RULES).hint == "Unlock the user at h."
    assert explain(clock, facts, RULES).hint == "Off by an unknown number of s."
    assert explain(Refusal(400, error="x"), facts, RULES).hint == "For refreshing."


@pytest.mark.parametrize(
    ("refusal", "client_auth", "key"),
    [
        (Refusal(401, error="invalid_client", description="It asks for basic."), "body", "basic"),
        (Refusal(401, error="invalid_client", description="It asks for basic."), "basic", "client"),
        (Refusal(401, error="invalid_client", description="It asks for bearer."), "body", "client"),
        (Refusal(400, error="invalid_request"), "basic", "invalid-request"),
        (Refusal(400, error="invalid_target"), "basic", "invalid-target"),
    ],
)
def test_providers_whose_ways_are_options_are_told_which_to_look_at(refusal, client_auth, key):
    facts = LoginFacts("client_credentials", "https://auth.example.com", client_auth=client_auth)

    error = explain(refusal, facts, PROVIDER_RULES)

    assert str(error.docs_key).endswith(key)
    assert error.hint
