"""Events: what the framework tells whoever listens. Nothing is built when nobody does."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeAlias

import structlog

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """An attempt ended: with a status, or with an error's class name.

    ``base_url`` is the API's: its scheme, host and port, and what its paths begin with. ``path``
    is relative to it, or an address of its own (a redirect's); neither holds a query.
    """

    name: ClassVar[str] = "request.finished"
    method: str
    path: str
    surface: str
    status: int | None
    error: str | None
    elapsed_ms: float
    attempt: int
    request_id: str | None
    base_url: str = ""

    @property
    def server(self) -> str:
        """The API's host, with its port where that is not the usual one."""
        return self.base_url.partition("://")[2].partition("/")[0]


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """An attempt failed and another will follow after ``wait_ms``; ``message`` says how."""

    name: ClassVar[str] = "retry.scheduled"
    method: str
    path: str
    surface: str
    reason: str
    attempt: int
    wait_ms: float
    request_id: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RetryEnded:
    """A call failed for good although repeating it would have been right; ``why`` says why."""

    name: ClassVar[str] = "retry.ended"
    method: str
    path: str
    surface: str
    reason: str
    attempts: int
    why: str


@dataclass(frozen=True, slots=True)
class HedgeSent:
    """A read was late, so it was asked for a second time after ``after_ms``."""

    name: ClassVar[str] = "hedge.sent"
    method: str
    path: str
    surface: str
    after_ms: float


@dataclass(frozen=True, slots=True)
class OutcomeReconciled:
    """A hook was asked what became of a write: happened, did not happen, unknown or failed."""

    name: ClassVar[str] = "outcome.reconciled"
    method: str
    path: str
    surface: str
    outcome: str


@dataclass(frozen=True, slots=True)
class TokenReplaced:
    """A login gave new credentials. ``reason`` is initial, early, expired or rejected."""

    name: ClassVar[str] = "token.replaced"
    strategy: str
    identity: str
    reason: str
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class TokenFailed:
    """A login failed."""

    name: ClassVar[str] = "token.failed"
    strategy: str
    identity: str
    reason: str
    error: str
    error_code: str | None


@dataclass(frozen=True, slots=True)
class LoginRateHigh:
    """This program logs in remarkably often, or was stopped from doing so.

    ``logins`` are those of one identity within an hour.
    """

    name: ClassVar[str] = "login.rate_high"
    strategy: str
    identity: str
    logins: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """The number of calls that may be in flight changed."""

    name: ClassVar[str] = "limit.changed"
    lane: str
    limit: int
    reason: str


@dataclass(frozen=True, slots=True)
class CircuitOpened:
    """A server is away, or still is: nothing is sent to it until the next probe.

    ``server`` is its host, with its port where that is not 443.
    """

    name: ClassVar[str] = "circuit.opened"
    server: str
    reason: str
    failures: int
    probe_in_ms: float


@dataclass(frozen=True, slots=True)
class CircuitProbed:
    """A call goes out to see whether a server is back that was away for ``open_s``."""

    name: ClassVar[str] = "circuit.probed"
    server: str
    open_s: float


@dataclass(frozen=True, slots=True)
class CircuitClosed:
    """A server that was away for ``open_s`` answers again."""

    name: ClassVar[str] = "circuit.closed"
    server: str
    open_s: float


@dataclass(frozen=True, slots=True)
class LimiterLost:
    """A limit that others share cannot be asked for any more, or can again.

    ``limit`` is how many calls of this process may be in flight from now on; ``error`` says why,
    and is None once the limit is shared again.
    """

    name: ClassVar[str] = "limiter.lost"
    limiter: str
    limit: int
    error: str | None


@dataclass(frozen=True, slots=True)
class QuotaSeen:
    """An answer told how much of a quota is used."""

    name: ClassVar[str] = "quota.seen"
    quota: str
    used: int
    maximum: int


@dataclass(frozen=True, slots=True)
class JobAdvanced:
    """A long piece of work moved on, or ended.

    Attributes:
        job: What it is, such as ``extract Account``: a name of which there are few, not an id.
        state: ``started``, ``advanced``, ``restarted`` (from nothing, since what had come is of no
            use), and one of ``finished``, ``failed`` and ``cancelled`` at the end.
        done: Rows that are safely down.
        total: How many there will be, where that is known.
        error: The code or the class of the error of one that failed.
    """

    name: ClassVar[str] = "job.advanced"
    job: str
    state: str
    done: int
    total: int | None
    error: str | None = None


JOB_ENDS: Final = frozenset({"finished", "failed", "cancelled"})
"""States in which a job stays."""

Event: TypeAlias = (
    RequestFinished
    | RetryScheduled
    | RetryEnded
    | OutcomeReconciled
    | HedgeSent
    | CircuitOpened
    | CircuitProbed
    | CircuitClosed
    | TokenReplaced
    | TokenFailed
    | LoginRateHigh
    | LimitChanged
    | LimiterLost
    | QuotaSeen
    | JobAdvanced
)


class EventHook(Protocol):
    """Whatever wants to see events; it runs inline, so it has to be quick."""

    def __call__(self, event: Event, /) -> None:
        """Take one event. What it raises goes to the event loop's exception handler."""
        ...


class Emitter:
    """Give each event to every hook.

    Code that sends many events asks ``if emitter.hooks`` first, so that a silent program does not
    even build them.
    """

    __slots__ = ("__weakref__", "hooks")

    def __init__(self, hooks: Iterable[EventHook] = ()) -> None:
        self.hooks: tuple[EventHook, ...] = tuple(hooks)
        for hook in self.hooks:
            check_plain("An event hook", hook)

    def emit(self, event: Event) -> None:
        """Call the hooks in their order. A hook that raises changes no call's outcome."""
        for hook in self.hooks:
            try:
                hook(event)
            except Exception as error:  # noqa: BLE001  # a border: an observer must not break a call
                _report(hook, event, error)


def check_plain(what: str, function: object) -> None:
    """See that something that is called inline is no coroutine function, which would never run.

    Raises:
        ConfigurationError: It is one.
    """
    called = getattr(function, "__call__", None)  # noqa: B004  # it is looked at, not for its presence
    if iscoroutinefunction(function) or iscoroutinefunction(called):
        message = f"{what} is a coroutine function, which nobody would await: {function!r}."
        hint = "Give a plain function; it may put what it is told into a queue that a task reads."
        raise ConfigurationError(message, hint=hint)


def _report(hook: EventHook, event: Event, error: Exception) -> None:
    message = f"event hook {hook!r} failed on {event.name}"
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # told from outside of any loop
        logging.getLogger("sfconnect").exception(message, exc_info=error)
    else:
        loop.call_exception_handler({"message": message, "exception": error})


_WARNINGS = (
    RetryScheduled,
    RetryEnded,
    CircuitOpened,
    TokenFailed,
    LoginRateHigh,
    LimiterLost,
)


class StructlogHook:
    """Write events to structlog: retries and troubles as warnings, the rest as debug."""

    def __init__(self, logger: Any = None) -> None:
        self._log = logger or structlog.get_logger("sfconnect")

    def __call__(self, event: Event, /) -> None:
        """Log one event under its dotted name, its members as key-value pairs.

        What an event knows nothing of is left out, and times are rounded to what they can mean.
        """
        troubled = isinstance(event, _WARNINGS) or getattr(event, "state", None) == "failed"
        log = self._log.warning if troubled else self._log.debug
        members = asdict(event).items()
        log(event.name, **{key: _rounded(value) for key, value in members if value is not None})


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"token(?!_type|_format|_ttl|\.)|secret|password|passphrase|assertion|authorization|cookie"
    r"|verifier|signature|private_?key(?!_?file)|^code$|^sid$|session_?id|api[-_]?key",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]+"  # an opaque access token
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|force://[^\s\"']+"  # the CLI's auth URL
    r"|5Aep[A-Za-z0-9._]+"  # a refresh token
    r"|(?<=3MVG9)[A-Za-z0-9._]{20,}"  # a consumer key, but for its first characters
    # A private key, also one whose lines were mangled; the bare marker is a word like any other.
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?=[\s\\]*[A-Za-z0-9+/])"
    r"[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9._~+/=!-]{8,}"
)


def redact_text(text: str) -> str:
    """Replace what looks like a credential inside a text."""
    return _SECRET_TEXT.sub(REDACTED, text)


def redact(value: Any, *, key: str = "") -> Any:
    """Return the value with credentials replaced, by the name of the key and by pattern.

    Mappings come back as ``dict``, sequences and sets of any kind as the plain one. An object of
    any other class is left as it is, unless its repr shows a credential: then that text, redacted,
    stands for it.
    """
    if value is None or isinstance(value, bool):
        return value
    if key and _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, Mapping):
        return {name: redact(item, key=str(name)) for name, item in value.items()}
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return kind(redact(item) for item in value)
    return _redact_leaf(value)


def _redact_leaf(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "replace"))
    shown = repr(value)
    return redact_text(shown) if _SECRET_TEXT.search(shown) else value


def redacting_processor(
    _logger: Any, _method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Redact a whole structlog event; put it before the renderer.

    Exceptions are rendered by structlog's own processors: put this after ``format_exc_info``. What
    is not rendered yet, under ``exc_info``, is left to them.
    """
    for name, value in list(event_dict.items()):
        if name != "exc_info":
            event_dict[name] = redact(value, key=name)
    return event_dict
