"""Requests and responses as values, and the protocol of what carries them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from sfconnect.errors import ConfigurationError, ResponseError
from sfconnect.policy import check_number

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from sfconnect._types import JsonValue
    from sfconnect.policy import Reconcile, RetryPolicy

ParamValue: TypeAlias = str | int | float | bool

PIECE_BYTES: Final = 2**18
"""Size of a streamed body's pieces: what event loops read at once, so that nothing is cut apart."""


class Replay(Enum):
    """Whether a request may be sent a second time."""

    SAFE = "safe"
    """Repeating changes nothing more: reads, and writes that name their record."""
    KEYED = "keyed"
    """A write that carries its own key (an external id): repeating finds the same record."""
    UNSAFE = "unsafe"
    """Repeating could act twice: a plain create, an action."""


_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


def default_replay(method: str) -> Replay:
    """How RFC 9110 §9.2.2 classes a method: idempotent methods are safe to repeat."""
    return Replay.SAFE if method in _SAFE_METHODS else Replay.UNSAFE


@dataclass(frozen=True, slots=True)
class Timeout:
    """Time limits in seconds; ``None`` means no limit.

    All but ``call_s`` hold for each attempt alone.

    Raises:
        ConfigurationError: A limit is not a number above 0.
    """

    connect_s: float | None = 10.0
    """To make the connection, TLS included."""
    read_s: float | None = 130.0
    """Between two pieces of the answer; Salesforce lets a query run for 120 s before the first."""
    total_s: float | None = 600.0
    """From sending to the last byte; Salesforce ends a call after 10 minutes."""
    call_s: float | None = None
    """The whole call: every attempt, the waits between them, in line and for a login. A wait that
    would not end in time is not begun. Of a stream it bounds the way to the answer's headers."""

    def __post_init__(self) -> None:
        for name in ("connect_s", "read_s", "total_s", "call_s"):
            value = getattr(self, name)
            if value is not None:
                fix = "Give seconds, or None for no limit."
                check_number(f"Timeout.{name}", value, least=0, fix=fix)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without credentials.

    ``path`` is either a path that begins with ``/`` (already percent-encoded; joined to the
    service's base URL), or an absolute URL, which is refused unless it is the service's own.
    The repr leaves out parameters, query and content, which may be personal data.

    ``replay`` says whether it may be sent twice; None leaves that to what the method promises.
    ``shown_as`` stands for the path in errors and events, where the path itself holds a value of
    a record, as that of an upsert by external id does.

    ``retry`` goes before the connection's policy, and ``reconcile`` before its hook.
    """

    method: str
    path: str
    params: Mapping[str, ParamValue] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | AsyncIterable[bytes] | None = None
    replay: Replay | None = None
    surface: str = "rest"
    timeout: Timeout | None = None
    shown_as: str | None = None
    retry: RetryPolicy | None = None
    reconcile: Reconcile | None = None

    def __repr__(self) -> str:
        mark = self.replay.value if self.replay else None
        return (
            f"Request({self.method!r}, {self.place!r}, replay={mark!r}, surface={self.surface!r})"
        )

    @property
    def place(self) -> str:
        """What of the address may be shown: the path without its query, or ``shown_as``."""
        return self.shown_as or self.path.partition("?")[0]

    @property
    def has_one_shot_body(self) -> bool:
        """Whether the body is used up by sending it, so that it cannot be sent again."""
        return self.content is not None and not isinstance(self.content, bytes)

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """Return a copy with these headers added."""
        return replace(self, headers={**self.headers, **headers})

    def with_timeout(self, timeout: Timeout) -> Request:
        """Return a copy with other time limits."""
        return replace(self, timeout=timeout)

    def without_values(self) -> Self:
        """Return what of the request may be stored and shown: no values, and no hooks."""
        return type(self)(
            self.method, self.place, replay=self.replay, surface=self.surface, timeout=self.timeout
        )


def query_string(params: Mapping[str, ParamValue]) -> str:
    """Encode query parameters; booleans as JSON writes them, spaces as ``%20``."""
    texts = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in params.items()
    }
    return urlencode(texts, quote_via=quote)


# A Decimal goes out as the number that it is; as text it would depend on the server's kindness.
_encode = msgspec.json.Encoder(decimal_format="number").encode


def json_request(
    method: str,
    path: str,
    *,
    params: Mapping[str, ParamValue] | None = None,
    json: JsonValue | None = None,
    headers: Mapping[str, str] | None = None,
    replay: Replay | None = None,
    surface: str = "rest",
    shown_as: str | None = None,
) -> Request:
    """Build a request with an optional JSON body; ``json=None`` sends no body.

    Raises:
        TypeError: The value has no JSON form.
    """
    content = None if json is None else _encode(json)
    merged = dict(headers) if headers else {}
    if content is not None and not any(name.lower() == "content-type" for name in merged):
        merged["Content-Type"] = "application/json"
    return Request(
        method,
        path,
        params=params,
        headers=merged,
        content=content,
        replay=replay or default_replay(method),
        surface=surface,
        shown_as=shown_as,
    )


def path_segment(value: str) -> str:
    """Percent-encode a value as one segment of a path.

    Raises:
        ConfigurationError: The value is empty, or ``.`` or ``..``, which servers and proxies
            take as steps through the path whatever way they are written; or it is not Unicode.
    """
    if value in {"", ".", ".."}:
        message = f"{value!r} cannot be a part of a URL path."
        raise ConfigurationError(message, hint="Give a record id, a key or a name.")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        message = "A part of a URL path holds half a character (a lone surrogate)."
        raise ConfigurationError(message) from None


JSON_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a body may raise; the last is for one that is absurdly deep."""

_REQUEST_ID_HEADERS = ("X-SFDC-Request-Id", "X-Request-Id", "Request-Id")


def request_id(headers: Mapping[str, str]) -> str | None:
    """Find the server's id of a request in its answer's headers."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. ``headers`` looks names up without regard to case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; empty if none was sent."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, for its support."""
        return request_id(self.headers)

    @property
    def text(self) -> str:
        """The body as UTF-8 text; bytes that are not UTF-8 are replaced."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Decode the body.

        Raises:
            ResponseError: The body is not JSON.
        """
        try:
            return msgspec.json.decode(self.content)
        except JSON_ERRORS as error:
            message = (
                f"The answer (status {self.status}, {self.content_type or 'no content type'}, "
                f"{len(self.content)} bytes) is not valid JSON."
            )
            raise ResponseError(message, status=self.status, request_id=self.request_id) from error


class StreamedResponse(Protocol):
    """An answer whose body is read piece by piece, inside ``async with``."""

    status: int
    headers: Mapping[str, str]

    def iter_bytes(self, chunk_size: int = PIECE_BYTES) -> AsyncIterator[bytes]:
        """Iterate over the decompressed body in pieces of at most ``chunk_size`` bytes.

        Raises:
            ResponseError: The body was cut or is corrupt.
            RequestTimeoutError: The next piece did not come in time.
        """
        ...

    async def read(self) -> Response:
        """Read what is left of the body into a :class:`Response`."""
        ...


class Transport(Protocol):
    """What carries a request. ``request.path`` is an absolute URL here."""

    async def send(self, request: Request) -> Response:
        """Send, and read the whole answer; statuses of all kinds are answers, not errors.

        Raises:
            PoolError: The request could not be taken; it was not sent.
            TransportError: No usable answer came back.
        """
        ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send, and give the answer as soon as its headers are there."""
        ...

    async def aclose(self) -> None:
        """Free what the transport holds. Idempotent."""
        ...
