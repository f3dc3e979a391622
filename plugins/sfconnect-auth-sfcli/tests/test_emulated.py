"""A token of the CLI against an emulated org, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfconnect import ClientCredentials, ConnectionPool, Salesforce
from sfconnect.auth import AuthContext, Credentials
from sfconnect_auth_sfcli import SfCli
from sfconnect_emulator import Emulator


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 3}) as running:
        yield running


@pytest.fixture
def closed_pool() -> ConnectionPool:
    return ConnectionPool(proxies_from_environment=False)


async def fresh_token(org: Emulator, pool: ConnectionPool) -> str:
    """Log in as the CLI would."""

    async def no_child(_strategy: object) -> Credentials:
        raise AssertionError("nothing is derived")

    strategy = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    credentials = await strategy.authenticate(AuthContext(pool.send, no_child, log=None))
    return credentials.access_token.reveal()


async def test_the_clis_session_queries_and_is_renewed_by_the_cli(cli, org, closed_pool) -> None:
    async with closed_pool as pool:
        cli.displays(instanceUrl=org.instance_url)
        cli.answers("show-access-token", {"accessToken": await fresh_token(org, pool)})

        async with Salesforce.connect(SfCli("uat", command=cli.command)) as sf:
            before = [row async for row in sf.query("SELECT Id FROM Account")]
            org.control.revoke_tokens()
            cli.answers("show-access-token", {"accessToken": await fresh_token(org, pool)})
            after = [row async for row in sf.query("SELECT Id FROM Account")]

    assert len(before) == 3
    assert after == before
    assert len(cli.calls) == 4
