"""Async connector framework with a pluggable auth layer; Salesforce is its first connector."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sfconnect._types import Secret
    from sfconnect.auth import AuthContext, AuthStrategy, Credentials, option
    from sfconnect.call import Call
    from sfconnect.connector import Connector
    from sfconnect.errors import (
        ApiError,
        AuthError,
        ConfigurationError,
        IncompleteResultError,
        NotFoundError,
        OutcomeUnknownError,
        PoolError,
        QueryError,
        RecordError,
        SfConnectError,
        ThrottledError,
        TransportError,
    )
    from sfconnect.fan_out import Outcome
    from sfconnect.messages import Replay, Request, Response, Timeout
    from sfconnect.paging import Page
    from sfconnect.retry import RetryPolicy
    from sfconnect.salesforce.auth import AccessToken, ClientCredentials, JwtBearer, RefreshToken
    from sfconnect.salesforce.client import Salesforce
    from sfconnect.transport import ConnectionPool, Tls

__all__ = [
    "AccessToken",
    "ApiError",
    "AuthContext",
    "AuthError",
    "AuthStrategy",
    "Call",
    "ClientCredentials",
    "ConfigurationError",
    "ConnectionPool",
    "Connector",
    "Credentials",
    "IncompleteResultError",
    "JwtBearer",
    "NotFoundError",
    "Outcome",
    "OutcomeUnknownError",
    "Page",
    "PoolError",
    "QueryError",
    "RecordError",
    "RefreshToken",
    "Replay",
    "Request",
    "Response",
    "RetryPolicy",
    "Salesforce",
    "Secret",
    "SfConnectError",
    "ThrottledError",
    "Timeout",
    "Tls",
    "TransportError",
    "option",
]

# Imported when first asked for: a program that only reads a profile, or shows its --help, does
# not pay for the HTTP client.
_HOMES = {
    "AccessToken": "sfconnect.salesforce.auth",
    "ApiError": "sfconnect.errors",
    "AuthContext": "sfconnect.auth",
    "AuthError": "sfconnect.errors",
    "AuthStrategy": "sfconnect.auth",
    "Call": "sfconnect.call",
    "ClientCredentials": "sfconnect.salesforce.auth",
    "ConfigurationError": "sfconnect.errors",
    "ConnectionPool": "sfconnect.transport",
    "Connector": "sfconnect.connector",
    "Credentials": "sfconnect.auth",
    "IncompleteResultError": "sfconnect.errors",
    "JwtBearer": "sfconnect.salesforce.auth",
    "NotFoundError": "sfconnect.errors",
    "Outcome": "sfconnect.fan_out",
    "OutcomeUnknownError": "sfconnect.errors",
    "Page": "sfconnect.paging",
    "PoolError": "sfconnect.errors",
    "QueryError": "sfconnect.errors",
    "RecordError": "sfconnect.errors",
    "RefreshToken": "sfconnect.salesforce.auth",
    "Replay": "sfconnect.messages",
    "Request": "sfconnect.messages",
    "Response": "sfconnect.messages",
    "RetryPolicy": "sfconnect.retry",
    "Salesforce": "sfconnect.salesforce.client",
    "Secret": "sfconnect._types",
    "SfConnectError": "sfconnect.errors",
    "ThrottledError": "sfconnect.errors",
    "Timeout": "sfconnect.messages",
    "Tls": "sfconnect.transport",
    "TransportError": "sfconnect.errors",
    "option": "sfconnect.auth",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
