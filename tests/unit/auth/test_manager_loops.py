"""One manager in several event loops, after a loop that stopped, and after a fork."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import PoolClosed
from sfconnect.testing import ScriptedStrategy
from tests.unit.auth.offline import no_network


class Gated:
    """A login that takes until the test opens a gate, whatever loop it runs in."""

    def __init__(self) -> None:
        self.started = 0
        self.begun = threading.Event()
        self.gate = threading.Event()

    async def authenticate(self, context):
        self.started += 1
        number = self.started
        self.begun.set()
        await asyncio.to_thread(self.gate.wait, 5)
        return Credentials(Secret(f"token-{number}"), "https://org")


def in_thread(coroutine_function, *args):
    """Run a coroutine in an event loop of its own; give its result or error by a list."""
    outcome: list[object] = []

    async def record() -> None:
        outcome.extend(await asyncio.gather(coroutine_function(*args), return_exceptions=True))

    thread = threading.Thread(target=asyncio.run, args=(record(),))
    thread.start()
    return thread, outcome


def wait_for_waiters(manager: CredentialManager, number: int) -> None:
    """Spin until so many wait for the login; they do so in loops that cannot be asked."""
    flight = manager._flight
    assert flight is not None
    callbacks = vars(flight._outcome)["_done_callbacks"]
    while len(callbacks) < number:
        time.sleep(0.001)


def test_callers_in_two_loops_share_one_login():
    strategy = Gated()
    manager = CredentialManager(strategy, send=no_network)
    first, got_first = in_thread(manager.get)
    strategy.begun.wait(5)
    second, got_second = in_thread(manager.get)
    wait_for_waiters(manager, 2)
    strategy.gate.set()
    first.join(5)
    second.join(5)

    assert strategy.started == 1
    assert got_first == got_second
    assert got_first[0].access_token.reveal() == "token-1"


def test_closing_from_another_loop_ends_the_login():
    strategy = Gated()
    manager = CredentialManager(strategy, send=no_network)
    waiter, outcome = in_thread(manager.get)
    strategy.begun.wait(5)

    asyncio.run(manager.aclose())
    strategy.gate.set()
    waiter.join(5)

    assert isinstance(outcome[0], PoolClosed)


def stopped_loop_with_a_login(manager: CredentialManager) -> asyncio.AbstractEventLoop:
    """A loop that stops while the login it began is under way."""
    loop = asyncio.new_event_loop()
    waiter = loop.create_task(manager.get())
    for _ in range(5):
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert not waiter.done()
    return loop


def finish(loop: asyncio.AbstractEventLoop) -> list[object]:
    """Let a stopped loop go on until its tasks are done."""
    tasks = asyncio.all_tasks(loop)
    results = loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    return results


def test_a_login_whose_loop_stopped_is_not_waited_for():
    strategy = Gated()
    manager = CredentialManager(strategy, send=no_network)
    stopped = stopped_loop_with_a_login(manager)
    strategy.gate.set()

    credentials = asyncio.run(manager.get())

    assert credentials.access_token.reveal() == "token-2"
    finish(stopped)


def test_a_login_that_goes_on_after_it_was_given_up_replaces_nothing():
    strategy = Gated()
    manager = CredentialManager(strategy, send=no_network)
    stopped = stopped_loop_with_a_login(manager)
    strategy.gate.set()
    asyncio.run(manager.get())

    finish(stopped)

    assert manager.current is not None
    assert manager.current.access_token.reveal() == "token-2"
    assert manager.logins == 1


def test_closing_leaves_a_stopped_loop_alone():
    strategy = Gated()
    manager = CredentialManager(strategy, send=no_network)
    stopped = stopped_loop_with_a_login(manager)

    asyncio.run(manager.aclose())

    strategy.gate.set()
    finish(stopped)
    assert manager.current is None


def test_credentials_outlive_the_loop_that_got_them():
    strategy = ScriptedStrategy()
    manager = CredentialManager(strategy, send=no_network)

    tokens = [asyncio.run(manager.get()) for _ in range(3)]

    assert strategy.started == 1
    assert tokens[0] is tokens[2]


async def test_an_eager_task_factory_may_finish_the_login_at_once():
    class Immediate:
        async def authenticate(self, context):
            return Credentials(Secret("token"), "https://org")

    loop = asyncio.get_running_loop()
    if not hasattr(asyncio, "eager_task_factory"):
        # Python 3.11 has none; one step before the task is scheduled is the same to the manager.
        def eager(loop, coroutine, **options):
            try:
                coroutine.send(None)
            except StopIteration:
                return asyncio.Task(asyncio.sleep(0), loop=loop)
            raise AssertionError

        factory = eager
    else:
        factory = asyncio.eager_task_factory
    manager = CredentialManager(Immediate(), send=no_network)
    loop.set_task_factory(factory)
    try:
        credentials = await manager.get()
    finally:
        loop.set_task_factory(None)

    assert credentials is manager.current
    await manager.aclose()


def test_a_forked_child_keeps_the_token_and_drops_the_login_of_its_parent(monkeypatch):
    strategy = Gated()
    manager = CredentialManager(strategy, send=no_network)
    stopped = stopped_loop_with_a_login(manager)
    # A thread of the parent may hold the lock at the moment of the fork; nobody will release it.
    manager._lock.acquire()
    strategy.gate.set()

    monkeypatch.setattr("os.getpid", lambda: -1)
    credentials = asyncio.run(manager.get())

    assert credentials.access_token.reveal() == "token-2"
    assert asyncio.run(manager.get()) is credentials
    finish(stopped)


@pytest.mark.parametrize("action", ["get", "replace"])
def test_a_fork_with_a_token_logs_in_only_if_it_is_refused(monkeypatch, action):
    strategy = ScriptedStrategy()
    manager = CredentialManager(strategy, send=no_network)
    credentials = asyncio.run(manager.get())
    monkeypatch.setattr("os.getpid", lambda: -1)

    if action == "get":
        assert asyncio.run(manager.get()) is credentials
    else:
        assert asyncio.run(manager.replace(credentials)) is not credentials

    assert strategy.started == (1 if action == "get" else 2)


FORK = """
import asyncio, os, sys, threading
from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.manager import CredentialManager

class Login:
    def __init__(self):
        self.started = 0
        self.begun = threading.Event()
        self.gate = threading.Event()

    async def authenticate(self, context):
        self.started += 1
        number = self.started
        self.begun.set()
        if number == 1:
            await asyncio.to_thread(self.gate.wait, 10)
        return Credentials(Secret(f"token-{number}"), "https://org")

    async def revoke(self, context, credentials):
        pass

async def no_network(request):
    raise AssertionError

async def child(action):
    if action == "get":
        return (await manager.get()).access_token.reveal()
    if action == "revoke":
        return str(await manager.revoke())
    await manager.aclose()
    return "closed"

login = Login()
manager = CredentialManager(login, send=no_network)
parent = threading.Thread(target=asyncio.run, args=(manager.get(),))
parent.start()
login.begun.wait(10)
# The login's loop goes on in the parent's thread; in the child that thread does not exist.
if os.fork() == 0:
    print(asyncio.run(asyncio.wait_for(child(sys.argv[1]), 5)), flush=True)
    os._exit(0)
_, status = os.wait()
login.gate.set()
parent.join(10)
print(os.waitstatus_to_exitcode(status), asyncio.run(manager.get()).access_token.reveal())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("action", "said"), [("get", "token-2"), ("revoke", "False"), ("close", "closed")]
)
def test_a_really_forked_child_does_not_wait_for_a_login_of_its_parent(action, said):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, action]

    done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)

    assert done.stderr == ""
    assert done.stdout.split() == [said, "0", "token-1"]
