"""A state machine of the credential manager: one login server, one store, many callers, two clocks.

The server gives each access token a life, and rotates refresh tokens. The machine decides when it
answers, and how; what callers do, what other programs do to the store, and how time goes. Between
two steps every task has gone as far as it can, so each run is the same for the same steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.failures import HOPELESS_S
from sfconnect.auth.login import LANDING_S
from sfconnect.auth.login_rate import LoginLimits
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import (
    ConnectError,
    ConnectionLostError,
    InvalidCredentialsError,
    LoginRateLimited,
    PoolClosed,
    ReauthorizationRequired,
    SfConnectError,
    TransientAuthError,
)
from sfconnect.messages import Request, Response
from sfconnect.testing import FakeClock

LIFE_S = 1000.0
EARLY_S = 100.0
FAULTS: dict[str, Callable[[], SfConnectError]] = {
    "transient": lambda: TransientAuthError("busy", status=503),
    "unreachable": lambda: ConnectError("refused"),
    "final": lambda: InvalidCredentialsError("wrong secret"),
    "rate": lambda: LoginRateLimited("slow down", retry_after=120.0),
}


@dataclass
class Server:
    """Who gives tokens, and knows which of them are good."""

    clock: FakeClock
    rotates: bool
    broken: list[str]
    number: int = 0
    valid: str = "r0"
    shown: str = ""
    used_up: set[str] = field(default_factory=set)
    """Refresh tokens for which an answer has arrived: showing one of them again ends the grant."""
    waiting: list[asyncio.Future[SfConnectError | str | None]] = field(default_factory=list)
    delivered: list[Credentials] = field(default_factory=list)
    """What the manager got by logins of its own, in order."""
    ends: dict[Secret, float] = field(default_factory=dict)
    """When those end, on the clock that nobody can set."""
    quiet_until: float = 0.0
    """No login may come before."""

    async def give(self, refresh: str) -> Credentials:
        """Answer a login when the machine says so."""
        self.shown = refresh
        pending = asyncio.get_running_loop().create_future()
        self.waiting.append(pending)
        if len(self.waiting) > 1:
            self.broken.append("two logins are under way at once")
        if refresh in self.used_up:
            self.broken.append(f"{refresh} was shown again")
        try:
            outcome = await pending
        finally:
            self.waiting.remove(pending)
        if isinstance(outcome, SfConnectError):
            self._ask_for_quiet(outcome)
            raise outcome
        if self.rotates and refresh != self.valid:
            raise ReauthorizationRequired("expired access/refresh token", code="invalid_grant")
        made = self.token()
        if outcome == "lost":
            raise ConnectionLostError("cut")
        if self.rotates:
            self.used_up.add(refresh)
        self.delivered.append(made)
        self.ends[made.access_token] = self.clock.monotonic() + LIFE_S
        self.quiet_until = 0.0
        return made

    def _ask_for_quiet(self, refusal: SfConnectError) -> None:
        pause_s = refusal.retry_after if isinstance(refusal, LoginRateLimited) else None
        if isinstance(refusal, InvalidCredentialsError):
            pause_s = HOPELESS_S
        self.quiet_until = self.clock.monotonic() + (pause_s or 0.0)

    def token(self) -> Credentials:
        """A new access token, and where they rotate a new refresh token."""
        self.number += 1
        if self.rotates:
            self.valid = f"r{self.number}"
        return Credentials(
            Secret(f"a{self.number}"),
            "https://org",
            expires_at=self.clock.time() + LIFE_S,
            refresh_token=Secret(self.valid) if self.rotates else None,
        )


@dataclass(frozen=True)
class Rotating:
    """A login by a refresh token."""

    server: Server = field(compare=False)
    refresh_token: str = "r0"

    async def authenticate(self, context: AuthContext) -> Credentials:
        await context.send(Request("POST", "https://login.example.com/token"))
        return await self.server.give(self.refresh_token)

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        await context.send(Request("POST", "https://login.example.com/token"))
        token = credentials.refresh_token
        return await self.server.give(token.reveal() if token else self.refresh_token)


@dataclass(frozen=True)
class Plain:
    """A login by a secret, which can be repeated."""

    server: Server = field(compare=False)

    async def authenticate(self, context: AuthContext) -> Credentials:
        await context.send(Request("POST", "https://login.example.com/token"))
        return await self.server.give("")


@dataclass
class Caller:
    """Somebody who waits for credentials."""

    task: asyncio.Task[None]
    was_cancelled: bool = False


def name_of(credentials: Credentials) -> str:
    """The token itself; it opens nothing."""
    return credentials.access_token.reveal()


class ManagerMachine(RuleBasedStateMachine):
    """One manager, and everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.shares = False
        self.broken: list[str] = []
        self.callers: list[Caller] = []
        self.given: list[Credentials] = []
        """What callers were handed out, in order."""
        self.rejected: set[Secret] = set()
        self.others = AsyncExitStack()
        self.other_holds = False
        self.erased = False
        self.was_set = False
        self.closed = False

    @initialize(rotates=st.booleans(), shares=st.booleans())
    def begin(self, rotates: bool, shares: bool) -> None:
        self.server = Server(self.clock, rotates, self.broken)
        self.shares = shares or rotates
        self.store = MemoryStore()
        strategy = Rotating(self.server) if rotates else Plain(self.server)
        self.manager = CredentialManager(
            strategy,
            send=self._sent,
            store=self.store if self.shares else None,
            clock=self.clock,
            early_s=EARLY_S,
            limits=LoginLimits(None, None),
        )

    async def _sent(self, request: Request) -> Response:
        """Each login passes here; none is sent while what is at hand is good."""
        newest = self.newest
        if newest is not None and self._is_fresh(newest):
            self.broken.append(f"a login while {name_of(newest)} is fresh")
        if self.other_holds:
            self.broken.append("a login while another program has the lock")
        if self.clock.monotonic() < self.server.quiet_until:
            self.broken.append("a login although the last one was refused for good")
        return Response(200, {}, b"")

    # What callers do

    @precondition(lambda self: not self.closed)
    @rule(number=st.integers(1, 3))
    def ask(self, number: int) -> None:
        for _ in range(number):
            self._call(self.manager.get(), None)
        self._settle()

    @precondition(lambda self: not self.closed and self.newest is not None)
    @rule(number=st.integers(1, 3))
    def report_the_newest(self, number: int) -> None:
        newest = self.newest
        assert newest is not None
        self.rejected.add(newest.access_token)
        for _ in range(number):
            self._call(self.manager.replace(newest), newest)
        self._settle()

    @precondition(lambda self: not self.closed and len(self.given) > 1)
    @rule(data=st.data())
    def report_an_old_one(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.given[:-1]))
        self.rejected.add(old.access_token)
        self._call(self.manager.replace(old), old)
        self._settle()

    @precondition(lambda self: self.closed)
    @rule()
    def ask_after_the_end(self) -> None:
        before = list(self.given)
        self._call(self.manager.get(), None)
        self._settle()
        assert self.callers[-1].task.done(), "a login after the end"
        assert self.given == before

    @precondition(lambda self: any(not one.task.done() for one in self.callers))
    @rule(data=st.data())
    def cancel_a_caller(self, data: st.DataObject) -> None:
        caller = data.draw(st.sampled_from([one for one in self.callers if not one.task.done()]))
        caller.was_cancelled = True
        caller.task.cancel()
        self._settle()

    # What the server does

    @precondition(lambda self: self.server.waiting)
    @rule()
    def the_login_succeeds(self) -> None:
        self._answer(None)

    @precondition(lambda self: self.server.waiting)
    @rule(fault=st.sampled_from(sorted(FAULTS)))
    def the_login_fails(self, fault: str) -> None:
        self._answer(FAULTS[fault]())

    @precondition(lambda self: self.server.waiting and self.server.rotates)
    @rule(acted=st.booleans())
    def the_answer_is_lost(self, acted: bool) -> None:
        self._answer("lost" if acted else ConnectionLostError("cut"))

    # What time does

    @rule(seconds=st.sampled_from([0.5, 5.0, 65.0, 200.0, LIFE_S - 150.0, LIFE_S, 4000.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.loop.run_until_complete(self.clock.advance(seconds))

    @rule(seconds=st.sampled_from([-4000.0, -300.0, 300.0, 4000.0]))
    def somebody_sets_the_clock(self, seconds: float) -> None:
        self.clock.shift_wall(seconds)
        self.was_set = True

    # What other programs do

    @precondition(lambda self: self._lock_is_free())
    @rule()
    def another_program_logs_in(self) -> None:
        self.another_program_takes_the_lock()
        self.another_program_returns_the_lock(logs_in=True)

    @precondition(lambda self: self._lock_is_free())
    @rule()
    def another_program_takes_the_lock(self) -> None:
        self.loop.run_until_complete(
            self.others.enter_async_context(self.store.lock(self.manager.identity))
        )
        self.other_holds = True

    @precondition(lambda self: self.other_holds)
    @rule(logs_in=st.booleans())
    def another_program_returns_the_lock(self, logs_in: bool) -> None:
        self.loop.run_until_complete(self._log_in_elsewhere(logs_in))
        self._settle()

    async def _log_in_elsewhere(self, logs_in: bool) -> None:
        key, before = self.manager.identity, await self.store.get(self.manager.identity)
        if logs_in:
            shown = before.credentials.refresh_token if before else Secret("r0")
            if not self.server.rotates or shown == Secret(self.server.valid):
                if self.server.rotates:
                    self.server.used_up.add(self.server.valid)
                generation = before.generation if before else None
                assert await self.store.compare_and_swap(key, generation, self.server.token())
                self.erased = False
        await self._return_the_lock()

    async def _return_the_lock(self) -> None:
        self.other_holds = False
        await self.others.aclose()

    @precondition(lambda self: self.shares and not self.server.rotates)
    @rule()
    def another_program_erases_the_store(self) -> None:
        self.loop.run_until_complete(self.store.delete(self.manager.identity))
        self.erased = True

    # The end

    @precondition(lambda self: len(self.given) > 2)
    @rule()
    def close(self) -> None:
        self._close()

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(self._return_the_lock())
            if hasattr(self, "manager"):
                self._close()
            left = asyncio.all_tasks(self.loop)
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self._settle()
            self.loop.close()
        assert not left, f"left behind: {left}"
        self.nothing_is_broken()

    def _close(self) -> None:
        self.closed = True

        renewing = bool(self.server.waiting) and self.server.shown == self.server.valid

        async def end() -> None:
            closing = asyncio.ensure_future(self.manager.aclose())
            await self.clock.advance(1.0)
            if renewing:
                assert self.server.waiting, "a renewal on its way was dropped"
                self.server.waiting[0].set_result(None)
                await self.clock.settle()
                record = await self.store.get(self.manager.identity)
                kept = record and record.credentials.refresh_token
                assert kept == Secret(self.server.valid), "the last answer was lost at the end"
            await self.clock.advance(LANDING_S)
            assert closing.done(), "closing does not end"
            await closing

        self.loop.run_until_complete(end())
        waiting = [one for one in self.callers if not one.task.done()]
        assert not waiting, f"{len(waiting)} callers wait for ever after the end"
        assert not self.server.waiting, "a login goes on after the end"

    # What is always true

    @invariant()
    def nothing_is_broken(self) -> None:
        assert not self.broken, self.broken

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        if not hasattr(self, "server") or self.other_holds:
            return
        if not self.server.waiting and not self.clock.sleepers:
            waiting = [one for one in self.callers if not one.task.done()]
            assert not waiting, f"{len(waiting)} callers wait, and nothing is under way"

    @invariant()
    def what_can_be_had_at_once_is_good(self) -> None:
        if hasattr(self, "manager") and (current := self.manager.current) is not None:
            self._check(current)
            assert not self.closed, "credentials after the end"

    @invariant()
    def a_new_refresh_token_is_stored_before_it_is_used(self) -> None:
        if not hasattr(self, "manager") or not self.shares or self.erased:
            return
        current = self.manager.current
        if current is not None and current.refresh_token == Secret(self.server.valid):
            record = self.loop.run_until_complete(self.store.get(self.manager.identity))
            assert record is not None, "credentials at hand that nobody stored"
            assert record.credentials.refresh_token == current.refresh_token

    # Helpers

    @property
    def newest(self) -> Credentials | None:
        """What the manager is known to have: what it got or handed out last."""
        known = [*self.server.delivered[-1:], *self.given[-1:]]
        return max(known, key=lambda one: int(name_of(one)[1:]), default=None)

    def _lock_is_free(self) -> bool:
        busy = self.other_holds or self.server.waiting or self.clock.sleepers
        return self.shares and not busy

    def _call(self, work: Any, rejected: Credentials | None) -> None:
        self.callers.append(Caller(self.loop.create_task(self._take(work, rejected))))

    async def _take(self, work: Awaitable[Credentials], rejected: Credentials | None) -> None:
        try:
            credentials = await work
        except PoolClosed:
            if not self.closed:
                self.broken.append("told to be closed before the end")
        except SfConnectError:
            return
        else:
            self._check(credentials)
            if rejected is not None:
                self.manager.note_accepted()
            if credentials not in self.given:
                self.given.append(credentials)

    def _check(self, credentials: Credentials) -> None:
        if credentials.access_token in self.rejected:
            self.broken.append(f"{name_of(credentials)} was handed out, though it was refused")
        if self._is_within(credentials, 0.0):
            self.broken.append(f"{name_of(credentials)} was handed out after its end")

    def _is_fresh(self, credentials: Credentials) -> bool:
        """Whether there is no reason for another login; in doubt there is one."""
        token = credentials.access_token
        # How long a token of others is good by the clock that nobody can set, only they can tell.
        certain = token in self.server.ends or not self.was_set
        is_refused = token in self.rejected
        return certain and not is_refused and not self._is_within(credentials, EARLY_S)

    def _is_within(self, credentials: Credentials, seconds: float) -> bool:
        """Whether so many seconds before its end, by either clock, or less are left."""
        by_wall = credentials.expires_at or inf
        by_monotonic = self.server.ends.get(credentials.access_token, inf)
        now, wall = self.clock.monotonic(), self.clock.time()
        return wall >= by_wall - seconds or now >= by_monotonic - seconds

    def _answer(self, outcome: SfConnectError | str | None) -> None:
        self.server.waiting[0].set_result(outcome)
        self._settle()

    def _settle(self) -> None:
        self.loop.run_until_complete(self.clock.settle())
