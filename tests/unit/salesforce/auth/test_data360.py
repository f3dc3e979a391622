"""The token of a Data 360 tenant: exchanged for the org's, which is renewed once where it must."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sfconnect._types import Secret
from sfconnect.auth import AuthStrategy, Credentials, resolve
from sfconnect.auth.base import NamesBaseUrl
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore, identity_key
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    HostNotAllowedError,
    InvalidCredentialsError,
    ReauthorizationRequired,
    SfConnectError,
)
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth import AccessToken, ClientCredentials, Data360
from sfconnect.testing import FakeClock, ScriptedSender, ScriptedStrategy, answer
from sfconnect.testing.senders import text_of

ACME = "https://acme.my.salesforce.com"
TENANT = "mjrgg9bzgy2dsyzvmjrgkmzzg1.c360a.salesforce.com"
TOKEN = {"access_token": "tenant-1", "instance_url": TENANT, "expires_in": 7193}
CLIENT = ClientCredentials(ACME, "3MVG9app", "s3cr3t")
DERIVED = Data360(CLIENT, "lab")


def org_token(number: int) -> Response:
    return answer({"access_token": f"00Dxx!org.{number}", "instance_url": ACME})


def refusal(error: str, description: str = "", status: int = 400) -> Response:
    return answer({"error": error, "error_description": description}, status=status)


DEAD = [
    refusal("invalid_grant", "invalid or expired subject token"),
    refusal("invalid_token"),
    answer([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}], status=401),
    answer("", status=401),
]


def form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(text_of(request), keep_blank_values=True))


def paths(sender: ScriptedSender) -> list[str]:
    return [request.path.removeprefix(ACME) for request in sender.requests]


ORG, EXCHANGE = "/services/oauth2/token", "/services/a360/token"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wall=1_800_000_000.0)


@pytest.fixture
async def managed(clock):
    managers: list[CredentialManager] = []

    def make(sender: Any, strategy: AuthStrategy = DERIVED, **more: Any) -> CredentialManager:
        managers.append(CredentialManager(strategy, send=sender, clock=clock, **more))
        return managers[-1]

    yield make
    for manager in managers:
        await manager.aclose()


async def test_the_orgs_token_is_exchanged_at_the_orgs_own_address(managed, clock):
    sender = ScriptedSender(org_token(1), answer(TOKEN))

    credentials = await managed(sender).get()

    assert paths(sender) == [ORG, EXCHANGE]
    assert form(sender.last) == {
        "grant_type": "urn:salesforce:grant-type:external:cdp",
        "subject_token": "00Dxx!org.1",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "dataspace": "lab",
    }
    assert credentials.access_token == Secret("tenant-1")
    assert credentials.instance_url == f"https://{TENANT}"
    assert credentials.expires_at == clock.time() + 7193


async def test_without_a_data_space_none_is_sent(managed):
    sender = ScriptedSender(org_token(1), answer(TOKEN))

    await managed(sender, Data360(CLIENT)).get()

    assert "dataspace" not in form(sender.last)


async def test_a_new_token_of_the_tenant_costs_no_login_to_the_org(managed):
    sender = ScriptedSender(
        org_token(1), answer(TOKEN), answer({**TOKEN, "access_token": "tenant-2"})
    )
    manager = managed(sender)

    second = await manager.replace(await manager.get())

    assert second.access_token == Secret("tenant-2")
    assert paths(sender) == [ORG, EXCHANGE, EXCHANGE]


async def test_its_expiry_is_its_own(managed, clock):
    sender = ScriptedSender(
        org_token(1), answer(TOKEN), answer({**TOKEN, "access_token": "tenant-2"})
    )
    manager = managed(sender)
    await manager.get()

    await clock.advance(7200)
    again = await manager.get()

    assert again.access_token == Secret("tenant-2")
    assert paths(sender) == [ORG, EXCHANGE, EXCHANGE]


@pytest.mark.parametrize("dead", DEAD, ids=["grant", "token", "as the API says it", "bare 401"])
async def test_a_refused_token_of_the_org_is_renewed_once(managed, dead):
    sender = ScriptedSender(org_token(1), dead, org_token(2), answer(TOKEN))

    await managed(sender).get()

    assert paths(sender) == [ORG, EXCHANGE, ORG, EXCHANGE]
    assert form(sender.last)["subject_token"] == "00Dxx!org.2"


@pytest.mark.parametrize("dead", DEAD, ids=["grant", "token", "as the API says it", "bare 401"])
async def test_a_renewed_token_that_is_refused_too_is_the_end(managed, dead):
    sender = ScriptedSender(org_token(1), dead, org_token(2), dead)

    with pytest.raises(AuthError) as caught:
        await managed(sender).get()

    assert paths(sender) == [ORG, EXCHANGE, ORG, EXCHANGE]
    assert caught.value.hopeless


async def test_a_login_that_gives_the_same_token_again_is_not_tried_twice(managed):
    sender = ScriptedSender(org_token(1), DEAD[0], org_token(1))

    with pytest.raises(InvalidCredentialsError, match="permission set"):
        await managed(sender).get()

    assert paths(sender) == [ORG, EXCHANGE, ORG]


async def test_a_token_that_nobody_can_renew_says_so(managed):
    sender = ScriptedSender(DEAD[0])

    with pytest.raises(ReauthorizationRequired, match="Give a new one"):
        await managed(sender, Data360(AccessToken(ACME, "00Dxx!given"))).get()


async def test_many_callers_log_in_to_both_once(managed):
    sender = ScriptedSender(org_token(1), DEAD[0], org_token(2), answer(TOKEN))
    manager = managed(sender)

    held = await asyncio.gather(*(manager.get() for _ in range(50)))

    assert len({one.access_token for one in held}) == 1
    assert len(sender.requests) == 4


async def test_two_data_spaces_share_the_login_to_the_org_through_a_store(managed):
    store = MemoryStore()
    sender = ScriptedSender(
        org_token(1), answer(TOKEN), answer({**TOKEN, "access_token": "tenant-2"})
    )

    one = await managed(sender, store=store).get()
    other = await managed(sender, replace(DERIVED, dataspace="prod"), store=store).get()

    assert one.access_token != other.access_token
    assert paths(sender) == [ORG, EXCHANGE, EXCHANGE]


@pytest.mark.parametrize(
    ("refused", "kind", "named"),
    [
        (refusal("invalid_scope"), AuthConfigurationError, "cdp_query_api"),
        (refusal("invalid_request", "unknown dataspace"), AuthConfigurationError, "Data Spaces"),
        (
            answer([{"errorCode": "NOT_FOUND", "message": "No such resource"}], status=404),
            AuthConfigurationError,
            "The org has no Data 360",
        ),
        (answer("[]", status=400), AuthConfigurationError, "Check the address"),
        (answer(TOKEN | {"instance_url": None}), AuthConfigurationError, "tenant's address"),
        (answer(TOKEN | {"instance_url": "evil.example"}), HostNotAllowedError, "hosts only"),
        (answer(TOKEN | {"instance_url": "http://x.c360a.salesforce.com"}), SfConnectError, "http"),
    ],
    ids=["scope", "data space", "no tenant", "no reason", "no address", "foreign", "plain"],
)
async def test_other_refusals_name_the_setting_and_leave_the_orgs_token(
    managed, refused, kind, named
):
    sender = ScriptedSender(org_token(1), refused)

    with pytest.raises(kind, match=named):
        await managed(sender).get()

    assert paths(sender) == [ORG, EXCHANGE]


async def test_no_error_repeats_the_orgs_token(managed):
    sender = ScriptedSender(org_token(1), refusal("invalid_scope", "not in 00Dxx!org.1"))

    with pytest.raises(AuthError) as caught:
        await managed(sender).get()

    assert "00Dxx!org.1" not in str(caught.value)


async def test_a_failed_login_to_the_org_is_the_error(managed):
    sender = ScriptedSender(refusal("invalid_client"))

    with pytest.raises(InvalidCredentialsError, match="client_credentials login"):
        await managed(sender).get()


@pytest.mark.parametrize("named", ["127.0.0.1:9000", "http://127.0.0.1:9000"])
async def test_on_this_machine_a_bare_host_is_reached_as_the_org_is(managed, named):
    local = "http://127.0.0.1:8000"
    base = ScriptedStrategy(Credentials(Secret("org"), local), instance_url=local)
    sender = ScriptedSender(answer(TOKEN | {"instance_url": named}))

    credentials = await managed(sender, Data360(base)).get()

    assert credentials.instance_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize("base", [None, "client-credentials", ClientCredentials, object()])
def test_what_is_no_login_is_no_base(base: Any):
    with pytest.raises(ConfigurationError, match="base is not a login"):
        Data360(base)


def test_a_connector_is_told_its_address_by_the_login():
    assert isinstance(DERIVED, NamesBaseUrl)
    assert DERIVED.names_base_url


def test_each_base_and_data_space_has_an_identity_of_its_own():
    keys = [
        identity_key(one)
        for one in (
            DERIVED,
            replace(DERIVED, dataspace=None),
            Data360(replace(CLIENT, client_id="other"), "lab"),
        )
    ]

    assert len(set(keys)) == 3
    assert identity_key(Data360(replace(CLIENT, client_secret="rotated"), "lab")) == keys[0]


def test_a_profile_names_the_base_and_holds_its_options(tmp_path):
    path = tmp_path / "sfconnect.toml"
    path.touch(0o600)
    path.write_text(
        '[profiles.analytics]\nauth = "data360"\nbase = "client-credentials"\n'
        f'login_url = "{ACME}"\nclient_id = "3MVG9app"\nclient_secret = "s3cr3t"\n'
        'dataspace = "lab"\n'
    )

    assert resolve(profile="analytics", environ={}, cwd=tmp_path).strategy == DERIVED
