"""Tokens for tokens, over sockets: those of an identity provider, and those of Data 360."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sfconnect import Connector, JwtBearer
from sfconnect.auth.base import AuthStrategy
from sfconnect.auth.signing import LocalSigner, load_rsa_key, sign_jwt
from sfconnect.errors import AuthConfigurationError, InvalidCredentialsError
from sfconnect.salesforce.auth import ClientCredentials, Data360, TokenExchange
from sfconnect_emulator import Emulator
from sfconnect_emulator.keys import KeyPair

ISSUER = "https://idp.example.com"
"""Whom the org trusts, with the key that the emulator announces."""


async def identity(org: Emulator, key: str | None = None, **claims: Any) -> str:
    """A token as the platform of a workload writes it."""
    now = org.instance.clock.time()
    signer = LocalSigner(load_rsa_key(key or org.private_key))
    return await sign_jwt(signer, {"iss": ISSUER, "sub": org.username, "exp": now + 300, **claims})


def exchange(org: Emulator, path: Path) -> TokenExchange:
    return TokenExchange(org.login_url, org.client_id, subject_token_file=path)


def client(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    return tmp_path / "identity"


async def test_a_workload_logs_in_by_the_file_of_its_platform(org, manage, is_accepted, workload):
    workload.write_text(await identity(org))

    credentials = await manage(exchange(org, workload)).get()

    assert await is_accepted(credentials.access_token)
    assert credentials.extra["issued_token_type"].endswith(":access_token")


async def test_a_file_that_was_rotated_meanwhile_is_the_one_that_counts(
    org, manage, is_accepted, workload
):
    workload.write_text(await identity(org))
    manager = manage(exchange(org, workload))
    first = await manager.get()

    org.control.advance_clock(3600)
    org.control.revoke_tokens()
    workload.write_text(await identity(org))
    second = await manager.replace(first)

    assert await is_accepted(second.access_token)


async def test_a_token_that_has_ended_is_refused_by_the_handler(org, failure, workload):
    workload.write_text(await identity(org, exp=1))

    error = await failure(exchange(org, workload))

    assert type(error) is InvalidCredentialsError
    assert error.docs_key == "exchange-refused"
    assert workload.read_text() not in str(error)


async def test_a_token_of_somebody_else_is_refused_by_the_handler(org, failure, workload):
    workload.write_text(await identity(org, KeyPair.generate().private_key))

    assert (await failure(exchange(org, workload))).docs_key == "exchange-refused"


async def test_a_handler_that_is_not_there_is_the_option_to_set(org, failure, workload):
    workload.write_text(await identity(org))

    error = await failure(replace(exchange(org, workload), token_handler="Github"))

    assert type(error) is AuthConfigurationError
    assert error.docs_key == "no-token-handler"
    assert "Set token_handler" in (error.hint or "")


@pytest.mark.parametrize("kind", ["refresh_token", "saml2"])
async def test_a_kind_that_the_org_does_not_take_is_the_option_to_set(org, failure, workload, kind):
    workload.write_text(await identity(org))

    error = await failure(replace(exchange(org, workload), subject_token_type=kind))

    assert error.docs_key == "wrong-subject-token-type"


async def test_an_app_may_insist_on_its_secret(org, manage, failure, workload):
    org.control.change_app(org.client_id, {"require_secret_for_exchange": True})
    workload.write_text(await identity(org))
    bare = exchange(org, workload)

    refused = await failure(bare)

    assert refused.docs_key == "wrong-client-secret"
    assert await manage(replace(bare, client_secret=org.client_secret)).get() is not None


@pytest.mark.parametrize("base", ["client-credentials", "jwt-bearer", "token-exchange"])
async def test_a_tenant_is_reached_by_any_login_to_its_org(org, workload, base):
    workload.write_text(await identity(org))
    bases: dict[str, AuthStrategy] = {
        "client-credentials": client(org),
        "jwt-bearer": JwtBearer(
            org.login_url, org.client_id, org.username, private_key=org.private_key
        ),
        "token-exchange": exchange(org, workload),
    }

    async with Connector.connect(Data360(bases[base], "lab")) as tenant:
        assert await tenant.get("/api/v1/metadata") == {"metadata": [], "dataspace": "lab"}


async def test_a_tenants_token_ends_by_itself_and_is_exchanged_anew(org, manage):
    org.control.set_data360_token_life(60)
    manager = manage(Data360(client(org)))
    first = await manager.get()

    second = await manager.replace(first)

    assert first.expires_at is not None
    assert second.access_token != first.access_token
    logins = org.control.statistics()["logins"]
    assert isinstance(logins, dict)
    assert logins["client_credentials"] == 1


async def test_a_dead_token_of_the_org_is_renewed_on_the_way(org, manage):
    manager = manage(Data360(client(org)))
    first = await manager.get()

    org.control.revoke_tokens()
    await manager.replace(first)

    logins = org.control.statistics()["logins"]
    assert isinstance(logins, dict)
    assert logins["client_credentials"] == 2


async def test_an_app_without_a_scope_of_data_360_is_told_which_to_add(org, failure):
    org.control.change_app(org.client_id, {"scopes": ["api"]})

    error = await failure(Data360(client(org)))

    assert error.docs_key == "no-data360-scope"
    assert "cdp_query_api" in (error.hint or "")


async def test_a_profile_holds_the_login_of_the_tenant_and_that_of_the_org(
    org, tmp_path, monkeypatch
):
    path = tmp_path / "sfconnect.toml"
    path.touch(0o600)
    path.write_text(
        '[profiles.analytics]\nauth = "data360"\nbase = "client-credentials"\n'
        f'login_url = "{org.login_url}"\nclient_id = "{org.client_id}"\n'
        f'client_secret = "{org.client_secret}"\ndataspace = "lab"\n'
    )
    monkeypatch.setenv("SFCONNECT_CONFIG", str(path))

    async with Connector.connect(profile="analytics") as tenant:
        assert (await tenant.get("/api/v1/metadata"))["dataspace"] == "lab"
