"""Client credentials for any API: options, and the way through a connector."""

from __future__ import annotations

import base64
from dataclasses import replace
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext
from sfconnect.auth.manager import CredentialManager, CredentialState
from sfconnect.auth.oauth2 import OAuth2ClientCredentials
from sfconnect.auth.oauth2.exchange import revoke
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import revoke_request
from sfconnect.auth.store import identity_key
from sfconnect.connector import Connector
from sfconnect.errors import (
    AuthConfigurationError,
    ConfigurationError,
    ConnectError,
    HostNotAllowedError,
    InvalidCredentialsError,
    TransientAuthError,
)
from sfconnect.testing import FakeClock, FakeTokenServer, ScriptedSender, answer
from sfconnect.testing.senders import text_of

STRATEGY = OAuth2ClientCredentials("https://auth.example.com/oauth/token", "app", "s3cr3t")


def context_of(sender: ScriptedSender) -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    return AuthContext(send=sender, child=no_child, log=structlog.get_logger())


async def test_the_token_is_for_the_token_endpoints_host_unless_told_otherwise():
    sender = ScriptedSender(*[answer({"access_token": "t", "instance_url": "https://evil"})] * 2)

    own = await STRATEGY.authenticate(context_of(sender))
    told = replace(STRATEGY, base_url="https://api.example.com/v1/")
    other = await told.authenticate(context_of(sender))

    assert own.instance_url == "https://auth.example.com"
    assert other.instance_url == "https://api.example.com/v1"


NAMING = replace(STRATEGY, base_url_member="api", base_url_hosts=(".example.com", "exact.test"))


@pytest.mark.parametrize(
    ("named", "base_url"),
    [
        ("https://one.example.com/v1/", "https://one.example.com/v1"),
        ("https://ONE.example.com", "https://ONE.example.com"),
        ("https://exact.test:8443", "https://exact.test:8443"),
    ],
)
async def test_the_answer_may_name_the_api_on_the_providers_hosts(named, base_url):
    sender = ScriptedSender(answer({"access_token": "t", "api": named}))

    assert (await NAMING.authenticate(context_of(sender))).instance_url == base_url


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("https://example.com", "none of the provider's"),
        ("https://evilexample.com", "none of the provider's"),
        ("https://exact.test.evil.example", "none of the provider's"),
        ("https://www.exact.test", "none of the provider's"),
        ("http://one.example.com", "api .* is plain http"),
        ("https://one.example.com@evil.example", "must not hold a user"),
        ("one.example.com", "api is not a URL"),
    ],
)
async def test_a_token_goes_to_no_other_host_whatever_the_answer_says(named, problem):
    sender = ScriptedSender(answer({"access_token": "t", "api": named}))

    with pytest.raises(HostNotAllowedError, match=problem):
        await NAMING.authenticate(context_of(sender))


async def test_an_answer_that_should_name_the_api_and_does_not_is_refused():
    sender = ScriptedSender(*[answer({"access_token": "t"})] * 2)

    with pytest.raises(AuthConfigurationError, match=r"has no api\. Hint: Give base_url"):
        await NAMING.authenticate(context_of(sender))
    own = replace(NAMING, base_url="https://own.test/")
    assert (await own.authenticate(context_of(sender))).instance_url == "https://own.test"


async def test_scope_and_audience_are_sent_if_they_are_given():
    sender = ScriptedSender(*[answer({"access_token": "t"})] * 2)
    asking = replace(STRATEGY, scope="read", audience="https://api.example.com")

    await STRATEGY.authenticate(context_of(sender))
    await asking.authenticate(context_of(sender))

    plain, full = (dict(parse_qsl(text_of(request))) for request in sender.requests)
    assert plain == {"grant_type": "client_credentials"}
    assert full == {**plain, "scope": "read", "audience": "https://api.example.com"}


async def test_a_transport_error_passes_as_it_is():
    sender = ScriptedSender(ConnectError("no route"))

    with pytest.raises(ConnectError):
        await STRATEGY.authenticate(context_of(sender))


async def test_a_wrong_secret_is_explained():
    sender = ScriptedSender(answer({"error": "invalid_client"}, status=401))

    with pytest.raises(InvalidCredentialsError, match=r"client_auth") as caught:
        await STRATEGY.authenticate(context_of(sender))

    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"token_url": "http://auth.example.com"}, "token_url .* is plain http"),
        ({"token_url": "auth.example.com"}, "token_url is not a URL"),
        ({"base_url": "api.example.com"}, "base_url is not a URL"),
        ({"client_auth": "header"}, "client_auth must be one of 'body', "),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(options, problem):
    with pytest.raises(ConfigurationError, match=problem):
        replace(STRATEGY, **options)


def test_the_identity_is_of_the_app_and_what_it_asks_for():
    changes: list[Any] = [
        {},
        {"client_id": "other"},
        {"scope": "read"},
        {"token_url": "https://other.example.com/token"},
    ]

    keys = {identity_key(replace(STRATEGY, **change)) for change in changes}

    assert len(keys) == 4
    assert identity_key(replace(STRATEGY, client_secret="rotated")) in keys


FACTS = LoginFacts("x", "https://auth.example.com")
REVOCATION = revoke_request("https://auth.example.com/revoke", Secret("t"))


@pytest.mark.parametrize(
    "response",
    [
        answer(""),
        answer({"error": "invalid_token"}, status=400),
        answer({"error": "unsupported_token_type"}, status=400),
        answer(
            "error=unsupported_token_type&error_description=this+token+type+is+not+supported",
            status=400,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ),
        answer({"access_token": "what"}, status=200),
    ],
    ids=["done", "invalid", "unsupported", "unsupported as a form", "odd"],
)
async def test_revoking_a_dead_token_is_done(response):
    await revoke(context_of(ScriptedSender(response)), REVOCATION, FACTS)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(status=503), TransientAuthError),
        (answer({"error": "invalid_client"}, status=401), InvalidCredentialsError),
        (answer("<html></html>", status=404), AuthConfigurationError),
    ],
)
async def test_a_revocation_that_did_not_happen_is_an_error(response, kind):
    with pytest.raises(kind):
        await revoke(context_of(ScriptedSender(response)), REVOCATION, FACTS)


async def test_any_api_is_a_configuration():
    """By its name, through the registry, with a token server and an API on real sockets."""
    async with FakeTokenServer() as token_server, FakeTokenServer() as api_server:
        api_server.script(answer({"things": [1]}))
        connection = Connector.connect(
            "oauth2-client-credentials",
            base_url=api_server.url + "/api",
            token_url=token_server.url + "/token",
            client_id="app",
            client_secret="s3cr3t",
        )
        async with connection as api:
            data = await api.get("/v1/things", params={"limit": 100})

    assert data == {"things": [1]}
    (login,), (call,) = token_server.requests, api_server.requests
    assert login.path == "/token"
    assert (call.path, call.query) == ("/api/v1/things", "limit=100")
    assert call.headers["Authorization"].startswith("Bearer 00D")


@pytest.mark.parametrize("ahead_s", [0, 3600, -3600])
async def test_a_jwt_lives_as_long_as_the_server_meant_whatever_the_clocks_say(ahead_s):
    """The token says its end by the server's clock, and the answer's Date tells that clock."""
    clock = FakeClock(wall=1_700_000_000.0)
    there = clock.time() + ahead_s
    claims = base64.urlsafe_b64encode(b'{"exp": %d}' % (there + 1000)).decode().rstrip("=")
    token = f"eyJhbGciOiJSUzI1NiJ9.{claims}.c2ln"
    told = {"Date": formatdate(there, usegmt=True)}
    sender = ScriptedSender(answer({"access_token": token}, headers=told))
    manager = CredentialManager(STRATEGY, send=sender, clock=clock)
    await manager.get()

    seen = []
    for passing_s in (799.0, 2.0, 198.0, 2.0):
        await clock.advance(passing_s)
        seen.append(manager.state)

    fresh, stale, expired = CredentialState
    assert seen == [fresh, stale, stale, expired]
    await manager.aclose()
