"""The contract between the framework and an auth strategy."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, runtime_checkable

from sfconnect.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping
    from contextlib import AbstractAsyncContextManager

    from sfconnect._types import Secret
    from sfconnect.messages import Request, Response

PLUGIN_API: Final = 1
"""Version of this contract; a strategy may state the one it was written for as ``plugin_api``."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login gave.

    ``issued_at`` and ``expires_at`` are seconds since the epoch, the latter by this machine's
    clock; it is None where the server does not say, which is normal for Salesforce. ``extra`` keeps
    the members of the answer that have no place of their own, secrets among them left out.
    """

    access_token: Secret
    instance_url: str
    token_type: str = "Bearer"
    issued_at: float | None = None
    expires_at: float | None = None
    refresh_token: Secret | None = None
    identity_url: str | None = None
    scopes: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)


async def _as_before(_strategy: AuthStrategy, rejected: Credentials) -> Credentials:
    return rejected


@dataclass(frozen=True, slots=True)
class AuthContext:
    """What a strategy may use while it logs in.

    ``send`` carries an unauthenticated request to an absolute URL. It refuses to follow
    redirects, since they could carry the secret elsewhere, and gives every status as an answer.
    ``prompt`` asks a person, and is None where nobody is there: a strategy that needs it then
    raises ``CredentialUnavailableError``. So it does without ``browser``, which shows a person a
    page to log in at, and tells whether a browser could be opened.
    """

    send: Callable[[Request], Awaitable[Response]]
    child: Callable[[AuthStrategy], Awaitable[Credentials]]
    """Gives another strategy's credentials, cached and single-flight, for derived tokens."""
    log: Any
    clock: Clock = SYSTEM_CLOCK
    prompt: Callable[[str], Awaitable[str]] | None = None
    browser: Callable[[str], Awaitable[bool]] | None = None
    replace_child: Callable[[AuthStrategy, Credentials], Awaitable[Credentials]] = _as_before
    """Gives another strategy's credentials other than those that were refused, which are the
    second argument; the same ones where there are no others. Of many callers one logs in."""
    memo: MutableMapping[str, Any] = field(default_factory=dict, repr=False)
    """Lives as long as the manager: for what a login may remember of the server, never secrets."""


@runtime_checkable
class AuthStrategy(Protocol):
    """A way to log in: a frozen dataclass whose fields are its options.

    It caches, locks, retries and logs nothing; the credential manager does. It raises an
    ``AuthError`` for a login that failed, and lets transport errors pass.
    """

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in."""
        ...


@runtime_checkable
class SupportsAvailability(Protocol):
    """A strategy class that can tell beforehand that it cannot work on this machine."""

    @classmethod
    def availability(cls) -> str | None:
        """Return None, or why it cannot work here and what to do, in one sentence.

        It is asked of every installed strategy when they are listed, so it opens no file, runs no
        program and sends nothing. It may look for a module, or for a command in ``PATH``.
        """
        ...


@runtime_checkable
class SupportsRefresh(Protocol):
    """A strategy that can renew credentials more cheaply, or only, from the old ones."""

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew; called with the newest credentials that are known."""
        ...


@runtime_checkable
class SupportsRevoke(Protocol):
    """A strategy that can end a session on the server."""

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session; a token that is already dead is no error."""
        ...


@runtime_checkable
class SupportsSigning(Protocol):
    """A strategy whose tokens are not sent as ``Authorization: Bearer``."""

    def authorize(self, request: Request, credentials: Credentials) -> Request:
        """Return the request with the credentials on it; called for each attempt."""
        ...


@runtime_checkable
class NamesBaseUrl(Protocol):
    """A strategy whose credentials can tell where the API is: its connector needs no base URL."""

    @property
    def names_base_url(self) -> bool:
        """Whether they do so with the options that it has."""
        ...


class Signer(Protocol):
    """Signs assertions, wherever the key lives."""

    @property
    def algorithm(self) -> str:
        """The JWS name, such as ``RS256``."""
        ...

    @property
    def key_id(self) -> str | None:
        """The key's name in the JWS header, where the server wants one."""
        ...

    async def sign(self, data: bytes) -> bytes:
        """Return the signature of the data, as JWS wants its bytes."""
        ...


class SecretResolver(Protocol):
    """Reads the secrets that values name, such as ``keyring://service/username``.

    It is a dataclass that is made without arguments, and its name in the entry-point group
    ``sfconnect.secret`` is the scheme. It is asked while options are read, for arguments, the
    environment and profiles alike, in a thread where an event loop runs; it may block, and keeps
    nothing of what it has read.
    """

    plugin_api: ClassVar[int]

    def resolve(self, reference: str) -> Secret:
        """Return the secret that the whole text, its scheme included, names.

        Raises:
            ConfigurationError: There is none, or it cannot be read. Neither message nor hint
                quotes a secret.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A record of a token store; ``generation`` counts the writes under its key."""

    credentials: Credentials
    generation: int


class TokenStore(Protocol):
    """Keeps credentials across processes or restarts.

    Keys are hashes that hold no secret. Writers hold :meth:`lock` around read, login and write.
    """

    plugin_api: ClassVar[int]

    async def get(self, key: str) -> StoredToken | None:
        """Read a record.

        Raises:
            TokenStoreError: The store cannot be read.
        """
        ...

    async def compare_and_swap(
        self, key: str, expected: int | None, credentials: Credentials
    ) -> StoredToken | None:
        """Write if the stored generation is ``expected`` (None: nothing stored).

        Returns:
            The record written, or None when another writer was first.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget a record; a missing one is no error."""
        ...

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Keep other holders of this store, in any process, from logging in under this key."""
        ...
