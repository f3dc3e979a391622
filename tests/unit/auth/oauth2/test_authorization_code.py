"""A person in the browser at any server, as the provider's profile says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.oauth2 import OAuth2AuthorizationCode, OAuth2Device, ProviderProfile
from sfconnect.auth.store import identity_key
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    CredentialUnavailableError,
    ReauthorizationRequired,
)
from sfconnect.testing import FakePerson, ScriptedSender, answer
from tests.unit.auth.oauth2.people import context_of, form_of, log_in_by, query_of

HOST = "https://auth.example.com"
TOKEN = answer({"access_token": "t", "refresh_token": "r-1", "expires_in": 60})
CODE = OAuth2AuthorizationCode(
    token_url=f"{HOST}/token",
    authorization_url=f"{HOST}/authorize",
    client_id="app-id",
    client_auth="none",
    scope="read offline_access",
)
DEVICE = OAuth2Device(
    token_url=f"{HOST}/token",
    device_authorization_url=f"{HOST}/device",
    client_id="app-id",
    client_auth="none",
    scope="read",
)
METADATA = {
    "issuer": HOST,
    "authorization_endpoint": f"{HOST}/oauth/authorize",
    "token_endpoint": f"{HOST}/oauth/token",
    "device_authorization_endpoint": f"{HOST}/oauth/device",
}
GIVEN = Credentials(Secret("old"), HOST, refresh_token=Secret("r-0"))


async def log_in(clock, sender, strategy=CODE, person=None) -> Credentials:
    return await log_in_by(strategy, clock, sender, person or FakePerson({"code": "a-code"}))


async def test_scopes_go_to_the_browser_and_not_into_the_exchange(clock):
    person, sender = FakePerson({"code": "a-code"}), ScriptedSender(TOKEN)

    credentials = await log_in(clock, sender, person=person)

    query = query_of(person.opened[0])
    assert person.opened[0].startswith(f"{HOST}/authorize?")
    assert query["scope"] == "read offline_access"
    assert urlsplit(query["redirect_uri"])[:3:2] == ("http", "/callback")
    form = form_of(sender.last)
    assert sender.last.path == f"{HOST}/token"
    assert len(form.pop("code_verifier")) == 86
    assert form == {
        "grant_type": "authorization_code",
        "code": "a-code",
        "redirect_uri": query["redirect_uri"],
        "client_id": "app-id",
    }
    assert credentials.instance_url == HOST


async def test_what_the_server_wants_to_know_goes_along(clock):
    person, sender = FakePerson(), ScriptedSender(TOKEN)
    strategy = replace(
        CODE,
        audience="https://api.example.com",
        resource=("https://a.example.com", "https://b.example.com"),
        authorize_params=("access_type=offline",),
        login_hint="ada@example.com",
        login_prompt="consent",
    )

    await log_in(clock, sender, strategy, person)

    query = parse_qs(urlsplit(person.opened[0]).query)
    assert query["audience"] == ["https://api.example.com"]
    assert query["resource"] == ["https://a.example.com", "https://b.example.com"]
    assert query["access_type"] == ["offline"]
    assert query["login_hint"] == ["ada@example.com"]
    assert query["prompt"] == ["consent"]


async def test_a_secret_proves_the_app_as_the_profile_says(clock):
    sender = ScriptedSender(TOKEN)

    await log_in(clock, sender, replace(CODE, client_secret="s3cr3t", client_auth="basic"))

    assert sender.last.headers["Authorization"].startswith("Basic ")
    assert "client_id" not in form_of(sender.last)


async def test_the_endpoints_are_discovered_by_the_issuer(clock):
    person, sender = FakePerson({"code": "c", "iss": HOST}), ScriptedSender(answer(METADATA), TOKEN)
    strategy = replace(CODE, token_url=None, authorization_url=None, issuer=HOST)

    await log_in(clock, sender, strategy, person)

    assert person.opened[0].startswith(f"{HOST}/oauth/authorize?")
    assert sender.last.path == f"{HOST}/oauth/token"


@pytest.mark.parametrize(
    ("own", "named", "is_taken"),
    [
        (None, HOST, True),
        (None, f"{HOST}/tenant", True),
        (None, "https://evil.example.com", False),
        (None, "", False),
        ("https://issuer.example.com", "https://issuer.example.com", True),
        ("https://issuer.example.com", "https://issuer.example.com/", False),
        ("https://issuer.example.com", HOST, False),
    ],
)
async def test_an_answer_has_to_be_of_the_issuer(clock, own, named, is_taken):
    sender = ScriptedSender(TOKEN)
    login = log_in(
        clock, sender, replace(CODE, issuer=own), FakePerson({"code": "c", "iss": named})
    )

    if is_taken:
        await login
        return
    with pytest.raises(AuthError, match="of another server"):
        await login
    assert sender.requests == []


async def test_where_nobody_is_there_not_even_the_endpoints_are_asked_for(clock):
    sender = ScriptedSender()
    strategy = replace(CODE, token_url=None, authorization_url=None, issuer=HOST)

    for login in (strategy, DEVICE):
        with pytest.raises(CredentialUnavailableError, match="sfconnect login"):
            await login.authenticate(context_of(sender, clock))

    assert sender.requests == []


async def test_a_server_without_a_page_to_log_in_at_is_a_configuration_error(clock):
    with pytest.raises(AuthConfigurationError, match="authorization_url"):
        await log_in(clock, ScriptedSender(), replace(CODE, authorization_url=None))
    with pytest.raises(AuthConfigurationError, match="device_authorization_url"):
        await log_in(clock, ScriptedSender(), replace(DEVICE, device_authorization_url=None))


@pytest.mark.parametrize("strategy", [CODE, DEVICE], ids=["code", "device"])
async def test_renewal_needs_nobody(clock, strategy):
    sender = ScriptedSender(TOKEN)

    renewed = await strategy.refresh(context_of(sender, clock), GIVEN)

    assert form_of(sender.last) == {
        "grant_type": "refresh_token",
        "refresh_token": "r-0",
        "client_id": "app-id",
    }
    assert renewed.refresh_token == Secret("r-1")
    with pytest.raises(ReauthorizationRequired, match="offline_access"):
        await strategy.refresh(context_of(sender, clock), replace(GIVEN, refresh_token=None))


async def test_a_profile_can_hold_all_of_it(clock):
    acme = ProviderProfile(
        name="acme",
        token_url="https://{subdomain}.example.com/token",
        authorization_url="https://{subdomain}.example.com/authorize",
        client_auth="none",
    )
    person = FakePerson()
    strategy = OAuth2AuthorizationCode(provider=acme, client_id="app-id", subdomain="tenant")

    await log_in(clock, ScriptedSender(TOKEN), strategy, person)

    assert person.opened[0].startswith("https://tenant.example.com/authorize?")


def test_how_a_person_is_asked_does_not_change_whose_token_it_is():
    assert identity_key(replace(CODE, timeout_s=5.0, login_prompt="login")) == identity_key(CODE)
    assert identity_key(replace(CODE, scope="read")) != identity_key(CODE)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"authorize_params": ("state=fixed",)}, "must not hold state"),
        ({"authorize_params": ("uri=x",)}, "must not hold uri"),
        ({"authorize_params": ("what",)}, "name=value"),
        ({"redirect_uris": ()}, "redirect_uris is empty"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"authorization_url": "http://auth.example.com"}, "plain http"),
        ({"client_secret": "s3cr3t"}, "client_secret is not used"),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(options, problem):
    with pytest.raises(ConfigurationError, match=problem):
        replace(CODE, **options)


async def test_a_device_is_asked_with_until_the_code_was_entered(clock):
    begun = answer(
        {
            "device_code": "a-device-code",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{HOST}/activate",
            "expires_in": 60,
        }
    )
    pending = answer({"error": "authorization_pending"}, status=400)
    sender, person = ScriptedSender(begun, pending, TOKEN), FakePerson()
    context = context_of(sender, clock, prompt=person.prompt)
    login = asyncio.ensure_future(replace(DEVICE, audience="api").authenticate(context))

    await clock.advance(10)

    assert (await login).refresh_token == Secret("r-1")
    assert "WDJB-MJHT" in person.asked[0]
    first, *polls = sender.requests
    assert first.path == f"{HOST}/device"
    assert form_of(first) == {"scope": "read", "audience": "api", "client_id": "app-id"}
    assert [form_of(poll) for poll in polls] == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "a-device-code",
            "audience": "api",
            "client_id": "app-id",
        }
    ] * 2
