"""The password flow: what is sent, what is read, and what refusals mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfconnect import ConfigurationError, Secret
from sfconnect.auth import Credentials, resolve
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    HostNotAllowedError,
    InvalidCredentialsError,
    LoginRateLimited,
    TransientAuthError,
)
from sfconnect.testing import ScriptedSender, answer
from sfconnect_auth_legacy import UsernamePassword

USER = "ada@example.com"


def strategy_at(url: str, **options: str) -> UsernamePassword:
    return UsernamePassword(url, "an-id", USER, "a password", **options)


async def test_password_and_security_token_are_sent_as_one(server, context) -> None:
    strategy = strategy_at(server.url, client_secret="a secret", security_token="TOKEN")

    await strategy.authenticate(context)

    assert server.requests[0].path == "/services/oauth2/token"
    assert server.requests[0].form == {
        "grant_type": "password",
        "client_id": "an-id",
        "client_secret": "a secret",
        "username": USER,
        "password": "a passwordTOKEN",
    }


async def test_what_is_not_given_is_not_sent(server, context) -> None:
    await strategy_at(server.url).authenticate(context)

    assert server.requests[0].form["password"] == "a password"
    assert "client_secret" not in server.requests[0].form


async def test_the_answer_is_taken_over_without_its_secrets(server, context) -> None:
    server.script(
        answer(
            {
                "access_token": "00D000000000001!canary",
                "instance_url": server.url,
                "id": f"{server.url}/id/00D000000000001EAA/005000000000001AAA",
                "token_type": "Bearer",
                "issued_at": "1999999999000",
                "scope": "api web",
                "signature": "canary",
                "refresh_token": "canary",
                "lightning_sid": "canary",
                "csrf_token": "canary",
                "token_format": "opaque",
                "sfdc_community_url": "https://acme.my.site.com",
            }
        )
    )

    credentials = await strategy_at(server.url).authenticate(context)

    assert credentials == Credentials(
        Secret("00D000000000001!canary"),
        server.url,
        issued_at=1_999_999_999.0,
        identity_url=f"{server.url}/id/00D000000000001EAA/005000000000001AAA",
        scopes=frozenset({"api", "web"}),
        extra={"token_format": "opaque", "sfdc_community_url": "https://acme.my.site.com"},
    )


@pytest.mark.parametrize("odd", [None, True, [], "soon", "-1", 0, "inf", 10**400])
async def test_odd_times_are_unknown_times(server, context, clock, odd) -> None:
    body = {"access_token": "t", "issued_at": odd, "expires_in": odd}
    server.script(
        answer(str(body).replace("'", '"').replace("None", "null").replace("True", "true"))
    )

    credentials = await strategy_at(server.url).authenticate(context)

    assert credentials.expires_at is None
    assert credentials.issued_at == clock.time()
    assert credentials.instance_url == server.url


@pytest.mark.parametrize(
    ("error", "description", "meaning"),
    [
        (
            "invalid_grant",
            "authentication failure",
            (InvalidCredentialsError, "authentication-failure"),
        ),
        ("invalid_grant", "login rate exceeded", (LoginRateLimited, "login-rate")),
        (
            "invalid_grant",
            "user hasn't approved this consumer",
            (AppAccessDenied, "user-not-approved"),
        ),
        ("invalid_grant", "ip restricted", (AuthConfigurationError, "ip-restricted")),
        ("invalid_grant", "inactive user", (AuthConfigurationError, "inactive-user")),
        ("inactive_user", "", (AuthConfigurationError, "inactive-user")),
        ("inactive_org", "", (AuthConfigurationError, "inactive-org")),
        ("invalid_app_access", "x", (AppAccessDenied, "user-not-approved")),
        ("OAUTH_APP_ACCESS_DENIED", "x", (AppAccessDenied, "user-not-approved")),
        (
            "invalid_client_id",
            "client identifier invalid",
            (AuthConfigurationError, "unknown-client-id"),
        ),
        (
            "invalid_client",
            "invalid client credentials",
            (InvalidCredentialsError, "wrong-client-secret"),
        ),
        (
            "unsupported_grant_type",
            "grant type not supported",
            (AuthConfigurationError, "flow-retired"),
        ),
        (
            "invalid_request",
            "this flow is disabled for the org",
            (AuthConfigurationError, "flow-retired"),
        ),
        ("server_error", "x", (TransientAuthError, "server-fault")),
        ("something_new", "of tomorrow", (AuthConfigurationError, "refused")),
    ],
)
async def test_refusals_are_typed_and_say_who_was_refused(
    server, context, error, description, meaning
) -> None:
    server.script_error(error, description)

    with pytest.raises(AuthError) as caught:
        await strategy_at(server.url).authenticate(context)

    assert (type(caught.value), caught.value.docs_key) == meaning
    assert caught.value.code == error
    assert USER in caught.value.message
    assert description in caught.value.message


async def test_a_wrong_password_leads_to_the_login_history(server, context) -> None:
    server.script_error("invalid_grant", "authentication failure")

    with pytest.raises(InvalidCredentialsError) as caught:
        await strategy_at(server.url).authenticate(context)

    assert f"Login History of {USER}" in (caught.value.hint or "")
    assert caught.value.hopeless


async def test_a_flow_that_is_off_leads_to_one_that_is_not_retired(server, context) -> None:
    server.script_error("unsupported_grant_type")

    with pytest.raises(AuthConfigurationError, match="unsupported_grant_type") as caught:
        await strategy_at(server.url).authenticate(context)

    assert "20 February 2027" in (caught.value.hint or "")
    assert "client-credentials" in (caught.value.hint or "")


async def test_tokens_in_the_servers_words_are_not_shown(server, context) -> None:
    server.script_error("odd", "session 00D000000000001!canary.token and 5Aep861canary")

    with pytest.raises(AuthError) as caught:
        await strategy_at(server.url).authenticate(context)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com",
        "https://salesforce.com.evil.example.com",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com@evil.example.com",
        "https://ada@acme.my.salesforce.com",
        "http://127.0.0.1:1",
        "https://localhost",
        "https://evil.example.com\\.salesforce.com",
        "https://[",
        "acme.my.salesforce.com",
    ],
)
async def test_a_token_for_an_odd_address_is_thrown_away(context, url) -> None:
    strategy = strategy_at("https://acme.my.salesforce.com")
    odd = ScriptedSender(answer({"access_token": "t", "instance_url": url}))

    with pytest.raises(HostNotAllowedError):
        await strategy.authenticate(with_sender(context, odd))


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.my.salesforce.com",
        "https://acme--uat.sandbox.my.salesforce.com",
        "https://acme.my.site.com",
        "https://login.acme.example.com",
    ],
)
async def test_a_token_may_go_to_salesforce_and_to_the_login_host(context, url) -> None:
    strategy = strategy_at("https://login.acme.example.com")
    sender = ScriptedSender(answer({"access_token": "t", "instance_url": f"{url}/"}))

    credentials = await strategy.authenticate(with_sender(context, sender))

    assert credentials.instance_url == url


def with_sender(context, sender):
    return replace(context, send=sender)


async def test_revoking_ends_the_session_and_hides_it(server, context) -> None:
    strategy = strategy_at(server.url)
    credentials = await strategy.authenticate(context)
    server.script(answer(status=200))

    await strategy.revoke(context, credentials)

    assert server.requests[1].path == "/services/oauth2/revoke"
    assert server.requests[1].form == {"token": credentials.access_token.reveal()}


async def test_revoking_a_dead_token_is_no_error(server, context) -> None:
    credentials = Credentials(Secret("dead"), server.url)
    server.script_error("invalid_token", "token is dead")

    await strategy_at(server.url).revoke(context, credentials)


async def test_a_revocation_that_fails_says_so_without_the_token(server, context) -> None:
    credentials = Credentials(Secret("canary"), server.url)
    server.script_error("unsupported", "canary cannot be revoked")
    server.script(answer("canary", status=503), answer("canary", status=404))

    for kind in (AuthConfigurationError, TransientAuthError, AuthConfigurationError):
        with pytest.raises(kind) as caught:
            await strategy_at(server.url).revoke(context, credentials)
        assert "canary" not in str(caught.value)


def test_login_urls_are_taken_as_people_copy_them() -> None:
    strategy = strategy_at("acme.lightning.force.com/lightning/page/home")

    assert strategy.login_url == "https://acme.my.salesforce.com"


def test_plain_http_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="plain http"):
        strategy_at("http://acme.my.salesforce.com")


def test_it_is_found_by_its_name_and_reads_secrets_from_files(tmp_path) -> None:
    (tmp_path / "password").write_text("a password\n")

    made = resolve(
        "username-password",
        options={"login_url": "https://acme.my.salesforce.com", "password_file": "password"},
        environ={"SFCONNECT_CLIENT_ID": "an-id", "SFCONNECT_USERNAME": USER},
        cwd=tmp_path,
    )

    assert made.strategy == strategy_at("https://acme.my.salesforce.com")


async def test_a_web_page_in_place_of_a_token_is_named_and_not_quoted(server, context) -> None:
    headers = {"Content-Type": "text/html; charset=utf-8", "Retry-After": "Tue, 01 Jan 2030"}
    server.script(answer("<title>canary</title>", headers=headers))

    with pytest.raises(AuthConfigurationError, match="status 200 with a web page") as caught:
        await strategy_at(server.url).authenticate(context)

    assert "canary" not in str(caught.value)
    assert caught.value.retry_after is None
