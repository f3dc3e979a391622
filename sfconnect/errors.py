"""Every error that sfconnect raises, in one tree.

.. code-block:: text

    SfConnectError
    ├── ConfigurationError            wrong option, profile, path or value; nothing was sent
    │   └── PluginError               an entry point is missing, broken or ambiguous
    ├── PoolError
    │   ├── PoolClosed                the pool is closed, or closing
    │   ├── PoolTimeout               no connection became free in time
    │   └── TooManyRequests           the waiting line is full
    ├── TransportError                no usable answer came back
    │   ├── ConnectError              the request was never sent
    │   ├── RequestTimeoutError       the answer did not come in time
    │   ├── ConnectionLostError       the connection broke, perhaps after the server acted
    │   └── ResponseError             an answer came, and it cannot be read
    ├── HostNotAllowedError           a token would have gone to a foreign host; nothing was sent
    ├── AuthError                     logging in did not work
    │   ├── AuthConfigurationError    a setting in the org or in the options must change
    │   ├── CredentialUnavailableError  a source has no credentials; a chain may go on
    │   ├── InvalidCredentialsError   the secret, key or password is wrong
    │   ├── ReauthorizationRequired   somebody has to authorise the app again
    │   ├── AppAccessDenied           the user may not use the app
    │   ├── LoginRateLimited          too many logins of one user
    │   ├── TransientAuthError        the login server had a passing fault
    │   ├── ClockSkewError            this machine's clock is wrong
    │   └── TokenStoreError           a token store cannot be read or written
    ├── ApiError                      the API refused the call
    │   ├── SessionExpiredError       the token is not accepted, also after a fresh login
    │   ├── AccessDeniedError         the user lacks a right
    │   ├── NotFoundError             no such record, object or resource
    │   ├── QueryError                the query text is wrong
    │   ├── RecordError               the record's values were refused
    │   ├── MultipleMatchesError      an external id matches several records
    │   ├── ThrottledError            asked too fast or too much at once; refused before acting
    │   ├── QuotaExceededError        a daily or stored quota is used up
    │   └── ServerError               the server failed; what it did is unknown
    ├── OutcomeUnknownError           a write may or may not have happened; it was not repeated
    └── IncompleteResultError         an answer is provably missing rows

Errors carry facts, and retry reads the facts, not the class: ``retry_safe`` (True: the server did
nothing, any call may be repeated; None: unknown, only calls that are safe to repeat may be; False:
repeating cannot help), ``retry_after`` in seconds, ``request_sent`` and ``throttled``.

No error holds a secret or a record's value. All can be pickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_E = TypeVar("_E", bound="SfConnectError")


def _rebuild(cls: type[_E], state: dict[str, Any]) -> _E:
    error = cls.__new__(cls)
    error.args = (state["message"],)
    error.__dict__.update(state)
    return error


class SentRequest(Protocol):
    """What an error tells of a request; see :class:`sfconnect.messages.Request`."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def place(self) -> str:
        """What of the address may be shown."""
        ...

    @property
    def surface(self) -> str:
        """The part of the API that it is for."""
        ...

    @property
    def content(self) -> object:
        """The body; it may hold values of records."""
        ...

    def without_values(self) -> Self:
        """Return a copy that may be stored and shown."""
        ...


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One attempt of a call that failed.

    Attributes:
        number: 1 for the first.
        at: When it had failed, in seconds since the epoch.
        reason: An error code or class name.
        status: The HTTP status, where there was an answer.
        request_id: The server's id of it, where there was an answer that told one.
        began: When it began, in seconds since the epoch; the wait in line and for a login count.
        wait_s: The wait that followed; None after the last.
    """

    number: int
    at: float
    reason: str
    status: int | None
    request_id: str | None = None
    began: float | None = None
    wait_s: float | None = None


class SfConnectError(Exception):
    """Base of all errors of sfconnect.

    Attributes:
        message: One sentence, without secrets and without record values.
        code: The API's or OAuth's own error code, where there is one.
        hint: What to change so that it works, where that is known.
        request_id: The server's id of the request, for its support.
        status: The HTTP status, where there was an answer.
    """

    retry_safe: bool | None = False
    """Whether repeating is safe (True), safe for repeatable calls (None), or of no use (False)."""
    request_sent: bool | None = False
    """Whether the request left this machine, with any attempt; None if that cannot be known."""
    throttled: bool = False
    """Whether the server asked for less traffic."""
    retry_after: float | None = None
    """Seconds to wait at the least: as the server asked, or as this error is known to last."""
    max_retries: int | None = None
    """How many repeats can help, where that is fewer than the policy allows."""
    attempts: tuple[FailedAttempt, ...] = ()
    """All attempts of a call that was sent more than once, or whose outcome is unknown."""
    gave_up: str | None = None
    """Why the call was not sent again, where repeating would have been right."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        request_id: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.request_id = request_id
        self.status = status

    def __str__(self) -> str:
        text = self.message
        if self.code and self.code not in text:
            text = f"{self.code}: {text}"
        if self.hint:
            text = f"{text} Hint: {self.hint}"
        if self.request_id:
            text = f"{text} (request id {self.request_id})"
        return text + self._history()

    def _history(self) -> str:
        why = f"not sent again: {self.gave_up}" if self.gave_up else ""
        if not self.attempts[1:]:  # one attempt is no history
            return f" ({why})" if why else ""
        reasons = ", ".join(attempt.reason for attempt in self.attempts)
        seconds = self.attempts[-1].at - self.attempts[0].at
        told = f"{len(self.attempts)} attempts within {seconds:.1f} s: {reasons}"
        return f" ({told}; {why})" if why else f" ({told})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.__dict__.copy())


class ConfigurationError(SfConnectError):
    """A wrong option, profile, path or value; raised before anything is sent.

    Attributes:
        unused: Options that are given and have no use beside the others. The first of them that
            comes from the environment is left out there, since it may be meant for another login;
            any other is a mistake.
    """

    def __init__(self, message: str, *, unused: Sequence[str] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.unused = tuple(unused)


class PluginError(ConfigurationError):
    """An entry point is missing, broken, ambiguous or of another contract version."""


class PoolError(SfConnectError):
    """The connection pool could not take the request; it was never sent.

    Not retried by itself: the pressure is meant for whoever makes the calls.
    """


class PoolClosed(PoolError):
    """The pool is closed, or closing."""


class PoolTimeout(PoolError):
    """No connection became free within the pool's waiting time."""


class TooManyRequests(PoolError):
    """The pool's waiting line is full: the caller produces faster than the API takes."""


class TransportError(SfConnectError):
    """No usable answer came back."""

    retry_safe: bool | None = None
    request_sent: bool | None = None


class ConnectError(TransportError):
    """The connection was not made (name, route, refusal, TLS), so nothing was sent."""

    retry_safe = True
    request_sent = False


class RequestTimeoutError(TransportError):
    """The answer did not come in time; the server may have acted."""

    request_sent = True


class ConnectionLostError(TransportError):
    """The connection broke after the request began to leave; the server may have acted."""

    request_sent = True


class ResponseError(TransportError):
    """An answer came, but its body is cut, corrupt or not what the API promises."""

    request_sent = True


class HostNotAllowedError(SfConnectError):
    """A token would have gone to a host that is not the org's own; nothing was sent."""


class AuthError(SfConnectError):
    """Logging in did not work.

    Attributes:
        docs_key: Names the entry in the guide to login errors, where there is one.
    """

    hopeless: ClassVar[bool] = False
    """Whether the same login will be refused again until something is changed."""

    def __init__(self, message: str, *, docs_key: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.docs_key = docs_key


class AuthConfigurationError(AuthError):
    """A setting in the org, or an option here, must change before the login can work."""

    hopeless = True


class CredentialUnavailableError(AuthError):
    """A source of credentials has none to give; a chain may try the next."""


class InvalidCredentialsError(AuthError):
    """The secret, the key or the password is wrong."""

    hopeless = True


class ReauthorizationRequired(AuthError):
    """The grant is gone: somebody has to authorise the app again."""

    hopeless = True


class AppAccessDenied(AuthError):
    """The app exists, and this user is not allowed to use it."""

    hopeless = True


class LoginRateLimited(AuthError):
    """Too many logins of one user; Salesforce allows 3,600 an hour."""

    throttled = True

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class TransientAuthError(AuthError):
    """The login server had a passing fault; the same login may work in a moment."""

    retry_safe = True


class ClockSkewError(AuthError):
    """This machine's clock and the server's differ too much for a signed assertion."""


class TokenStoreError(AuthError):
    """A token store cannot be read, written or locked."""


class ApiError(SfConnectError):
    """The API refused the call.

    Attributes:
        fields: Names of the fields that the API blames.
        details: Every ``(code, message)`` of the answer, where it listed several.
    """

    request_sent = True

    def __init__(
        self,
        message: str,
        *,
        fields: Sequence[str] = (),
        details: Sequence[tuple[str, str]] = (),
        retry_safe: bool | None = False,
        retry_after: float | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.fields = tuple(fields)
        self.details = tuple(details)
        self.retry_safe = retry_safe
        self.retry_after = retry_after


class SessionExpiredError(ApiError):
    """The API does not accept the token, also after a fresh login."""


class AccessDeniedError(ApiError):
    """The user, or the app, lacks a right."""


class NotFoundError(ApiError):
    """No such record, object or resource, or it is hidden from this user."""


class QueryError(ApiError):
    """The query text is wrong: grammar, field, object or filter.

    Attributes:
        line: 1-based line of the place, where the API names it.
        column: 1-based column of the place in its line.
    """

    def __init__(
        self, message: str, *, line: int | None = None, column: int | None = None, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.line = line
        self.column = column


class RecordError(ApiError):
    """The API refused the values of a record."""


class MultipleMatchesError(ApiError):
    """An external id matches several records.

    Attributes:
        matches: Paths of the records that match.
    """

    def __init__(self, message: str, *, matches: Sequence[str] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.matches = tuple(matches)


class ThrottledError(ApiError):
    """The API was asked too fast, or too much at once, and refused before acting."""

    throttled = True


class QuotaExceededError(ApiError):
    """A daily, stored or licensed quota is used up; waiting seconds does not help.

    Attributes:
        quota: The quota, by the API's name for it, such as ``DailyBulkV2QueryJobs``, where known.
        window_s: Seconds over which the quota counts calls; None where it counts something else.
        resets_at: When there is room again, at the latest, in seconds since the epoch; None where
            that cannot be known.
    """

    throttled = True
    quota: str | None = None
    window_s: float | None = None
    resets_at: float | None = None


class ServerError(ApiError):
    """The server failed. What it had done by then is unknown."""


class OutcomeUnknownError(SfConnectError):
    """A write may or may not have happened, and was not repeated.

    Raised for a call that is not safe to repeat when the connection broke or timed out after it
    was sent, or when the server failed while it worked. The cause is in ``__cause__``, and
    ``attempts`` tells the times of every attempt.

    Attributes:
        request: The request without credentials. Query for what it would have written (by an
            external id, say), and send it again only if that is not there; a ``reconcile`` hook
            does so by itself. A pickle of the error has the request without its values: no body,
            no parameters, no headers of its own.
    """

    retry_safe = None
    request_sent = True

    def __init__(self, message: str, *, request: SentRequest | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.request = request

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.__dict__.copy()
        state["request"] = None if self.request is None else self.request.without_values()
        return _rebuild, (type(self), state)


class IncompleteResultError(SfConnectError):
    """An answer is provably missing rows, or holds too many; nothing of it should be used."""

    request_sent = True
