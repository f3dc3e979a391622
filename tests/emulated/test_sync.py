"""The connection from plain code: one loop in a thread does the work, and nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from anyio.from_thread import start_blocking_portal

from sfconnect import ClientCredentials, NotFoundError, Salesforce
from sfconnect.errors import PoolClosed
from sfconnect.sync import Blocking
from sfconnect_emulator import Emulator


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    """An org in a loop and a thread of its own."""
    with start_blocking_portal() as portal:
        emulator = portal.call(made)
        with portal.wrap_async_context_manager(emulator):
            yield emulator


async def made() -> Emulator:
    return Emulator(rows={"Account": 5000, "Contact": 10})


@pytest.fixture
def run(org: Emulator) -> Iterator[Blocking[Salesforce]]:
    auth = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    with Blocking(Salesforce.connect(auth)) as blocking:
        loop_thread = blocking(current_thread())
        yield blocking
    assert not loop_thread.is_alive()


async def current_thread() -> threading.Thread:
    return threading.current_thread()


def test_a_call_is_waited_for(run: Blocking[Salesforce]) -> None:
    sf = run.connector

    account_id = run(sf.sobject("Account").create({"Name": "Blocking"}))

    assert run(sf.sobject("Account").retrieve(account_id, fields=["Name"]))["Name"] == "Blocking"


def test_anything_that_can_be_awaited_will_do(run: Blocking[Salesforce]) -> None:
    sf = run.connector
    calls = [sf.sobject(name).describe() for name in ("Account", "Contact")]

    assert [one["name"] for one in run(sf.gather(calls))] == ["Account", "Contact"]
    assert run(sf.query("SELECT COUNT() FROM Contact").count()) == 10


def test_errors_come_as_they_are(run: Blocking[Salesforce]) -> None:
    with pytest.raises(NotFoundError):
        run(run.connector.sobject("Account").retrieve("001000000000000AAA"))


def test_rows_come_in_their_order_and_all_of_them(run: Blocking[Salesforce]) -> None:
    query = run.connector.query("SELECT Id FROM Account ORDER BY Id")

    ids = [row["Id"] for row in run.iterate(query)]

    assert len(ids) >= 5000
    assert ids == sorted(ids)


def test_a_fan_out_is_read_in_a_plain_loop(run: Blocking[Salesforce]) -> None:
    sf = run.connector
    calls = (sf.sobject(name).describe() for name in ("Account", "Contact"))

    outcomes = list(run.iterate(sf.fan_out(calls, ordered=True)))

    assert [outcome.unwrap()["name"] for outcome in outcomes] == ["Account", "Contact"]


def test_a_loop_that_outlives_the_block_is_told_so(org: Emulator) -> None:
    auth = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    with Blocking(Salesforce.connect(auth)) as run:
        rows = run.iterate(run.connector.query("SELECT Id FROM Account"))
        next(rows)

    with pytest.raises(PoolClosed, match="not open"):
        list(rows)


def test_leaving_the_loop_early_ends_the_reading(run: Blocking[Salesforce]) -> None:
    closed = threading.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            for number in range(1_000_000_000):
                yield number
        finally:
            closed.set()

    rows = run.iterate(endless())
    assert list(islice(rows, 3)) == [0, 1, 2]
    rows.close()  # type: ignore[attr-defined]  # iterate is a generator

    assert closed.wait(5)


def test_what_is_read_ahead_is_bounded(run: Blocking[Salesforce]) -> None:
    most = 0

    async def counting() -> AsyncIterator[int]:
        nonlocal most
        for number in range(50_000):
            most = number
            yield number

    rows = run.iterate(counting())
    next(rows)
    run(nothing())
    rows.close()  # type: ignore[attr-defined]  # iterate is a generator

    assert most < 10_000


async def nothing() -> None:
    return None


def test_an_error_in_the_middle_comes_after_the_rows_before_it(run: Blocking[Salesforce]) -> None:
    async def breaking() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise LookupError("the third")

    seen: list[int] = []
    with pytest.raises(LookupError, match="the third"):
        seen.extend(run.iterate(breaking()))
    assert seen == [1, 2]


def test_several_threads_may_share_it(run: Blocking[Salesforce]) -> None:
    query = "SELECT Id FROM Contact ORDER BY Id LIMIT 1"
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: run(run.connector.query(query).first()), range(40)))

    assert len({row["Id"] for row in found if row}) == 1
    assert run.connector.stats().logins == 1


def test_outside_of_its_block_it_says_so(org: Emulator) -> None:
    auth = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    blocking = Blocking(Salesforce.connect(auth))
    work = nothing()

    with pytest.raises(PoolClosed, match="not open"):
        blocking(work)
    work.close()
    with blocking:
        pass
    with pytest.raises(PoolClosed, match="not open"):
        next(blocking.iterate(blocking.connector.query("SELECT Id FROM Account")))


def test_it_works_inside_a_running_loop_as_notebooks_have_it(org: Emulator) -> None:
    code = f"""
import asyncio
from sfconnect import ClientCredentials, Salesforce
from sfconnect.sync import Blocking

async def cell():
    auth = ClientCredentials({org.login_url!r}, {org.client_id!r}, {org.client_secret!r})
    with Blocking(Salesforce.connect(auth)) as run:
        print(run(run.connector.query("SELECT COUNT() FROM Contact").count()))

asyncio.run(cell())
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)

    assert (done.stdout.strip(), done.stderr) == ("10", "")
