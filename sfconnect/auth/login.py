"""One login: adopt what another process has got, or ask the server, and keep the answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials, SupportsRefresh
from sfconnect.auth.chain import Chain
from sfconnect.auth.options import without_secrets
from sfconnect.auth.rereading import may_be_outdated, read_again
from sfconnect.auth.store import secrets_of
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import (
    AuthError,
    PluginError,
    ReauthorizationRequired,
    SfConnectError,
    TokenStoreError,
    TransientAuthError,
    TransportError,
)
from sfconnect.instrumentation import redact_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sfconnect.auth.base import (
        AuthContext,
        AuthStrategy,
        StoredToken,
        TokenStore,
    )

T = TypeVar("T")

ATTEMPTS: Final = 3
"""How often one login is sent when it meets passing faults."""
AT_ONCE_S: Final = 0.2
"""The longest pause before a refresh token whose answer was lost is sent once more."""
LANDING_S: Final = 10.0
"""How long a renewal that was sent is waited for when its program wants to end."""
BACK_OFF_S: Final = 0.5
BACK_OFF_MAX_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Known:
    """What the manager knows when a login begins."""

    held: Credentials | None = None
    refused: Secret | None = None
    """The last token that the API refused."""
    generation: int | None = None
    """Of the record that the store had when the manager last looked."""
    unsaved: bool = False
    """Whether ``held`` is newer than that record, because writing it failed."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a login gave."""

    credentials: Credentials
    generation: int | None = None
    """Of the store's record."""
    adopted: bool = False
    """Whether another process had made the login."""
    store_error: TokenStoreError | None = None
    """Why the store does not have the credentials."""


async def log_in(
    strategy: AuthStrategy,
    context: AuthContext,
    known: Known,
    *,
    store: TokenStore | None = None,
    key: str = "",
    before_asking: Callable[[], None] | None = None,
    renewed: Callable[[AuthStrategy], None] | None = None,
) -> Login:
    """Log in once, through the store where there is one.

    Passing faults are met with a few more tries; before each the store is read anew. Cancellation
    can lose an answer that is on its way, unless it may hold a rotated refresh token: that is
    waited for, within bounds. An answer that has come is written to the store in any case, before
    anything else is done with it.

    A login that is refused is tried once more if one of its secrets was changed where it was read
    from; ``renewed`` is told of the strategy that has the new one.

    Raises:
        AuthError: The login failed.
        TransportError: The login server could not be reached.
    """
    login = _LoginOnce(strategy, context, known, store, key, before_asking, renewed)
    if store is None:
        return await login.make()
    async with store.lock(key):
        return await login.make()


@dataclass(slots=True)
class _LoginOnce:
    """The tries of one login, made while the store's lock is held."""

    strategy: AuthStrategy
    context: AuthContext
    known: Known
    store: TokenStore | None
    key: str
    before_asking: Callable[[], None] | None
    renewed: Callable[[AuthStrategy], None] | None
    record: StoredToken | None = None
    answer_lost: bool = False
    may_have_rotated: bool = False
    others_were_first: bool = False
    read_again: bool = False
    starts_over: bool = False

    async def make(self) -> Login:
        number = 1
        while True:
            if (adopted := await self._adopt()) is not None:
                return adopted
            try:
                made = await self._renew()
            except SfConnectError as error:
                if await self._has_new_secrets(error):
                    continue
                pause_s = await self._pause_after(error, number)
            else:
                if self._was_refused(made) and await self._has_new_secrets():
                    continue
                return made
            await self.context.clock.sleep(pause_s)
            number += 1

    async def _adopt(self) -> Login | None:
        """Take what another process has got meanwhile, if it is worth trying."""
        if self.store is None:
            return None
        record = self.record = await self.store.get(self.key)
        if record is None or not _is_news(record, self.known, self.context):
            return None
        return Login(record.credentials, record.generation, adopted=True)

    async def _has_new_secrets(self, error: SfConnectError | None = None) -> bool:
        """Whether a secret was changed meanwhile, so that a refused login is worth a try; once."""
        if self.read_again or not (error is None or may_be_outdated(error)):
            return False
        self.read_again = True
        found = await read_again(self.strategy)
        # Where a refresh token is dead, another password or client secret is no help.
        if found is None or (isinstance(error, ReauthorizationRequired) and not found.starts_over):
            return False
        self.strategy, self.starts_over = found.strategy, found.starts_over
        if self.renewed is not None:
            self.renewed(self.strategy)
        return True

    def _was_refused(self, made: Login) -> bool:
        """Whether the API has already refused what the login gave, as it does old API keys."""
        return made.credentials.access_token == self.known.refused

    def _base(self) -> Credentials | None:
        return None if self.starts_over else _base(self.record, self.known)

    async def _renew(self) -> Login:
        record, store = self.record, self.store
        base = self._base()
        if store is None:
            return Login(await self._ask(base))
        if _spends_a_refresh_token(self.strategy, base):
            renewal = self._ask_and_save(store, record, base)
            return await _shielded(renewal, self.context.clock, LANDING_S)
        credentials = await self._ask(base)
        return await _shielded(_save(store, self.key, record, credentials))

    async def _ask_and_save(
        self, store: TokenStore, record: StoredToken | None, base: Credentials | None
    ) -> Login:
        return await _save(store, self.key, record, await self._ask(base))

    async def _ask(self, base: Credentials | None) -> Credentials:
        if self.before_asking is not None:
            self.before_asking()
        strategy, context = self.strategy, self.context
        if base is None or not isinstance(strategy, SupportsRefresh):
            return _checked(strategy, await strategy.authenticate(context))
        renewed = _checked(strategy, await strategy.refresh(context, base))
        # A server that does not rotate refresh tokens leaves the old one out of its answer.
        return replace(renewed, refresh_token=renewed.refresh_token or base.refresh_token)

    async def _pause_after(self, error: SfConnectError, number: int) -> float:
        """Seconds to wait before the next try; or raise what the failed one means."""
        asked = self.strategy
        if isinstance(asked, Chain):
            asked = asked.last_asked(self.context) or asked
        if _spends_a_refresh_token(asked, self._base()):
            if _answer_was_lost(error):
                return self._pause_after_loss(error)
            # A gateway that gave up on the login server does not know what that one did.
            self.may_have_rotated |= (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
            if isinstance(error, ReauthorizationRequired):
                return await self._pause_after_refusal(error)
        if number >= ATTEMPTS or not _passes(error):
            raise error
        return _back_off(number, error.retry_after)

    def _pause_after_loss(self, error: SfConnectError) -> float:
        if self.answer_lost:
            raise _lost_twice(error) from error
        self.answer_lost = self.may_have_rotated = True
        return _spread(AT_ONCE_S)

    async def _pause_after_refusal(self, error: ReauthorizationRequired) -> float:
        if await self._others_were_first():
            return 0.0
        if self.may_have_rotated:
            raise _rotated_and_lost(error) from error
        raise error

    async def _others_were_first(self) -> bool:
        """Whether the store has got another refresh token since it was read; true once only.

        That takes a writer without this lock: another login of the user, or a lock that ran out.
        """
        if self.store is None or self.others_were_first:
            return False
        stored, before = await self.store.get(self.key), self.record
        if stored is None or (before is not None and stored.generation == before.generation):
            return False
        used = _base(before, self.known)
        token = stored.credentials.refresh_token
        self.others_were_first = used is None or token != used.refresh_token
        return self.others_were_first


def _is_news(record: StoredToken, known: Known, context: AuthContext) -> bool:
    """Whether another process has written a token that is worth trying."""
    stored = record.credentials
    if record.generation == known.generation or stored.access_token == known.refused:
        return False
    if known.held is not None and stored.access_token == known.held.access_token:
        return False
    return stored.expires_at is None or context.clock.time() < stored.expires_at


def _base(record: StoredToken | None, known: Known) -> Credentials | None:
    """The credentials with the newest refresh token; an older one may be dead by now."""
    if record is None or (known.unsaved and record.generation == known.generation):
        return known.held
    return record.credentials


def _spends_a_refresh_token(strategy: AuthStrategy, base: Credentials | None) -> bool:
    """Whether the login uses up a refresh token, if the server rotates them."""
    if not isinstance(strategy, SupportsRefresh):
        return False
    has_one = base is not None and base.refresh_token is not None
    # Without older credentials such a strategy, or one of a chain, begins with that of its options.
    members = strategy.strategies if isinstance(strategy, Chain) else (strategy,)
    return has_one or any(hasattr(member, "refresh_token") for member in members)


def _answer_was_lost(error: SfConnectError) -> bool:
    """Whether the server may have acted, and nobody knows what it said."""
    is_unknown = isinstance(error, TransportError) and error.retry_safe is None
    return is_unknown and error.request_sent is not False


def _passes(error: SfConnectError) -> bool:
    """Whether the fault may be gone in a moment, and repeating the login is safe."""
    return isinstance(error, TransientAuthError | TransportError) and error.retry_safe is True


def _rotated_and_lost(refusal: ReauthorizationRequired) -> ReauthorizationRequired:
    """A refusal explained by what went before it."""
    message = (
        "The answer to a renewal was lost, and now the login server refuses the refresh token: "
        "it may have been rotated then, and the new one never arrived."
    )
    return ReauthorizationRequired(
        message,
        code=refusal.code,
        hint="Authorise the app again; nothing else brings a new refresh token.",
        request_id=refusal.request_id,
        status=refusal.status,
        docs_key="rotated-and-lost",
    )


def _lost_twice(error: SfConnectError) -> ReauthorizationRequired:
    message = (
        "A renewal was sent twice, and neither answer arrived: the refresh token may have been "
        f"rotated and the answer lost. The last fault: {error.message}"
    )
    hint = "Look at the network; if later tries are refused, authorise the app again."
    return ReauthorizationRequired(message, hint=hint, docs_key="renewal-lost")


def _back_off(attempt: int, retry_after: float | None) -> float:
    """Seconds to wait: what the server asked for, else growing, spread over half of itself."""
    if retry_after is not None:
        return min(retry_after, BACK_OFF_MAX_S)
    return _spread(BACK_OFF_S * 2.0 ** (attempt - 1))


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing


async def _save(
    store: TokenStore, key: str, record: StoredToken | None, credentials: Credentials
) -> Login:
    before = None if record is None else record.generation
    try:
        written = await store.compare_and_swap(key, before, credentials)
    except TokenStoreError as error:
        # The token works, so losing it over a full disk would help nobody.
        return Login(credentials, before, store_error=error)
    # Another writer can only have been first if its lock ran out; both tokens are good then.
    return Login(credentials, written.generation if written else before)


async def _shielded(
    work: Coroutine[Any, Any, T], clock: Clock = SYSTEM_CLOCK, limit_s: float = inf
) -> T:
    """Finish the work, if it takes no longer than the limit, before a cancellation goes on."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _ended(task, clock, limit_s)
        raise


async def _ended(task: asyncio.Task[T], clock: Clock, limit_s: float) -> None:
    """Wait for a task whose outcome nobody takes; cancel it at the limit."""
    timer = None if limit_s == inf else asyncio.ensure_future(clock.sleep(limit_s))
    try:
        await asyncio.wait({task, timer} if timer else {task}, return_when="FIRST_COMPLETED")
        task.cancel()
        await asyncio.wait({task})
    finally:
        if timer is not None:
            timer.cancel()
    if not task.cancelled():
        task.exception()  # looked at, so that the loop does not complain of it


def _checked(strategy: AuthStrategy, credentials: Any) -> Credentials:
    """Refuse what is no credentials here, where the strategy can still be named."""
    name = type(strategy).__name__
    token = getattr(credentials, "access_token", None)
    if not isinstance(credentials, Credentials):
        message = f"{name} gave {type(credentials).__name__} instead of Credentials."
        raise PluginError(message, hint="authenticate() and refresh() return Credentials.")
    if not isinstance(token, Secret):
        message = f"{name} gave an access token that is not a Secret, which logs would show."
        raise PluginError(message, hint="Write Credentials(access_token=Secret(text), …).")
    return credentials


def unexpected(strategy: AuthStrategy, error: Exception) -> AuthError:
    """Turn what a strategy or a store raised against its contract into an error that names it.

    Values of its secret options are taken out of the text.
    """
    text = without_secrets(redact_text(str(error)), secrets_of(strategy))
    name = type(strategy).__name__
    failed = AuthError(f"Logging in with {name} failed: {type(error).__name__}: {text}")
    failed.__cause__ = error
    return failed
