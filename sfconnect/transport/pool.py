"""The connection pool: aiohttp's one home."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import anyio.to_thread
from yarl import URL

from sfconnect._fair_slots import FairSlots
from sfconnect._version import VERSION
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import (
    ConfigurationError,
    PoolClosed,
    PoolTimeout,
    TooManyRequests,
)
from sfconnect.messages import Request, Response, Timeout, query_string
from sfconnect.transport._connector import (
    ClosableConnector,
    ConnectionCounts,
    CountingResolver,
)
from sfconnect.transport._errors import presentable, translate
from sfconnect.transport._inflate import ACCEPT_ENCODING, inflated
from sfconnect.transport._proxies import EnvironmentProxies
from sfconnect.transport._resumption import default_context, resuming
from sfconnect.transport._stream import AiohttpStream
from sfconnect.transport._upload import producer_error, sendable

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from sfconnect.transport.tls import Tls

_THROTTLING = frozenset({429, 503})
_LOGIN = "auth"
"""The surface of requests that log in."""
_SCHEME_END = len("https://")
_DEFAULT_PORTS = (":443", ":80")
"""Of https and of http."""
# ValueError: what aiohttp raises for a request that it will not put on the wire.
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class HostStats:
    """What a pool has done for one host; the counters only grow.

    Attributes:
        connections_opened: Connections made so far.
        connections_reused: Requests that went over a connection which was there.
        requests_num: Requests that got a connection.
        requests_in_flight: Requests that hold one now.
        requests_waiting: Requests in line now.
        requests_errors: Requests that ended without an answer.
        throttled: Answers with the status 429, or 503, by which servers ask for less.
    """

    connections_opened: int
    connections_reused: int
    requests_num: int
    requests_in_flight: int
    requests_waiting: int
    requests_errors: int
    throttled: int


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A snapshot of a pool; the counters only grow.

    Attributes:
        connections_max: How many requests may be in flight.
        connections_opened: Connections made so far.
        connections_ipv4: Those of them to an IPv4 address.
        connections_ipv6: Those of them to an IPv6 address.
        connections_reused: Requests that went over a connection which was there.
        connections_expired: Connections closed here because nobody used them for ``idle_s``.
        connections_dropped: Connections that the server, or something on the way, ended while
            nobody used them. If they become many, ``idle_s`` is longer than what is allowed there.
        addresses_tried: Addresses to which a connection was begun, failures included.
        addresses_past_first: Connections made to another address of the host than the first,
            which refused or was late ("happy eyeballs").
        tls_handshakes: Connections made so far that speak TLS.
        tls_resumed: Those of them that took up an earlier session, which spares certificates.
        name_lookups: Host names that were looked up; answers are kept for a while.
        names_cached: Connections made with the answer of an earlier look-up.
        requests_num: Requests that got a connection.
        requests_in_flight: Requests that hold one now.
        requests_waiting: Requests in line now.
        requests_queued: Requests that had to wait in line.
        requests_wait_ms: Time that they waited, in all.
        requests_errors: Requests that ended without an answer.
        requests_refused: Requests refused because the line was full or the wait too long.
        hosts: The same for each host, by scheme, host and port, which is left out where it is
            that of the scheme.
    """

    connections_max: int
    connections_opened: int
    connections_ipv4: int
    connections_ipv6: int
    connections_reused: int
    connections_expired: int
    connections_dropped: int
    addresses_tried: int
    addresses_past_first: int
    tls_handshakes: int
    tls_resumed: int
    name_lookups: int
    names_cached: int
    requests_num: int
    requests_in_flight: int
    requests_waiting: int
    requests_queued: int
    requests_wait_ms: float
    requests_errors: int
    requests_refused: int
    hosts: Mapping[str, HostStats] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.requests_in_flight} of {self.connections_max} in flight, "
            f"{self.requests_waiting} waiting; {self.requests_num:,} requests over "
            f"{self.connections_opened:,} connections",
            f"connections: {self.connections_ipv4:,} IPv4, {self.connections_ipv6:,} IPv6, "
            f"{self.connections_reused:,} reused, {self.connections_expired:,} expired, "
            f"{self.connections_dropped:,} dropped; {self.addresses_tried:,} addresses tried, "
            f"{self.addresses_past_first:,} past the first; {self.name_lookups:,} names looked up, "
            f"{self.names_cached:,} cached; {self.tls_handshakes:,} TLS handshakes, "
            f"{self.tls_resumed:,} resumed",
        ]
        for name, host in sorted(self.hosts.items()):
            lines.append(
                f"{name}: {host.requests_in_flight} in flight, {host.requests_waiting} waiting; "
                f"{host.requests_num:,} requests, {host.connections_opened:,} connections opened, "
                f"{host.connections_reused:,} reused, {host.requests_errors:,} errors, "
                f"{host.throttled:,} throttled"
            )
        return "\n".join(lines)


class ConnectionPool:
    """Carry requests over kept-alive connections, at most ``max_connections`` at a time.

    Requests beyond that wait in order; beyond ``max_waiting`` they are refused with
    ``TooManyRequests``, and after ``wait_s`` with ``PoolTimeout``, so that pressure reaches the
    producer. One pool may serve many orgs and APIs: those that wait are served in turn, one request
    each, so that a storm of one starves no other, and a login waits behind no calls of its own org.
    Nor does an org that stalls: with several, nobody takes another connection who has nine times as
    many as are free, so that of ten and more there is one for who comes new.
    It never follows redirects and never retries.

    Nothing is bound to an event loop before :meth:`open`.

    Args:
        max_connections: Requests in flight, streams included.
        max_waiting: Requests in line; None for no bound.
        wait_s: Longest wait in line; None for no bound.
        idle_s: Unused connections are closed after this; shorter than what servers allow, so
            that a request does not meet a connection that is just being closed.
        timeout: Limits of each request that brings none of its own.
        tls: Trust and client certificate; the machine's trust store by default.
        proxies_from_environment: Obey ``HTTPS_PROXY`` and its like.
        user_agent: Put before the library's own product names.
        keep_room: Keep connections back from an org that stalls, once there are several.
    """

    def __init__(
        self,
        *,
        max_connections: int = 100,
        max_waiting: int | None = 10_000,
        wait_s: float | None = 60.0,
        idle_s: float = 30.0,
        timeout: Timeout | None = None,
        tls: Tls | None = None,
        proxies_from_environment: bool = True,
        user_agent: str = "",
        keep_room: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._slots = FairSlots(
            _checked(max_connections),
            max_waiting=max_waiting,
            wait_s=wait_s,
            full=self._full,
            late=self._late,
        )
        self._wait_s = wait_s
        self._idle_s = idle_s
        self._timeout = timeout or Timeout()
        self._tls = tls
        self._proxies = EnvironmentProxies() if proxies_from_environment else None
        self._user_agent = _user_agent(user_agent)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._connector: ClosableConnector | None = None
        self._resolver: CountingResolver | None = None
        self._idle: asyncio.Event | None = None
        self._closed = False
        self._requests = self._queued = self._errors = self._refused = 0
        self._counts = ConnectionCounts()
        self._parties: dict[str, _Party] = {}
        self._callers = 0
        self._keep_room = keep_room
        self._wait_ms = 0.0

    async def open(self) -> None:
        """Get ready on the running event loop. Opening an open pool does nothing.

        Raises:
            PoolClosed: It was closed; make a new one.
            ConfigurationError: A TLS file cannot be used.
        """
        if self._closed:
            raise _closed_error()
        if self._session is None:
            # In a thread: certificates are files.
            self._adopt(await anyio.to_thread.run_sync(self._context))

    def _context(self) -> ssl.SSLContext:
        return resuming(self._tls.context()) if self._tls else default_context()

    def _adopt(self, context: ssl.SSLContext) -> None:
        # While TLS files were read, another opener may have been first, or the pool been closed.
        if self._closed:
            raise _closed_error()
        if self._session is None:
            self._resolver = CountingResolver(self._counts)
            self._connector = ClosableConnector(
                counts=self._counts,
                resolver=self._resolver,
                limit=0,  # the slots bound it, with a line that can be bounded too
                ssl=context,
                idle_s=self._idle_s,
            )
            self._session = self._new_session(self._connector)

    def _new_session(self, connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # REST is stateless; one pool serves many orgs
            timeout=_aiohttp_timeout(self._timeout),
            headers={
                "User-Agent": self._user_agent,
                "Accept": "application/json",
                "Accept-Encoding": ACCEPT_ENCODING,
            },
            auto_decompress=False,  # see _inflate
        )
        # aiohttp silently sends idempotent requests again when a kept-alive connection turns out
        # dead. Retry belongs to one place, which counts and reports: see sfconnect.retry.
        session._retry_connection = False  # noqa: SLF001
        return session

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

    async def send(self, request: Request) -> Response:
        """Send a request to an absolute URL and read the whole answer.

        Every status is an answer. Cancelling gives the connection up, since the rest of the
        answer would come over it.

        Raises:
            PoolClosed: The pool is not open.
            PoolTimeout: No connection came free in time; nothing was sent.
            TooManyRequests: The line is full; nothing was sent.
            TransportError: No usable answer came.
            ConfigurationError: The URL, the method or a header holds what none may hold.
            Exception: What the producer of a streamed body raised.
        """
        party = self._party_of(request)
        if not self._slots.try_acquire(party.key):
            await self._wait_for_slot(party.key)
        party.requests += 1
        party.in_flight += 1
        try:
            if request.content is None:
                # Reading releases the connection at its end, and gives it up if it fails.
                answer = await self._start(request)
                content = await _whole(answer)
            else:
                async with self._start(request) as answer:
                    content = await _whole(answer)
            if "Content-Encoding" in answer.headers:
                content = await inflated(content, answer.headers["Content-Encoding"])
        except _FAILURES as error:
            party.errors += 1
            raise self._failure(error, request) from presentable(error)
        finally:
            party.in_flight -= 1
            self._release(party.key)
        if answer.status in _THROTTLING:
            party.throttled += 1
        return Response(answer.status, answer.headers, content)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AiohttpStream]:
        """Send a request and give the answer once its headers are there.

        The connection is held until the block ends. Leaving the block before the body's end
        closes the connection. Raises as :meth:`send` does.
        """
        party = self._party_of(request)
        if not self._slots.try_acquire(party.key):
            await self._wait_for_slot(party.key)
        party.requests += 1
        party.in_flight += 1
        try:
            answer = await self._begin(request, party)
            party.throttled += answer.status in _THROTTLING
            try:
                yield AiohttpStream(answer, request, self._failure)
            finally:
                answer.release()
        finally:
            party.in_flight -= 1
            self._release(party.key)

    async def _begin(self, request: Request, party: _Party) -> aiohttp.ClientResponse:
        try:
            answer: aiohttp.ClientResponse = await self._start(request)
        except _FAILURES as error:
            party.errors += 1
            raise self._failure(error, request) from presentable(error)
        return answer

    def _party_of(self, request: Request) -> _Party:
        """For whom a request takes its turn: the org's calls, or its logins.

        A login waits behind no calls of its own org.
        """
        origin = _origin(request)
        is_login = request.surface == _LOGIN
        key = f"{_LOGIN} {origin}" if is_login else origin
        party = self._parties.get(key)
        if party is None:
            party = self._parties[key] = _Party(key, origin)
            self._callers += not is_login
            self._slots.shared = self._keep_room and self._callers > 1
        return party

    def _start(self, request: Request) -> Any:
        session = self._session
        if session is None:
            raise _closed_error()
        self._requests += 1
        url = request.path
        if request.params:
            url = f"{url}?{query_string(request.params)}"
        options: dict[str, Any] = {}
        if request.timeout is not None:
            options["timeout"] = _aiohttp_timeout(request.timeout)
        if self._proxies is not None and (proxy := self._proxies.for_url(url)) is not None:
            options["proxy"] = proxy
        content = request.content
        return session.request(
            request.method,
            URL(url, encoded=True),
            headers=request.headers,
            data=None if content is None else sendable(content),
            allow_redirects=False,
            **options,
        )

    async def _wait_for_slot(self, key: str) -> None:
        if self._session is None:
            raise _closed_error()
        started = self._clock.monotonic()
        await self._slots.acquire(key)
        self._queued += 1
        self._wait_ms += (self._clock.monotonic() - started) * 1000

    def _full(self) -> TooManyRequests:
        self._refused += 1
        slots = self._slots
        message = f"{slots.waiting} requests wait for {slots.capacity} connections already."
        hint = "Produce more slowly (fan_out does), or raise max_waiting."
        return TooManyRequests(message, hint=hint)

    def _late(self) -> PoolTimeout:
        self._refused += 1
        capacity = self._slots.capacity
        message = f"None of the {capacity} connections became free within {self._wait_s} s."
        return PoolTimeout(message, hint="Raise max_connections or wait_s.")

    def _failure(self, error: BaseException, request: Request) -> BaseException:
        self._errors += 1
        return producer_error(error) or translate(error, request)

    def _release(self, key: str) -> None:
        self._slots.release(key)
        if self._idle is not None and not self._slots.used:
            self._idle.set()

    def resize(self, max_connections: int) -> None:
        """Change how many requests may be in flight; those in flight go on."""
        self._slots.resize(_checked(max_connections))

    def stats(self) -> PoolStats:
        """Return a snapshot of the counters."""
        counts = self._counts
        return PoolStats(
            connections_max=self._slots.capacity,
            connections_opened=counts.opened,
            connections_ipv4=counts.ipv4,
            connections_ipv6=counts.ipv6,
            connections_reused=self._requests - counts.tried,
            connections_expired=counts.expired,
            connections_dropped=counts.dropped,
            addresses_tried=counts.addresses,
            addresses_past_first=counts.past_first,
            tls_handshakes=counts.handshakes,
            tls_resumed=counts.resumed,
            name_lookups=counts.lookups,
            names_cached=counts.names_cached,
            requests_num=self._requests,
            requests_in_flight=self._slots.used,
            requests_waiting=self._slots.waiting,
            requests_queued=self._queued,
            requests_wait_ms=self._wait_ms,
            requests_errors=self._errors,
            requests_refused=self._refused,
            hosts=self._host_stats(),
        )

    def _host_stats(self) -> dict[str, HostStats]:
        waiting = self._slots.waiting_by_key()
        by_origin: dict[str, list[_Party]] = {}
        for party in self._parties.values():
            by_origin.setdefault(party.origin, []).append(party)
        tried, opened = self._counts.tried_by_host, self._counts.opened_by_host
        return {
            origin: HostStats(
                connections_opened=opened[origin],
                connections_reused=max(0, sum(one.requests for one in parties) - tried[origin]),
                requests_num=sum(one.requests for one in parties),
                requests_in_flight=sum(one.in_flight for one in parties),
                requests_waiting=sum(waiting.get(one.key, 0) for one in parties),
                requests_errors=sum(one.errors for one in parties),
                throttled=sum(one.throttled for one in parties),
            )
            for origin, parties in by_origin.items()
        }

    async def drain(self) -> None:
        """Refuse new requests, and wait until those in flight or in line have ended."""
        self._closed = True
        self._slots.refuse(_closed_error)
        if self._idle is None:
            self._idle = asyncio.Event()
        while self._slots.used:
            self._idle.clear()
            await self._idle.wait()

    async def aclose(self) -> None:
        """Close every connection. Idempotent.

        Whoever waits in line gets ``PoolClosed``; requests in flight end with
        ``ConnectionLostError``. Call :meth:`drain` before to let them finish.
        """
        self._closed = True
        self._slots.close(_closed_error)
        session, self._session = self._session, None
        if session is not None and self._connector is not None:
            self._connector.end_connecting()
            await session.close()
            if self._resolver is not None:
                await self._resolver.close()


@dataclass(slots=True)
class _Party:
    """What is counted for the calls to one host, or for the logins there."""

    key: str
    origin: str
    requests: int = 0
    in_flight: int = 0
    errors: int = 0
    throttled: int = 0


def _origin(request: Request) -> str:
    """Scheme, host and port; the port is left out where it goes without saying."""
    url = request.path
    end = url.find("/", _SCHEME_END)
    origin = url if end < 0 else url[:end]
    if origin.endswith(_DEFAULT_PORTS):
        port = _DEFAULT_PORTS[origin.startswith("http://")]
        return origin.removesuffix(port)
    return origin


def _checked(max_connections: int) -> int:
    if max_connections < 1:
        raise ConfigurationError(f"max_connections must be at least 1, not {max_connections}.")
    return max_connections


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Read an answer's body."""
    try:
        return await answer.read()
    except RuntimeError as error:
        # What aiohttp raises for a connection that went between a piece of a body and the next.
        raise aiohttp.ClientConnectionError("The connection is closed.") from error


def _closed_error() -> PoolClosed:
    hint = "Use it inside 'async with', or call open() first."
    return PoolClosed("The connection pool is not open.", hint=hint)


def _aiohttp_timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    # aiohttp's connect is the whole way to a connection, the look-up of the name and every address
    # tried included; its sock_connect is for one address alone.
    return aiohttp.ClientTimeout(
        total=timeout.total_s, connect=timeout.connect_s, sock_read=timeout.read_s
    )


def _user_agent(prefix: str) -> str:
    python = ".".join(str(part) for part in sys.version_info[:2])
    own = f"sfconnect/{VERSION} aiohttp/{aiohttp.__version__} Python/{python}"
    return f"{prefix} {own}" if prefix else own
