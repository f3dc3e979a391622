"""A person in the browser, at Salesforce: addresses, fields, renewal, revocation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials, SupportsRefresh, SupportsRevoke
from sfconnect.auth.store import identity_key
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    CredentialUnavailableError,
    InvalidCredentialsError,
    ReauthorizationRequired,
)
from sfconnect.messages import Request
from sfconnect.salesforce.auth import AuthorizationCode
from sfconnect.testing import FakePerson, ScriptedSender, answer
from tests.unit.auth.oauth2.people import context_of, form_of, log_in_by, query_of

ACME = "https://acme.my.salesforce.com"
PRODUCTION = "https://login.salesforce.com"
TOKEN = {
    "access_token": "00Dxx!abc",
    "refresh_token": "5Aep-first",
    "instance_url": ACME,
    "scope": "api refresh_token",
    "issued_at": "1700000000000",
}
LOGIN = AuthorizationCode(ACME, "3MVG9app", redirect_uris=("http://127.0.0.1:0/cb",))
GIVEN = Credentials(Secret("00Dxx!old"), ACME, refresh_token=Secret("5Aep-held"))


async def log_in(clock, sender, strategy=LOGIN, person=None) -> Credentials:
    return await log_in_by(strategy, clock, sender, person or FakePerson({"code": "aPrx.1=="}))


async def test_a_person_is_sent_to_the_org_and_the_code_is_redeemed_there(clock):
    person, sender = FakePerson({"code": "aPrx.1=="}), ScriptedSender(answer(TOKEN))

    credentials = await log_in(clock, sender, person=person)

    (url,) = person.opened
    query = query_of(url)
    assert url.startswith(f"{ACME}/services/oauth2/authorize?")
    assert set(query) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
    }
    assert sender.last.path == f"{ACME}/services/oauth2/token"
    form = form_of(sender.last)
    assert len(form.pop("code_verifier")) == 86
    assert form == {
        "grant_type": "authorization_code",
        "code": "aPrx.1==",
        "redirect_uri": query["redirect_uri"],
        "client_id": "3MVG9app",
    }
    assert credentials.access_token.reveal() == "00Dxx!abc"
    assert credentials.refresh_token is not None
    assert credentials.refresh_token.reveal() == "5Aep-first"
    assert credentials.scopes == {"api", "refresh_token"}


async def test_what_is_asked_of_the_person_goes_into_the_url_and_not_into_the_exchange(clock):
    person, sender = FakePerson(), ScriptedSender(answer(TOKEN))
    strategy = replace(
        LOGIN, scope="api refresh_token", login_hint="ada@example.com", login_prompt="login"
    )

    await log_in(clock, sender, strategy, person)

    query = query_of(person.opened[0])
    assert query["scope"] == "api refresh_token"
    assert query["login_hint"] == "ada@example.com"
    assert query["prompt"] == "login"
    assert not {"scope", "login_hint", "prompt"} & set(form_of(sender.last))


async def test_a_secret_is_sent_only_if_there_is_one_and_the_next_is_tried_after_it(clock):
    refused = answer({"error": "invalid_client", "error_description": "invalid"}, status=400)
    sender = ScriptedSender(refused, answer(TOKEN))
    strategy = replace(LOGIN, client_secret="old", client_secret_next="new")

    await log_in(clock, sender, strategy)

    first, second = map(form_of, sender.requests)
    assert first["client_secret"] == "old"
    assert second == {**first, "client_secret": "new"}


async def test_the_default_callback_is_the_one_that_many_apps_have():
    assert AuthorizationCode(ACME, "3MVG9app").redirect_uris == (
        "http://localhost:1717/OauthRedirect",
    )


@pytest.mark.parametrize(
    ("login_url", "issuer", "is_taken"),
    [
        (ACME, ACME, True),
        (ACME, "https://other.my.salesforce.com", False),
        (ACME, PRODUCTION, False),
        (PRODUCTION, PRODUCTION, True),
        (PRODUCTION, ACME, True),
        (PRODUCTION, "https://evil.example.com", False),
        (PRODUCTION, "https://login.salesforce.com.evil.example.com", False),
        (PRODUCTION, "not a URL", False),
        (PRODUCTION, "", False),
    ],
)
async def test_only_the_org_may_say_that_it_answered(clock, login_url, issuer, is_taken):
    sender = ScriptedSender(answer(TOKEN))
    person = FakePerson({"code": "a", "iss": issuer})

    login = log_in(clock, sender, replace(LOGIN, login_url=login_url), person)

    if is_taken:
        await login
        return
    with pytest.raises(AuthError, match="of another server"):
        await login
    assert sender.requests == []


@pytest.mark.parametrize(
    ("error", "description", "kind", "hint"),
    [
        ("invalid_grant", "expired authorization code", ReauthorizationRequired, "Log in again"),
        ("invalid_grant", "invalid authorization code", ReauthorizationRequired, "Log in again"),
        ("invalid_grant", "invalid code verifier", AuthConfigurationError, "another login"),
        ("invalid_request", "invalid code verifier", AuthConfigurationError, "another login"),
        ("redirect_uri_mismatch", "redirect_uri must match", AuthConfigurationError, "callback"),
        ("invalid_client", "invalid client credentials", InvalidCredentialsError, "client_secret"),
    ],
)
async def test_a_code_that_is_refused_says_what_to_do(clock, error, description, kind, hint):
    body = {"error": error, "error_description": description}
    sender = ScriptedSender(answer(body, status=400))

    with pytest.raises(kind, match=hint):
        await log_in(clock, sender)


async def test_the_code_and_its_proof_are_in_no_error(clock):
    sent: list[str] = []

    async def echo(request: Request):
        form = form_of(request)
        sent.extend([form["code"], form["code_verifier"]])
        body = {"error": "invalid_grant", "error_description": f"no: {' '.join(sent)}"}
        return answer(body, status=400)

    with pytest.raises(AuthError) as caught:
        await log_in(clock, echo, person=FakePerson({"code": "aPrx.canary"}))

    assert len(sent) == 2
    assert not [secret for secret in sent if secret in str(caught.value)]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("access_denied", AppAccessDenied),
        ("OAUTH_APP_ACCESS_DENIED", AppAccessDenied),
        ("OAUTH_EC_APP_NOT_FOUND", AuthConfigurationError),
        ("invalid_scope", AuthConfigurationError),
    ],
)
async def test_a_refusal_in_the_browser_has_its_kind_and_its_hint(clock, error, kind):
    person = FakePerson({"error": error, "error_description": "because"})

    with pytest.raises(kind, match="because") as caught:
        await log_in(clock, ScriptedSender(), person=person)

    assert caught.value.hint
    assert caught.value.code == error


async def test_where_nobody_is_there_nothing_is_sent(clock):
    sender = ScriptedSender()

    with pytest.raises(CredentialUnavailableError, match="sfconnect login"):
        await LOGIN.authenticate(context_of(sender, clock))

    assert sender.requests == []


async def test_renewal_needs_nobody_and_keeps_a_rotated_token(clock):
    rotated = answer({**TOKEN, "refresh_token": "5Aep-second"})
    sender = ScriptedSender(rotated)
    strategy = replace(LOGIN, client_secret="s3cr3t", scope="api")

    renewed = await strategy.refresh(context_of(sender, clock), GIVEN)

    assert form_of(sender.last) == {
        "grant_type": "refresh_token",
        "refresh_token": "5Aep-held",
        "client_id": "3MVG9app",
        "client_secret": "s3cr3t",
    }
    assert renewed.refresh_token is not None
    assert renewed.refresh_token.reveal() == "5Aep-second"


async def test_a_login_without_a_refresh_token_cannot_be_renewed(clock):
    sender = ScriptedSender()

    with pytest.raises(ReauthorizationRequired, match="scope refresh_token"):
        await LOGIN.refresh(context_of(sender, clock), replace(GIVEN, refresh_token=None))

    assert sender.requests == []


@pytest.mark.parametrize(
    ("credentials", "token"),
    [(GIVEN, "5Aep-held"), (replace(GIVEN, refresh_token=None), "00Dxx!old")],
)
async def test_revoking_ends_the_grant_or_else_the_session(clock, credentials, token):
    sender = ScriptedSender(answer())

    await LOGIN.revoke(context_of(sender, clock), credentials)

    assert sender.last.path == f"{ACME}/services/oauth2/revoke"
    assert form_of(sender.last) == {"token": token}


def test_it_can_be_renewed_and_revoked():
    assert isinstance(LOGIN, SupportsRefresh)
    assert isinstance(LOGIN, SupportsRevoke)


def test_how_a_person_is_asked_does_not_change_whose_token_it_is():
    asked: list[dict[str, Any]] = [
        {"redirect_uris": ("http://localhost:8080/cb",)},
        {"login_prompt": "login"},
        {"timeout_s": 5.0},
        {"client_secret": "s3cr3t"},
    ]
    others: list[dict[str, Any]] = [
        {"login_url": PRODUCTION},
        {"client_id": "other"},
        {"login_hint": "ada@example.com"},
        {"scope": "api"},
    ]

    assert {identity_key(replace(LOGIN, **change)) for change in asked} == {identity_key(LOGIN)}
    assert len({identity_key(replace(LOGIN, **change)) for change in [{}, *others]}) == 5


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"login_url": "http://acme.my.salesforce.com"}, "plain http"),
        ({"redirect_uris": ()}, "redirect_uris is empty"),
        ({"redirect_uris": ("http://localhost/cb",)}, "names no port"),
        ({"timeout_s": -1.0}, "timeout_s"),
        ({"client_secret_next": "new"}, "client_secret is not"),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(options, problem):
    with pytest.raises(ConfigurationError, match=problem):
        replace(LOGIN, **options)
