"""A connection to one API: what applications hold."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import anyio.to_thread

from sfconnect._closing import ClosingClock
from sfconnect.auth.base import NamesBaseUrl
from sfconnect.auth.login_rate import LoginLimits
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.resolve import Resolved, resolve
from sfconnect.auth.store import identity_key
from sfconnect.call import Call
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import ConfigurationError, PoolClosed
from sfconnect.fan_out import Calls, FanOut, OnError, gather
from sfconnect.instrumentation import Emitter, Event, EventHook
from sfconnect.limits import (
    AllocatingService,
    Allocations,
    FixedLimiter,
    Limiter,
    LimiterContext,
    OpenLimiter,
    PacedLimiter,
    Pacer,
    QuotaGuard,
    QuotaShare,
    SharedLimiter,
    calls_of_share,
    has_use_for,
    login_lane,
)
from sfconnect.messages import Replay, Request, Response, Timeout, json_request
from sfconnect.policy import CircuitPolicy
from sfconnect.retry import RetryBudget, RetryPolicy
from sfconnect.service import HttpService, Service
from sfconnect.session import Session
from sfconnect.stats import SessionStats
from sfconnect.transport import ConnectionPool, Tls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from sfconnect._types import JsonValue
    from sfconnect.auth.base import AuthStrategy, Credentials, TokenStore
    from sfconnect.config import Settings
    from sfconnect.messages import ParamValue, StreamedResponse, Transport
    from sfconnect.policy import Reconcile
    from sfconnect.progress import OnProgress

T = TypeVar("T")


class Connector:
    """One API under one login, over a pool of connections.

    Make it with :meth:`connect` and use it inside ``async with``. It may be used by any number of
    tasks of one event loop. Leaving the block ends what still runs and closes the pool, unless
    the pool was given; it revokes the token only if ``revoke_on_close`` is set.
    """

    def __init__(
        self,
        find: Callable[[], Resolved],
        *,
        transport: Transport | None = None,
        store: TokenStore | None = None,
        limiter: Limiter | SharedLimiter | None = None,
        quota_shares: Sequence[QuotaShare] = (),
        retry: RetryPolicy | None = None,
        retry_by_surface: Mapping[str, RetryPolicy] | None = None,
        reconcile: Reconcile | None = None,
        circuit: CircuitPolicy | None = None,
        budget: RetryBudget | None = None,
        hooks: Iterable[EventHook] = (),
        clock: Clock = SYSTEM_CLOCK,
        prompt: Callable[[str], Awaitable[str]] | None = None,
        browser: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        self._find = find
        self._given_transport = transport
        self._store = store
        self._limiter = limiter
        self._quota_shares = tuple(quota_shares)
        self._opened_limiter: Limiter | None = None
        self._retry = retry
        self._retry_by_surface = retry_by_surface
        self._reconcile = reconcile
        self._circuit = circuit
        self._budget = budget
        self._emitter = Emitter(hooks)
        self._clock = clock
        self._prompt = prompt
        self._browser = browser
        self._opening = asyncio.Lock()
        self._transport: Transport | None = None
        self._session: Session | None = None
        self._shared: OpenLimiter | None = None
        self._waits = ClosingClock(clock)
        self._draining = False

    @classmethod
    def connect(
        cls,
        auth: AuthStrategy | str | None = None,
        *,
        profile: str | None = None,
        transport: Transport | None = None,
        store: TokenStore | None = None,
        limiter: Limiter | SharedLimiter | None = None,
        quota_shares: Sequence[QuotaShare] = (),
        retry: RetryPolicy | None = None,
        retry_by_surface: Mapping[str, RetryPolicy] | None = None,
        reconcile: Reconcile | None = None,
        circuit: CircuitPolicy | None = None,
        budget: RetryBudget | None = None,
        hooks: Iterable[EventHook] = (),
        clock: Clock = SYSTEM_CLOCK,
        prompt: Callable[[str], Awaitable[str]] | None = None,
        browser: Callable[[str], Awaitable[bool]] | None = None,
        **options: object,
    ) -> Self:
        """Describe a connection; entering it with ``async with`` makes it.

        Args:
            auth: A strategy, or the name of one; None to take ``SFCONNECT_PROFILE`` or
                ``SFCONNECT_AUTH``.
            profile: Name of a profile in ``sfconnect.toml``.
            transport: A pool to share with other connections; it is not closed with this one.
                Its settings are then its own.
            store: Keeps tokens for other processes or the next start; it wins over the setting
                ``token_store``, which names one.
            limiter: Bounds the calls in flight; it wins over the setting ``limiter``. One that is
                shared with other processes is opened and closed with the connection.
            quota_shares: How much may be used of quotas that only some calls use up, such as the
                bulk query jobs of a day; the settings ``quota_…`` are about the daily requests.
            retry: How often and how far apart to retry; a call's own (``with_retry``) wins.
            retry_by_surface: Policies of single surfaces, such as ``{"bulk": RetryPolicy(…)}``.
            reconcile: Asked what became of a write whose answer was lost; a call's own
                (``with_reconcile``) wins.
            circuit: When to stop sending to a server that is away; the setting
                ``circuit_breaker`` turns that off.
            budget: Shared by connections whose retries should count together.
            hooks: Called with each event.
            clock: Time; a test brings its own.
            prompt: Asks a person, for logins that need one; None where nobody is there.
            browser: Shows a person a URL; says whether a browser could be opened.
            options: The strategy's options and connection settings, such as ``base_url`` and
                ``max_connections``; argument before environment before profile before default.

        Entering raises:
            ConfigurationError: An option is unknown, missing or wrong; nothing was sent.
        """
        find = partial(resolve, auth, profile=profile, options=options)
        return cls(
            find,
            transport=transport,
            store=store,
            limiter=limiter,
            quota_shares=quota_shares,
            retry=retry,
            retry_by_surface=retry_by_surface,
            reconcile=reconcile,
            circuit=circuit,
            budget=budget,
            hooks=hooks,
            clock=clock,
            prompt=prompt,
            browser=browser,
        )

    def _service(self, resolved: Resolved) -> Service:
        """Make the service; a connector for one API overrides this."""
        base_url, login = resolved.settings.base_url, resolved.strategy
        if base_url is None and not (isinstance(login, NamesBaseUrl) and login.names_base_url):
            message = "A Connector needs the base URL of its API."
            hint = "Give base_url='https://api.example.com'; for Salesforce use Salesforce.connect."
            raise ConfigurationError(message, hint=hint)
        return HttpService(base_url)

    def _limit_scope(self, resolved: Resolved) -> str:
        """Name whose limits the calls count for: a login has its own, unless one knows better."""
        return identity_key(resolved.strategy)

    async def open(self) -> None:
        """Read the configuration and open the pool; the login comes with the first call.

        Raises:
            ConfigurationError: An option is unknown, missing or wrong.
        """
        async with self._opening:
            if self._session is None:
                await self._open()

    async def _open(self) -> None:
        # In a thread: profiles are files, and a secret may come from a command.
        resolved = await anyio.to_thread.run_sync(self._find)
        service = self._service(resolved)
        self._waits = ClosingClock(self._clock)
        transport = self._given_transport or _pool(resolved.settings)
        try:
            if isinstance(transport, ConnectionPool):
                await transport.open()
            limiter = await self._open_limiter(resolved)
            limiter = self._guarded(limiter, service, resolved)
            self._build(service, resolved, transport, limiter)
        except BaseException:
            await self._close(None, None if self._given_transport else transport)
            raise

    async def _open_limiter(self, resolved: Resolved) -> Limiter:
        max_waiting, wait_s = resolved.settings.max_waiting, resolved.settings.wait_s
        chosen = resolved.limiter if self._limiter is None else self._limiter
        if chosen is None:
            # The line is here, and not in the pool, so that a login need not stand in it.
            limit = resolved.settings.max_connections
            return FixedLimiter(limit, max_waiting=max_waiting, wait_s=wait_s)
        if not isinstance(chosen, SharedLimiter):
            return cast("Limiter", chosen)  # an argument, since what has a name can be opened
        scope = self._limit_scope(resolved)
        limit = resolved.settings.max_connections
        context = LimiterContext(scope, max_waiting, wait_s, self._emitter, limit)
        self._shared = await chosen.open(context)
        return self._shared

    def _guarded(self, limiter: Limiter, service: Service, resolved: Resolved) -> Limiter:
        """Put what spares quotas before what bounds the calls in flight."""
        settings = resolved.settings
        if settings.max_per_second is not None:
            limiter = PacedLimiter(limiter, Pacer(settings.max_per_second, clock=self._waits))
        if service.quota_header is None:
            return limiter
        share = QuotaShare(
            name=settings.quota_share_name,
            share_percent=settings.quota_share_percent,
            reserve_percent=settings.quota_reserve_percent,
            wait=settings.quota_wait,
        )
        calls = calls_of_share(self._limit_scope(resolved), share) if share.bounds else None
        return QuotaGuard(limiter, share, calls=calls, clock=self._waits)

    def _allocations(self, service: Service, resolved: Resolved) -> Allocations | None:
        """Watch the quotas that only some calls use up."""
        allocating: object = service
        if isinstance(allocating, AllocatingService):
            return Allocations(
                allocating,
                shares=self._quota_shares,
                scope=self._limit_scope(resolved),
                emitter=self._emitter,
                clock=self._waits,
            )
        if self._quota_shares:
            message = "quota_shares are of quotas that this API is not known to have."
            hint = "Leave them out; max_per_second bounds the calls of any API."
            raise ConfigurationError(message, hint=hint)
        return None

    def _build(
        self, service: Service, resolved: Resolved, transport: Transport, limiter: Limiter
    ) -> None:
        settings = resolved.settings
        self._opened_limiter = limiter
        logins = login_lane(limiter, settings.wait_s)
        manager = CredentialManager(
            resolved.strategy,
            send=logins.carrying(transport.send),
            store=resolved.store if self._store is None else self._store,
            clock=self._clock,
            emitter=self._emitter,
            prompt=self._prompt,
            browser=self._browser,
            assumed_s=settings.token_lifetime_s,
            limits=LoginLimits(settings.login_warning_per_hour, settings.login_limit_per_hour),
        )
        self._session = Session(
            service,
            resolved.strategy,
            manager,
            transport,
            limiter=limiter,
            allocations=self._allocations(service, resolved),
            logins=logins,
            retry=self._retry or RetryPolicy(max_attempts=settings.max_attempts),
            retry_by_surface=self._retry_by_surface,
            reconcile=self._reconcile,
            circuit=(self._circuit or CircuitPolicy()) if settings.circuit_breaker else None,
            call_timeout_s=settings.call_timeout_s,
            budget=self._budget,
            emitter=self._emitter,
            clock=self._clock,
            waits=self._waits,
            revoke_on_close=settings.revoke_on_close,
        )
        self._transport = transport

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End what still runs or waits; close the pool if it is this connection's own. Idempotent.

        Calls end with ``PoolClosed``, or ``OutcomeUnknownError`` where they may have had an effect.
        """
        self._waits.close()
        session, self._session = self._session, None
        transport, self._transport = self._transport, None
        await self._close(session, None if self._given_transport else transport)

    async def _close(self, session: Session | None, transport: Transport | None) -> None:
        """Close each part of it, whatever becomes of the others."""
        limiter, self._shared = self._shared, None
        async with AsyncExitStack() as parts:
            for part in (transport, limiter, session):
                if part is not None:
                    parts.push_async_callback(part.aclose)

    async def drain(self, within_s: float | None = None) -> bool:
        """Refuse new work and wait for what is under way, retries included; then close it.

        New calls end with ``PoolClosed``, and nothing of them is sent. A ``fan_out`` under way
        gives the outcomes of the calls that it has in flight, and then raises that error out of
        its loop. Cancelling stops the waiting and refuses on.

        Args:
            within_s: Seconds to wait at most; None for no bound.

        Returns:
            Whether all had ended in time; :meth:`aclose` ends the rest.
        """
        session = self._opened()
        self._draining = True
        return await session.drain(within_s)

    def _opened(self) -> Session:
        if self._session is None:
            message = "The connection is not open."
            raise PoolClosed(message, hint="Use it inside 'async with … as …'.")
        return self._session

    def _accepting(self) -> Session:
        session = self._opened()
        if self._draining:
            message = "The connection is draining, so it takes no new calls; nothing was sent."
            raise PoolClosed(message, hint="Make the call again when the program runs again.")
        return session

    def execute(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Send a request with login, limits and retry; what calls are sent through."""
        # Handed on instead of awaited, which spares every call a frame.
        session = self._accepting() if self._draining else self._session or self._opened()
        return session.execute(request)

    def has_use_for(self, callers: int) -> bool:
        """Tell a fan-out whether more than so many callers would gain anything."""
        return self._opened_limiter is None or has_use_for(self._opened_limiter, callers)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work beside the caller; it is cancelled when the connection closes."""
        if self._session is None or self._draining:
            work.close()
        return self._accepting().spawn(work)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, ParamValue] | None = None,
        json: JsonValue | None = None,
        headers: Mapping[str, str] | None = None,
        replay: Replay | None = None,
        surface: str | None = None,
    ) -> Call[Any]:
        """Describe a call of any resource; its answer is decoded from JSON, None if empty.

        Args:
            method: The HTTP method.
            path: Begins with ``/`` and is percent-encoded; joined to the base URL.
            params: Query parameters; they are encoded here.
            json: The body.
            headers: Further headers.
            replay: Whether it may be sent twice; by default what the method promises, so POST
                and PATCH are sent once unless the server says that it did nothing.
            surface: What it is for; policies and lanes of limiters go by it. By default what its
                path tells.
        """
        made = json_request(
            method.upper(),
            path,
            params=params,
            json=json,
            headers=headers,
            replay=replay,
            surface=surface or self._surface_of(path),
        )
        return Call(made, _json_or_none, self)

    def _surface_of(self, path: str) -> str:
        """Tell what a path is for; a connector for one API may know more than one surface."""
        return "rest"

    def get(self, path: str, *, params: Mapping[str, ParamValue] | None = None) -> Call[Any]:
        """Read a resource."""
        return self.request("GET", path, params=params)

    def post(self, path: str, *, json: JsonValue | None = None, **rest: Any) -> Call[Any]:
        """Create, or act; sent once. ``rest`` as for :meth:`request`."""
        return self.request("POST", path, json=json, **rest)

    def put(self, path: str, *, json: JsonValue | None = None, **rest: Any) -> Call[Any]:
        """Replace a resource. ``rest`` as for :meth:`request`."""
        return self.request("PUT", path, json=json, **rest)

    def patch(self, path: str, *, json: JsonValue | None = None, **rest: Any) -> Call[Any]:
        """Change a resource; sent once. ``rest`` as for :meth:`request`."""
        return self.request("PATCH", path, json=json, **rest)

    def delete(self, path: str, **rest: Any) -> Call[Any]:
        """Remove a resource. ``rest`` as for :meth:`request`."""
        return self.request("DELETE", path, **rest)

    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, ParamValue] | None = None,
        headers: Mapping[str, str] | None = None,
        surface: str | None = None,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Read a large body piece by piece, inside ``async with``; see :meth:`request`."""
        made = Request(
            method.upper(),
            path,
            params=params,
            headers=dict(headers or {}),
            surface=surface or self._surface_of(path),
        )
        return self._accepting().stream(made)

    def fan_out(
        self,
        calls: Calls[T],
        *,
        concurrency: int = 64,
        ordered: bool = False,
        on_error: OnError = "collect",
        window: int | None = None,
        progress: OnProgress | None = None,
        total: int | None = None,
    ) -> FanOut[T]:
        """Send many calls at once; see :class:`sfconnect.fan_out.FanOut`."""
        return FanOut(
            calls,
            concurrency=concurrency,
            ordered=ordered,
            on_error=on_error,
            window=window,
            progress=progress,
            total=total,
        )

    async def gather(
        self,
        calls: Calls[T],
        *,
        concurrency: int = 64,
        progress: OnProgress | None = None,
        total: int | None = None,
    ) -> list[T]:
        """Send calls and return their values in order, or raise the first error.

        An error cancels the calls in flight. ``progress`` is as for :meth:`fan_out`.
        """
        return await gather(calls, concurrency=concurrency, progress=progress, total=total)

    async def credentials(self) -> Credentials:
        """Return the credentials in use; logs in if there are none.

        Raises:
            AuthError: The login failed.
            TransportError: The login server could not be reached.
            PoolClosed: The connection is not open.
        """
        return await self._opened().manager.get()

    async def revoke(self) -> bool:
        """End the session on the server, and forget the token, here and in the store.

        Others may have been given the same session. The next call logs in anew, if it can.

        Returns:
            Whether the server was told: there was a token, and the login has a way to.

        Raises:
            AuthError: The server refused.
            TransportError: The server could not be reached; the token is kept.
        """
        return await self._opened().manager.revoke()

    def emit(self, event: Event) -> None:
        """Give an event to the hooks of this connection; long work tells so how far it is."""
        self._emitter.emit(event)

    def stats(self) -> SessionStats:
        """Return what this connection has done so far."""
        return self._opened().stats()


def _json_or_none(response: Response) -> Any:
    return response.json() if response.content else None


def tls_of(settings: Settings) -> Tls | None:
    """What the settings say of TLS; None where they say nothing."""
    if settings.ca_file or settings.client_cert_file:
        return Tls(settings.ca_file, settings.client_cert_file, settings.client_key_file)
    return None


def _pool(settings: Settings) -> ConnectionPool:
    timeout = Timeout(settings.connect_timeout_s, settings.read_timeout_s, settings.total_timeout_s)
    return ConnectionPool(
        # The limiter holds calls to max_connections; a login waits for none of them to end.
        max_connections=settings.max_connections + 1,
        max_waiting=settings.max_waiting,
        wait_s=settings.wait_s,
        idle_s=settings.idle_s,
        timeout=timeout,
        tls=tls_of(settings),
        keep_room=False,  # one connection has it, which may ask a second host now and then
    )
