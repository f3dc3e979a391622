"""The book in Redis: who holds how many slots of a limit, and until when. One script keeps it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
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
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sfconnect import Secret
    from sfconnect.limits import Lane

SCRIPT: Final = Path(__file__).with_name("book.lua").read_text(encoding="utf-8")
NEW: Final = 0
"""The book of who has seen none yet."""
_NAME_CHARACTERS: Final = 16
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


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a limit: all processes should name the same."""

    budget: int
    lanes: Mapping[str, Lane]
    lease_s: float
    turn_s: float = 1.0
    """How long it takes until what cannot be divided goes to the next one."""


@dataclass(frozen=True, slots=True)
class Need:
    """Slots of one lane that a holder keeps whatever the answer is, and that it would use."""

    keep: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Slots of one lane that a holder may use, and those that would be its fair part."""

    slots: int
    part: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the book says to a holder.

    Attributes:
        grants: By lane.
        book: When the book was begun; another one shows that the server has lost it.
        holders: How many there are, this one among them.
    """

    grants: Mapping[str, Grant]
    book: int
    holders: int


def book_name(scope: str) -> str:
    """Name the key of a limit. Braces keep all that belongs to it in one slot of a cluster."""
    digest = hashlib.sha256(scope.encode()).hexdigest()[:_NAME_CHARACTERS]
    return f"sfconnect:limit:{{{digest}}}"


def holder_name() -> str:
    """Name this process so that a person who reads the book finds it, and as nobody else."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def question(
    terms: Terms, needs: Mapping[str, Need], *, book: int, number: int, leaving: bool = False
) -> bytes:
    """Write what the script is asked; ``number`` tells a holder's questions apart, in order."""
    rules = {
        name: {"reserve": lane.reserve, **({} if lane.limit is None else {"limit": lane.limit})}
        for name, lane in terms.lanes.items()
    }
    asked = {
        "budget": terms.budget,
        "lease_ms": int(terms.lease_s * 1000),
        "turn_ms": int(terms.turn_s * 1000),
        "rules": rules,
        "book": book,
        "number": number,
        "leaving": leaving,
        "lanes": {name: (need.keep, need.wanted) for name, need in needs.items()},
    }
    return msgspec.json.encode(asked)


class _Said(msgspec.Struct):
    lanes: dict[str, tuple[int, int]]
    book: int
    holders: int


def read_answer(said: bytes) -> Answer:
    """Read what the script answered."""
    found = msgspec.json.decode(said, type=_Said, strict=False)
    grants = {name: Grant(slots, part) for name, (slots, part) in found.lanes.items()}
    return Answer(grants, found.book, found.holders)


class Book:
    """One holder's access to the book of one limit.

    Every operation ends within ``timeout_s``. Nothing is repeated here: whoever asks knows
    better for how long its lease still lasts.
    """

    def __init__(self, url: Secret, scope: str, holder: str, *, timeout_s: float) -> None:
        self.name = book_name(scope)
        self._holder = holder
        self._timeout_s = timeout_s
        self._redis = _client(url.reveal(), timeout_s)
        self._number = 0
        self._script = self._redis.register_script(SCRIPT)

    async def ask(
        self, terms: Terms, needs: Mapping[str, Need], *, book: int, leaving: bool = False
    ) -> Answer:
        """Tell what this holder has and wants, and learn what it may use.

        Raises:
            UnreachableError: The server does not answer in time, or cannot at the moment.
            ConfigurationError: It refuses, and will the next time.
        """
        self._number += 1
        asked = question(terms, needs, book=book, number=self._number, leaving=leaving)

        async def ask() -> bytes:
            said: bytes = await self._script(keys=[self.name], args=[self._holder, asked])
            return said

        return read_answer(await self._answered(ask))

    async def _answered(self, ask: Callable[[], Awaitable[bytes]]) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await ask()
        except (RedisError, OSError, TypeError) as error:
            problem = _translated(error)
        # Not inside the handler, and not chained: what redis-py says may quote the URL.
        raise problem

    @asynccontextmanager
    async def wakes(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Listen; gives what waits until the book has something new for this holder.

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
                    await heard.subscribe(f"{self.name}:wake:{self._holder}")
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
