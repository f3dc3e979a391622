"""The public API as users write it. This file is never run: type checkers read it.

Each ``assert_type`` pins what a reader may rely on. mypy and pyright both have to agree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_type

import anyio

from sfconnect import (
    AccessToken,
    AuthContext,
    AuthStrategy,
    Call,
    ClientCredentials,
    ConnectionPool,
    Connector,
    Credentials,
    JwtBearer,
    Outcome,
    OutcomeUnknownError,
    RefreshToken,
    Request,
    RetryPolicy,
    Salesforce,
    Secret,
    SfConnectError,
    Timeout,
    option,
)
from sfconnect.call import Sender
from sfconnect.policy import CircuitPolicy, DidNotHappen, Happened, HedgePolicy, Reconciled
from sfconnect.retry.circuit import CircuitStats
from sfconnect.salesforce.reconcile import ReconcileByField


@dataclass(frozen=True, slots=True)
class VaultToken:
    """A strategy of a third party."""

    path: Path = option(help="File that the agent writes.")
    instance_url: str = option(help="Base URL of the org.")

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Read the token."""
        token = await anyio.Path(self.path).read_text()
        return Credentials(access_token=Secret(token.strip()), instance_url=self.instance_url)


def strategies() -> Iterator[AuthStrategy]:
    """Everything that can log in, built as a program would."""
    login_url = "https://acme.my.salesforce.com"
    yield ClientCredentials(login_url=login_url, client_id="i", client_secret="s")
    yield ClientCredentials(
        login_url=login_url, client_id="i", client_secret="s", client_auth="basic"
    )
    yield JwtBearer(login_url=login_url, client_id="i", username="u", private_key="pem")
    yield JwtBearer(
        login_url=login_url,
        client_id="i",
        username="u",
        private_key_file=Path("server.key"),
        passphrase="p",
        audience="https://test.salesforce.com",
    )
    yield RefreshToken(login_url=login_url, client_id="i", refresh_token="r")
    yield RefreshToken(login_url=login_url, client_id="i", refresh_token="r", client_secret="s")
    yield AccessToken(instance_url=login_url, access_token="t")
    yield VaultToken(path=Path("token"), instance_url=login_url)


async def connect(auth: AuthStrategy) -> None:
    """All forms of connecting."""
    async with Salesforce.connect(auth) as sf:
        assert_type(sf, Salesforce)
    async with Salesforce.connect("jwt-bearer") as sf:
        assert_type(sf, Salesforce)
    async with Salesforce.connect(profile="prod") as sf:
        assert_type(sf, Salesforce)
    async with Salesforce.connect() as sf:
        assert_type(sf, Salesforce)
    async with ConnectionPool(max_connections=10) as pool, Salesforce.connect(auth, transport=pool):
        assert_type(pool, ConnectionPool)
    async with Connector.connect(
        "oauth2-client-credentials",
        base_url="https://api.example.com",
        token_url="https://api.example.com/token",
        client_id="i",
        client_secret="s",
    ) as api:
        assert_type(api, Connector)
        await api.get("/v1/things", params={"limit": 100})


async def look(unknown: OutcomeUnknownError, sender: Sender) -> Reconciled:
    """A hook that finds out what became of a write."""
    found = (await sender.execute(Request("GET", "/orders/1"))).json()
    return Happened(found) if found else DidNotHappen()


async def policies(auth: AuthStrategy) -> None:
    """How calls are repeated, bounded, refused and asked about."""
    async with Salesforce.connect(
        auth,
        retry=RetryPolicy(max_attempts=8, hedge=HedgePolicy(percentile=0.95)),
        retry_by_surface={"query": RetryPolicy(max_attempts=3)},
        circuit=CircuitPolicy(fail_fast=True),
        reconcile=ReconcileByField({"Account": "Ext_Id__c"}),
        call_timeout_s=60,
    ) as sf:
        create = sf.sobject("Account").create({"Name": "Acme"})
        once = create.with_retry(RetryPolicy(max_attempts=1)).with_timeout(Timeout(call_s=5))
        _ = assert_type(once.with_reconcile(look), Call[str])
        assert_type(sf.stats().circuits, Mapping[str, CircuitStats])


async def records(sf: Salesforce) -> None:
    """Single records."""
    accounts = sf.sobject("Account")
    _ = assert_type(accounts.create({"Name": "Acme"}), Call[str])
    account_id = await accounts.create({"Name": "Acme"})
    assert_type(account_id, str)
    row = await accounts.retrieve(account_id, fields=["Id", "Name"])
    _ = row["Name"]
    await accounts.update(account_id, {"Name": "Acme 2"})
    await accounts.delete(account_id)


async def queries(sf: Salesforce) -> None:
    """Queries in all their forms."""
    async for account in sf.query("SELECT Id, Name, (SELECT Email FROM Contacts) FROM Account"):
        _ = account["Name"]
    newest = await sf.query("SELECT Id FROM Account LIMIT 1").first()
    if newest is not None:
        _ = newest["Id"]
    assert_type(await sf.query("SELECT Id FROM Account").count(), int)


async def many(sf: Salesforce, ids: list[str]) -> None:
    """Calls by the thousand."""
    calls = (sf.sobject("Account").create({"Name": i}) for i in ids)
    async with sf.fan_out(calls, concurrency=64) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[str])
            assert_type(outcome.index, int)
            assert_type(outcome.error, SfConnectError | None)
            assert_type(outcome.unwrap(), str)
    assert_type(await sf.gather(calls), list[str])


async def endless(sf: Salesforce) -> AsyncIterator[Call[str]]:
    """An asynchronous source of calls."""
    while True:
        yield sf.sobject("Account").create({"Name": "again"})


async def from_an_async_source(sf: Salesforce) -> None:
    """Fan-out reads asynchronous sources too."""
    async with sf.fan_out(endless(sf), ordered=True, on_error="stop") as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[str])


async def the_org(sf: Salesforce) -> None:
    """What the org tells of itself, and anything else."""
    await sf.limits()
    await sf.versions()
    await sf.describe_global()
    await sf.sobject("Account").describe()
    await sf.request("GET", "/services/data", params={"a": 1}, json=None)
