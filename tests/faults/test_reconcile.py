"""Creates whose answers are lost, and a hook that looks for their records: one of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import anyio
import pytest

from sfconnect import ClientCredentials, OutcomeUnknownError, RecordError, RetryPolicy, Salesforce
from sfconnect.auth import AuthContext, Credentials
from sfconnect.errors import ConfigurationError
from sfconnect.instrumentation import OutcomeReconciled
from sfconnect.salesforce.reconcile import ReconcileByField
from sfconnect.testing.fault_proxy import (
    CutBody,
    Exchange,
    Fault,
    FaultProxy,
    Instead,
    ResetAfter,
    ResetBefore,
    Stall,
)
from sfconnect_emulator import Emulator

CREATES = 40
AT_ONCE = RetryPolicy(max_attempts=6, initial_s=0.001, max_s=0.01)
FAULTS: dict[str, Fault] = {
    "reset after it acted": ResetAfter(),
    "reset before it acted": ResetBefore(),
    "stalled after it acted": Stall(acts=True),
    "stalled before it acted": Stall(acts=False),
    "cut in the answer": CutBody(after=5),
    "503 after it acted": Instead(503, acts=True),
    "503 before it acted": Instead(503, acts=False),
}


@dataclass(frozen=True, slots=True)
class Through:
    """Log in past the proxy, and send everything else through it."""

    login: ClientCredentials
    proxy_url: str

    async def authenticate(self, context: AuthContext) -> Credentials:
        return replace(await self.login.authenticate(context), instance_url=self.proxy_url)


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 1}, chunked=False) as running:
        yield running


class FirstOfEach:
    """Spoil the first attempt of each create, which its body tells apart."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._seen: set[bytes] = set()

    def __call__(self, exchange: Exchange) -> Fault | None:
        if exchange.method != "POST" or exchange.body in self._seen:
            return None
        self._seen.add(exchange.body)
        return self._fault


def login_of(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


async def keys_in(org: Emulator) -> Counter[str]:
    async with Salesforce.connect(login_of(org)) as sf:
        found = await sf.query("SELECT Ext_Id__c FROM Account WHERE Ext_Id__c LIKE 'once-%'").all()
    return Counter(row["Ext_Id__c"] for row in found)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_every_create_ends_well_and_makes_one_record(org: Emulator, fault: Fault) -> None:
    events: list[object] = []
    async with FaultProxy(org.login_url, FirstOfEach(fault)) as proxy:
        troubled = Salesforce.connect(
            Through(login_of(org), proxy.url),
            retry=AT_ONCE,
            reconcile=ReconcileByField("Ext_Id__c"),
            read_timeout_s=0.2,
            max_connections=8,
            hooks=[events.append],
        )
        async with troubled as sf:
            account = sf.sobject("Account")
            creates = (
                account.create({"Name": "x", "Ext_Id__c": f"once-{n}"}) for n in range(CREATES)
            )
            ids = await sf.gather(creates, concurrency=8)

    assert len(set(ids)) == CREATES
    assert await keys_in(org) == Counter(f"once-{n}" for n in range(CREATES))
    assert sum(isinstance(event, OutcomeReconciled) for event in events) >= CREATES


async def test_a_field_that_cannot_tell_a_record_stops_the_create_before_it_is_sent(
    org: Emulator,
) -> None:
    async with Salesforce.connect(login_of(org), reconcile=ReconcileByField("Name")) as sf:
        with pytest.raises(ConfigurationError, match=r"Account\.Name is not unique"):
            await sf.sobject("Account").create({"Name": "x", "Ext_Id__c": "once-1"})
        good = ReconcileByField("Ext_Id__c")
        create = sf.sobject("Account").create({"Name": "x", "Ext_Id__c": "once-2"})
        await create.with_reconcile(good)
        sent = sf.stats().attempts
        await (
            sf.sobject("Account").create({"Ext_Id__c": "once-3", "Name": "y"}).with_reconcile(good)
        )

        assert sf.stats().attempts == sent + 1

    assert await keys_in(org) == {"once-2": 1, "once-3": 1}


async def test_without_a_hook_the_same_creates_end_in_doubt(org: Emulator) -> None:
    async with (
        FaultProxy(org.login_url, FirstOfEach(ResetAfter())) as proxy,
        Salesforce.connect(Through(login_of(org), proxy.url), retry=AT_ONCE) as sf,
    ):
        with pytest.raises(OutcomeUnknownError):
            await sf.sobject("Account").create({"Name": "x", "Ext_Id__c": "once-1"})

    assert await keys_in(org) == {"once-1": 1}


async def test_a_key_that_another_has_is_refused_and_not_taken_for_ones_own(org: Emulator) -> None:
    hook = ReconcileByField("Ext_Id__c", clock_skew_s=0)
    values = {"Name": "x", "Ext_Id__c": "once-1"}
    async with Salesforce.connect(login_of(org)) as sf:
        await sf.sobject("Account").create(values)

    async with (
        FaultProxy(org.login_url, FirstOfEach(ResetAfter())) as proxy,
        Salesforce.connect(Through(login_of(org), proxy.url), retry=AT_ONCE) as sf,
    ):
        await later_than_a_second()
        with pytest.raises(RecordError, match="DUPLICATE_VALUE"):
            await sf.sobject("Account").create(values).with_reconcile(hook)

    assert await keys_in(org) == {"once-1": 1}


async def later_than_a_second() -> None:
    """Let the org's clock, which tells whole seconds, move on."""
    await anyio.sleep(1.1)
