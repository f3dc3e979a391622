"""The Redis or Valkey server: questions to it that end in time, and what its refusals mean."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sfconnect import Secret

_PASSING: Final = (BusyLoadingError, OutOfMemoryError, ReadOnlyError)
"""What a server answers in a bad hour, and what is no fault of how this is set up."""
_PASSING_CODES: Final = frozenset(
    {"MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"}
)
"""The same, where the client has no class for it, or one that says too little."""
_ACCESS_HINT: Final = (
    "Look at the user and password in redis_url. The user needs the keys sfconnect:limit:*, the "
    "channels sfconnect:limit:* and the commands that the README of the plugin names."
)
_SERVER_HINT: Final = (
    "redis_url has to be a Redis (6 or newer) or Valkey server, not in cluster mode."
)
_KNOWN: Final = signature(AbstractConnection.__init__).parameters
# Newer clients look their own version up in files for each connection, which blocks the loop.
_SILENT: Final[dict[str, Any]] = {"driver_info": None} if "driver_info" in _KNOWN else {}


class UnreachableError(Exception):
    """The book cannot be read or written at the moment; ``reason`` names why in one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Script(Protocol):
    """A script of a server that has one key."""

    async def __call__(self, key: str, *arguments: str | bytes) -> bytes:
        """Ask it.

        Raises:
            UnreachableError: The server does not answer in time, or cannot at the moment.
            ConfigurationError: It refuses, and will the next time.
        """
        ...


class Server:
    """Asks scripts of a server, and listens to it.

    Every operation ends within ``timeout_s``. Nothing is repeated here: whoever asks knows
    better for how long its lease still lasts.
    """

    def __init__(self, url: Secret, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._redis = _client(url.reveal(), timeout_s)

    def script(self, text: str) -> Script:
        """Prepare a script."""
        registered = self._redis.register_script(text)

        async def ask(key: str, *arguments: str | bytes) -> bytes:
            return await self._answered(lambda: registered(keys=[key], args=arguments))

        return ask

    async def _answered(self, ask: Callable[[], Awaitable[Any]]) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                said: bytes = await ask()
        except (RedisError, OSError, TypeError) as error:
            problem = _translated(error)
        else:
            return said
        # Not inside the handler, and not chained: what redis-py says may quote the URL.
        raise problem

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Listen; gives what waits until something is said.

        Raises:
            UnreachableError: The server cannot be listened to any more.
        """
        async with AsyncExitStack() as stack:
            heard = self._redis.pubsub(ignore_subscribe_messages=True)
            stack.push_async_callback(_within, self._timeout_s, heard.aclose)

            async def wait() -> None:
                while await heard.get_message(timeout=None) is None:
                    pass

            try:
                async with asyncio.timeout(self._timeout_s):
                    await heard.subscribe(channel)
                yield wait
            except (RedisError, OSError) as error:
                raise UnreachableError(type(error).__name__) from None

    async def aclose(self) -> None:
        """Close the connections; what the server makes of that is waited for in vain."""
        pool = self._redis.connection_pool
        await _within(self._timeout_s, pool.disconnect)


async def _within(seconds: float, close: Callable[[], Awaitable[Any]]) -> None:
    """Close something that may be broken already."""
    try:
        async with asyncio.timeout(seconds):
            await close()
    except (RedisError, OSError):  # TimeoutError is one
        pass


def _client(url: str, timeout_s: float) -> Redis:
    """Make a client that never repeats and never waits longer than told to."""
    try:
        return Redis.from_url(
            url,
            socket_connect_timeout=timeout_s,
            # Waiting for a wake has no end; each question has one of its own.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            **_SILENT,
            protocol=2,
        )
    except ValueError:
        pass  # not chained: its error may quote the password
    message = "redis_url is no address of a Redis server."
    hint = "Write it like redis://host:6379/0, rediss://user:password@host:6380/0 or unix:///path."
    raise ConfigurationError(message, hint=hint)


def _translated(error: Exception) -> Exception:
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        message = f"Redis refuses the user of redis_url ({type(error).__name__})."
        return ConfigurationError(message, hint=_ACCESS_HINT)
    if isinstance(error, TypeError):
        message = "redis_url has a parameter that the client does not know."
        return ConfigurationError(message, hint="Leave out what stands behind the question mark.")
    code = str(error).partition(" ")[0]
    if isinstance(error, ResponseError) and code in _PASSING_CODES:
        return UnreachableError(code)
    unfit = isinstance(error, ResponseError | InvalidResponse)
    if unfit and not isinstance(error, _PASSING):
        message = f"The server of redis_url cannot keep a limit ({type(error).__name__})."
        return ConfigurationError(message, hint=_SERVER_HINT)
    is_late = isinstance(error, TimeoutError | RedisTimeoutError)
    return UnreachableError("TimeoutError" if is_late else type(error).__name__)
