"""The Redis or Valkey server: questions to it that end in time, wherever it answers them."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from sfconnect.errors import ConfigurationError
from sfconnect_limits_redis.refusals import UnreachableError, moved_to, other_protocol, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from sfconnect import Secret

_KNOWN: Final = signature(AbstractConnection.__init__).parameters
# Newer clients look their own version up in files for each connection, which blocks the loop.
_SILENT: Final[dict[str, Any]] = {"driver_info": None} if "driver_info" in _KNOWN else {}
_MOVES: Final = 3
"""Nodes of a cluster that send a question on, before it is given up for now."""


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

    Every operation ends within ``timeout_s``, the first question within twice that. Nothing is
    repeated here: whoever asks knows better for how long its lease still lasts.

    In a cluster, the node of the URL names the one that has a limit; it is asked from then on,
    for as long as it can be. All that belongs to a limit is in one place.
    """

    def __init__(self, url: Secret, *, timeout_s: float, ca_file: Path | None = None) -> None:
        self._timeout_s = timeout_s
        self._url = url
        self._is_tls = url.reveal().startswith("rediss:")
        self._named = _client(url.reveal(), timeout_s, ca_file)
        self._asked = self._named
        self._nodes: dict[tuple[str, int], Redis] = {}
        self._is_known = False

    def script(self, text: str) -> Script:
        """Prepare a script."""
        registered = self._named.register_script(text)

        async def ask(key: str, *arguments: str | bytes) -> bytes:
            return await self._answered(
                lambda: registered(keys=[key], args=arguments, client=self._asked)
            )

        return ask

    async def _answered(self, ask: Callable[[], Awaitable[Any]]) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                said = await self._followed(ask)
        except (RedisError, OSError, TypeError) as error:
            problem = await self._problem(error)
        else:
            self._is_known = True
            return said
        self._asked = self._named  # another node may have it now
        # Not inside the handler, and not chained: what redis-py says may quote the URL.
        raise problem

    async def _followed(self, ask: Callable[[], Awaitable[Any]]) -> bytes:
        """Ask where the nodes of a cluster say that the answer is."""
        for _ in range(_MOVES):
            try:
                said: bytes = await ask()
            except ResponseError as error:
                if (address := moved_to(error)) is None:
                    raise
                self._asked = self._node(*address)
            else:
                return said
        raise UnreachableError("MOVED")

    def _node(self, host: str, port: int) -> Redis:
        pool = self._named.connection_pool
        given = pool.connection_kwargs
        # A node that does not know how it is reached says nothing: as the one that was asked.
        address = host or str(given.get("host", "localhost")), port
        if address not in self._nodes:
            options = {**given, "host": address[0], "port": port}
            moved = ConnectionPool(connection_class=pool.connection_class, **options)
            self._nodes[address] = Redis(connection_pool=moved)
        return self._nodes[address]

    async def _problem(self, error: Exception) -> Exception:
        if isinstance(error, ReadOnlyError):
            # It was made a replica. Its name may stand for another host by now.
            await _within(self._timeout_s, self._asked.connection_pool.disconnect)
        found = translated(error, over_tls=self._is_tls)
        if isinstance(found, UnreachableError) and await self._speaks_otherwise():
            return other_protocol(over_tls=self._is_tls)
        return found

    async def _speaks_otherwise(self) -> bool:
        """Whether a server that does not answer the first question wants TLS, or does not.

        Asked in the wrong one it closes or says nothing, as one does that is away.
        """
        address = urlsplit(self._url.reveal())
        if self._is_known or address.hostname is None:
            return False
        self._is_known = True  # it would take too long to find out each time
        try:
            async with asyncio.timeout(self._timeout_s):
                port = address.port or 6379
                if self._is_tls:
                    return await _speaks_plainly(address.hostname, port)
                return await _speaks_tls(address.hostname, port)
        except (OSError, ValueError):
            return False

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Listen; gives what waits until something is said.

        Raises:
            UnreachableError: The server cannot be listened to any more.
        """
        async with AsyncExitStack() as stack:
            heard = self._asked.pubsub(ignore_subscribe_messages=True)
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
        pools = [client.connection_pool for client in (self._named, *self._nodes.values())]
        await asyncio.gather(*(_within(self._timeout_s, pool.disconnect) for pool in pools))


async def _speaks_tls(host: str, port: int) -> bool:
    try:
        context = ssl.create_default_context()
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError:
        return True  # whoever it is
    writer.transport.abort()
    return True


async def _speaks_plainly(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"PING\r\n")
        return await reader.read(1) in {b"+", b"-"}
    finally:
        writer.transport.abort()


async def _within(seconds: float, close: Callable[[], Awaitable[Any]]) -> None:
    """Close something that may be broken already."""
    try:
        async with asyncio.timeout(seconds):
            await close()
    except (RedisError, OSError):  # TimeoutError is one
        pass


class _TlsConnection(SSLConnection):
    """One that is closed in time although the server does not take leave."""

    def _connection_arguments(self) -> Mapping[str, Any]:
        given = super()._connection_arguments()
        return {**given, "ssl_shutdown_timeout": self.socket_connect_timeout}


def _client(url: str, timeout_s: float, ca_file: Path | None) -> Redis:
    """Make a client that never repeats and never waits longer than told to."""
    # Older clients take any host's certificate for that of this one.
    trust: dict[str, Any] = {"ssl_check_hostname": True} if url.startswith("rediss:") else {}
    if trust and ca_file is not None:
        trust["ssl_ca_certs"] = str(ca_file)
    try:
        pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=timeout_s,
            # Waiting for a wake has no end; each question has one of its own.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            **_SILENT,
            **trust,
            protocol=2,
        )
    except ValueError:
        pass  # not chained: its error may quote the password
    else:
        if issubclass(pool.connection_class, SSLConnection):
            pool.connection_class = _TlsConnection
        return Redis(connection_pool=pool)
    message = "redis_url is no address of a Redis server."
    hint = "Write it like redis://host:6379/0, rediss://user:password@host:6380/0 or unix:///path."
    raise ConfigurationError(message, hint=hint)
