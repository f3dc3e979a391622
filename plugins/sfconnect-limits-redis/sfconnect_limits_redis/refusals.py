"""What it means when the server refuses, or is not there: a mistake to mend, or a bad hour."""

from __future__ import annotations

import ssl
from typing import Final

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from sfconnect.errors import ConfigurationError

_PASSING: Final = (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
"""What a server answers in a bad hour, and what is no fault of how this is set up."""
_PASSING_CODES: Final = frozenset(
    {"ASK", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"}
)
"""The same, where the client has no class for it, or one that says too little."""
_ACCESS_HINT: Final = (
    "Look at the user and password in redis_url. The user needs the keys sfconnect:limit:*, the "
    "channels sfconnect:limit:* and the commands that the README of the plugin names."
)
_SERVER_HINT: Final = (
    "redis_url has to be a Redis (6 or newer) or Valkey server; in a cluster there is no database "
    "but 0, and a server that speaks TLS needs rediss://."
)
_TLS_HINT: Final = (
    "A server that does not speak TLS needs redis:// and its other port; one that wants to know "
    "its clients takes ?ssl_certfile=…&ssl_keyfile=… in redis_url."
)
_TRUST_HINT: Final = (
    "Name the file of the authority that signed it as redis_ca_file, and in redis_url the host "
    "that the certificate is for."
)


class UnreachableError(Exception):
    """The book cannot be read or written at the moment; ``reason`` names why in one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def moved_to(error: ResponseError) -> tuple[str, int] | None:
    """The node of a cluster that has what was asked for; None where it says no such thing."""
    if isinstance(error, MovedError):
        return error.host, error.port
    # Older clients leave it as the server says it: MOVED 3999 10.0.0.7:6379
    code, _, place = str(error).partition(" ")
    host, _, port = place.partition(" ")[2].rpartition(":")
    return (host, int(port)) if code == "MOVED" and port.isdecimal() else None


def translated(error: Exception, *, over_tls: bool) -> Exception:
    """Say it in our words: ConfigurationError if it will be so the next time, too."""
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        message = f"Redis refuses the user of redis_url ({type(error).__name__})."
        return ConfigurationError(message, hint=_ACCESS_HINT)
    if over_tls and (problem := _tls_problem(error)) is not None:
        return problem
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


def _tls_problem(error: BaseException | None) -> ConfigurationError | None:
    # redis-py makes another error of those of ssl, which says less.
    while error is not None and not isinstance(error, ssl.SSLError | FileNotFoundError):
        error = error.__cause__ or error.__context__
    if isinstance(error, FileNotFoundError):
        message = "redis_url names a file that cannot be read."
        return ConfigurationError(message, hint="Look at what stands behind the question mark.")
    if isinstance(error, ssl.SSLCertVerificationError):
        message = f"The server of redis_url is not trusted: {error.verify_message}."
        return ConfigurationError(message, hint=_TRUST_HINT)
    if error is None or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None  # it went away meanwhile
    message = f"TLS with the server of redis_url fails ({error.reason or 'no reason given'})."
    return ConfigurationError(message, hint=_TLS_HINT)


def other_protocol(*, over_tls: bool) -> ConfigurationError:
    """The server answers, but to TLS alone, or not to TLS; ``over_tls`` is how it was asked."""
    if over_tls:
        message = "The server of redis_url does not speak TLS at this port."
        return ConfigurationError(message, hint="Write redis://, or the port for TLS.")
    message = "The server of redis_url speaks TLS, and nothing else."
    return ConfigurationError(message, hint="Write rediss:// instead of redis://.")
