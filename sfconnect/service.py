"""How one API speaks: what the framework has to know of it, and the plain HTTP API."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from sfconnect.auth.oauth2.challenges import bearer_error
from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    ConfigurationError,
    NotFoundError,
    ServerError,
    SessionExpiredError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from urllib.parse import SplitResult

    from sfconnect.auth.base import Credentials
    from sfconnect.errors import SfConnectError
    from sfconnect.limits import Quota
    from sfconnect.messages import Request, Response


class Service(Protocol):
    """What makes an API different from the next; all of it pure."""

    name: str
    headers: Mapping[str, str]
    """Sent with every request."""
    quota_header: str | None
    """The header that tells a quota, for :meth:`read_quota`."""

    def base_url(self, credentials: Credentials) -> str:
        """Scheme, host, port and leading path of every request; no trailing slash."""
        ...

    def owns(self, url: str, credentials: Credentials) -> bool:
        """Whether a token may go to this absolute URL."""
        ...

    def decode_error(self, request: Request, response: Response) -> ApiError:
        """Make the typed error of an answer that is not a success."""
        ...

    def token_is_dead(self, response: Response) -> bool:
        """Whether an answer says that another login would help."""
        ...

    def read_quota(self, header: str) -> Sequence[Quota]:
        """Read the quota header's value; an unknown form gives nothing."""
        ...


@runtime_checkable
class ExplainsRefusals(Protocol):
    """A service where the kind of token can be the reason of a refusal."""

    def explain_refusal(
        self, request: Request, response: Response, credentials: Credentials
    ) -> SfConnectError | None:
        """Make the error of a refusal that these credentials explain; None for any other.

        Asked before :meth:`Service.token_is_dead` is acted on: no login helps against it.
        """
        ...


@runtime_checkable
class BoundsLongCalls(Protocol):
    """A service that lets few calls run long at once."""

    def long_limit(self, credentials: Credentials) -> int:
        """How many calls may run for 20 seconds and more at once."""
        ...


_CHALLENGING = frozenset({400, 401, 403})
"""Statuses that RFC 6750 §3.1 knows, or APIs use, to speak of a token."""
_PLAIN_HTTP_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def checked_base_url(url: str) -> str:
    """Return a base URL without its trailing slash.

    Raises:
        ConfigurationError: It is not https (plain http is for this machine only), or has no host,
            or brings a user, query or fragment.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in {"https", "http"} or not parts.hostname:
        message = f"The base URL {_shown(url)!r} needs a scheme and a host."
        raise ConfigurationError(message, hint="Write it like https://api.example.com.")
    if parts.scheme == "http" and parts.hostname not in _PLAIN_HTTP_HOSTS:
        message = f"The base URL {_shown(url)!r} is plain http; a token would travel readably."
        raise ConfigurationError(message, hint="Use https; plain http is for loopback only.")
    if parts.username or parts.password or parts.query or parts.fragment:
        message = "The base URL must not hold a user, a query or a fragment."
        raise ConfigurationError(message, hint="Write it like https://api.example.com/v1.")
    return url.rstrip("/")


def _shown(url: str) -> str:
    """What of a URL may be shown: not a user part, not a query."""
    return url.partition("?")[0].rpartition("@")[2][:200]


def _split(url: str) -> SplitResult | None:
    """Take a URL apart; None if its host or port cannot be one."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # checked when it is read, and not before
    except ValueError:
        return None
    return parts


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and effective port; what decides whether two URLs are the same place.

    All are empty where the URL cannot be read, which no usable base URL is equal to.
    """
    parts = _split(url)
    if parts is None:
        return "", "", None
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default


def status_error(response: Response, message: str, *, code: str | None = None) -> ApiError:
    """Make the error that a status alone stands for (RFC 9110 §15, RFC 6585)."""
    status = response.status
    server_failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    other: tuple[type[ApiError], bool | None]
    other = (ServerError, None) if server_failed else (ApiError, False)
    kind, retry_safe = _BY_STATUS.get(status, other)
    return kind(
        message,
        code=code,
        status=status,
        request_id=response.request_id,
        retry_safe=retry_safe,
        retry_after=parse_retry_after(
            response.headers.get("Retry-After"), sent=response.headers.get("Date")
        ),
    )


_BY_STATUS: dict[int, tuple[type[ApiError], bool | None]] = {
    401: (SessionExpiredError, False),
    403: (AccessDeniedError, False),
    404: (NotFoundError, False),
    408: (ServerError, None),
    410: (NotFoundError, False),
    425: (ThrottledError, True),
    429: (ThrottledError, True),
    501: (ApiError, False),
}


def parse_retry_after(value: str | None, *, sent: str | None = None) -> float | None:
    """Read ``Retry-After`` (RFC 9110 §10.2.3); other forms count as absent.

    Salesforce sends none; gateways before it send seconds. A date is compared with the answer's
    own ``Date``, if that is given, so that the two machines' clocks need not agree.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_between(sent, value)
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_between(start: str | None, end: str) -> float | None:
    if start is None:
        return None
    try:
        between = parsedate_to_datetime(end) - parsedate_to_datetime(start)
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone
        return None
    return max(0.0, between.total_seconds())


_REFUSED_HINT = (
    "A new token was refused too: check that the login is for this API (audience, scopes)."
)
_SCOPE_HINT = "The token may not do this: ask for a further scope, or allow it for the app."


class HttpService:
    """A plain JSON API: errors by status, a token that dies with 401.

    Without a base URL of its own the API is where the login says that it is.
    """

    quota_header: str | None = None

    def __init__(
        self, base_url: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self._base_url = None if base_url is None else checked_base_url(base_url)
        self.name = "the API" if self._base_url is None else origin(self._base_url)[1]
        self.headers: Mapping[str, str] = dict(headers or {})

    def base_url(self, credentials: Credentials) -> str:
        """Return the configured base URL, else the one that the login gave."""
        if self._base_url is not None:
            return self._base_url
        return checked_base_url(credentials.instance_url)

    def owns(self, url: str, credentials: Credentials) -> bool:
        """Only the base URL's scheme, host and port get the token."""
        return origin(url) == origin(self.base_url(credentials))

    def decode_error(self, request: Request, response: Response) -> ApiError:
        """Make an error from the status; the body may hold personal data and is not quoted."""
        message = f"{request.method} {request.place} answered {response.status}."
        error = status_error(response, message)
        if self.token_is_dead(response):
            error.hint = _REFUSED_HINT
        elif bearer_error(response) == "insufficient_scope":
            error.hint = _SCOPE_HINT
        return error

    def token_is_dead(self, response: Response) -> bool:
        """Ask the Bearer challenge, and else the status: a 401 is about the token.

        Of the errors that a challenge names (RFC 6750 §3.1) only ``invalid_token`` is put right
        by another login, whatever status an API sends it with; a scope that is too small is not.
        """
        if response.status not in _CHALLENGING:
            return False
        error = bearer_error(response)
        if error is None:
            return response.status == HTTPStatus.UNAUTHORIZED
        return error == "invalid_token"

    def read_quota(self, header: str) -> Sequence[Quota]:
        """Plain APIs tell no quota in a common form."""
        return ()
