"""The connection from plain code: one loop in a thread does the work, and nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from anyio.from_thread import start_blocking_portal

from sfconnect import ClientCredentials, ConfigurationError, NotFoundError, Salesforce
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
        blocking(work)  # and Python does not complain that nobody awaited it
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


def test_it_can_be_opened_and_closed_where_no_block_will_do(org: Emulator) -> None:
    run = connection(org).open()
    assert run.open() is run  # once more changes nothing

    assert run(run.connector.query("SELECT COUNT() FROM Contact").count()) == 10
    thread = run(current_thread())
    for _ in range(2):
        run.close()

    assert not thread.is_alive()
    with pytest.raises(PoolClosed, match="not open"):
        next(run.iterate(run.connector.query("SELECT Id FROM Account")))


def connection(org: Emulator) -> Blocking[Salesforce]:
    auth = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    return Blocking(Salesforce.connect(auth))


def test_one_that_cannot_be_opened_leaves_no_thread() -> None:
    blocking = Blocking(Salesforce.connect("client-credentials", login_url="ftp://example.com"))

    for _ in range(2):
        with pytest.raises(ConfigurationError):
            blocking.open()

    assert "sfconnect.sync" not in {thread.name for thread in threading.enumerate()}


def test_one_that_nobody_refers_to_is_closed(org: Emulator) -> None:
    run = connection(org).open()
    thread = run(current_thread())

    del run
    gc.collect()

    assert not thread.is_alive()


def test_one_that_is_collected_on_its_own_loop_closes_too(org: Emulator) -> None:
    run = connection(org).open()
    thread = run(current_thread())
    held = [run]

    async def let_go() -> None:
        # Later, when the thread that asked for this has let go of it as well.
        asyncio.get_running_loop().call_later(0.1, held.clear)

    run(let_go())
    del run
    thread.join(10)

    assert not held
    assert not thread.is_alive()


def test_leaving_the_block_ends_what_other_threads_wait_for(org: Emulator) -> None:
    begun, ends = threading.Event(), []

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            run(endless())
        except PoolClosed as error:
            ends.append(str(error))

    with connection(org) as run:
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert begun.wait(5)
    waiting.join(5)

    assert [end.partition(".")[0] for end in ends] == [
        "The connection was closed before this was done"
    ]


def test_work_that_cancels_itself_is_told_as_that(run: Blocking[Salesforce]) -> None:
    async def given_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(futures.CancelledError):
        run(given_up())

    assert run(run.connector.query("SELECT COUNT() FROM Contact").count()) == 10


def test_a_wait_on_its_own_loop_is_refused(run: Blocking[Salesforce]) -> None:
    async def mistaken() -> int:
        return run(run.connector.query("SELECT COUNT() FROM Contact").count())

    with pytest.raises(ConfigurationError, match="await the call"):
        run(mistaken())


BEGIN = """
import asyncio, atexit, os, signal, sys, threading
waiting = None
# Registered first, so it runs last: what a thread prints when the connection has closed is seen.
atexit.register(lambda: waiting and waiting.join(10))
from sfconnect import ClientCredentials, Salesforce
from sfconnect.errors import ConfigurationError, PoolClosed
from sfconnect.sync import Blocking

run = Blocking(Salesforce.connect(ClientCredentials(*sys.argv[1:])))
COUNT = "SELECT COUNT() FROM Contact"
states = []

async def slow():
    # The signal comes when the main thread waits, which it does before long.
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        states.append("cancelled")
        raise

async def slow_rows():
    yield 1
    await slow()
"""
INTERRUPTED = """
with run:
    try:
        run(slow())
    except KeyboardInterrupt:
        states.append("interrupted")
    states.append(run(run.connector.query(COUNT).count()))
print(sorted(states, key=str))
"""
INTERRUPTED_ROWS = """
with run:
    try:
        for row in run.iterate(slow_rows()):
            states.append(row)
    except KeyboardInterrupt:
        states.append("interrupted")
    states.append(run(run.connector.query(COUNT).count()))
print(sorted(states, key=str))
"""
INTERRUPTED_OUT = """
try:
    with run:
        run(slow())
except KeyboardInterrupt:
    states.append("interrupted")
print(sorted(states, key=str))
"""
NEVER_CLOSED = """
print(run.open()(run.connector.query(COUNT).count()))
rows = run.iterate(run.connector.query("SELECT Id FROM Account"))
print(next(rows)["Id"][:3])
waiting = threading.Thread(target=lambda: run(slow_thread()), daemon=True)

async def slow_thread():
    begun.set()
    await asyncio.Event().wait()

begun = threading.Event()
threading.excepthook = lambda told: print(told.exc_type.__name__)
waiting.start()
begun.wait()
"""
NEVER_ENDING = """
import sfconnect.sync
sfconnect.sync._LEAVING_S = 0.2

async def stubborn():
    begun.set()
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

begun = threading.Event()
threading.Thread(target=lambda: run.open()(stubborn()), daemon=True).start()
begun.wait()
print("the end")
"""
FORKED = """
with run:
    print(run(run.connector.query(COUNT).count()), flush=True)
    child = os.fork()
    if child == 0:
        for use in (lambda: run(asyncio.sleep(0)), lambda: next(run.iterate(slow_rows()))):
            try:
                use()
            except ConfigurationError as error:
                print(error, flush=True)
        run.close()
        own = Blocking(Salesforce.connect(ClientCredentials(*sys.argv[1:])))
        with own:
            print(own(own.connector.query(COUNT).count()), flush=True)
        sys.exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    print(run(run.connector.query(COUNT).count()))
"""
REFUSED = (
    "This connection was opened by the process of which this one is a fork. "
    "Hint: Open one in each process, after it has begun."
)


@pytest.mark.skipif(sys.platform == "win32", reason="there are neither such signals nor forks")
@pytest.mark.parametrize(
    ("program", "told"),
    [
        pytest.param(INTERRUPTED, ["[10, 'cancelled', 'interrupted']"], id="Ctrl-C in a call"),
        pytest.param(
            INTERRUPTED_ROWS, ["[1, 10, 'cancelled', 'interrupted']"], id="Ctrl-C in a loop"
        ),
        pytest.param(INTERRUPTED_OUT, ["['cancelled', 'interrupted']"], id="Ctrl-C ends the block"),
        pytest.param(NEVER_CLOSED, ["10", "001", "PoolClosed"], id="never closed"),
        pytest.param(NEVER_ENDING, ["the end"], id="work that will not end"),
        pytest.param(FORKED, ["10", REFUSED, REFUSED, "10", "7", "10"], id="a fork"),
    ],
)
def test_a_program_ends_in_order(org: Emulator, program: str, told: list[str]) -> None:
    auth = [org.login_url, org.client_id, org.client_secret]
    command = [sys.executable, "-W", "error", "-c", BEGIN + program, *auth]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)

    assert done.stdout.splitlines() == told
    assert (done.stderr, done.returncode) == ("", 0)
