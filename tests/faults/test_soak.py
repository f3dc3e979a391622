"""A soak under random trouble, with and without TLS, and the server's books to judge it by.

Nothing that was said to be written is missing or there twice, nothing that was said to have failed
is there, no row of a query is missed or read twice, and no stream ends early without an error.
Each failure is one of ours. No task, socket or slot outlasts the client, and it leaves no more in
memory after the second round than after the first.

A seed that fails is in the test's name; ``SFCONNECT_SOAK=7`` runs that one alone, with and without
TLS, and ``SFCONNECT_SOAK=1-40`` makes a long run of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import CoroutineType, FrameType, TracebackType
from typing import Any, TypeVar

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
from sfconnect.testing import FaultProxy
from sfconnect_emulator import Emulator
from sfconnect_emulator.ledger import Write
from tests.faults.composing import Composing
from tests.faults.leftovers import hung_up
from tests.faults.weather import Weather

T = TypeVar("T")

CONTACTS = 1100
CREATES, UPSERTS, PAIRS, UPDATES, DELETES, READS, STREAMS = 120, 80, 40, 50, 50, 6, 30
POLICY = RetryPolicy(max_attempts=8, initial_s=0.001, max_s=0.01)
FIRST, SECOND = "soak-first-{}", "soak-second-{}"


def runs() -> list[tuple[int, bool]]:
    """The seeds, and whether TLS is spoken."""
    first, _, last = os.environ.get("SFCONNECT_SOAK", "").partition("-")
    if not first:
        return [(1, True), (2, False), (3, True)]
    chosen = range(int(first), int(last or first) + 1)
    return [(seed, tls) for seed in chosen for tls in (True, False)]


RUNS = [pytest.param(seed, tls, id=f"{seed}-{'tls' if tls else 'plain'}") for seed, tls in runs()]


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
async def in_trouble(org: Emulator, weather: Weather, *, tls: bool) -> AsyncIterator[Salesforce]:
    """A connection to an org whose network is as the dice say; nothing is left of it behind."""
    async with (
        Composing(org) as composing,
        FaultProxy(
            composing.url, weather.of_request, connections=weather.of_connection, tls=tls
        ) as proxy,
    ):
        async with Salesforce.connect(
            Through(login_of(org), proxy.url),
            ca_file=proxy.ca_file,
            retry=POLICY,
            budget=RetryBudget(capacity=100_000),
            circuit_breaker=False,
            connect_timeout_s=0.3,
            read_timeout_s=0.3,
            max_connections=16,
        ) as sf:
            yield sf
            assert sf.stats().in_flight in {None, 0}
        await hung_up(proxy)
        proxy.exchanges.clear()


def login_of(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


@dataclass(frozen=True, slots=True)
class Told:
    """What the client says has happened."""

    writes: list[Outcome[Any]]
    pairs: list[Outcome[Any]]
    changes: list[Outcome[Any]]
    reads: list[list[str] | SfConnectError]
    streams: list[bytes | SfConnectError]


@pytest.mark.timeout(90)
@pytest.mark.parametrize(("seed", "tls"), RUNS)
async def test_nothing_is_lost_or_doubled_whatever_the_network_does(
    org: Emulator, seed: int, tls: bool
) -> None:
    # Where connections are refused while others are made, uvloop 0.23 closes descriptors that have
    # new owners by then.
    ports_close = os.environ.get("SFCONNECT_TEST_LOOP") != "uvloop"
    weather = Weather(seed, org.control.revoke_tokens, ports_close=ports_close)
    async with Salesforce.connect(login_of(org)) as well:
        accounts = well.sobject("Account")
        olds = [accounts.create({"Name": f"old-{n}"}) for n in range(UPDATES + DELETES)]
        ids = await well.gather(olds)
        before = len(org.control.ledger())

        async with in_trouble(org, weather, tls=tls) as sf:
            told = await everything_at_once(sf, ids)

        query = "SELECT Id, Name, ParentId FROM Account WHERE Name LIKE 'soak-%'"
        found = await well.query(query).all()
        contacts = {row["Id"] for row in await well.query("SELECT Id FROM Contact").all()}
        described = await streamed(well)
    books = org.control.ledger()[before:]
    there = {row["Id"]: row["Name"] for row in found}
    check_writes(told.writes, Counter(there.values()), set(there))
    check_pairs(told.pairs, found)
    check_creates_in_the_books(told, books)
    check_changes(told.changes, ids, there, books)
    check_reads(told.reads, contacts)
    assert isinstance(described, bytes)
    assert described in told.streams
    assert all(read == described for read in told.streams if isinstance(read, bytes))
    check_errors(told)
    assert len(weather.made) >= 12, weather.made
    assert weather.made.total() >= 100


async def everything_at_once(sf: Salesforce, ids: list[str]) -> Told:
    async with asyncio.TaskGroup() as group:
        writes = group.create_task(written(sf, creates_and_upserts(sf)))
        pairs = group.create_task(written(sf, composites(sf)))
        changes = group.create_task(written(sf, updates_and_deletes(sf, ids)))
        reads = group.create_task(times(READS, lambda: read(sf)))
        streams = group.create_task(times(READS, lambda: streamed(sf)))
        plain = group.create_task(times(STREAMS, lambda: streamed(sf, "identity")))
    every_stream = streams.result() + plain.result()
    return Told(writes.result(), pairs.result(), changes.result(), reads.result(), every_stream)


async def times(number: int, work: Callable[[], Awaitable[T]]) -> list[T]:
    return [await work() for _ in range(number)]


def creates_and_upserts(sf: Salesforce) -> Iterable[Call[Any]]:
    accounts = sf.sobject("Account")
    for n in range(CREATES):
        yield accounts.create({"Name": f"soak-create-{n}"})
    for n in range(UPSERTS):
        yield accounts.upsert("Ext_Id__c", f"soak-{n}", {"Name": f"soak-upsert-{n}"})


def composites(sf: Salesforce) -> Iterable[Call[Any]]:
    """Requests that create two records each, the second of which refers to the first."""
    base = f"/services/data/v{sf.api_version}"
    for n in range(PAIRS):
        yield sf.request(
            "POST",
            f"{base}/composite",
            json={
                "allOrNone": False,
                "compositeRequest": [
                    {
                        "method": "POST",
                        "url": f"{base}/sobjects/Account",
                        "referenceId": "first",
                        "body": {"Name": FIRST.format(n)},
                    },
                    {
                        "method": "POST",
                        "url": f"{base}/sobjects/Account",
                        "referenceId": "second",
                        "body": {"Name": SECOND.format(n), "ParentId": "@{first.id}"},
                    },
                ],
            },
        )


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


async def streamed(sf: Salesforce, encoding: str = "gzip") -> bytes | SfConnectError:
    path = f"/services/data/v{sf.api_version}/sobjects/Account/describe"
    try:
        async with sf.stream("GET", path, headers={"Accept-Encoding": encoding}) as answer:
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
    assert all(not isinstance(one.error, OutcomeUnknownError) for one in upserts)


def check_pairs(pairs: list[Outcome[Any]], found: list[dict[str, Any]]) -> None:
    """Both records of a composite request are there once, or none, as it was said."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        rows.setdefault(row["Name"], []).append(row)
    for outcome in pairs:
        firsts = rows.get(FIRST.format(outcome.index), [])
        seconds = rows.get(SECOND.format(outcome.index), [])
        assert len(firsts) == len(seconds) <= 1
        if outcome.error is None:
            assert outcome.value is not None
            parts = outcome.value["compositeResponse"]
            assert [part["httpStatusCode"] for part in parts] == [201, 201]
            assert [part["body"]["id"] for part in parts] == [firsts[0]["Id"], seconds[0]["Id"]]
        elif not isinstance(outcome.error, OutcomeUnknownError):
            assert not firsts
        if seconds:
            assert seconds[0]["ParentId"] == firsts[0]["Id"]


def check_creates_in_the_books(told: Told, books: tuple[Write, ...]) -> None:
    """Each create that was said to have succeeded is one entry, and each entry is accounted for."""
    entries = Counter(
        one.record_id for one in books if (one.action, one.method) == ("created", "POST")
    )
    creates = told.writes[:CREATES]
    assert all(entries[str(one.value)] == 1 for one in creates if one.error is None)
    posts = [*creates, *told.pairs, *told.pairs]  # of which each makes two records
    unknown = sum(isinstance(one.error, OutcomeUnknownError) for one in posts)
    succeeded = sum(one.error is None for one in posts)
    assert succeeded <= entries.total() <= succeeded + unknown
    upserted = Counter(
        one.path for one in books if (one.action, one.method) == ("created", "PATCH")
    )
    assert set(upserted.values()) == {1}
    assert len(upserted) >= sum(one.error is None for one in told.writes[CREATES:])


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


def check_reads(reads: list[list[str] | SfConnectError], contacts: set[str]) -> None:
    whole = [read for read in reads if isinstance(read, list)]
    assert whole
    for ids in whole:
        assert len(ids) == len(set(ids)) == CONTACTS
        assert set(ids) == contacts


def check_errors(told: Told) -> None:
    """Each is one of ours, and enough went well; on a busy machine limits are met more often."""
    outcomes = [*told.writes, *told.pairs, *told.changes]
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    assert all(isinstance(error, SfConnectError) for error in errors)
    for part in (told.writes, told.pairs, told.changes):
        assert sum(outcome.error is None for outcome in part) > len(part) / 5


@pytest.mark.timeout(90)
async def test_a_second_round_of_trouble_leaves_no_more_in_memory_than_the_first(
    org: Emulator,
) -> None:
    """One object kept of each call would be 350; connections come and go, of which there are 20."""
    connected = Salesforce.connect(login_of(org), max_connections=4)
    async with connected as well, in_trouble(org, Weather(4), tls=True) as sf:
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
    ids = await well.gather(accounts.create({"Name": f"old-{n}"}) for n in range(UPDATES + DELETES))
    await everything_at_once(sf, ids)


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
