"""The life of credentials: one login for all who wait, early renewal, replacement, storage."""

from __future__ import annotations

import os
import random
import threading
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import structlog

from sfconnect.auth.base import AuthContext, SupportsRevoke
from sfconnect.auth.failures import FailureMemory, RefusalMemory
from sfconnect.auth.held import NEVER, Held
from sfconnect.auth.login import Known, Login, log_in, unexpected
from sfconnect.auth.login_rate import LoginLimits, LoginRates, login_rates
from sfconnect.auth.single_flight import Flight
from sfconnect.auth.store import identity_key
from sfconnect.auth.urls import is_loopback, shown
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import ConfigurationError, LoginRateLimited, PoolClosed, SfConnectError
from sfconnect.instrumentation import (
    Emitter,
    LoginRateHigh,
    TokenFailed,
    TokenReplaced,
    redacting_processor,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from sfconnect._types import Secret
    from sfconnect.auth.base import AuthStrategy, Credentials, TokenStore
    from sfconnect.messages import Request, Response

EARLY_PAUSE_S: Final = 30.0
"""Least time between two early renewals, so that a login server in trouble is left alone."""
EARLY_SPREAD_S: Final = 15.0
"""What is added to it at random, so that processes which share a login do not try together."""
CONFIRMED_S: Final = 60.0
"""How long a token that the login gave again, although it was refused, is not asked for anew."""

_TOKEN_OPTIONS: Final = frozenset({"access_token", "refresh_token"})


class CredentialState(Enum):
    """How good the credentials at hand are."""

    FRESH = "fresh"
    """Use them."""
    STALE = "stale"
    """Use them; they are being renewed before they expire."""
    EXPIRED = "expired"
    """None yet, expired, refused or revoked: whoever needs them waits for a login."""


class CredentialManager:
    """Owns the credentials of one strategy.

    Everybody who needs credentials while there are none waits for the same login. Cancelling a
    waiter, or all of them, does not end it: its result is kept for whoever comes next.

    One manager may be used from several event loops, in threads of their own. A login runs in
    the loop of whoever needed it first, and wakes waiters in theirs; if that loop stops first,
    the next caller begins a new one. After a fork the child keeps the token and drops the login
    of its parent.

    Attributes:
        strategy: How it logs in.
        identity: Hash that names whose credentials these are.
        logins: Logins that succeeded here; tokens taken from the store do not count.

    Args:
        strategy: How to log in.
        send: Carries an unauthenticated request, and follows no redirects.
        store: Shares tokens with other processes or restarts; without one they stay here.
        clock: Time; a test brings its own.
        emitter: Told of each login and each failure.
        prompt: Asks a person, where there is one.
        browser: Shows a person a URL; says whether a browser could be opened.
        early_s: Seconds before the expiry at which to renew in the background; at most a fifth
            of the token's life.
        assumed_s: Life of tokens whose server does not tell it, as Salesforce's does not; None
            to use them until they are refused.
        limits: How many logins within an hour are too many.
        rates: Counts the logins; by default the whole process does it together.
    """

    def __init__(
        self,
        strategy: AuthStrategy,
        *,
        send: Callable[[Request], Awaitable[Response]],
        store: TokenStore | None = None,
        clock: Clock = SYSTEM_CLOCK,
        emitter: Emitter | None = None,
        prompt: Callable[[str], Awaitable[str]] | None = None,
        browser: Callable[[str], Awaitable[bool]] | None = None,
        early_s: float = 300.0,
        assumed_s: float | None = None,
        limits: LoginLimits | None = None,
        rates: LoginRates | None = None,
    ) -> None:
        self.strategy = strategy
        self.identity = identity_key(strategy)
        self.logins = 0
        self._transport_send = send
        self._store = store
        self._clock = clock
        self._emitter = emitter or Emitter()
        self._early_s = early_s
        self._assumed_s = assumed_s
        self._limits = limits or LoginLimits()
        self._rates = rates or login_rates(clock)
        self._context = AuthContext(
            send=self._send,
            child=self._child_credentials,
            replace_child=self._replace_child_credentials,
            log=_log(),
            clock=clock,
            prompt=prompt,
            browser=browser,
        )
        self._memory = FailureMemory(clock)
        self._refusals = RefusalMemory(clock)
        self._children: list[tuple[AuthStrategy, CredentialManager]] = []
        self._held: Held | None = None
        self._refused: Secret | None = None
        self._confirmed_until = -inf
        self._early_after = -inf
        self._generation: int | None = None
        self._unsaved = False
        self._counted = True
        self._flight: Flight | None = None
        self._closed = False
        # Held for a few lines without await at a time; it guards against other loops' threads.
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def current(self) -> Credentials | None:
        """The credentials if they are FRESH, else None: then await :meth:`get`."""
        held = self._held
        # Most tokens have no known end; they cost the hot path no look at a clock.
        if held is not None and (held.stale is NEVER or not held.stale.has_come(self._clock)):
            return held.credentials
        return None

    @property
    def shares_tokens(self) -> bool:
        """Whether others may have the same token, by a store."""
        return self._store is not None

    @property
    def state(self) -> CredentialState:
        """How good the credentials at hand are."""
        held = self._held
        if held is None or held.expired.has_come(self._clock):
            return CredentialState.EXPIRED
        is_stale = held.stale.has_come(self._clock)
        return CredentialState.STALE if is_stale else CredentialState.FRESH

    async def get(self) -> Credentials:
        """Return usable credentials; log in, or wait for the login under way, if there are none.

        Raises:
            AuthError: The login failed, or is remembered to be hopeless.
            TransportError: The login server could not be reached.
            PoolClosed: The manager is closed.
        """
        if (credentials := self.current) is not None:
            return credentials
        self._notice_fork()
        held = self._held
        if held is not None and not held.expired.has_come(self._clock):
            self._renew_early()
            return held.credentials
        return await self._log_in_once("initial" if held is None else "expired", None)

    async def replace(self, rejected: Credentials) -> Credentials:
        """Return credentials other than those that the API refused.

        Of many callers whose calls were refused, at any time, with one and the same token, the
        first causes a login and the others share it. Whoever comes when the token has already
        changed gets the new one, without a login.

        Where new tokens are refused again and again, logging in is no help, and the rejected
        credentials come back as they are; the caller then need not repeat its call.

        Raises:
            AuthError: See :meth:`get`.
        """
        self._notice_fork()
        return await self._log_in_once("rejected", rejected)

    def note_accepted(self) -> None:
        """Note that the API took credentials from :meth:`replace`, so that they were a help."""
        self._refusals.note_help()

    async def revoke(self) -> bool:
        """End the session on the server, and use it no more, here or from the store.

        Where there is none, and the token is an option of the strategy, that token is ended.

        Returns:
            Whether the server was told; some strategies have no way to.
        """
        self._notice_fork()
        await self._land()
        held = self._held
        credentials = held.credentials if held else await self._stored_credentials()
        if credentials is None and self._brings_a_token():
            credentials = await self.get()
            held = self._held
        tell = credentials is not None and isinstance(self.strategy, SupportsRevoke)
        if credentials is not None and isinstance(self.strategy, SupportsRevoke):
            await self.strategy.revoke(self._context, credentials)
        with self._lock:
            if self._held is held and credentials is not None:
                # Kept as a base to renew from, so that what cannot be renewed is not used again.
                self._held = Held(credentials, NEVER, NEVER).refused()
        if self._store is not None:
            await self._store.delete(self.identity)
        return tell

    def child(self, strategy: AuthStrategy) -> CredentialManager:
        """Return the manager of a strategy that this one builds on; equal ones share it.

        It has the same transport, store and clock, and is closed with this one.
        """
        for asked_for, known in self._children:
            if asked_for == strategy:
                return known
        made = CredentialManager(
            strategy,
            send=self._transport_send,
            store=self._store,
            clock=self._clock,
            emitter=self._emitter,
            prompt=self._context.prompt,
            browser=self._context.browser,
            early_s=self._early_s,
            assumed_s=self._assumed_s,
            limits=self._limits,
            rates=self._rates,
        )
        # By what was asked for, since its secrets may be read again.
        self._children.append((strategy, made))
        return made

    async def aclose(self) -> None:
        """Stop a login under way and forget the credentials. Idempotent.

        Those who wait for that login get ``PoolClosed``. A refresh token that is being renewed
        for a store is waited for, within bounds: the new one might be lost on its way. The
        session on the server goes on: others may be using it. :meth:`revoke` ends it.
        """
        self._notice_fork()
        with self._lock:
            self._closed = True
            flight, self._held = self._flight, None
        if flight is not None:
            await flight.cancel()
        for _, child in self._children:
            await child.aclose()

    async def _send(self, request: Request) -> Response:
        """Carry a strategy's request, unless its secret would travel readably.

        The first one of a login counts it; what needs no network is none to the server.
        """
        parts = urlsplit(request.path)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            message = f"A login request to {shown(request.path)!r} is not https; it was not sent."
            raise ConfigurationError(message, hint="Plain http is for loopback only.")
        if not self._counted:
            self._counted = True
            self._admit()
        return await self._transport_send(request)

    def _admit(self) -> None:
        """Count a login, and stop it if this program makes too many."""
        identity, limits = self.identity, self._limits
        try:
            number = self._rates.admit(identity, limits)
        except LoginRateLimited:
            self._tell_rate(limits.stop_per_hour or 0, stopped=True)
            raise
        if self._rates.should_warn(identity, limits):
            self._tell_rate(number, stopped=False)

    def _tell_rate(self, logins: int, *, stopped: bool) -> None:
        if self._emitter.hooks:
            name = type(self.strategy).__name__
            self._emitter.emit(LoginRateHigh(name, self.identity, logins, stopped))

    async def _child_credentials(self, strategy: AuthStrategy) -> Credentials:
        return await self.child(strategy).get()

    async def _replace_child_credentials(
        self, strategy: AuthStrategy, rejected: Credentials
    ) -> Credentials:
        return await self.child(strategy).replace(rejected)

    def _notice_fork(self) -> None:
        """In a forked child, drop what belongs to the parent's threads and loops."""
        if os.getpid() != self._pid:
            self._lock = threading.Lock()
            self._flight = None
            self._pid = os.getpid()

    def _renew_early(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if self._flight_under_way() or now < self._early_after or self._memory.active():
                return
            spread_s = random.uniform(0.0, EARLY_SPREAD_S)  # noqa: S311  # guards nothing
            self._early_after = now + EARLY_PAUSE_S + spread_s
            flight = self._flight = Flight("early")
        flight.start(self._run(flight))

    async def _log_in_once(self, reason: str, rejected: Credentials | None) -> Credentials:
        with self._lock:
            if self._closed:
                raise _closed()
            if (credentials := self._accepted(rejected)) is not None:
                return credentials
            flight = self._flight_under_way()
            begin = flight is None
            if flight is None:
                if (error := self._memory.active()) is not None:
                    raise error
                flight = self._flight = Flight(reason)
        # Outside the lock: an eager task factory runs the login's first steps right here.
        if begin:
            flight.start(self._run(flight))
        return await flight.wait()

    def _accepted(self, rejected: Credentials | None) -> Credentials | None:
        """The credentials at hand, unless they are expired or the rejected ones."""
        if rejected is not None:
            self._refuse(rejected)
        held = self._held
        if held is None or held.expired.has_come(self._clock):
            return None
        return held.credentials

    def _refuse(self, rejected: Credentials) -> None:
        held = self._held
        if held is not None and held.credentials.access_token != rejected.access_token:
            return
        if self._clock.monotonic() < self._confirmed_until:
            # The login server has just given this token again: asking once more is no help.
            return
        usable = held is not None and not held.expired.has_come(self._clock)
        if usable and not self._refusals.is_worth_a_login():
            return
        self._refused = rejected.access_token
        self._held = held and held.refused()

    def _flight_under_way(self) -> Flight | None:
        flight = self._flight
        if flight is not None and flight.abandoned:
            flight = self._flight = None
        return flight

    async def _land(self) -> None:
        """Wait for a login under way, whatever comes of it."""
        if (flight := self._flight_under_way()) is not None:
            try:
                await flight.wait()
            except SfConnectError:
                return  # those who needed the login are told

    async def _run(self, flight: Flight) -> None:
        began = self._clock.monotonic()
        outcome: Login | SfConnectError = _closed()
        try:
            outcome = await self._log_in()
        except SfConnectError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001  # the border to plugins; named and chained
            outcome = unexpected(self.strategy, error)
        finally:
            self._conclude(flight, outcome, (self._clock.monotonic() - began) * 1000)

    async def _log_in(self) -> Login:
        held = self._held
        known = Known(
            held.credentials if held else None, self._refused, self._generation, self._unsaved
        )
        return await log_in(
            self.strategy,
            self._context,
            known,
            store=self._store,
            key=self.identity,
            before_asking=self._begin_attempt,
            renewed=self._take_strategy,
        )

    def _take_strategy(self, strategy: AuthStrategy) -> None:
        """Log in with secrets as they are now; whose login it is does not change with them."""
        self.strategy = strategy

    def _begin_attempt(self) -> None:
        self._counted = False

    def _conclude(self, flight: Flight, outcome: Login | SfConnectError, elapsed_ms: float) -> None:
        try:
            with self._lock:
                # A loop that stopped and goes on later brings a login that nobody waits for.
                if self._flight is flight:
                    self._flight = None
                    self._counted = True
                    self._take(outcome)
            self._tell(flight.reason, outcome, elapsed_ms)
        finally:  # whatever happens, nobody may be left waiting
            flight.settle(outcome.credentials if isinstance(outcome, Login) else outcome)

    def _take(self, outcome: Login | SfConnectError) -> None:
        if isinstance(outcome, SfConnectError):
            self._memory.note(outcome)
            return
        self.logins += not outcome.adopted
        if not self._closed:
            self._memory.forget()
            self._generation = outcome.generation
            self._unsaved = outcome.store_error is not None
            self._publish(outcome.credentials)

    def _publish(self, credentials: Credentials) -> None:
        if credentials.access_token == self._refused:
            self._confirmed_until = self._clock.monotonic() + CONFIRMED_S
        self._held = Held.begin(
            credentials, self._clock, early_s=self._early_s, assumed_s=self._assumed_s
        )

    def _tell(self, reason: str, outcome: Login | SfConnectError, elapsed_ms: float) -> None:
        if not self._emitter.hooks:
            return
        name = type(self.strategy).__name__
        if isinstance(outcome, SfConnectError):
            self.tell_failure(reason, outcome)
            return
        if outcome.store_error is not None:
            self.tell_failure("store", outcome.store_error)
        if not outcome.adopted:
            self._emitter.emit(TokenReplaced(name, self.identity, reason, elapsed_ms))

    def tell_failure(self, reason: str, error: Exception) -> None:
        """Emit an event about something that went wrong without ending a call."""
        if self._emitter.hooks:
            name, kind = type(self.strategy).__name__, type(error).__name__
            code = getattr(error, "code", None)
            self._emitter.emit(TokenFailed(name, self.identity, reason, kind, code))

    def _brings_a_token(self) -> bool:
        """Whether the strategy was given the very thing that can be revoked."""
        by_token = _TOKEN_OPTIONS & set(getattr(type(self.strategy), "identity_secrets", ()))
        return bool(by_token) and isinstance(self.strategy, SupportsRevoke)

    async def _stored_credentials(self) -> Credentials | None:
        record = None if self._store is None else await self._store.get(self.identity)
        return None if record is None else record.credentials


def _closed() -> PoolClosed:
    return PoolClosed("The connection is closed, so there are no credentials any more.")


def _log() -> Any:
    """A logger for strategies that redacts whatever the application does with it later."""
    return structlog.wrap_logger(
        structlog.get_logger("sfconnect.auth"),
        processors=[redacting_processor, _hand_on],
        wrapper_class=structlog.BoundLogger,
    )


def _hand_on(
    _logger: Any, _method: str, event_dict: MutableMapping[str, Any]
) -> tuple[tuple[Any], MutableMapping[str, Any]]:
    return (event_dict.pop("event"),), event_dict
