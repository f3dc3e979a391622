"""Retry under any sequence of outcomes: nothing is done twice, nothing goes on for too long.

A server is simulated that keeps books of what it did; what it says of that may be true, lost or
missing. Executor, budget and circuit are shared by the calls of a run, as in a session.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sfconnect.errors import (
    ApiError,
    ConnectError,
    ConnectionLostError,
    OutcomeUnknownError,
    RequestTimeoutError,
    ServerError,
    SfConnectError,
    ThrottledError,
)
from sfconnect.instrumentation import Emitter, RetryScheduled
from sfconnect.messages import Replay, Request, Response
from sfconnect.policy import CircuitPolicy, DidNotHappen, Happened, Reconciled, StillUnknown
from sfconnect.retry import RetryBudget, RetryExecutor, RetryPolicy
from sfconnect.retry.circuit import CIRCUIT_OPEN, Circuit
from sfconnect.retry.deadline import Deadline

OK = Response(200, {}, b'"done"')


class End(Enum):
    """How an attempt goes: what the server did, and what the client hears."""

    DONE = "done, and told"
    LOST = "done, and the answer lost"
    TOO_LATE = "done, and the answer too late"
    BROKEN = "nothing done, and an error of the server's"
    CUT = "nothing done, and the connection lost"
    UNREACHABLE = "never sent"
    BUSY = "refused before it did anything"
    WRONG = "refused for good"

    @property
    def acts(self) -> bool:
        return self in {End.DONE, End.LOST, End.TOO_LATE}

    @property
    def may_have_acted(self) -> bool:
        return self in {End.LOST, End.TOO_LATE, End.BROKEN, End.CUT}


def error_of(end: End, retry_after: float | None) -> SfConnectError | None:
    return {
        End.DONE: None,
        End.LOST: ConnectionLostError("Lost."),
        End.TOO_LATE: RequestTimeoutError("Late."),
        End.BROKEN: ServerError("Broken.", status=500, retry_safe=None),
        End.CUT: ConnectionLostError("Cut."),
        End.UNREACHABLE: ConnectError("No route."),
        End.BUSY: ThrottledError("Busy.", retry_safe=True, retry_after=retry_after),
        End.WRONG: ApiError("Wrong.", status=400),
    }[end]


class Clock:
    """Time that passes at once when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1e9

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@dataclass
class Books:
    """What the server was sent of one call, and did."""

    clock: Clock
    circuit: Circuit
    ends: list[End]
    attempt_s: float
    retry_after: float | None
    sent: list[End] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def attempt(self, request: Request, number: int) -> Response:
        if self.circuit.tripped:
            self.circuit.admit()
        end = self.ends[min(len(self.sent), len(self.ends) - 1)]
        started = self.clock.now
        self.sent.append(end)
        self.times.append(started)
        self.clock.now += self.attempt_s
        error = error_of(end, self.retry_after)
        self.circuit.note(OK if error is None else None, error, started, number)
        if error is not None:
            raise error
        return OK

    @property
    def effects(self) -> int:
        return sum(end.acts for end in self.sent)


REQUESTS = {
    Replay.SAFE: Request("GET", "/rows"),
    Replay.KEYED: Request("PATCH", "/rows/k/1", content=b"{}", replay=Replay.KEYED),
    Replay.UNSAFE: Request("POST", "/rows", content=b"{}"),
}
POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 6),
    initial_s=st.floats(0, 3),
    max_s=st.floats(0, 10),
    retry_after_cap_s=st.floats(0, 40),
    random=st.floats(0, 1).map(lambda drawn: lambda: drawn),
)


class Calls(RuleBasedStateMachine):
    """Calls of all kinds, one after the other, through one executor."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.retries: list[RetryScheduled] = []
        self.budget = RetryBudget(60, cost=10, throttled_cost=5, refund=4)
        self.executor = RetryExecutor(
            RetryPolicy(),
            self.budget,
            clock=self.clock,
            emitter=Emitter([self.hear]),
        )
        policy = CircuitPolicy(failures=4, open_s=2, max_open_s=8)
        self.circuit = Circuit("org", policy, clock=self.clock)

    def hear(self, event: object) -> None:
        if isinstance(event, RetryScheduled):
            self.retries.append(event)

    @rule()
    def a_success_elsewhere(self) -> None:
        self.budget.earn()

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(
        replay=st.sampled_from(Replay),
        policy=POLICIES,
        ends=st.lists(st.sampled_from(End), min_size=1, max_size=8),
        attempt_s=st.floats(0, 2),
        retry_after=st.none() | st.floats(0, 60),
        limit_s=st.none() | st.floats(0, 30),
        hook=st.sampled_from(["none", "truthful", "knows nothing", "fails"]),
    )
    def call(
        self,
        *,
        replay: Replay,
        policy: RetryPolicy,
        ends: list[End],
        attempt_s: float,
        retry_after: float | None,
        limit_s: float | None,
        hook: str,
    ) -> None:
        began, tokens = self.clock.now, self.budget.tokens
        self.retries.clear()
        books = Books(self.clock, self.circuit, ends, attempt_s, retry_after)
        deadline = None if limit_s is None else Deadline(limit_s, self.clock)
        outcome = asyncio.run(self.carry_out(REQUESTS[replay], policy, books, deadline, hook))

        self.check_effects(replay, books, outcome, hook)
        self.check_bounds(policy, books, outcome, None if limit_s is None else began + limit_s)
        self.check_budget(tokens)

    async def carry_out(
        self,
        plain: Request,
        policy: RetryPolicy,
        books: Books,
        deadline: Deadline | None,
        hook: str,
    ) -> Response | SfConnectError:
        """What a session does: the first attempt by itself, the rest by the executor."""
        request = Request(
            plain.method, plain.path, content=plain.content, replay=plain.replay, retry=policy
        )

        async def look(unknown: OutcomeUnknownError, sender: object) -> Reconciled:
            if hook == "fails":
                raise ConnectError("No.")
            if hook == "knows nothing":
                return StillUnknown()
            return Happened("done") if books.effects else DidNotHappen()

        began = self.clock.now
        try:
            return await books.attempt(request, 1)
        except SfConnectError as error:
            first = error
        try:
            return await self.executor.resume(
                request,
                first,
                books.attempt,
                began=began,
                deadline=deadline,
                reconcile=None if hook == "none" else look,
                sender=self,  # type: ignore[arg-type]  # nobody sends anything through it
            )
        except SfConnectError as error:
            return error

    def check_effects(
        self, replay: Replay, books: Books, outcome: Response | SfConnectError, hook: str
    ) -> None:
        if isinstance(outcome, Response):
            assert books.effects >= 1
        if replay is not Replay.UNSAFE:
            assert not isinstance(outcome, OutcomeUnknownError)
            return
        assert books.effects <= 1
        if hook != "truthful":
            # Nothing follows an attempt that may have acted.
            assert not any(end.may_have_acted for end in books.sent[:-1])
            doubtful = bool(books.sent) and books.sent[-1].may_have_acted
            assert isinstance(outcome, OutcomeUnknownError) is doubtful
        if isinstance(outcome, SfConnectError) and not isinstance(outcome, OutcomeUnknownError):
            assert books.effects == 0

    def check_bounds(
        self,
        policy: RetryPolicy,
        books: Books,
        outcome: Response | SfConnectError,
        ends_at: float | None,
    ) -> None:
        assert len(self.retries) + 1 <= policy.max_attempts
        assert len(books.sent) <= policy.max_attempts
        if ends_at is not None:
            # An attempt that is under way is ended from outside; none is begun after the limit.
            assert all(begun < ends_at for begun in books.times[1:])
        if isinstance(outcome, SfConnectError) and outcome.attempts:
            numbers = [one.number for one in outcome.attempts]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= policy.max_attempts
            assert all(one.wait_s is not None for one in outcome.attempts[:-1])
            assert outcome.attempts[-1].wait_s is None

    def check_budget(self, before: float) -> None:
        cheap = {"ThrottledError": 5, CIRCUIT_OPEN: 0}
        spent = sum(cheap.get(retry.reason, 10) for retry in self.retries)
        assert self.budget.tokens == before - spent

    @invariant()
    def the_budget_is_never_overdrawn(self) -> None:
        assert 0 <= self.budget.tokens <= self.budget.capacity


Calls.TestCase.settings = settings(max_examples=150, stateful_step_count=12, deadline=None)
TestRetry = Calls.TestCase
