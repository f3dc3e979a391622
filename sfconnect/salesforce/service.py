"""How Salesforce speaks: hosts, errors, dead tokens and quotas."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    AuthConfigurationError,
    MultipleMatchesError,
    QueryError,
    QuotaExceededError,
    RecordError,
    SessionExpiredError,
    ThrottledError,
)
from sfconnect.limits import LONG_LIMIT, Quota, read_limits
from sfconnect.messages import JSON_ERRORS, Replay, Request
from sfconnect.salesforce import bulk_errors
from sfconnect.salesforce._scrub import query_place, scrub
from sfconnect.salesforce.error_bodies import Fault, page_title, read_faults
from sfconnect.salesforce.error_codes import Meaning, is_effect, is_load, lost_a_race, meaning_of
from sfconnect.salesforce.hosts import is_for_developers
from sfconnect.salesforce.resources import data_path, decode_row
from sfconnect.service import checked_base_url, origin, parse_retry_after, status_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfconnect.auth.base import Credentials
    from sfconnect.messages import Response

DEFAULT_API_VERSION = "68.0"
"""The version a connection speaks unless it is told another; never looked up in the org."""

_DEAD_TOKEN_CODES = frozenset(
    {"INVALID_SESSION_ID", "INVALIDSESSIONID", "INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT"}
)
# These 401s are about rights; a new token would be refused the same way, for ever.
_NOT_THE_TOKEN = {
    "not valid for use with the REST API": (
        "The login worked, but its token may not call the API: add the scope 'api' to the app, "
        "and give the user the permission 'API Enabled'."
    ),
    "not attached to Agent": (
        "The login worked, but its app may not talk to this agent: add the app to the agent's "
        "connections (Setup → Agentforce Agents)."
    ),
}
_REFUSED_HINT = (
    "A new token was refused too, so it is not the token: give the app the scope 'api' and the "
    "user the permission 'API Enabled', and look at the app's policies (IP relaxation, session "
    "level) and at the user's Login History."
)
_GATEWAY_HOSTS = ("api.salesforce.com", "test.api.salesforce.com")
_LONG_IN_DEVELOPER_ORGS = 5
_SOAP_PATH = "/services/Soap/"
_JWT_DOTS = 2
"""RFC 7515 §3.1: header, claims and signature."""
# What is behind a number in brackets may hold any character, brackets too, since people name apps;
# nobody may rely on the names of quotas, which get more.
_QUOTA = re.compile(r"([\w-]+)=(\d{1,18})/(\d{1,18})(?:\((.*?)\)(?=\s*(?:[;,]|$))|\(.*)?")


class SalesforceService:
    """Salesforce as the framework sees it."""

    name = "Salesforce"
    quota_header: str | None = "Sforce-Limit-Info"
    allocated_surface = bulk_errors.SURFACE
    allocated: Mapping[str, bool] = bulk_errors.QUOTAS

    def __init__(
        self, *, client_name: str = "sfconnect", api_version: str = DEFAULT_API_VERSION
    ) -> None:
        self.question = Request("GET", data_path(api_version, "limits"))
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
        if status == HTTPStatus.FORBIDDEN and response.content.strip() == b"Bad_OAuth_Token":
            return True  # what the identity endpoints say
        if b"failureReason" in response.content:
            return comet_says_token_is_dead(response.content)
        if status == HTTPStatus.FORBIDDEN:
            return False
        return any(fault.code.upper() in _DEAD_TOKEN_CODES for fault in read_faults(response))

    def explain_refusal(
        self, request: Request, response: Response, credentials: Credentials
    ) -> AuthConfigurationError | None:
        """Where only another format of access token can help, which the app decides."""
        is_jwt = _is_jwt(credentials.access_token.reveal())
        if response.status == HTTPStatus.NOT_FOUND and not response.content.strip():
            host = origin(request.path)[1] or origin(credentials.instance_url)[1]
            if host in _GATEWAY_HOSTS and not is_jwt:
                return _wrong_format(_OPAQUE.format(host=host), _OPAQUE_HINT, response)
        if is_jwt and _SOAP_PATH in request.path and self.token_is_dead(response):
            return _wrong_format(_JWT_ON_SOAP, _JWT_ON_SOAP_HINT, response)
        return None

    def long_limit(self, credentials: Credentials) -> int:
        """25 requests of 20 seconds and more, or 5 (API guide, "API Request Limits")."""
        host = origin(credentials.instance_url)[1]
        return _LONG_IN_DEVELOPER_ORGS if is_for_developers(host) else LONG_LIMIT

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
            Quota(name, int(used), int(maximum), detail)
            for name, used, maximum, detail in _QUOTA.findall(header)
        ]

    def allocation(self, request: Request) -> Sequence[str]:
        """The quotas of the Bulk APIs that a request uses up, if any."""
        return bulk_errors.used_up_by(request)

    def read_allocations(self, response: Response) -> Sequence[Quota]:
        """Find the quotas of the Bulk APIs in an answer of ``/limits``."""
        found = read_limits(decode_row(response))
        names = {name: bulk_errors.OLD_NAMES.get(name, name) for name in found}
        return [
            replace(found[name], name=newest)
            for name, newest in names.items()
            if newest in self.allocated
        ]


_IDENTITY_PATHS = ("/services/oauth2/userinfo", "/id/")
_NO_IDENTITY_HINT = (
    "The token may not read who its user is: add the scope 'api', or 'Access the identity URL "
    "service (id)', to the app."
)


_OPAQUE = "{host} answered 404 with nothing, which is what it says to an opaque access token."
_OPAQUE_HINT = (
    "In the app's OAuth settings enable 'Issue JSON Web Token (JWT)-based access tokens for named "
    "users', and log in anew."
)
_JWT_ON_SOAP = "SOAP refused the token, because it is one in JWT format, which SOAP never takes."
_JWT_ON_SOAP_HINT = (
    "Log in by an app whose OAuth settings do not issue JWT-based access tokens; or use REST."
)


def comet_says_token_is_dead(content: bytes) -> bool:
    """Whether messages of CometD refuse the token; they may come with any status, also 200."""
    try:
        messages = msgspec.json.decode(content, type=list[_CometMessage])
    except JSON_ERRORS:
        return False
    return any(one.ext.sfdc.failure_reason.startswith("401::") for one in messages)


class _CometDetails(msgspec.Struct, rename="camel"):
    failure_reason: str = ""


class _CometExtension(msgspec.Struct):
    sfdc: _CometDetails = msgspec.field(default_factory=_CometDetails)


class _CometMessage(msgspec.Struct):
    ext: _CometExtension = msgspec.field(default_factory=_CometExtension)


def _is_jwt(token: str) -> bool:
    return token.startswith("eyJ") and token.count(".") == _JWT_DOTS


def _wrong_format(message: str, hint: str, response: Response) -> AuthConfigurationError:
    return AuthConfigurationError(
        message,
        hint=hint,
        status=response.status,
        request_id=response.request_id,
        docs_key="token-format",
    )


def _from_faults(request: Request, response: Response, faults: tuple[Fault, ...]) -> ApiError:
    # Of a transaction that was rolled back, the culprit decides what a repeat is good for.
    fault = next((one for one in faults if not is_effect(one.code)), faults[0])
    message, line, column = query_place(fault.message)
    message = scrub(message) or f"Salesforce answered {response.status}."
    facts: dict[str, Any] = {
        "code": fault.code or None,
        "status": response.status,
        "request_id": response.request_id,
        "fields": fault.fields,
        "details": tuple((other.code, scrub(query_place(other.message)[0])) for other in faults),
    }
    meaning = (
        bulk_errors.bulk_meaning(request, response.status, fault.code, fault.message)
        or meaning_of(fault.code, fault.message)
        or _by_status(response, message)
    )
    for text, hint in _NOT_THE_TOKEN.items():
        if text in fault.message:
            meaning = Meaning(AccessDeniedError, False, hint)
    if meaning.kind is SessionExpiredError:
        meaning = Meaning(SessionExpiredError, False, _REFUSED_HINT)
    facts |= {"hint": meaning.hint, "retry_safe": meaning.retry_safe}
    headers = response.headers
    asked = parse_retry_after(headers.get("Retry-After"), sent=headers.get("Date"))
    facts["retry_after"] = meaning.wait_s if asked is None else asked
    if request.replay is Replay.KEYED and lost_a_race(fault.code):
        error = meaning.kind(message, **facts)
        error.retry_safe, error.max_retries = True, 1
        return error
    if meaning.kind is not QueryError:
        error = meaning.kind(message, **facts)
        error.throttled = error.throttled and is_load(fault.code)
        if isinstance(error, QuotaExceededError):
            error.window_s, error.quota = meaning.window_s, meaning.quota
        return error
    if _is_query(request):
        return QueryError(message, line=line, column=column, **facts)
    return RecordError(message, **facts)


def _is_query(request: Request) -> bool:
    # INVALID_FIELD and its like also come for the body of a write.
    return "/query" in request.path or "earch" in request.path


def _by_status(response: Response, message: str) -> Meaning:
    if response.status == _EDGE_CANNOT_ROUTE:
        return Meaning(ThrottledError, True)
    error = status_error(response, message)
    return Meaning(type(error), error.retry_safe)


def _bodyless(request: Request, response: Response) -> ApiError:
    """An edge, a proxy or a broken server answered: there is no code to read."""
    title = page_title(response.content)
    what = f"an HTML page titled {title!r}" if title else _described(response)
    error = status_error(
        response, f"{request.method} {request.place} answered {response.status} with {what}."
    )
    if isinstance(error, SessionExpiredError):
        error.hint = _REFUSED_HINT
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
    except JSON_ERRORS:
        matches = []
    place = request.place.rpartition("/")[0]
    return MultipleMatchesError(
        f"The external id matches several records ({place}).",
        matches=matches,
        status=response.status,
        request_id=response.request_id,
        hint="Make the field unique in the org, or name the record by its id.",
    )
