"""A soak under random trouble, and the server's books to judge it by.

Nothing that was said to be written is missing or there twice, nothing that was said to have failed
is there, and no row of a query is missed or read twice.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sfconnect import (
    ClientCredentials,
    OutcomeUnknownError,
    RetryPolicy,
    Salesforce,
    SfConnectError,
)
from sfconnect.auth import AuthContext, Credentials
from sfconnect.fan_out import Outcome
from sfconnect.retry import RetryBudget
from sfconnect.testing.fault_proxy import (
    CorruptGzip,
    CutBody,
    Drip,
    Duplicate,
    Exchange,
    Fault,
    FaultProxy,
    HalfOpen,
    Instead,
    ResetAfter,
    ResetBefore,
    Stall,
)
from sfconnect_emulator import Emulator

CONTACTS = 1100
CREATES, UPSERTS, READS = 150, 100, 6
POLICY = RetryPolicy(max_attempts=8, initial_s=0.001, max_s=0.01)
UNAUTHORIZED = '[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]'


class Trouble:
    """One exchange in four meets some fault, as the dice of a seed say."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.made: Counter[str] = Counter()

    def __call__(self, exchange: Exchange) -> Fault | None:
        if self._dice.random() > 0.25:
            return None
        fault = self._dice.choice(self._faults(exchange))
        self.made[type(fault).__name__] += 1
        return fault

    def _faults(self, exchange: Exchange) -> list[Fault]:
        acts = self._dice.random() < 0.5
        anywhere: list[Fault] = [
            ResetBefore(),
            ResetAfter(),
            CutBody(after=self._dice.randrange(60)),
            CutBody(after=self._dice.randrange(60), chunked=True),
            CorruptGzip(),
            Drip(size=500, pause_s=0),
            HalfOpen(),
            Instead(503, acts=acts),
            Instead(401, UNAUTHORIZED, "application/json"),
            Stall(acts=acts),
        ]
        # A network that doubles a create has doubled it, whatever the client does.
        return anywhere if exchange.method == "POST" else [*anywhere, Duplicate()]


@dataclass(frozen=True, slots=True)
class Through:
    """Log in past the proxy, and send everything else through it."""

    login: ClientCredentials
    proxy_url: str

    async def authenticate(self, context: AuthContext) -> Credentials:
        return replace(await self.login.authenticate(context), instance_url=self.proxy_url)


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 1, "Contact": CONTACTS}, chunked=False) as running:
        yield running


@pytest.mark.timeout(90)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_lost_or_doubled_whatever_the_network_does(
    org: Emulator, seed: int
) -> None:
    login = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    trouble = Trouble(seed)
    async with FaultProxy(org.login_url, trouble) as proxy:
        troubled = Salesforce.connect(
            Through(login, proxy.url),
            retry=POLICY,
            budget=RetryBudget(capacity=100_000),
            read_timeout_s=0.3,
            max_connections=16,
        )
        async with troubled as sf:
            writes = [outcome async for outcome in everything_written(sf)]
            reads = [await read(sf) for _ in range(READS)]

    async with Salesforce.connect(login) as sf:
        found = await sf.query(
            "SELECT Id, Name, Ext_Id__c FROM Account WHERE Name LIKE 'soak-%'"
        ).all()
        contacts = {row["Id"] for row in await sf.query("SELECT Id FROM Contact").all()}
    check_writes(writes, Counter(row["Name"] for row in found), {row["Id"] for row in found})
    check_reads(reads, contacts)
    assert len(trouble.made) >= 8
    assert troubled_exchanges(proxy) >= 50


async def everything_written(sf: Salesforce) -> AsyncIterator[Outcome[Any]]:
    accounts = sf.sobject("Account")
    creates = (accounts.create({"Name": f"soak-create-{n}"}) for n in range(CREATES))
    async with sf.fan_out(creates, concurrency=16, ordered=True) as created:
        async for done in created:
            yield done
    upserts = (
        accounts.upsert("Ext_Id__c", f"soak-{n}", {"Name": f"soak-upsert-{n}"})
        for n in range(UPSERTS)
    )
    async with sf.fan_out(upserts, concurrency=16, ordered=True) as upserted:
        async for outcome in upserted:
            yield outcome


async def read(sf: Salesforce) -> list[str] | SfConnectError:
    try:
        query = sf.query("SELECT Id FROM Contact ORDER BY Id", page_rows=200)
        return [row["Id"] async for row in query]
    except SfConnectError as error:
        return error


def check_writes(writes: list[Outcome[Any]], there: Counter[str], ids: set[str]) -> None:
    creates, upserts = writes[:CREATES], writes[CREATES:]
    for outcome in creates:
        times = there[f"soak-create-{outcome.index}"]
        if outcome.error is None:
            assert times == 1
            assert outcome.value in ids
        elif isinstance(outcome.error, OutcomeUnknownError):
            assert times <= 1
        else:
            assert times == 0
    for outcome in upserts:
        times = there[f"soak-upsert-{outcome.index}"]
        assert times == 1 if outcome.error is None else times <= 1
    errors = [outcome.error for outcome in writes if outcome.error is not None]
    assert len(errors) < len(writes) / 2
    assert all(not isinstance(one.error, OutcomeUnknownError) for one in upserts)


def check_reads(reads: list[list[str] | SfConnectError], contacts: set[str]) -> None:
    whole = [read for read in reads if isinstance(read, list)]
    assert whole
    for ids in whole:
        assert len(ids) == len(set(ids)) == CONTACTS
        assert set(ids) == contacts


def troubled_exchanges(proxy: FaultProxy) -> int:
    return sum(exchange.fault is not None for exchange in proxy.exchanges)
