"""What proves a login, over sockets: rotated secrets, certificates, either audience, old claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sfconnect._types import Secret
from sfconnect.errors import AuthConfigurationError, InvalidCredentialsError
from sfconnect.salesforce.auth import AccessToken, ClientCredentials, JwtBearer, RefreshToken
from sfconnect_emulator import Emulator
from sfconnect_emulator.keys import KeyPair


def refused_logins(org: Emulator) -> int:
    refused = org.control.statistics()["refused_logins"]
    assert isinstance(refused, dict)
    return sum(refused.values())


def client(org: Emulator) -> ClientCredentials:
    return ClientCredentials(
        org.login_url, org.client_id, org.client_secret, client_secret_next="the-next-secret"
    )


def refresher(org: Emulator) -> RefreshToken:
    return RefreshToken(
        org.login_url,
        org.client_id,
        org.refresh_token,
        client_secret=org.client_secret,
        client_secret_next="the-next-secret",
    )


def bearer(org: Emulator) -> JwtBearer:
    return JwtBearer(org.login_url, org.client_id, org.username, private_key=org.private_key)


def give_another_secret(org: Emulator, secret: str) -> None:
    """As in the minutes after a rotation: the old secret is gone, refresh tokens still work."""
    (app,) = org.control.apps()
    org.control.add_app(replace(app, client_secret=secret))


@pytest.mark.parametrize("make", [client, refresher])
async def test_no_login_fails_on_the_day_a_secret_is_rotated(org, manage, is_accepted, make):
    org.control.change_app(org.client_id, {"require_secret_for_refresh": True})
    manager = manage(make(org))
    before = await manager.get()

    give_another_secret(org, "the-next-secret")
    org.control.revoke_tokens()
    after = await manager.replace(before)

    assert await is_accepted(after.access_token)
    assert refused_logins(org) == 1


@pytest.mark.parametrize("make", [client, refresher])
async def test_two_wrong_secrets_are_refused_twice_and_no_more(org, failure, make):
    org.control.change_app(org.client_id, {"require_secret_for_refresh": True})
    give_another_secret(org, "yet-another")

    error = await failure(make(org))

    assert type(error) is InvalidCredentialsError
    assert error.docs_key == "wrong-client-secret"
    assert refused_logins(org) == 2


async def test_the_apps_certificate_is_checked_and_the_login_goes_on(
    org, manage, is_accepted, tmp_path: Path
):
    (app,) = org.control.apps()
    path = tmp_path / "server.crt"
    path.write_text(app.certificate)

    credentials = await manage(replace(bearer(org), certificate_file=path)).get()

    assert await is_accepted(credentials.access_token)


async def test_a_key_of_another_certificate_never_reaches_the_org(org, failure):
    other = KeyPair.generate()

    error = await failure(replace(bearer(org), certificate=other.certificate))

    assert type(error) is AuthConfigurationError
    assert error.docs_key == "key-not-of-certificate"
    assert refused_logins(org) == 0


async def test_old_apps_name_the_user_in_another_claim(org, manage, is_accepted):
    credentials = await manage(replace(bearer(org), user_claim="prn")).get()

    assert await is_accepted(credentials.access_token)


AUDIENCE_REFUSED = {
    "match": {"path": "/services/oauth2/token", "times": 1},
    "action": {
        "type": "respond",
        "status": 400,
        "json": {"error": "invalid_grant", "error_description": "audience is invalid"},
    },
}


async def test_the_other_audience_logs_in_where_the_derived_one_is_refused(
    org, manage, is_accepted
):
    org.control.add_faults([AUDIENCE_REFUSED])

    credentials = await manage(replace(bearer(org), try_other_audience=True)).get()

    assert await is_accepted(credentials.access_token)


async def test_a_given_token_is_renewed_by_a_login_of_the_application(org, manage, is_accepted):
    first = await manage(client(org)).get()

    async def renew() -> str:
        token: Secret = (await manage(bearer(org)).get()).access_token
        return token.reveal()

    given = manage(AccessToken(org.login_url, first.access_token, renew=renew))
    held = await given.get()
    org.control.revoke_tokens()
    renewed = await given.replace(held)

    assert not await is_accepted(held.access_token)
    assert await is_accepted(renewed.access_token)
