"""REST errors that do not come from rows or queries, and how all of them look on the wire."""

from __future__ import annotations

from collections.abc import Iterable

from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.rendering import json_answer
from sfconnect_emulator.wire import Response

# Codes whose answers name the code before the message; the order varies on the platform too.
_CODE_FIRST = frozenset({"NOT_FOUND", "METHOD_NOT_ALLOWED", "UNSUPPORTED_API_VERSION"})


def error_answer(error: ApiError) -> Response:
    """Show an error as REST does: an array of one."""
    pair = {"message": error.message, "errorCode": error.code}
    body: dict[str, object] = (
        dict(reversed(pair.items())) if error.code in _CODE_FIRST else dict(pair)
    )
    if error.fields is not None:
        body["fields"] = list(error.fields)
    return json_answer(error.status, [body])


def retired_version(version: int) -> ApiError:
    """A version of the API that has been switched off."""
    return ApiError(
        410,
        "UNSUPPORTED_API_VERSION",
        f"The requested resource is no longer available: API version {version}.0 is retired",
    )


def session_invalid() -> ApiError:
    """The token is unknown, expired or revoked, or there is none."""
    return ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")


def session_not_for_rest() -> ApiError:
    """The session is alive, but its scope or its user's permissions lack the API."""
    words = "This session is not valid for use with the REST API"
    return ApiError(401, "INVALID_SESSION_ID", words)


def api_disabled() -> ApiError:
    """The org has no API."""
    return ApiError(
        403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"
    )


def invalid_auth_header() -> ApiError:
    """There is an Authorization header, and it holds no token."""
    return ApiError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")


def method_not_allowed(method: str, allowed: Iterable[str]) -> ApiError:
    """The resource exists and does not take this verb."""
    verbs = set(allowed)
    names = ",".join(sorted(verbs | {"HEAD"} if "GET" in verbs else verbs))
    return ApiError(
        405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {names}"
    )


def json_parser_error(message: str) -> ApiError:
    """The body is not the JSON that this call takes."""
    return ApiError(400, "JSON_PARSER_ERROR", message)


def unsupported_media_type(kind: str) -> ApiError:
    """The body is of a type that this call does not take."""
    return ApiError(
        415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Type '{kind}' is not supported by this resource"
    )


def daily_limit_exceeded() -> ApiError:
    """The requests of the last 24 hours have used up the quota."""
    return ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def concurrent_limit_exceeded() -> ApiError:
    """Too many calls are being worked on at once; a moment later there is room again."""
    return ApiError(
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    )


def unknown_exception() -> ApiError:
    """The org itself failed."""
    return ApiError(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")
