"""Every error code, with what it allows: the table of retry classes, walked from end to end.

Source: SOAP API Developer Guide, "Core Data Types Used in API Calls"; REST API Developer Guide,
"Status Codes and Error Responses".
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from sfconnect import Credentials, Secret
from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    ConnectError,
    ConnectionLostError,
    LoginRateLimited,
    OutcomeUnknownError,
    QuotaExceededError,
    RequestTimeoutError,
    ResponseError,
    SessionExpiredError,
    ThrottledError,
    TransportError,
)
from sfconnect.messages import Replay, Request, Response, StreamedResponse
from sfconnect.retry import RetryPolicy, Verdict, classify
from sfconnect.salesforce.service import SalesforceService
from sfconnect.session import Session
from sfconnect.testing import FakeClock, ScriptedSender, ScriptedStrategy
from tests.unit.salesforce.canned import response

SERVICE = SalesforceService()
RETRY, GIVE_UP, UNKNOWN = Verdict.RETRY, Verdict.GIVE_UP, Verdict.UNKNOWN
REQUESTS = {
    Replay.SAFE: Request("GET", "/services/data/v68.0/sobjects/Account/001"),
    Replay.KEYED: Request("PATCH", "/x/Ext__c/1", content=b"{}", replay=Replay.KEYED),
    Replay.UNSAFE: Request("POST", "/x", content=b"{}"),
}
CONCURRENT = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
LONG = "ConcurrentPerOrgLongTxn Limit exceeded."
DAILY = "TotalRequests Limit exceeded."


@dataclass(frozen=True)
class Refusal:
    """An answer that is not a success, by what it is told apart by."""

    code: str
    status: int = 400
    message: str = "text"
    form: str = "json"

    def response(self) -> Response:
        if self.form == "empty":
            return response(b"", status=self.status, content_type="")
        if self.form == "xml":
            body = f"<Errors><Error><errorCode>{self.code}</errorCode></Error></Errors>".encode()
            return response(body, status=self.status, content_type="application/xml")
        if self.form == "rows":  # as collections and trees write it
            errors = [{"statusCode": self.code, "message": self.message, "fields": []}]
            results = [{"referenceId": "first", "errors": errors}]
            return response({"hasErrors": True, "results": results}, status=self.status)
        if not self.code:
            return response(b"<h1>x</h1>", status=self.status, content_type="text/html")
        return response([{"errorCode": self.code, "message": self.message}], status=self.status)

    def __str__(self) -> str:
        return f"{self.code}-{self.status}-{self.message.partition(' ')[0]}-{self.form}"


def refusals(codes: str, status: int = 400) -> list[Refusal]:
    return [Refusal(code, status) for code in codes.split()]


# A: the server refused before it did anything.
REFUSED = [
    *refusals(
        "UNABLE_TO_LOCK_ROW TOO_MANY_APEX_REQUESTS API_CURRENTLY_DISABLED"
        " INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE PLATFORM_EVENT_PUBLISHING_UNAVAILABLE"
        " TERRITORY_REALIGN_IN_PROGRESS TXN_SECURITY_METERING_ERROR"
    ),
    Refusal("API_CURRENTLY_DISABLED", 403),
    Refusal("SERVER_UNAVAILABLE", 503),
    Refusal("REQUEST_LIMIT_EXCEEDED", 403, CONCURRENT),
    Refusal("REQUEST_LIMIT_EXCEEDED", 403, LONG),
    *[Refusal("UNABLE_TO_LOCK_ROW", form=form) for form in ("xml", "rows")],
    *[Refusal("", status, form="empty") for status in (420, 429)],
    *[Refusal(code, status) for code in ("", "SOMETHING_NEW") for status in (420, 429)],
]
# B: what the server did is unknown.
AMBIGUOUS = [
    *refusals("UNKNOWN_EXCEPTION", 500),
    *refusals("REQUEST_RUNNING_TOO_LONG QUERY_TIMEOUT ALREADY_IN_PROCESS"),
    *[Refusal("", status) for status in (500, 502, 503, 504)],
    *[Refusal("", status, form="empty") for status in (500, 502, 503, 504)],
    *[Refusal("UNKNOWN_EXCEPTION", 500, form=form) for form in ("xml", "rows")],
    *refusals("SOMETHING_NEW", 500),
    *refusals("SOMETHING_NEW", 503),
]
# T, P and N: the same request, sent again unchanged, gets the same answer.
FINAL = [
    *refusals(  # P: the larger operation has to be done again
        "INVALID_QUERY_LOCATOR INVALID_REPLICATION_DATE TIMEOUT TOOMANYLOCKFAILURE UNKNOWN"
        " INTERNALSERVERERROR InternalServerError ALL_OR_NONE_OPERATION_ROLLED_BACK"
        " PROCESSING_HALTED BULK_API_ERROR"
    ),
    *refusals(  # N, the request
        "MALFORMED_QUERY MALFORMED_ID MALFORMED_SEARCH INVALID_FIELD INVALID_TYPE"
        " INVALID_QUERY_FILTER_OPERATOR INVALID_SEARCH JSON_PARSER_ERROR XML_PARSER_ERROR"
        " MISSING_ARGUMENT INVALID_ARGUMENT_TYPE ILLEGAL_QUERY_PARAMETER_VALUE"
        " NUMBER_OUTSIDE_VALID_RANGE QUERY_TOO_COMPLICATED OPERATION_TOO_LARGE EXCEEDED_ID_LIMIT"
        " EXCEEDED_MAX_SEMIJOIN_SUBSELECTS INVALID_BATCH_OPERATION INVALID_CONTENT_TYPE"
        " METHOD_NOT_ALLOWED NOT_FOUND UNSUPPORTED_API_VERSION INVALID_OPERATION"
        " BIG_OBJECT_UNSUPPORTED_OPERATION"
    ),
    *refusals(  # N, the record
        "REQUIRED_FIELD_MISSING STRING_TOO_LONG INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        " INVALID_EMAIL_ADDRESS INVALID_CROSS_REFERENCE_KEY INVALID_CROSS_REFERENCE_TYPE_FOR_FIELD"
        " INVALID_FIELD_FOR_INSERT_UPDATE INVALID_TYPE_ON_FIELD_IN_RECORD INVALID_CURRENCY_ISO"
        " INVALID_STATUS FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION"
        " FIELD_INTEGRITY_EXCEPTION CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
        " CANNOT_EXECUTE_FLOW_TRIGGER DUPLICATES_DETECTED DUPLICATE_USERNAME"
        " DUPLICATE_DEVELOPER_NAME CIRCULAR_DEPENDENCY DEPENDENCY_EXISTS DELETE_FAILED"
        " UNDELETE_FAILED MERGE_FAILED ENTITY_IS_DELETED ENTITY_IS_LOCKED ENTITY_IS_ARCHIVED"
        " CANNOT_UPDATE_CONVERTED_LEAD INACTIVE_OWNER_OR_USER TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET"
        " SELF_REFERENCE_FROM_TRIGGER RECORD_IN_USE_BY_WORKFLOW UNAVAILABLE_RECORDTYPE_EXCEPTION"
        " ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE"
    ),
    *refusals(  # N, rights
        "INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY"
        " INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY API_DISABLED_FOR_ORG"
        " APEX_REST_SERVICES_DISABLED FUNCTIONALITY_NOT_ENABLED FORBIDDEN PACKAGE_LICENSE_REQUIRED"
        " INVALID_OPERATION_WITH_EXPIRED_PASSWORD TXN_SECURITY_NO_ACCESS"
        " TXN_SECURITY_RUNTIME_EXCEPTION TRANSFER_REQUIRES_READ",
        403,
    ),
    *refusals(  # N, quotas; those of Bulk among them
        "STORAGE_LIMIT_EXCEEDED LIMIT_EXCEEDED LICENSE_LIMIT_EXCEEDED EXCEEDEDQUOTA"
        " SINGLE_EMAIL_LIMIT_EXCEEDED MASS_MAIL_LIMIT_EXCEEDED CUSTOM_FIELD_LIMIT_EXCEEDED"
    ),
    Refusal("REQUEST_LIMIT_EXCEEDED", 403, DAILY),
    *refusals("APEX_ERROR", 500),  # N: the org's own code, which fails the same way again
    *refusals("API_ERROR CLIENTINPUTERROR INVALIDJOBSTATE FEATURENOTENABLED INVALIDBATCH"),
    *refusals("SOMETHING_NEW"),
    Refusal("REQUIRED_FIELD_MISSING", form="rows"),
    *[
        Refusal("", status, form=form)
        for form in ("html", "empty")
        for status in (400, 403, 404, 405, 409, 410, 412, 413, 414, 415, 428, 431, 501)
    ],
]
# Refused for good, unless it is an upsert that came second in a race.
TAKEN = refusals("DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID")
DEAD_TOKEN = [
    Refusal("INVALID_SESSION_ID", 401),
    Refusal("INVALID_SESSION_ID", 401, form="xml"),
    Refusal("INVALID_AUTH_HEADER", 401),
    Refusal("INVALID_HEADER_TYPE", 401),
    Refusal("InvalidSessionId"),  # Bulk 1.0, which may answer 400
    Refusal("INVALIDSESSIONID", 401),
    *[Refusal("", 401, form=form) for form in ("html", "empty")],
]

SAFE, KEYED, UNSAFE = Replay.SAFE, Replay.KEYED, Replay.UNSAFE
ANSWERS: list[tuple[Refusal, Replay, Verdict]] = [
    *[(one, replay, RETRY) for one in REFUSED for replay in Replay],
    *[(one, replay, RETRY) for one in AMBIGUOUS for replay in (SAFE, KEYED)],
    *[(one, UNSAFE, UNKNOWN) for one in AMBIGUOUS],
    *[(one, replay, GIVE_UP) for one in FINAL for replay in Replay],
    *[(one, replay, RETRY if replay is KEYED else GIVE_UP) for one in TAKEN for replay in Replay],
]
BREAKS: list[tuple[type[TransportError], Replay, Verdict]] = [
    *[(ConnectError, replay, RETRY) for replay in Replay],
    *[
        (kind, replay, UNKNOWN if replay is UNSAFE else RETRY)
        for kind in (ConnectionLostError, RequestTimeoutError, ResponseError)
        for replay in Replay
    ],
]
SENDS = {RETRY: 2, GIVE_UP: 1, UNKNOWN: 1}


def error_of(refusal: Refusal, replay: Replay = SAFE) -> ApiError:
    return SERVICE.decode_error(REQUESTS[replay], refusal.response())


async def sends_of(request: Request, *ends: Response | Exception) -> tuple[int, Exception | None]:
    """How often a call is sent whose attempts end so, and would succeed then."""
    clock, send = FakeClock(), ScriptedSender(*ends, response({}))
    strategy = ScriptedStrategy(
        *(Credentials(Secret(f"t{n}"), "https://org.example.com") for n in range(2))
    )
    manager = CredentialManager(strategy, send=send, clock=clock)
    session = Session(SERVICE, strategy, manager, Memory(send), clock=clock)
    task = asyncio.create_task(session.execute(request))
    await clock.advance(1000)
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    await session.aclose()
    return len(send.requests), outcome if isinstance(outcome, Exception) else None


class Memory:
    """A transport that is a scripted sender."""

    def __init__(self, send: ScriptedSender) -> None:
        self.send = send

    def stream(self, request: Request) -> AbstractAsyncContextManager[StreamedResponse]:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize(("refusal", "replay", "verdict"), ANSWERS, ids=str)
async def test_an_answer_allows_what_its_code_is_known_for(
    refusal: Refusal, replay: Replay, verdict: Verdict
) -> None:
    assert classify(REQUESTS[replay], error_of(refusal, replay)) is verdict

    sends, error = await sends_of(REQUESTS[replay], refusal.response())

    assert sends == SENDS[verdict]
    assert isinstance(error, OutcomeUnknownError) is (verdict is UNKNOWN)


@pytest.mark.parametrize(("kind", "replay", "verdict"), BREAKS, ids=str)
async def test_a_broken_connection_obeys_the_same_rule(
    kind: type[TransportError], replay: Replay, verdict: Verdict
) -> None:
    sends, error = await sends_of(REQUESTS[replay], kind("Broken."))

    assert sends == SENDS[verdict]
    assert isinstance(error, OutcomeUnknownError) is (verdict is UNKNOWN)


@pytest.mark.parametrize("replay", Replay)
@pytest.mark.parametrize("refusal", DEAD_TOKEN, ids=str)
async def test_a_dead_token_is_replaced_and_any_request_sent_again(
    refusal: Refusal, replay: Replay
) -> None:
    sends, error = await sends_of(REQUESTS[replay], refusal.response())

    assert (sends, error) == (2, None)


@pytest.mark.parametrize("replay", Replay)
@pytest.mark.parametrize("refusal", DEAD_TOKEN, ids=str)
async def test_a_new_token_that_is_refused_too_ends_the_call(
    refusal: Refusal, replay: Replay
) -> None:
    sends, error = await sends_of(REQUESTS[replay], refusal.response(), refusal.response())

    assert sends == 2
    assert isinstance(error, SessionExpiredError)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("replay", Replay)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("This session is not valid for use with the REST API", "the scope 'api'"),
        ("Connected app is not attached to Agent", "Agentforce"),
    ],
)
async def test_a_refusal_about_rights_is_not_answered_by_a_login(
    text: str, words: str, replay: Replay, status: int
) -> None:
    refusal = Refusal("INVALID_SESSION_ID", status, text)

    sends, error = await sends_of(REQUESTS[replay], refusal.response())

    assert sends == 1
    assert isinstance(error, AccessDeniedError)
    assert words in str(error.hint)


def test_the_two_request_limits_are_told_apart() -> None:
    daily = error_of(Refusal("REQUEST_LIMIT_EXCEEDED", 403, DAILY))
    at_once = error_of(Refusal("REQUEST_LIMIT_EXCEEDED", 403, CONCURRENT))

    assert (type(daily), daily.retry_safe) == (QuotaExceededError, False)
    assert (type(at_once), at_once.retry_safe) == (ThrottledError, True)
    assert "24 hours" in str(daily.hint)


def test_too_many_logins_are_not_answered_by_more_logins() -> None:
    error = LoginRateLimited("Too many.", retry_after=60)

    assert {classify(request, error) for request in REQUESTS.values()} == {GIVE_UP}


@pytest.mark.parametrize(
    "code", ["API_CURRENTLY_DISABLED", "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"]
)
def test_what_lasts_a_while_is_waited_for_longer(code: str) -> None:
    error = error_of(Refusal(code))

    assert RetryPolicy(random=lambda: 0.0).wait_s(1, error) == 20.0


def test_a_wait_that_the_answer_names_goes_before_the_known_one() -> None:
    body = [{"errorCode": "API_CURRENTLY_DISABLED", "message": "x"}]

    error = SERVICE.decode_error(
        REQUESTS[SAFE], response(body, status=503, headers={"Retry-After": "7"})
    )

    assert error.retry_after == 7


@pytest.mark.parametrize("effect", ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED"])
def test_of_a_transaction_that_was_rolled_back_the_culprit_decides(effect: str) -> None:
    body = [
        {"errorCode": effect, "message": "The transaction was rolled back."},
        {"errorCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access"},
    ]

    error = SERVICE.decode_error(REQUESTS[UNSAFE], response(body, status=400))

    assert error.code == "UNABLE_TO_LOCK_ROW"
    assert classify(REQUESTS[UNSAFE], error) is RETRY


def test_an_upsert_that_lost_a_race_is_sent_again_once() -> None:
    error = error_of(Refusal("DUPLICATE_VALUE"), KEYED)
    policy = RetryPolicy()

    assert [policy.allows(failures, error) for failures in (1, 2)] == [True, False]


@pytest.mark.parametrize(
    ("code", "load"), [("SERVER_UNAVAILABLE", True), ("UNABLE_TO_LOCK_ROW", False)]
)
def test_a_locked_row_is_no_sign_of_load(code: str, load: bool) -> None:
    body = b'[{"errorCode":"%s","message":"no"}]' % code.encode()

    error = SalesforceService().decode_error(Request("POST", "/x"), Response(503, {}, body))

    assert (error.retry_safe, error.throttled) == (True, load)
