"""One login: adopt what another process has got, or ask the server, and keep the answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials, SupportsRefresh
from sfconnect.auth.store import secrets_of
from sfconnect.errors import (
    AuthError,
    PluginError,
    SfConnectError,
    TokenStoreError,
    TransientAuthError,
    TransportError,
)
from sfconnect.instrumentation import redact_text

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sfconnect.auth.base import (
        AuthContext,
        AuthStrategy,
        StoredToken,
        TokenStore,
    )

T = TypeVar("T")

ATTEMPTS: Final = 3
"""How often one login is sent when it meets passing faults."""
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
) -> Login:
    """Log in once, through the store where there is one.

    Passing faults are met with a few more tries. Cancellation can lose an answer that is on its
    way, but not one that has come: that is written to the store first.

    Raises:
        AuthError: The login failed.
        TransportError: The login server could not be reached.
    """
    if store is None:
        return Login(await _acquire(strategy, context, known.held))
    async with store.lock(key):
        record = await store.get(key)
        if record is not None and _is_news(record, known, context):
            return Login(record.credentials, record.generation, adopted=True)
        credentials = await _acquire(strategy, context, _base(record, known))
        return await _shielded(_save(store, key, record, credentials))


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


async def _acquire(
    strategy: AuthStrategy, context: AuthContext, base: Credentials | None
) -> Credentials:
    for attempt in range(1, ATTEMPTS):
        try:
            return await _ask(strategy, context, base)
        except SfConnectError as error:
            if not _passes(error):
                raise
            pause_s = _back_off(attempt, error.retry_after)
        await context.clock.sleep(pause_s)
    return await _ask(strategy, context, base)


async def _ask(
    strategy: AuthStrategy, context: AuthContext, base: Credentials | None
) -> Credentials:
    if base is None or not isinstance(strategy, SupportsRefresh):
        return _checked(strategy, await strategy.authenticate(context))
    renewed = _checked(strategy, await strategy.refresh(context, base))
    # A server that does not rotate refresh tokens leaves the old one out of its answer.
    return replace(renewed, refresh_token=renewed.refresh_token or base.refresh_token)


def _passes(error: SfConnectError) -> bool:
    """Whether the fault may be gone in a moment, and repeating the login is safe."""
    return isinstance(error, TransientAuthError | TransportError) and error.retry_safe is True


def _back_off(attempt: int, retry_after: float | None) -> float:
    """Seconds to wait: what the server asked for, else growing, spread over half of itself."""
    if retry_after is not None:
        return min(retry_after, BACK_OFF_MAX_S)
    wait_s = BACK_OFF_S * 2.0 ** (attempt - 1)
    return wait_s * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing


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


async def _shielded(work: Coroutine[Any, Any, T]) -> T:
    """Finish the work before a cancellation goes on."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


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
    text = redact_text(str(error))
    for secret in secrets_of(strategy):
        text = text.replace(secret, "…")
    name = type(strategy).__name__
    failed = AuthError(f"Logging in with {name} failed: {type(error).__name__}: {text}")
    failed.__cause__ = error
    return failed
