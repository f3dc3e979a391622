"""The refresh token grant: what is sent, which token counts, how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import structlog

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials, SupportsRefresh, SupportsRevoke
from sfconnect.auth.oauth2 import OAuth2ClientCredentials, OAuth2RefreshToken
from sfconnect.auth.store import identity_key
from sfconnect.errors import AuthConfigurationError, ConfigurationError, ReauthorizationRequired
from sfconnect.testing import ScriptedSender, answer
from sfconnect.testing.senders import text_of
from tests.unit.auth.oauth2.people import form_of

URL = "https://auth.example.com/token"
REVOKE = "https://auth.example.com/revoke"
STRATEGY = OAuth2RefreshToken(URL, "app", refresh_token="r/0")
TOKEN = answer({"access_token": "t", "refresh_token": "r/1", "expires_in": "60"})
OLD = Credentials(Secret("t0"), "https://auth.example.com", refresh_token=Secret("newest"))


def context_of(*script: Any) -> tuple[AuthContext, ScriptedSender]:
    async def no_child(strategy):
        raise AssertionError(strategy)

    sender = ScriptedSender(*script)
    return AuthContext(send=sender, child=no_child, log=structlog.get_logger()), sender


async def test_a_public_app_sends_its_name_and_the_token():
    context, sender = context_of(TOKEN)

    credentials = await STRATEGY.authenticate(context)

    assert text_of(sender.last) == "grant_type=refresh_token&refresh_token=r%2F0&client_id=app"
    assert "Authorization" not in sender.last.headers
    assert credentials.refresh_token == Secret("r/1")
    assert credentials.expires_at is not None


async def test_a_renewal_uses_the_newest_token_that_is_known():
    context, sender = context_of(TOKEN, TOKEN)

    await STRATEGY.refresh(context, OLD)
    await STRATEGY.refresh(context, replace(OLD, refresh_token=None))

    sent = [form_of(request)["refresh_token"] for request in sender.requests]
    assert sent == ["newest", "r/0"]


async def test_scopes_are_sent_only_where_the_provider_wants_them_with_a_renewal():
    context, sender = context_of(TOKEN, TOKEN)

    await replace(STRATEGY, scope="a").authenticate(context)
    await replace(STRATEGY, scope="a", scope_on=("refresh",)).authenticate(context)

    assert ["scope" in form_of(request) for request in sender.requests] == [False, True]


async def test_parameters_of_the_provider_go_with_each_renewal():
    context, sender = context_of(TOKEN)
    shopper = OAuth2RefreshToken(
        None,
        "app",
        "s3cr3t",
        provider="slas",
        short_code="kv7k",
        organization="f_ecom_zzrf_001",
        channel_id="RefArch",
        refresh_token="r0",
    )

    await shopper.authenticate(context)

    assert form_of(sender.last) == {
        "grant_type": "refresh_token",
        "refresh_token": "r0",
        "channel_id": "RefArch",
    }
    assert sender.last.path == (
        "https://kv7k.api.commercecloud.salesforce.com/shopper/auth/v1/organizations/"
        "f_ecom_zzrf_001/oauth2/token"
    )
    assert sender.last.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("rotates", "advice", "key"),
    [
        (False, "revoked, expired or used up", "refresh-token-dead"),
        (True, "once only.* share a token store", "refresh-token-used"),
    ],
)
async def test_a_dead_token_says_what_may_have_happened(rotates, advice, key):
    context, _ = context_of(answer({"error": "invalid_grant"}, status=400))
    strategy = replace(STRATEGY, rotates_refresh_token=rotates)

    with pytest.raises(ReauthorizationRequired, match=advice) as caught:
        await strategy.authenticate(context)

    assert caught.value.docs_key == key


async def test_revoking_ends_the_newest_refresh_token_with_the_apps_proof():
    context, sender = context_of(answer(""), answer(""))
    strategy = replace(
        STRATEGY, revocation_url=REVOKE, client_auth="body", client_secret=Secret("s3cr3t")
    )

    await strategy.revoke(context, OLD)
    await strategy.revoke(context, replace(OLD, refresh_token=None))

    assert [request.path for request in sender.requests] == [REVOKE, REVOKE]
    assert [form_of(request) for request in sender.requests] == [
        {
            "token": token,
            "token_type_hint": "refresh_token",
            "client_id": "app",
            "client_secret": "s3cr3t",
        }
        for token in ("newest", "r/0")
    ]


async def test_a_revocation_endpoint_is_discovered():
    issuer = "https://auth.example.com"
    document = {"issuer": issuer, "token_endpoint": URL, "revocation_endpoint": REVOKE}
    context, sender = context_of(answer(document), answer(""))

    await OAuth2RefreshToken(issuer=issuer, client_id="app", refresh_token="r").revoke(context, OLD)

    assert sender.last.path == REVOKE


async def test_without_a_revocation_endpoint_nothing_is_sent():
    context, sender = context_of()

    with pytest.raises(AuthConfigurationError, match=r"no revocation endpoint.*revocation_url"):
        await STRATEGY.revoke(context, OLD)

    assert sender.requests == []


async def test_other_grants_revoke_what_they_have():
    strategy = OAuth2ClientCredentials(URL, "app", "s3cr3t", revocation_url=REVOKE)
    context, sender = context_of(
        answer(""), answer({"error": "unsupported_token_type"}, status=400)
    )

    await strategy.revoke(context, replace(OLD, refresh_token=None))
    await strategy.revoke(context, OLD)

    assert [form_of(request) for request in sender.requests] == [
        {"token": "t0", "token_type_hint": "access_token"},
        {"token": "newest", "token_type_hint": "refresh_token"},
    ]
    assert sender.last.headers["Authorization"].startswith("Basic ")


def test_what_it_can_do_is_seen_by_the_manager():
    assert isinstance(STRATEGY, SupportsRefresh)
    assert isinstance(STRATEGY, SupportsRevoke)


def test_two_users_of_one_app_have_two_identities():
    other = replace(STRATEGY, refresh_token=Secret("other"))

    assert identity_key(STRATEGY) != identity_key(other)
    assert "r/0" not in repr(STRATEGY)


def test_a_key_without_a_use_is_refused():
    with pytest.raises(ConfigurationError, match="private_key_file is not used"):
        replace(STRATEGY, private_key_file="server.key")
