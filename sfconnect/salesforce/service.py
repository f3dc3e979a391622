"""How Salesforce speaks: hosts, errors, dead tokens and quotas."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    MultipleMatchesError,
    QueryError,
    RecordError,
    SessionExpiredError,
)
from sfconnect.limits import Quota
from sfconnect.salesforce._scrub import query_place, scrub
from sfconnect.salesforce.error_bodies import Fault, page_title, read_faults
from sfconnect.salesforce.error_codes import Meaning, meaning_of
from sfconnect.service import checked_base_url, origin, parse_retry_after, status_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfconnect.auth.base import Credentials
    from sfconnect.messages import Request, Response

DEFAULT_API_VERSION = "68.0"
"""The version a connection speaks unless it is told another; never looked up in the org."""

_DEAD_TOKEN_CODES = frozenset(
    {"INVALID_SESSION_ID", "INVALIDSESSIONID", "INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT"}
)
# These 401s are about rights; a new token would be refused the same way, for ever.
_NOT_THE_TOKEN = ("not valid for use with the REST API", "not attached to Agent")
_QUOTA = re.compile(r"([\w-]*api-usage)=(\d+)/(\d+)")


class SalesforceService:
    """Salesforce as the framework sees it."""

    name = "Salesforce"
    quota_header: str | None = "Sforce-Limit-Info"

    def __init__(self, *, client_name: str = "sfconnect") -> None:
        # Change events carry this name as their origin, which lets a sync skip its own changes.
        self.headers: Mapping[str, str] = {"Sforce-Call-Options": f"client={client_name}"}

    def base_url(self, credentials: Credentials) -> str:
        """The org's own host, as the login told it."""
        return checked_base_url(credentials.instance_url)

    def owns(self, url: str, credentials: Credentials) -> bool:
        """Only the org's scheme, host and port get the token."""
        return origin(url) == origin(credentials.instance_url)

    def token_is_dead(self, response: Response) -> bool:
        """Whether a fresh login would help; see the table in REST guide, "Status Codes"."""
        status = response.status
        if status not in {400, 401, 403, 500}:
            return False
        if status == HTTPStatus.UNAUTHORIZED:
            return not any(text in response.text for text in _NOT_THE_TOKEN)
        if status == HTTPStatus.FORBIDDEN:  # the identity endpoints use it for tokens
            return response.content.strip() == b"Bad_OAuth_Token"
        return any(fault.code.upper() in _DEAD_TOKEN_CODES for fault in read_faults(response))

    def decode_error(self, request: Request, response: Response) -> ApiError:
        """Make the typed error of an answer, whatever form its body has."""
        if response.status == HTTPStatus.MULTIPLE_CHOICES:
            return _multiple_matches(request, response)
        faults = read_faults(response)
        if not faults:
            return _bodyless(request, response)
        error = _from_faults(request, response, faults)
        if isinstance(error, AccessDeniedError) and request.path.startswith(_IDENTITY_PATHS):
            error.hint = error.hint or _NO_IDENTITY_HINT
        return error

    def read_quota(self, header: str) -> Sequence[Quota]:
        """Read ``api-usage=74/15000; per-app-api-usage=17/250(appName=x)``."""
        return [
            Quota(name, int(used), int(maximum)) for name, used, maximum in _QUOTA.findall(header)
        ]


_IDENTITY_PATHS = ("/services/oauth2/userinfo", "/id/")
_NO_IDENTITY_HINT = (
    "The token may not read who its user is: add the scope 'api', or 'Access the identity URL "
    "service (id)', to the app."
)


def _from_faults(request: Request, response: Response, faults: tuple[Fault, ...]) -> ApiError:
    fault = faults[0]
    message, line, column = query_place(fault.message)
    message = scrub(message) or f"Salesforce answered {response.status}."
    facts: dict[str, Any] = {
        "code": fault.code or None,
        "status": response.status,
        "request_id": response.request_id,
        "fields": fault.fields,
        "details": tuple((other.code, scrub(query_place(other.message)[0])) for other in faults),
    }
    meaning = meaning_of(fault.code, fault.message) or _by_status(response, message)
    if any(text in fault.message for text in _NOT_THE_TOKEN):
        meaning = Meaning(AccessDeniedError, False, _NOT_FOR_REST_HINT)
    facts |= {"hint": meaning.hint, "retry_safe": meaning.retry_safe}
    facts["retry_after"] = parse_retry_after(response.headers.get("Retry-After"))
    if meaning.kind is not QueryError:
        return meaning.kind(message, **facts)
    if _is_query(request):
        return QueryError(message, line=line, column=column, **facts)
    return RecordError(message, **facts)


def _is_query(request: Request) -> bool:
    # INVALID_FIELD and its like also come for the body of a write.
    return "/query" in request.path or "earch" in request.path


_NOT_FOR_REST_HINT = (
    "The login worked, but its token may not call the API: add the scope 'api' to the app, and "
    "give the user the permission 'API Enabled'."
)


def _by_status(response: Response, message: str) -> Meaning:
    error = status_error(response, message)
    return Meaning(type(error), error.retry_safe)


def _bodyless(request: Request, response: Response) -> ApiError:
    """An edge, a proxy or a broken server answered: there is no code to read."""
    place = request.path.partition("?")[0]
    title = page_title(response.content)
    what = f"an HTML page titled {title!r}" if title else _described(response)
    error = status_error(
        response, f"{request.method} {place} answered {response.status} with {what}."
    )
    if isinstance(error, SessionExpiredError):
        error.hint = "The token was refused, also after a fresh login."
    elif response.status in _HINTS:
        error.hint = _HINTS[response.status]
    if response.status == _EDGE_CANNOT_ROUTE:
        error.retry_safe, error.throttled = True, True
    return error


_EDGE_CANNOT_ROUTE = 420
"""Salesforce's own status: the edge does not know yet where a new or moved org lives."""

_HINTS = {
    414: "The query is too long for a URL (16,384 bytes); split its lists, or use a bulk query.",
    420: "The org is being set up or moved; try again in a while.",
    431: "The query is too long for a URL (16,384 bytes); split its lists, or use a bulk query.",
    503: "Salesforce is down or overloaded; see its status page.",
}


def _described(response: Response) -> str:
    if not response.content:
        return "an empty body"
    return f"a body of type {response.content_type or 'unknown'} that is no Salesforce error"


def _multiple_matches(request: Request, response: Response) -> MultipleMatchesError:
    try:
        matches = msgspec.json.decode(response.content, type=list[str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        matches = []
    place = request.path.partition("?")[0].rpartition("/")[0]
    return MultipleMatchesError(
        f"The external id matches several records ({place}).",
        matches=matches,
        status=response.status,
        request_id=response.request_id,
        hint="Make the field unique in the org, or name the record by its id.",
    )
