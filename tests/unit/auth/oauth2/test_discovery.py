"""Endpoints by an issuer: where the document is, whose it must be, how long it is believed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import structlog

from sfconnect.auth.base import AuthContext
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.oauth2 import OAuth2ClientCredentials, ProviderProfile
from sfconnect.auth.oauth2.discovery import (
    LIFE_S,
    discover,
    endpoint_of,
    metadata_urls,
    required_endpoint,
)
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ConnectError,
    LoginRateLimited,
    TransientAuthError,
)
from sfconnect.messages import Response
from sfconnect.testing import FakeClock, ScriptedSender, answer

ISSUER = "https://login.example.com/tenant"
BEFORE = "https://login.example.com/.well-known/oauth-authorization-server/tenant"
BEHIND = "https://login.example.com/tenant/.well-known/openid-configuration"
DOCUMENT = {
    "issuer": ISSUER,
    "token_endpoint": "https://login.example.com/tenant/token",
    "authorization_endpoint": "https://login.example.com/tenant/authorize?p=flow",
    "revocation_endpoint": "https://login.example.com/tenant/revoke",
    "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example.com/tenant/token"},
}
PROFILE = ProviderProfile(issuer=ISSUER)
NOT_THERE = answer({"error": "not found"}, status=404)


@pytest.fixture
def context_of(clock: FakeClock) -> Any:
    async def no_child(strategy):
        raise AssertionError(strategy)

    def make(*script: Response | Exception) -> AuthContext:
        sender = ScriptedSender(*script)
        return AuthContext(send=sender, child=no_child, log=structlog.get_logger(), clock=clock)

    return make


def paths(context: AuthContext) -> list[str]:
    sender: Any = context.send
    return [request.path for request in sender.requests]


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        (ISSUER, (BEFORE, BEHIND)),
        (ISSUER + "/", (BEFORE, BEHIND)),
        (
            "https://login.example.com",
            (
                "https://login.example.com/.well-known/oauth-authorization-server",
                "https://login.example.com/.well-known/openid-configuration",
            ),
        ),
        (
            "http://127.0.0.1:8080/a/b",
            (
                "http://127.0.0.1:8080/.well-known/oauth-authorization-server/a/b",
                "http://127.0.0.1:8080/a/b/.well-known/openid-configuration",
            ),
        ),
    ],
)
def test_the_document_is_before_the_path_or_behind_it(issuer, expected):
    assert metadata_urls(issuer) == expected


async def test_the_place_of_oauth_is_asked_first(context_of):
    context = context_of(answer(DOCUMENT))

    metadata = await discover(context, ISSUER)

    assert metadata.endpoint("token_url") == DOCUMENT["token_endpoint"]
    assert paths(context) == [BEFORE]


@pytest.mark.parametrize(
    "first",
    [
        NOT_THERE,
        answer("<!doctype html><html></html>", headers={"Content-Type": "text/html"}),
        answer(" <html></html>"),
        answer("{"),
        answer("[]"),
        answer(status=302, headers={"Location": "https://evil.example/doc"}),
        answer(status=204),
    ],
    ids=["404", "HTML", "a page", "cut", "a list", "redirect", "nothing"],
)
async def test_the_place_of_openid_is_asked_where_the_other_has_no_document(context_of, first):
    context = context_of(first, answer(DOCUMENT))

    assert (await discover(context, ISSUER)).issuer == ISSUER
    assert paths(context) == [BEFORE, BEHIND]


async def test_no_document_says_what_was_found_where(context_of):
    page = answer("<html></html>", headers={"Content-Type": "text/html"})
    moved = answer(status=301, headers={"Location": "https://evil.example/?token=x"})

    with pytest.raises(AuthConfigurationError) as caught:
        await discover(context_of(moved, page), ISSUER)

    text = str(caught.value)
    assert f"{BEFORE}: a redirect (status 301), which is not followed" in text
    assert f"{BEHIND}: a web page" in text
    assert "leave it out and give token_url" in text
    assert "evil.example" not in text
    assert caught.value.docs_key == "discovery-failed"


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("https://login.example.com/other", "'https://login.example.com/other'"),
        (ISSUER + "/", f"'{ISSUER}/'"),
        ("https://LOGIN.example.com/tenant", "LOGIN"),
        (None, "without an issuer"),
        (7, "without an issuer"),
        ("https://u:canary@evil.example/?x=canary", "evil.example"),
    ],
)
async def test_another_issuers_document_is_not_used(context_of, issuer, said):
    """RFC 8414 §3.3: identical, or the document may be somebody else's; and nothing is tried on."""
    context = context_of(answer({**DOCUMENT, "issuer": issuer}))

    with pytest.raises(AuthConfigurationError, match="it is not used") as caught:
        await discover(context, ISSUER)

    assert said in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.hopeless
    assert paths(context) == [BEFORE]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_fault_of_the_issuers_host_passes(context_of, status):
    failing = answer(status=status, headers={"Retry-After": "3"})

    with pytest.raises(TransientAuthError) as caught:
        await discover(context_of(failing), ISSUER)

    assert caught.value.retry_safe is True
    assert (caught.value.status, caught.value.retry_after) == (status, 3.0)


async def test_too_many_requests_are_told_as_such(context_of):
    failing = answer(status=429, headers={"Retry-After": "7"})

    with pytest.raises(LoginRateLimited) as caught:
        await discover(context_of(failing), ISSUER)

    assert caught.value.retry_after == 7.0


async def test_a_transport_error_passes_as_it_is(context_of):
    with pytest.raises(ConnectError):
        await discover(context_of(ConnectError("no route")), ISSUER)


async def test_an_endpoint_of_the_profile_wins_and_is_no_reason_to_ask(context_of):
    own = replace(PROFILE, token_url="https://own.example.com/token")
    context = context_of()

    assert await endpoint_of(own, context, "token_url") == "https://own.example.com/token"
    assert await endpoint_of(ProviderProfile(), context, "revocation_url") is None
    assert paths(context) == []


async def test_an_endpoint_may_have_a_query(context_of):
    url = await endpoint_of(PROFILE, context_of(answer(DOCUMENT)), "authorization_url")

    assert url == "https://login.example.com/tenant/authorize?p=flow"


async def test_a_client_with_a_certificate_goes_to_the_alias_for_it(context_of):
    by_certificate = replace(PROFILE, client_auth="tls_client_auth")
    context = context_of(answer(DOCUMENT))

    assert await endpoint_of(by_certificate, context, "token_url") == (
        "https://mtls.example.com/tenant/token"
    )
    # No alias for this one, so it is where it is for everybody.
    assert (
        await endpoint_of(by_certificate, context, "revocation_url")
        == (DOCUMENT["revocation_endpoint"])
    )


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ("http://login.example.com/token", "token_endpoint .* is plain http"),
        ("/token", "token_endpoint is not a URL"),
        ("https://u:canary@login.example.com/token", "must not hold a user"),
        ("https://login.example.com/token#x", "must not hold a user, a query or a fragment"),
        (["https://login.example.com"], "token_endpoint is not text"),
    ],
)
async def test_an_unsafe_endpoint_is_not_used(context_of, endpoint, problem):
    context = context_of(answer({**DOCUMENT, "token_endpoint": endpoint}))

    with pytest.raises(AuthConfigurationError, match=problem) as caught:
        await endpoint_of(PROFILE, context, "token_url")

    assert "canary" not in str(caught.value)


async def test_a_missing_member_is_named_with_the_option_to_give(context_of):
    context = context_of(answer({"issuer": ISSUER}))

    with pytest.raises(AuthConfigurationError, match=r"has no token_endpoint.*Give token_url"):
        await required_endpoint(PROFILE, context, "token_url")
    with pytest.raises(AuthConfigurationError, match="'custom' has no authorization_url"):
        await required_endpoint(ProviderProfile(), context, "authorization_url")


async def test_a_document_is_believed_for_an_hour(context_of, clock):
    context = context_of(*[answer(DOCUMENT)] * 2)

    for _ in range(3):
        await endpoint_of(PROFILE, context, "token_url")
        await endpoint_of(PROFILE, context, "revocation_url")
    assert len(paths(context)) == 1

    await clock.advance(LIFE_S)
    await endpoint_of(PROFILE, context, "token_url")
    assert len(paths(context)) == 2


async def test_a_failed_discovery_is_not_remembered(context_of):
    context = context_of(answer(status=503), answer(DOCUMENT))

    with pytest.raises(TransientAuthError):
        await endpoint_of(PROFILE, context, "token_url")

    assert await endpoint_of(PROFILE, context, "token_url") == DOCUMENT["token_endpoint"]


LOGIN = OAuth2ClientCredentials(issuer=ISSUER, client_id="app", client_secret="s3cr3t")
TOKEN = answer({"access_token": "t", "expires_in": 60})


async def test_a_manager_discovers_once_for_many_logins(clock):
    sender = ScriptedSender(answer(DOCUMENT), *[TOKEN] * 3)
    manager = CredentialManager(LOGIN, send=sender, clock=clock)

    credentials = await manager.get()
    for _ in range(2):
        await clock.advance(61)
        credentials = await manager.replace(credentials)

    sent = [request.path for request in sender.requests]
    assert sent == [BEFORE, *[DOCUMENT["token_endpoint"]] * 3]
    await manager.aclose()


async def test_managers_share_no_document(clock):
    """What one connection was told is no other's truth."""
    sender = ScriptedSender(answer(DOCUMENT), TOKEN, answer(DOCUMENT), TOKEN)
    managers = [CredentialManager(LOGIN, send=sender, clock=clock) for _ in range(2)]

    for manager in managers:
        await manager.get()
        await manager.aclose()

    assert [request.path for request in sender.requests].count(BEFORE) == 2


def test_a_document_found_in_one_event_loop_serves_the_next(clock):
    sender = ScriptedSender(answer(DOCUMENT), TOKEN, TOKEN)
    manager = CredentialManager(LOGIN, send=sender, clock=clock)

    first = asyncio.run(manager.get())
    second = asyncio.run(manager.replace(first))

    assert first.access_token == second.access_token
    assert [request.path for request in sender.requests].count(BEFORE) == 1


async def test_a_login_by_a_wrong_issuer_sends_no_secret(clock):
    sender = ScriptedSender(answer({**DOCUMENT, "issuer": "https://evil.example"}))
    manager = CredentialManager(LOGIN, send=sender, clock=clock)

    with pytest.raises(AuthError, match="it is not used"):
        await manager.get()

    (asked,) = sender.requests
    assert asked.method == "GET"
    assert asked.content is None
    assert "Authorization" not in asked.headers
