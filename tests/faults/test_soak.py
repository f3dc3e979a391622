"""A soak under random trouble, and the server's books to judge it by.

Nothing that was said to be written is missing or there twice, nothing that was said to have failed
is there, no row of a query is missed or read twice, and no stream ends early without an error.
And it leaves no more in memory after the second round than after the first.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import CoroutineType, FrameType, TracebackType
from typing import Any

import pytest

from sfconnect import (
    Call,
    ClientCredentials,
    NotFoundError,
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
from sfconnect_emulator.ledger import Write

CONTACTS = 1100
CREATES, UPSERTS, UPDATES, DELETES, READS = 150, 100, 60, 60, 6
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


@asynccontextmanager
async def in_trouble(org: Emulator, trouble: Trouble) -> AsyncIterator[Salesforce]:
    """A connection to an org whose network is as the dice say."""
    async with FaultProxy(org.login_url, trouble) as proxy:
        troubled = Salesforce.connect(
            Through(login_of(org), proxy.url),
            retry=POLICY,
            budget=RetryBudget(capacity=100_000),
            read_timeout_s=0.3,
            max_connections=16,
        )
        async with troubled as sf:
            yield sf
        proxy.exchanges.clear()


def login_of(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_lost_or_doubled_whatever_the_network_does(
    org: Emulator, seed: int
) -> None:
    trouble = Trouble(seed)
    async with Salesforce.connect(login_of(org)) as well:
        accounts = well.sobject("Account")
        olds = [accounts.create({"Name": f"old-{n}"}) for n in range(UPDATES + DELETES)]
        ids = await well.gather(olds)
        before = len(org.control.ledger())

        async with in_trouble(org, trouble) as sf:
            writes = await written(sf, creates_and_upserts(sf))
            changes = await written(sf, updates_and_deletes(sf, ids))
            reads = [await read(sf) for _ in range(READS)]
            streams = [await streamed(sf) for _ in range(READS)]

        found = await well.query("SELECT Id, Name FROM Account WHERE Name LIKE 'soak-%'").all()
        contacts = {row["Id"] for row in await well.query("SELECT Id FROM Contact").all()}
        described = await streamed(well)
    books = org.control.ledger()[before:]
    check_writes(writes, Counter(row["Name"] for row in found), {row["Id"] for row in found})
    check_creates_in_the_books(writes, books)
    check_changes(changes, ids, {row["Id"]: row["Name"] for row in found}, books)
    check_reads(reads, contacts)
    assert isinstance(described, bytes)
    assert described in streams
    assert all(read == described for read in streams if isinstance(read, bytes))
    assert len(trouble.made) >= 8
    assert trouble.made.total() >= 50


def creates_and_upserts(sf: Salesforce) -> Iterable[Call[Any]]:
    accounts = sf.sobject("Account")
    for n in range(CREATES):
        yield accounts.create({"Name": f"soak-create-{n}"})
    for n in range(UPSERTS):
        yield accounts.upsert("Ext_Id__c", f"soak-{n}", {"Name": f"soak-upsert-{n}"})


def updates_and_deletes(sf: Salesforce, ids: list[str]) -> Iterable[Call[Any]]:
    accounts = sf.sobject("Account")
    for n, record_id in enumerate(ids):
        if n < UPDATES:
            yield accounts.update(record_id, {"Name": f"soak-update-{n}"})
        else:
            yield accounts.delete(record_id)


async def written(sf: Salesforce, calls: Iterable[Call[Any]]) -> list[Outcome[Any]]:
    async with sf.fan_out(calls, concurrency=16, ordered=True) as outcomes:
        return [outcome async for outcome in outcomes]


async def read(sf: Salesforce) -> list[str] | SfConnectError:
    try:
        query = sf.query("SELECT Id FROM Contact ORDER BY Id", page_rows=200)
        return [row["Id"] async for row in query]
    except SfConnectError as error:
        return error


async def streamed(sf: Salesforce) -> bytes | SfConnectError:
    path = f"/services/data/v{sf.api_version}/sobjects/Account/describe"
    try:
        async with sf.stream("GET", path) as answer:
            return b"".join([piece async for piece in answer.iter_bytes()])
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
        times = there[f"soak-upsert-{outcome.index - CREATES}"]
        assert times == 1 if outcome.error is None else times <= 1
    errors = [outcome.error for outcome in writes if outcome.error is not None]
    assert len(errors) < len(writes) / 2
    assert all(not isinstance(one.error, OutcomeUnknownError) for one in upserts)


def check_creates_in_the_books(writes: list[Outcome[Any]], books: tuple[Write, ...]) -> None:
    """Each create that was said to have succeeded is one entry, and each entry is accounted for."""
    entries = Counter(
        one.record_id for one in books if (one.action, one.method) == ("created", "POST")
    )
    creates = writes[:CREATES]
    assert all(entries[str(one.value)] == 1 for one in creates if one.error is None)
    unknown = sum(isinstance(one.error, OutcomeUnknownError) for one in creates)
    succeeded = sum(one.error is None for one in creates)
    assert succeeded <= entries.total() <= succeeded + unknown
    upserted = Counter(
        one.path for one in books if (one.action, one.method) == ("created", "PATCH")
    )
    assert set(upserted.values()) == {1}
    assert len(upserted) >= sum(one.error is None for one in writes[CREATES:])


def check_changes(
    changes: list[Outcome[Any]], ids: list[str], there: dict[str, str], books: tuple[Write, ...]
) -> None:
    entries = Counter((one.action, one.record_id) for one in books)
    for outcome, record_id in zip(changes, ids, strict=True):
        if outcome.index < UPDATES:
            name = there.get(record_id)
            assert name == f"soak-update-{outcome.index}" or (name is None and outcome.error)
            assert (name is not None) == (entries["updated", record_id] >= 1)
        elif outcome.error is None or isinstance(outcome.error, NotFoundError):
            assert entries["deleted", record_id] == 1
        else:
            assert entries["deleted", record_id] <= 1
    assert sum(one.error is not None for one in changes) < len(changes) / 2


def check_reads(reads: list[list[str] | SfConnectError], contacts: set[str]) -> None:
    whole = [read for read in reads if isinstance(read, list)]
    assert whole
    for ids in whole:
        assert len(ids) == len(set(ids)) == CONTACTS
        assert set(ids) == contacts


@pytest.mark.timeout(90)
async def test_a_second_round_of_trouble_leaves_no_more_in_memory_than_the_first(
    org: Emulator,
) -> None:
    """One object kept of each call would be 350; connections come and go, of which there are 20."""
    connected = Salesforce.connect(login_of(org), max_connections=4)
    async with connected as well, in_trouble(org, Trouble(4)) as sf:
        kept = []
        for _ in range(2):
            await one_round(well, sf)
            kept.append(await in_memory())

    grown = kept[1] - kept[0]
    own = {kind: more for kind, more in grown.items() if kind.startswith("sfconnect.")}
    assert sum(own.values()) < 50, grown
    assert max(grown.values(), default=0) < 150, grown  # each connection has tasks of its servers


async def one_round(well: Salesforce, sf: Salesforce) -> None:
    accounts = well.sobject("Account")
    ids = await well.gather(accounts.create({"Name": f"old-{n}"}) for n in range(40))
    await written(sf, creates_and_upserts(sf))
    await written(sf, updates_and_deletes(sf, ids))
    await read(sf)
    await streamed(sf)


HOLDERS = (BaseException, TracebackType, FrameType, CoroutineType, asyncio.Future)
"""What may hold on to the library's work without being of it."""


async def in_memory() -> Counter[str]:
    """Count the objects of the library's own classes, and the holders, by their kinds."""
    for _ in range(3):
        await asyncio.sleep(0)
        gc.collect()
    kinds = (type(one) for one in gc.get_objects())
    return Counter(name for kind in kinds if (name := counted_as(kind)) is not None)


def counted_as(kind: type) -> str | None:
    name = f"{kind.__module__}.{kind.__qualname__}"
    own = name.startswith("sfconnect.") and not name.startswith("sfconnect.testing.")
    return name if own or issubclass(kind, HOLDERS) else None
