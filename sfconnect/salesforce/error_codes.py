"""What each error code of Salesforce means for the caller and for retry.

Source: SOAP API Developer Guide, "Core Data Types Used in API Calls: ExceptionCode, StatusCode";
REST API Developer Guide, "Status Codes and Error Responses".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    NotFoundError,
    QueryError,
    QuotaExceededError,
    RecordError,
    ServerError,
    SessionExpiredError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Meaning:
    """The class of an error, whether repeating is safe, and what to change.

    ``wait_s`` is how long it takes at the least until the cause may be gone, where that is long;
    ``quota`` names a quota that is used up, and ``window_s`` is what that counts over.
    """

    kind: type[ApiError]
    retry_safe: bool | None = False
    hint: str | None = None
    wait_s: float | None = None
    window_s: float | None = None
    quota: str | None = None


_REFUSED_BEFORE_ACTING = """
UNABLE_TO_LOCK_ROW SERVER_UNAVAILABLE TOO_MANY_APEX_REQUESTS PLATFORM_EVENT_PUBLISHING_UNAVAILABLE
TERRITORY_REALIGN_IN_PROGRESS TXN_SECURITY_METERING_ERROR
"""
_REFUSED_FOR_A_WHILE = """
API_CURRENTLY_DISABLED INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE
"""
DAY_S = 86_400.0
_A_WHILE_S = 20.0
"""Maintenance lasts minutes; shorter waits would only use up the attempts."""
_OUTCOME_UNKNOWN = """
UNKNOWN_EXCEPTION REQUEST_RUNNING_TOO_LONG QUERY_TIMEOUT ALREADY_IN_PROCESS
"""
_LARGER_OPERATION = """
INVALID_QUERY_LOCATOR INVALID_REPLICATION_DATE TIMEOUT TOOMANYLOCKFAILURE INTERNALSERVERERROR
ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED UNKNOWN BULK_API_ERROR
"""
_REQUEST = """
MISSING_ARGUMENT INVALID_ARGUMENT_TYPE ILLEGAL_QUERY_PARAMETER_VALUE OPERATION_TOO_LARGE
EXCEEDED_ID_LIMIT INVALID_BATCH_OPERATION INVALID_CONTENT_TYPE METHOD_NOT_ALLOWED INVALID_OPERATION
BIG_OBJECT_UNSUPPORTED_OPERATION UNSUPPORTED_MEDIA_TYPE API_ERROR CLIENTINPUTERROR INVALIDJOBSTATE
INVALIDBATCH INVALIDENTITY INVALIDOPERATION INVALIDURL INVALIDXML HTTPSREQUIRED
UNSUPPORTEDCONTENTTYPE BATCH_PROCESSING_HALTED
"""
_QUERY = """
MALFORMED_QUERY MALFORMED_SEARCH INVALID_FIELD INVALID_TYPE INVALID_QUERY_FILTER_OPERATOR
INVALID_SEARCH NUMBER_OUTSIDE_VALID_RANGE QUERY_TOO_COMPLICATED EXCEEDED_MAX_SEMIJOIN_SUBSELECTS
"""
_DATA = """
REQUIRED_FIELD_MISSING STRING_TOO_LONG INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST
INVALID_EMAIL_ADDRESS INVALID_CROSS_REFERENCE_KEY INVALID_CROSS_REFERENCE_TYPE_FOR_FIELD
INVALID_FIELD_FOR_INSERT_UPDATE INVALID_TYPE_ON_FIELD_IN_RECORD INVALID_CURRENCY_ISO
INVALID_STATUS FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION
FIELD_INTEGRITY_EXCEPTION CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER
DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID DUPLICATES_DETECTED DUPLICATE_USERNAME
DUPLICATE_DEVELOPER_NAME CIRCULAR_DEPENDENCY DEPENDENCY_EXISTS DELETE_FAILED UNDELETE_FAILED
MERGE_FAILED ENTITY_IS_LOCKED ENTITY_IS_ARCHIVED CANNOT_UPDATE_CONVERTED_LEAD
INACTIVE_OWNER_OR_USER TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET SELF_REFERENCE_FROM_TRIGGER
RECORD_IN_USE_BY_WORKFLOW UNAVAILABLE_RECORDTYPE_EXCEPTION MALFORMED_ID
ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE JSON_PARSER_ERROR XML_PARSER_ERROR
"""
_RIGHTS = """
INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY
API_DISABLED_FOR_ORG APEX_REST_SERVICES_DISABLED FUNCTIONALITY_NOT_ENABLED FORBIDDEN
PACKAGE_LICENSE_REQUIRED INVALID_OPERATION_WITH_EXPIRED_PASSWORD TXN_SECURITY_NO_ACCESS
INVALID_LOGIN LOGIN_MUST_USE_SECURITY_TOKEN
TXN_SECURITY_RUNTIME_EXCEPTION TRANSFER_REQUIRES_READ FEATURENOTENABLED INVALIDUSER
TRANSACTIONSECURITYBLOCK TRANSACTIONSECURITYINTERNALERROR TRANSACTIONSECURITYDEVELOPERERROR
"""
_QUOTA = """
STORAGE_LIMIT_EXCEEDED LIMIT_EXCEEDED LICENSE_LIMIT_EXCEEDED EXCEEDEDQUOTA
SINGLE_EMAIL_LIMIT_EXCEEDED MASS_MAIL_LIMIT_EXCEEDED
"""
_NOT_FOUND = "NOT_FOUND ENTITY_IS_DELETED INVALIDJOB UNSUPPORTED_API_VERSION INVALIDVERSION GONE"
_TOKEN = (
    "INVALID_SESSION_ID INVALID_AUTH_HEADER INVALID_JWT_FORMAT INVALIDSESSIONID Bad_OAuth_Token"
)


def _table() -> Mapping[str, Meaning]:
    groups = (
        (_REFUSED_BEFORE_ACTING, Meaning(ThrottledError, True)),
        (_REFUSED_FOR_A_WHILE, Meaning(ThrottledError, True, wait_s=_A_WHILE_S)),
        (_OUTCOME_UNKNOWN, Meaning(ServerError, None)),
        (_LARGER_OPERATION, Meaning(ApiError)),
        ("APEX_ERROR", Meaning(ServerError)),  # the org's own code: the same input fails again
        (_REQUEST, Meaning(ApiError)),
        (_QUERY, Meaning(QueryError)),
        (_DATA, Meaning(RecordError)),
        (_RIGHTS, Meaning(AccessDeniedError)),
        (_QUOTA, Meaning(QuotaExceededError)),
        (_NOT_FOUND, Meaning(NotFoundError)),
        (_TOKEN, Meaning(SessionExpiredError)),
    )
    table = {code.upper(): meaning for codes, meaning in groups for code in codes.split()}
    return table | {code: _hinted(table[code], hint) for code, hint in _HINTS.items()}


_NO_API = (
    "Give the user the permission 'API Enabled' (Setup → Permission Sets → System Permissions); "
    "the org's edition must include the API."
)
_NEW_JOB = (
    "The job is lost; make it anew, with fewer rows or a narrower filter if it happens again."
)
_LOCKS = (
    "Other writes held the locks too long. Make the job anew when they have ended, with the rows "
    "sorted by parent, or in Serial mode (Bulk API 1.0)."
)
_OLD_VERSION = "This API version is switched off; connect with a newer one."
_SECURITY_POLICY = (
    "Transaction security of the org refused it (Setup → Transaction Security Policies)."
)
_HINTS = {
    "API_DISABLED_FOR_ORG": _NO_API,
    "API_CURRENTLY_DISABLED": "The org's API is switched off for now, as in a maintenance. "
    "If that lasts: " + _NO_API[0].lower() + _NO_API[1:],
    "INSUFFICIENT_ACCESS": "Give the user's profile or permission set access to the object.",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "Leave the field out, or give the user edit access to it.",
    "INVALID_QUERY_LOCATOR": "The cursor is gone (they live two days); run the query again.",
    "UNSUPPORTED_API_VERSION": _OLD_VERSION,
    "INVALIDVERSION": _OLD_VERSION,
    "QUERY_TIMEOUT": "Narrow the filter to indexed fields, or use a bulk query.",
    "ENTITY_IS_DELETED": "The record is in the recycle bin.",
    "TIMEOUT": _NEW_JOB,
    "UNKNOWN": _NEW_JOB,
    "INTERNALSERVERERROR": _NEW_JOB,
    "TOOMANYLOCKFAILURE": _LOCKS,
    "BULK_API_ERROR": "A job takes its data once; abort or delete it, and make it anew.",
    "FEATURENOTENABLED": "The org, or the job's kind of data, has no Bulk API.",
    "INVALIDUSER": "The job is another user's, or the user may not use the Bulk API.",
    "INVALIDENTITY": "The Bulk APIs do not know this object; use REST calls.",
    "INVALIDJOBSTATE": "The job is past that step, or not there yet; ask for its state first.",
    "TRANSACTIONSECURITYBLOCK": _SECURITY_POLICY,
    "TRANSACTIONSECURITYDEVELOPERERROR": _SECURITY_POLICY,
    "TRANSACTIONSECURITYINTERNALERROR": _SECURITY_POLICY,
    "UNABLE_TO_LOCK_ROW": "Writes to records under one parent collide; group them by parent.",
}


def _hinted(meaning: Meaning, hint: str) -> Meaning:
    return replace(meaning, hint=hint)


_MEANINGS = _table()
_EFFECTS = frozenset({"ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED"})
_TAKEN = frozenset({"DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"})


_ABOUT_RECORDS = frozenset(
    {
        "API_CURRENTLY_DISABLED",
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        "TERRITORY_REALIGN_IN_PROGRESS",
        "UNABLE_TO_LOCK_ROW",
    }
)


def is_load(code: str) -> bool:
    """Whether fewer calls would help where a code says that the org did nothing.

    A locked row or a maintenance says nothing of how much the org takes.
    """
    return code.upper() not in _ABOUT_RECORDS


def is_effect(code: str) -> bool:
    """Whether a code only says that another operation of the same transaction failed."""
    return code.upper() in _EFFECTS


def lost_a_race(code: str) -> bool:
    """Whether an upsert that is refused so may find its record if it is sent again.

    Two upserts with one new external id both mean to create. The slower is refused, since the
    value is taken by then, and finds the other's record the next time.
    """
    return code.upper() in _TAKEN


def meaning_of(code: str, message: str) -> Meaning | None:
    """Say what a code means; None for a code that is not known, which the status decides."""
    code = code.upper()
    if code == "REQUEST_LIMIT_EXCEEDED":
        return _request_limit(message)
    if code.endswith("_LIMIT_EXCEEDED") and code.startswith("CUSTOM_"):
        return Meaning(QuotaExceededError)
    return _MEANINGS.get(code)


def _request_limit(message: str) -> Meaning:
    # One code for two things: the day's requests are used up, or too many run at this moment.
    if "concurrent" in message.lower():
        hint = "Fewer long calls at once: 25 may run longer than 20 s, 5 in developer orgs."
        return Meaning(ThrottledError, True, hint)
    hint = (
        "The org's requests of the last 24 hours are used up (Setup → Company Information); there "
        "is room bit by bit, as requests of a day ago leave the count, and nothing tells when."
    )
    return Meaning(QuotaExceededError, False, hint, window_s=DAY_S, quota="api-usage")
