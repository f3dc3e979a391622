"""Every way to log in, over sockets, against an org that checks secrets and signatures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import AuthStrategy
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    ConnectError,
    ConnectionLostError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    TransientAuthError,
)
from sfconnect.messages import Request
from sfconnect.salesforce.auth import AccessToken, ClientCredentials, JwtBearer, RefreshToken
from sfconnect.testing import FakeClock
from sfconnect.transport import ConnectionPool
from sfconnect_emulator import Emulator
from sfconnect_emulator.keys import KeyPair

WAYS = ["body", "basic", "client key", "jwt file", "jwt text", "refresh", "refresh with secret"]


@pytest.fixture
async def managers(pool: ConnectionPool) -> AsyncIterator[list[CredentialManager]]:
    """Those that a test made; closed at its end."""
    made: list[CredentialManager] = []
    yield made
    for manager in made:
        await manager.aclose()


@pytest.fixture
def manage(pool: ConnectionPool, managers: list[CredentialManager]):
    def make(strategy: AuthStrategy, store: MemoryStore | None = None) -> CredentialManager:
        managers.append(CredentialManager(strategy, send=pool.send, store=store))
        return managers[-1]

    return make


def client(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


def by_key(org: Emulator) -> ClientCredentials:
    return ClientCredentials(
        org.login_url,
        org.client_id,
        client_auth="private_key_jwt",
        private_key=org.private_key,
    )


def bearer(org: Emulator) -> JwtBearer:
    return JwtBearer(org.login_url, org.client_id, org.username, private_key=org.private_key)


def refresher(org: Emulator) -> RefreshToken:
    return RefreshToken(org.login_url, org.client_id, org.refresh_token)


def strategy_for(way: str, org: Emulator) -> ClientCredentials | JwtBearer | RefreshToken:
    ways: dict[str, ClientCredentials | JwtBearer | RefreshToken] = {
        "body": client(org),
        "basic": replace(client(org), client_auth="basic"),
        "client key": by_key(org),
        "jwt file": replace(bearer(org), private_key=None, private_key_file=org.private_key_file),
        "jwt text": bearer(org),
        "refresh": refresher(org),
        "refresh with secret": replace(refresher(org), client_secret=org.client_secret),
    }
    return ways[way]


async def is_accepted(pool: ConnectionPool, url: str, token: Secret) -> bool:
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    answer = await pool.send(Request("GET", f"{url}/services/data/v60.0/limits", headers=headers))
    assert answer.status in {200, 401}
    return answer.status == 200


@pytest.mark.parametrize("way", WAYS)
async def test_a_login_gives_a_token_that_the_org_accepts(org, pool, manage, way):
    credentials = await manage(strategy_for(way, org)).get()

    assert await is_accepted(pool, credentials.instance_url, credentials.access_token)
    assert credentials.identity_url is not None
    assert org.instance.org.org_id in credentials.identity_url


@pytest.mark.parametrize("way", WAYS)
async def test_a_revoked_token_is_replaced_by_one_that_works(org, pool, manage, way):
    manager = manage(strategy_for(way, org))
    credentials = await manager.get()
    org.control.revoke_tokens()
    assert not await is_accepted(pool, credentials.instance_url, credentials.access_token)

    replaced = await asyncio.gather(*(manager.replace(credentials) for _ in range(50)))

    assert len({one.access_token for one in replaced}) == 1
    assert await is_accepted(pool, replaced[0].instance_url, replaced[0].access_token)
    assert manager.logins == 2


@pytest.mark.parametrize("way", ["body", "jwt text", "refresh"])
async def test_revoking_ends_the_session_in_the_org(org, pool, manage, way):
    manager = manage(strategy_for(way, org))
    credentials = await manager.get()

    assert await manager.revoke() is True

    assert not await is_accepted(pool, credentials.instance_url, credentials.access_token)


async def test_a_given_token_works_until_the_org_ends_it(org, pool, manage):
    issued = await manage(client(org)).get()
    manager = manage(AccessToken(org.login_url, issued.access_token))
    given = await manager.get()
    assert await is_accepted(pool, given.instance_url, given.access_token)

    await manager.revoke()

    assert not await is_accepted(pool, given.instance_url, given.access_token)
    with pytest.raises(ReauthorizationRequired):
        await manager.replace(given)


async def test_rotation_needs_the_newest_refresh_token_each_time(org, pool, manage):
    org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})
    manager = manage(refresher(org))

    credentials = await manager.get()
    for _ in range(3):
        credentials = await manager.replace(credentials)

    assert await is_accepted(pool, credentials.instance_url, credentials.access_token)
    with pytest.raises(ReauthorizationRequired, match="share a token store"):
        await manage(refresher(org)).get()


async def test_processes_that_share_a_store_share_rotated_tokens(org, pool, manage):
    org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})
    store = MemoryStore()
    processes = [manage(refresher(org), store) for _ in range(4)]

    for _ in range(3):
        held = await asyncio.gather(*(process.get() for process in processes))
        assert len({one.access_token for one in held}) == 1
        pairs = zip(processes, held, strict=True)
        await asyncio.gather(*(process.replace(one) for process, one in pairs))

    assert sum(process.logins for process in processes) == 4
    token = (await processes[0].get()).access_token
    assert await is_accepted(pool, org.login_url, token)


async def failure(manage, strategy: AuthStrategy) -> AuthError:
    manager = manage(strategy)
    with pytest.raises(AuthError) as caught:
        await manager.get()
    return caught.value


@pytest.mark.parametrize("client_auth", ["body", "basic"])
async def test_a_wrong_secret_names_the_setting_and_not_the_secret(org, manage, client_auth):
    wrong = replace(client(org), client_secret="not-the-secret", client_auth=client_auth)

    error = await failure(manage, wrong)

    assert type(error) is InvalidCredentialsError
    assert error.code == "invalid_client"
    assert "Check client_secret" in str(error)
    assert "not-the-secret" not in str(error)


@pytest.mark.parametrize("way", WAYS)
async def test_an_unknown_app_is_named_by_the_start_of_its_key(org, manage, way):
    error = await failure(manage, replace(strategy_for(way, org), client_id="3MVG9unknown"))

    assert type(error) is AuthConfigurationError
    assert error.code == "invalid_client_id"
    assert "3MVG9u…" in str(error)


async def test_a_key_of_another_certificate_is_told_as_such(org, manage):
    error = await failure(manage, replace(bearer(org), private_key=KeyPair.generate().private_key))

    assert type(error) is InvalidCredentialsError
    assert "does not belong to the certificate" in str(error)


async def test_a_client_key_of_another_certificate_is_told_as_such(org, manage):
    error = await failure(manage, replace(by_key(org), private_key=KeyPair.generate().private_key))

    assert type(error) is InvalidCredentialsError
    assert error.docs_key == "wrong-client-key"
    assert "signed proof" in str(error)


@pytest.mark.parametrize(
    "audience", ["https://login.salesforce.com", "https://test.salesforce.com"]
)
async def test_both_audiences_of_salesforce_are_accepted(org, manage, audience):
    await manage(replace(bearer(org), audience=audience)).get()


async def test_a_wrong_audience_is_named_with_what_to_set(org, manage):
    error = await failure(manage, replace(bearer(org), audience="https://example.com"))

    assert type(error) is AuthConfigurationError
    assert "was for https://example.com" in str(error)
    assert "set audience=https://test.salesforce.com" in str(error)


async def test_an_unknown_user_is_named(org, manage):
    error = await failure(manage, replace(bearer(org), username="nobody@example.com"))

    assert type(error) is AppAccessDenied
    assert "nobody@example.com" in str(error)


@pytest.mark.parametrize("drift_s", [-3600.0, 3600.0])
async def test_a_clock_that_is_wrong_by_an_hour_still_logs_in(org, pool, managers, drift_s):
    """Behind, the assertion would be expired; ahead, the org need not care."""
    clock = FakeClock(wall=org.instance.clock.time() + drift_s)
    manager = CredentialManager(bearer(org), send=pool.send, clock=clock)
    managers.append(manager)

    credentials = await manager.get()

    assert await is_accepted(pool, credentials.instance_url, credentials.access_token)


async def test_a_dead_refresh_token_needs_a_new_authorisation(org, manage):
    error = await failure(manage, replace(refresher(org), refresh_token="5Aep-dead"))

    assert type(error) is ReauthorizationRequired
    assert "5Aep-dead" not in str(error)


async def test_an_app_without_a_run_as_user_says_where_to_set_one(org, manage):
    org.control.change_app(org.client_id, {"run_as": None})

    assert "Set Run As" in str(await failure(manage, client(org)))


async def test_a_hopeless_login_is_sent_once_for_many_callers(org, manage):
    manager = manage(replace(client(org), client_secret="wrong"))

    outcomes = await asyncio.gather(*(manager.get() for _ in range(50)), return_exceptions=True)
    with pytest.raises(InvalidCredentialsError):
        await manager.get()

    assert {type(outcome) for outcome in outcomes} == {InvalidCredentialsError}
    refused = org.control.statistics()["refused_logins"]
    assert isinstance(refused, dict)
    assert sum(refused.values()) == 1


async def test_too_many_logins_of_one_user_stop_the_logins(org, manage):
    org.control.change_org({"logins_per_hour": 0})
    manager = manage(client(org))

    for _ in range(3):
        with pytest.raises(LoginRateLimited, match="3,600 logins"):
            await manager.get()

    refused = org.control.statistics()["refused_logins"]
    assert isinstance(refused, dict)
    assert sum(refused.values()) == 1


TOKEN_PATH = {"path": "/services/oauth2/token"}


@pytest.mark.parametrize("status", [500, 503])
async def test_a_login_survives_two_faults_of_the_server(org, manage, status):
    page = "<html><head><title>Down for maintenance</title></head></html>"
    action = {"type": "respond", "status": status, "html": page}
    org.control.add_faults([{"match": {**TOKEN_PATH, "times": 2}, "action": action}])

    assert await manage(client(org)).get()


async def test_a_maintenance_page_is_told_by_its_title(org, manage):
    page = "<html><head><title>Down for maintenance</title></head></html>"
    action = {"type": "respond", "status": 503, "html": page}
    org.control.add_faults([{"match": TOKEN_PATH, "action": action}])

    error = await failure(manage, client(org))

    assert type(error) is TransientAuthError
    assert "a page titled 'Down for maintenance'" in str(error)


async def test_a_redirected_login_is_not_followed(org, manage):
    headers = {"Location": "https://sso.example.com/start?RelayState=x"}
    action = {"type": "respond", "status": 302, "headers": headers}
    org.control.add_faults([{"match": TOKEN_PATH, "action": action}])

    error = await failure(manage, client(org))

    assert type(error) is AuthConfigurationError
    assert "a redirect to sso.example.com, which is not followed" in str(error)


BUSY = ["token request is already being processed", "expired authorization code"]


@pytest.mark.parametrize("words", BUSY)
async def test_a_refresh_token_that_is_in_use_elsewhere_is_tried_again(org, manage, words):
    """The second text is what older instances of Salesforce say for the first."""
    body = {"error": "invalid_grant", "error_description": words}
    busy = {"type": "respond", "status": 400, "json": body}
    org.control.add_faults([{"match": {**TOKEN_PATH, "times": 2}, "action": busy}])

    assert await manage(refresher(org)).get()

    assert org.control.statistics()["logins"] == {"refresh_token": 1}


LOSE = {"match": {**TOKEN_PATH, "times": 1}, "action": {"type": "act-then-reset"}}


async def test_a_refresh_whose_answer_is_lost_is_sent_once_more(org, manage):
    org.control.add_faults([LOSE])

    assert await manage(refresher(org)).get()

    assert org.control.statistics()["logins"] == {"refresh_token": 2}


async def test_a_rotated_token_that_was_lost_on_its_way_is_told_as_such(org, manage):
    org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})
    org.control.add_faults([LOSE])

    error = await failure(manage, refresher(org))

    assert type(error) is ReauthorizationRequired
    assert "may have been rotated then, and the new one never arrived" in str(error)
    assert org.control.statistics()["logins"] == {"refresh_token": 1}
    refused = org.control.statistics()["refused_logins"]
    assert isinstance(refused, dict)
    assert sum(refused.values()) == 1


async def test_two_lost_answers_are_not_followed_by_a_third_try(org, manage):
    org.control.add_faults([{"match": TOKEN_PATH, "action": {"type": "act-then-reset"}}])

    error = await failure(manage, refresher(org))

    assert type(error) is ReauthorizationRequired
    assert isinstance(error.__cause__, ConnectionLostError)
    assert org.control.statistics()["logins"] == {"refresh_token": 2}


async def test_a_login_without_a_refresh_token_is_not_repeated_by_itself(org, manage):
    org.control.add_faults([LOSE])

    with pytest.raises(ConnectionLostError):
        await manage(client(org)).get()


async def test_a_login_server_that_is_away_is_a_connect_error(manage, free_tcp_port):
    manager = manage(ClientCredentials(f"http://127.0.0.1:{free_tcp_port}", "app", "s3cr3t"))

    with pytest.raises(ConnectError):
        await manager.get()
