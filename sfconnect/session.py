"""One API under one login: credentials, limits, retry and events around a transport."""

from __future__ import annotations

import asyncio
import time
from asyncio import get_running_loop
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sfconnect.auth.base import SupportsSigning
from sfconnect.auth.manager import CredentialState
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import ConfigurationError, PoolClosed, SfConnectError
from sfconnect.instrumentation import Emitter, QuotaSeen, RequestFinished
from sfconnect.limits import Allocations, FixedLimiter, HeedsLongCalls, Limiter, NotesQuota
from sfconnect.limits.concurrency import ENDED_BY_CALLER
from sfconnect.limits.logins import LoginLane, login_lane
from sfconnect.messages import Request, Response, request_id
from sfconnect.outgoing import absolute_url, another_loop, check_headers, redirect_target
from sfconnect.refusals import SPENT_BODY_HINT, Refusals
from sfconnect.retry import RetryBudget, RetryExecutor, RetryPolicy
from sfconnect.retry.circuit import Circuit, Circuits
from sfconnect.retry.deadline import SENT, Deadline
from sfconnect.retry.hedging import Hedger, may_be_hedged
from sfconnect.retry.reconciling import prepare
from sfconnect.service import BoundsLongCalls
from sfconnect.stats import CountedStream, SessionStats, of_limiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping

    from sfconnect.auth.base import AuthStrategy, Credentials
    from sfconnect.auth.manager import CredentialManager
    from sfconnect.limits.allocations import Exchange
    from sfconnect.messages import StreamedResponse, Transport
    from sfconnect.policy import CircuitPolicy, HedgePolicy, Reconcile
    from sfconnect.service import Service

_A = TypeVar("_A", bound="Response | StreamedResponse")

_SUCCESS = range(200, 300)
_REFUSALS = 400
_SERVER_ERRORS = 500
_MAX_REDIRECTS = 5
_REVOKE_S = 10.0
"""How long closing waits for the server to end the session."""
_SHARED_HINT = "Leave revoke_on_close out; sessions end by themselves when nobody uses them."
# What a call may still do about a dead token; a list, so that its attempts share it.
_ONE_REPLAY: list[None] = [None]


class Session:
    """Send requests to one API with one login.

    For each attempt, in this order: the token is read, a limiter slot is taken, the request goes
    out. While a call backs off it holds no slot, and what it sends next carries the token of that
    moment. A dead token is replaced once per call, whatever retries it takes, and the request
    sent again, which is safe for any method, since the API refused before it acted.

    With ``revoke_on_close`` closing ends the session on the server too. That is refused where a
    token store is used, because its tokens are others' too; and beside a login that may hand out
    one session several times (Salesforce's JWT bearer flow may) it logs out the others as well.
    """

    def __init__(
        self,
        service: Service,
        strategy: AuthStrategy,
        manager: CredentialManager,
        transport: Transport,
        *,
        limiter: Limiter | None = None,
        allocations: Allocations | None = None,
        logins: LoginLane | None = None,
        retry: RetryPolicy | None = None,
        retry_by_surface: Mapping[str, RetryPolicy] | None = None,
        budget: RetryBudget | None = None,
        reconcile: Reconcile | None = None,
        call_timeout_s: float | None = None,
        circuit: CircuitPolicy | None = None,
        emitter: Emitter | None = None,
        clock: Clock = SYSTEM_CLOCK,
        waits: Clock | None = None,
        revoke_on_close: bool = False,
    ) -> None:
        if revoke_on_close and manager.shares_tokens:
            message = "revoke_on_close would end sessions that others have from the token store."
            raise ConfigurationError(message, hint=_SHARED_HINT)
        self.service = service
        self._loop = get_running_loop()
        self._refusals = Refusals(service, clock)
        self._revoke_on_close = revoke_on_close
        self._manager = manager
        self._signing = strategy if isinstance(strategy, SupportsSigning) else None
        self._transport = transport
        self._limiter = limiter or FixedLimiter(100)
        self._logins = logins or login_lane(self._limiter)
        noting: object = self._limiter
        heeds = isinstance(noting, NotesQuota) and noting.heeds_quota
        self._heeds_quota = cast("NotesQuota", noting) if heeds else None
        self.allocations = allocations
        self._emitter = emitter or Emitter()
        self._clock = clock
        # The hot path spares itself a Python frame where the clock is the machine's.
        self._now = time.monotonic if clock is SYSTEM_CLOCK else clock.monotonic
        self._budget = budget or RetryBudget()
        self._retry = RetryExecutor(
            retry or RetryPolicy(),
            self._budget,
            by_surface=retry_by_surface,
            clock=waits or clock,
            emitter=self._emitter,
        )
        self._hedger = Hedger(clock=clock, emitter=self._emitter)
        policies = (self._retry.policy, *self._retry.by_surface.values())
        self._hedges = any(policy.hedge for policy in policies)
        self._reconcile = reconcile
        self._call_s = call_timeout_s
        self._circuits = Circuits(circuit, clock=clock, emitter=self._emitter)
        self._circuit: Circuit | None = None
        self._quota = ""
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._under_way = 0
        self._idle: asyncio.Event | None = None  # made when somebody drains
        self._calls = self._attempts = self._bytes_in = self._throttled = 0
        self._dressed: tuple[Credentials, str, Mapping[str, str]] | None = None

    def execute(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Send with credentials, limits and retry; give an answer whose status means success.

        Raises:
            SfConnectError: The outcome of the last attempt, typed.
            OutcomeUnknownError: A write may have happened and is not safe to repeat.
        """
        self._calls += 1
        began = self._now()
        limit_s = self._call_s if request.timeout is None else request.timeout.call_s
        # Handed on instead of awaited, which spares every call a frame.
        if limit_s is None:
            return self._execute(request, began, None)
        deadline = Deadline(limit_s, self._clock)
        return deadline.bound(request, self._execute(request, began, deadline))

    async def _execute(self, request: Request, began: float, deadline: Deadline | None) -> Response:
        if get_running_loop() is not self._loop:
            raise another_loop()
        self._under_way += 1
        try:
            replays = _ONE_REPLAY.copy()
            hook = request.reconcile or self._reconcile
            if hook is not None:
                await prepare(hook, request, self)
            try:
                hedge = self._hedge(request) if self._hedges or request.retry else None
                if hedge is None:
                    response = await self._attempt(replays, request, 1)
                else:
                    response = await self._send_hedged(hedge, request)
            except SfConnectError as error:
                first = error  # what comes of it is not to look like an error in its handling
            else:
                if self._budget.tokens < self._budget.capacity:
                    self._budget.earn()
                return response
            response = await self._retry.resume(
                request,
                first,
                partial(self._attempt, replays),
                began=began,
                deadline=deadline,
                reconcile=hook,
                sender=self,
            )
            self._budget.earn()
            return response
        finally:
            self._under_way -= 1
            if self._idle is not None and not self._under_way:
                self._idle.set()

    def _hedge(self, request: Request) -> HedgePolicy | None:
        """How this request is hedged; None if it is not."""
        policy = self._retry.policy_of(request).hedge
        is_well = self._circuit is None or not self._circuit.tripped
        return policy if policy is not None and is_well and may_be_hedged(request) else None

    def _send_hedged(self, hedge: HedgePolicy, request: Request) -> Coroutine[Any, Any, Response]:
        # Each of the two has a replay of its own, as two calls would.
        return self._hedger.send(
            hedge,
            request,
            lambda: self._attempt(_ONE_REPLAY.copy(), request, 1),
            partial(self._has_room, request.surface),
        )

    def _has_room(self, lane: str) -> bool:
        has_room = self._limiter.try_acquire(lane)
        if has_room:
            self._limiter.release(lane, 0.0, ENDED_BY_CALLER)
        return has_room

    async def _attempt(self, replays: list[None], request: Request, number: int) -> Response:
        credentials = self._manager.current or await self._login(self._manager.get())
        exchange: Exchange[Credentials] = self._exchange
        own = self.allocations
        if own is not None and request.surface == own.surface:
            exchange = own.heeding(exchange, request, self)
        response, used = await exchange(request, credentials, number)
        if response.status in _SUCCESS:
            return response
        return await self._after_refusal(
            exchange, request, response, used, replays=replays, number=number
        )

    async def _login(self, login: Awaitable[Credentials]) -> Credentials:
        """Wait for credentials. When there are none, nothing of the call itself was sent."""
        try:
            return await login
        except SfConnectError as error:
            # The login's request may have been; but what becomes of the call is decided by this.
            error.request_sent = False
            raise

    async def _after_refusal(
        self,
        exchange: Callable[
            [Request, Credentials, int], Awaitable[tuple[_A | Response, Credentials]]
        ],
        request: Request,
        answer: _A | Response,
        credentials: Credentials,
        *,
        replays: list[None],
        number: int,
    ) -> _A:
        """Replay once with a new token, follow the API's own redirects, or raise."""
        if (
            replays
            and isinstance(answer, Response)
            and self._refusals.new_login_may_help(request, answer, credentials)
        ):
            refused = credentials
            credentials = await self._login(self._manager.replace(refused))
            if credentials is refused:  # there is no better one
                raise self._refusals.error(request, answer, refused)
            if request.has_one_shot_body:
                raise self._refusals.error(request, answer, refused, SPENT_BODY_HINT)
            replays.pop()
            answer, credentials = await exchange(request, credentials, number)
            if not (isinstance(answer, Response) and self.service.token_is_dead(answer)):
                self._manager.note_accepted()
        here = request
        for _ in range(_MAX_REDIRECTS):
            target = redirect_target(self.service, here, answer, credentials)
            if target is None:
                break
            here = target
            answer, credentials = await exchange(here, credentials, number)
        if isinstance(answer, Response) and answer.status not in _SUCCESS:
            raise self._refusals.error(request, answer, credentials)
        return cast("_A", answer)  # a plain Response is of this type too where it means success

    async def _exchange(
        self, request: Request, credentials: Credentials, number: int
    ) -> tuple[Response, Credentials]:
        """Send once; give the answer, and the credentials that it was asked with."""
        if self._circuit is not None and self._circuit.tripped:
            self._circuit.check()
        if not self._limiter.try_acquire(request.surface):
            credentials = await self._stand_in_line(request.surface, credentials)
        wire = self._wire(request, credentials)
        self._attempts += 1
        started = self._now()
        try:
            response = await self._transport.send(wire)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                error.add_note(SENT)
            self._end(request, None, error, started, number)
            raise
        self._end(request, response, None, started, number)
        self._bytes_in += len(response.content)
        if self.service.quota_header is not None:
            self._note_quota(response.headers.get(self.service.quota_header))
        return response, credentials

    async def _stand_in_line(self, lane: str, credentials: Credentials) -> Credentials:
        """Wait for a slot; the token may have died meanwhile, so give the newest with it."""
        await self._limiter.acquire(lane)
        while self._manager.state is CredentialState.EXPIRED:
            # Sent now it would only be refused, and a slot is not held while waiting for a login.
            self._limiter.release(lane, 0.0, ENDED_BY_CALLER)
            credentials = await self._login(self._manager.get())
            await self._limiter.acquire(lane)
        return self._manager.current or credentials

    def _wire(self, request: Request, credentials: Credentials) -> Request:
        """Dress a request that holds a slot; one that cannot go out gives the slot back.

        Not before it has the slot: thousands may stand in line, and what they hold is memory.
        """
        try:
            wire = self._dress(request, credentials)
            if self._circuit is not None and self._circuit.tripped:
                self._circuit.admit()
        except BaseException:
            self._limiter.release(request.surface, 0.0, ENDED_BY_CALLER)
            raise
        return wire

    def _end(
        self,
        request: Request,
        answer: Response | StreamedResponse | None,
        error: BaseException | None,
        started: float,
        number: int,
    ) -> None:
        """Give the slot back, and tell how the attempt went."""
        elapsed_s = self._now() - started
        failure = error if isinstance(error, SfConnectError) else None
        try:
            if isinstance(answer, Response) and answer.status >= _REFUSALS:
                # Decoded again when it is raised: what limiters learn from is worth that.
                failure = self.service.decode_error(request, answer)
                self._throttled += failure.throttled
        finally:
            told = failure if error is None or failure is not None else ENDED_BY_CALLER
            self._limiter.release(request.surface, elapsed_s, told)
        circuit = self._circuit
        if circuit is not None and (
            failure is not None
            or circuit.troubled
            or (answer is not None and answer.status >= _SERVER_ERRORS)
        ):
            circuit.note(answer, error, started, number)
        if self._emitter.hooks:
            self._tell(request, answer, error, elapsed_s, number)

    def _note_quota(self, header: str | None) -> None:
        if header is None:
            return
        # Kept as it came and read when somebody asks: it comes with nearly every answer.
        self._quota = header
        if self._heeds_quota is not None:
            self._heeds_quota.note_quota(self.service.read_quota(header))
        if self._emitter.hooks:
            for quota in self.service.read_quota(header):
                self._emitter.emit(QuotaSeen(quota.name, quota.used, quota.maximum))

    def _dress(self, request: Request, credentials: Credentials) -> Request:
        """Put the address and the credentials on a request."""
        dressed = self._dressed
        if dressed is None or dressed[0] is not credentials:
            dressed = self._dressed = self._dressing(credentials)
        headers = dressed[2]
        if request.headers:
            check_headers(request.headers)
            headers = {**headers, **request.headers}
        wire = Request(
            request.method,
            absolute_url(self.service, request, dressed[1], credentials),
            None,
            headers,
            request.content,
            request.replay,
            request.surface,
            request.timeout,
            request.shown_as,
        )
        return wire if self._signing is None else self._signing.authorize(wire, credentials)

    def _dressing(self, credentials: Credentials) -> tuple[Credentials, str, Mapping[str, str]]:
        self._bound_long_calls(credentials)
        headers = dict(self.service.headers)
        if self._signing is None:
            token = credentials.access_token.reveal()
            headers["Authorization"] = f"{credentials.token_type} {token}"
        check_headers(headers)
        base = self.service.base_url(credentials)
        self._circuit = self._circuits.to(base)
        return credentials, base, headers

    def _bound_long_calls(self, credentials: Credentials) -> None:
        """Which org it is, and so how many calls may run long there, a login tells."""
        if isinstance(self.service, BoundsLongCalls) and isinstance(self._limiter, HeedsLongCalls):
            self._limiter.note_long_limit(self.service.long_limit(credentials))

    def _tell(
        self,
        request: Request,
        answer: Response | StreamedResponse | None,
        error: BaseException | None,
        elapsed_s: float,
        number: int,
    ) -> None:
        self._emitter.emit(
            RequestFinished(
                method=request.method,
                path=request.place,
                surface=request.surface,
                status=answer.status if answer else None,
                error=type(error).__name__ if error else None,
                elapsed_ms=elapsed_s * 1000,
                attempt=number,
                request_id=request_id(answer.headers) if answer else None,
                base_url=self._dressed[1] if self._dressed else "",
            )
        )

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[StreamedResponse]:
        """Send, and give the answer as soon as its headers mean success.

        Attempts up to the headers are retried as calls are; what breaks later, while the body is
        read, is the reader's to restart. A limiter slot is held for the whole block.
        """
        self._calls += 1
        began = self._now()
        limit_s = self._call_s if request.timeout is None else request.timeout.call_s
        if get_running_loop() is not self._loop:
            raise another_loop()
        async with AsyncExitStack() as stack:
            stack.enter_context(self._counted())
            if limit_s is None:
                answer = await self._open_stream(stack, request, began, None)
            else:
                deadline = Deadline(limit_s, self._clock)
                opening = self._open_stream(stack, request, began, deadline)
                answer = await deadline.bound(request, opening)
            yield answer

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a stream as under way; calls count themselves, to spare frames."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if self._idle is not None and not self._under_way:
                self._idle.set()

    async def _open_stream(
        self, stack: AsyncExitStack, request: Request, began: float, deadline: Deadline | None
    ) -> CountedStream:
        opening = partial(self._open, stack, _ONE_REPLAY.copy())
        try:
            answer = await opening(request, 1)
        except SfConnectError as error:
            first = error
        else:
            self._budget.earn()
            return answer
        answer = await self._retry.resume(request, first, opening, began=began, deadline=deadline)
        self._budget.earn()
        return answer

    async def _open(
        self, stack: AsyncExitStack, replays: list[None], request: Request, number: int
    ) -> CountedStream:
        exchange = partial(self._open_once, stack)
        credentials = self._manager.current or await self._login(self._manager.get())
        answer, used = await exchange(request, credentials, number)
        return await self._after_refusal(
            exchange, request, answer, used, replays=replays, number=number
        )

    async def _open_once(
        self, stack: AsyncExitStack, request: Request, credentials: Credentials, number: int
    ) -> tuple[CountedStream | Response, Credentials]:
        """Open a stream that ends with ``stack``; a refusal is read whole and given instead."""
        async with AsyncExitStack() as attempt:
            held = self._held_stream(request, credentials, number)
            answer, credentials = await attempt.enter_async_context(held)
            if answer.status not in _SUCCESS:
                return await answer.read(), credentials
            stack.push_async_exit(attempt.pop_all())
        return answer, credentials

    @asynccontextmanager
    async def _held_stream(
        self, request: Request, credentials: Credentials, number: int
    ) -> AsyncIterator[tuple[CountedStream, Credentials]]:
        if self._circuit is not None and self._circuit.tripped:
            self._circuit.check()
        if not self._limiter.try_acquire(request.surface):
            credentials = await self._stand_in_line(request.surface, credentials)
        wire = self._wire(request, credentials)
        self._attempts += 1
        started = self._now()
        answer: StreamedResponse | None = None
        counted: CountedStream | None = None
        failure: BaseException | None = None
        try:
            async with self._transport.stream(wire) as answer:
                if self.service.quota_header is not None:
                    self._note_quota(answer.headers.get(self.service.quota_header))
                counted = CountedStream(answer, self._count_bytes)
                yield counted, credentials
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                error.add_note(SENT)
            failure = error
            raise
        finally:
            whole = counted.whole if counted is not None else None
            self._end(request, whole or answer, failure, started, number)

    def _count_bytes(self, number: int) -> None:
        self._bytes_in += number

    @property
    def manager(self) -> CredentialManager:
        """Owns the credentials that this session sends with."""
        return self._manager

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work that may outlive the caller, such as fetching ahead; closing cancels it.

        Raises:
            PoolClosed: The session is closed; the work is not begun.
        """
        if self._closed:
            work.close()
            raise PoolClosed("The connection is closed.")
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def stats(self) -> SessionStats:
        """Return a snapshot of the counters."""
        quotas = {quota.name: quota for quota in self.service.read_quota(self._quota)}
        own = self.allocations
        return SessionStats(
            calls=self._calls,
            attempts=self._attempts,
            bytes_in=self._bytes_in,
            retries=dict(self._retry.retries),
            logins=self._manager.logins,
            quotas=quotas if own is None else quotas | own.readings,
            throttled=self._throttled,
            circuits=self._circuits.stats(),
            hedges=self._hedger.sent,
            hedges_won=self._hedger.won,
            shares={} if own is None else own.stats(),
            retry_tokens=self._budget.tokens,
            retry_capacity=self._budget.capacity,
            **of_limiter(self._limiter, self._logins),
        )

    async def drain(self, within_s: float | None = None) -> bool:
        """Wait until no call and no stream is under way; say whether that came in time.

        Nothing is refused by this: whoever drains has stopped giving it work, as
        ``Connector.drain`` does.
        """
        if self._idle is None:
            self._idle = asyncio.Event()
        try:
            async with asyncio.timeout(within_s):
                while self._under_way:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """Cancel what still runs for this session; the pool stays open. Idempotent.

        The token is revoked only if that was asked for. If that fails, an event tells of it.
        """
        was_closed, self._closed = self._closed, True
        # Work that closes its own session would wait for itself.
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        try:
            if self._revoke_on_close and not was_closed:
                await self._end_session()
        finally:
            await self._manager.aclose()

    async def _end_session(self) -> None:
        try:
            async with asyncio.timeout(_REVOKE_S):
                await self._manager.revoke()
        except (SfConnectError, TimeoutError) as error:
            self._manager.tell_failure("revoke", error)
