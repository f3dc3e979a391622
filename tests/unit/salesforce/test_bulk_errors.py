"""Errors of the Bulk APIs: which limit was hit, what to do, and which calls use up what."""

from __future__ import annotations

import pytest

from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    NotFoundError,
    QueryError,
    QuotaExceededError,
    ServerError,
    SessionExpiredError,
)
from sfconnect.limits import AllocatingService, Quota
from sfconnect.messages import Request
from sfconnect.retry import Verdict, classify
from sfconnect.salesforce.bulk_errors import is_bulk, used_up_by
from sfconnect.salesforce.service import SalesforceService
from tests.unit.salesforce.canned import response

SERVICE = SalesforceService()
DATA, ASYNC = "/services/data/v68.0", "/services/async/68.0"
QUERY_JOB = Request("POST", f"{DATA}/jobs/query", content=b"{}", surface="bulk")
INGEST_JOB = Request("POST", f"{DATA}/jobs/ingest", content=b"{}", surface="bulk")
OLD_JOB = Request("POST", f"{ASYNC}/job", content=b"{}", surface="bulk")
BATCH = Request("POST", f"{ASYNC}/job/750A0000000xyz/batch", content=b"Name\nA\n", surface="bulk")
POLL = Request("GET", f"{DATA}/jobs/query/750xx0000000001AAA", surface="bulk")
REST = Request("POST", f"{DATA}/composite", content=b"{}")

JOBS, STORAGE, BATCHES = (
    "DailyBulkV2QueryJobs",
    "DailyBulkV2QueryFileStorageMB",
    "DailyBulkApiBatches",
)
DAY_S = 86_400.0


def error_of(request: Request, code: str, message: str, status: int = 400) -> ApiError:
    """The error of a call to Bulk 2.0, or to Bulk 1.0 in the form of its own."""
    if "/async/" in request.path:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><error xmlns='
            '"http://www.force.com/2009/06/asyncapi/dataload">'
            f"<exceptionCode>{code}</exceptionCode><exceptionMessage>{message}</exceptionMessage>"
            "</error>"
        )
        answer = response(body.encode(), status=status, content_type="application/xml")
    else:
        answer = response([{"errorCode": code, "message": message}], status=status)
    return SERVICE.decode_error(request, answer)


@pytest.mark.parametrize(
    ("request_", "code", "message", "quota", "words"),
    [
        (
            QUERY_JOB, "LIMIT_EXCEEDED",
            "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)",
            JOBS, "query jobs",
        ),
        (
            QUERY_JOB, "LIMIT_EXCEEDED",
            "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded",
            STORAGE, "space of a day",
        ),
        (INGEST_JOB, "EXCEEDEDQUOTA", "ApiBatchItems Limit exceeded.", BATCHES, "bulk batches"),
        (BATCH, "ExceededQuota", "ApiBatchItems Limit exceeded.", BATCHES, "bulk batches"),
        (INGEST_JOB, "EXCEEDEDQUOTA", "The rows of the day are 150000000.", "bulk rows", "rows of"),
        (QUERY_JOB, "EXCEEDEDQUOTA", "No more.", JOBS, "query jobs"),
        (INGEST_JOB, "EXCEEDEDQUOTA", "No more.", BATCHES, "bulk batches"),
        (OLD_JOB, "ExceededQuota", "No more.", "bulk jobs and batches", "jobs or batches"),
    ],
)  # fmt: skip
def test_a_quota_of_the_bulk_apis_says_which_it_is_and_when_and_where(
    request_: Request, code: str, message: str, quota: str, words: str
) -> None:
    error = error_of(request_, code, message)

    assert isinstance(error, QuotaExceededError)
    assert (error.quota, error.window_s, error.retry_safe) == (quota, DAY_S, False)
    assert classify(request_, error) is Verdict.GIVE_UP
    hint = str(error.hint)
    assert words in hint
    assert "last 24 hours" in hint
    if quota in SERVICE.allocated:
        assert f"'sfconnect limits' shows it as {quota}" in hint
    assert "go on" in hint


def test_jobs_that_are_open_are_no_quota_of_a_day() -> None:
    error = error_of(OLD_JOB, "ExceededQuota", "Too many open jobs.")

    assert isinstance(error, QuotaExceededError)
    assert (error.quota, error.window_s) == ("open bulk jobs", None)
    assert "Close or abort" in str(error.hint)


@pytest.mark.parametrize("code", ["LIMIT_EXCEEDED", "STORAGE_LIMIT_EXCEEDED"])
def test_a_limit_of_another_kind_is_none_of_the_bulk_apis(code: str) -> None:
    error = error_of(REST, code, "The request can't contain more than 25 operations.")

    assert isinstance(error, QuotaExceededError)
    assert (error.quota, error.window_s, error.hint) == (None, None, None)


def test_the_days_requests_are_a_quota_of_their_own() -> None:
    error = error_of(QUERY_JOB, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)

    assert isinstance(error, QuotaExceededError)
    assert error.quota == "api-usage"


# What Bulk 1.0 writes; Bulk 2.0 writes the same in capitals.
CODES: dict[str, type[ApiError]] = {
    "ClientInputError": ApiError,
    "ExceededQuota": QuotaExceededError,
    "FeatureNotEnabled": AccessDeniedError,
    "Gone": NotFoundError,
    "HttpsRequired": ApiError,
    "InternalServerError": ApiError,
    "InvalidBatch": ApiError,
    "InvalidEntity": ApiError,
    "InvalidJob": NotFoundError,
    "InvalidJobState": ApiError,
    "InvalidOperation": ApiError,
    "InvalidSessionId": SessionExpiredError,
    "InvalidUrl": ApiError,
    "InvalidUser": AccessDeniedError,
    "InvalidVersion": NotFoundError,
    "InvalidXml": ApiError,
    "Timeout": ApiError,
    "TooManyLockFailure": ApiError,
    "TransactionSecurityBlock": AccessDeniedError,
    "TransactionSecurityDeveloperError": AccessDeniedError,
    "TransactionSecurityInternalError": AccessDeniedError,
    "Unknown": ApiError,
    "UnsupportedContentType": ApiError,
}


@pytest.mark.parametrize("request_", [BATCH, INGEST_JOB], ids=["1.0", "2.0"])
@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_class_and_is_not_sent_again_unchanged(
    request_: Request, code: str
) -> None:
    written = code if request_ is BATCH else code.upper()

    error = error_of(request_, written, "text")

    assert (type(error), error.code) == (CODES[code], written)
    assert classify(request_, error) is Verdict.GIVE_UP


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("TIMEOUT", "make it anew"),
        ("TooManyLockFailure", "sorted by parent"),
        ("InternalServerError", "make it anew"),
        ("BULK_API_ERROR", "takes its data once"),
        ("InvalidVersion", "newer one"),
    ],
)
def test_what_has_to_be_done_again_as_a_whole_says_so(code: str, words: str) -> None:
    assert words in str(error_of(INGEST_JOB, code, "text").hint)


@pytest.mark.parametrize("code", ["INTERNALSERVERERROR", "UNKNOWN", "Timeout"])
def test_a_server_that_fails_during_a_call_is_not_a_job_that_failed(code: str) -> None:
    of_read, of_create = (error_of(one, code, "text", 500) for one in (POLL, INGEST_JOB))

    assert (type(of_read), type(of_create)) == (ServerError, ServerError)
    assert classify(POLL, of_read) is Verdict.RETRY
    assert classify(INGEST_JOB, of_create) is Verdict.UNKNOWN


def test_a_query_that_bulk_does_not_take_is_an_error_of_the_query() -> None:
    wrong = error_of(QUERY_JOB, "API_ERROR", "Selecting compound data not supported in Bulk Query")
    early = error_of(Request("DELETE", f"{POLL.path}"), "API_ERROR", "the job is not terminated")

    assert isinstance(wrong, QueryError)
    assert "GROUP BY" in str(wrong.hint)
    assert (type(early), early.hint) == (ApiError, None)


@pytest.mark.parametrize(
    ("method", "path", "quotas"),
    [
        ("POST", f"{DATA}/jobs/query", (JOBS, STORAGE)),
        ("POST", f"{DATA}/jobs/query/", (JOBS, STORAGE)),
        ("POST", f"https://org.example.com{DATA}/jobs/query?x=1", (JOBS, STORAGE)),
        ("POST", f"{DATA}/jobs/ingest", (BATCHES, "bulk rows")),
        ("POST", BATCH.path, (BATCHES,)),
        ("POST", OLD_JOB.path, ()),
        ("POST", f"{ASYNC}/job/750A0000000xyz", ()),
        ("GET", f"{DATA}/jobs/query", ()),
        ("GET", f"{POLL.path}/results", ()),
        ("PUT", f"{DATA}/jobs/ingest/750A0000000xyz/batches", ()),
        ("PATCH", f"{DATA}/jobs/ingest/750A0000000xyz", ()),
        ("POST", f"{DATA}/sobjects/jobs/query", ()),
        ("POST", "/services/apexrest/jobs/query", ()),
    ],
)
def test_only_what_begins_work_uses_up_a_quota(
    method: str, path: str, quotas: tuple[str, ...]
) -> None:
    assert used_up_by(Request(method, path)) == quotas


@pytest.mark.parametrize(
    ("path", "bulk"),
    [
        (f"{DATA}/jobs/query", True),
        (f"{DATA}/jobs", True),
        (f"{DATA}/jobs/ingest/750?x=/services", True),
        (f"https://org.example.com{ASYNC}/job", True),
        ("/services/async", True),
        (f"{DATA}/jobsearch", False),
        (f"{DATA}/sobjects/Job__c/jobs", False),
        (f"{DATA}/query?q=/services/async", False),
        ("/services/apexrest/services/async", False),
    ],
)
def test_paths_of_the_bulk_apis_are_known(path: str, bulk: bool) -> None:
    assert is_bulk(path) is bulk


def test_limits_tell_of_the_bulk_apis_also_by_their_old_name() -> None:
    body = {
        "DailyApiRequests": {"Max": 10, "Remaining": 9},
        "DailyBulkApiRequests": {"Max": 100, "Remaining": 60, "An App": {"Max": 0, "Remaining": 0}},
        JOBS: {"Max": 10, "Remaining": 3},
    }

    assert list(SERVICE.read_allocations(response(body))) == [
        Quota(BATCHES, 40, 100),
        Quota(JOBS, 7, 10),
    ]


def test_the_service_asks_for_its_quotas_in_the_version_of_the_connection() -> None:
    service = SalesforceService(api_version="61.0")

    assert isinstance(service, AllocatingService)
    assert (service.question.method, service.question.path) == (
        "GET", "/services/data/v61.0/limits",
    )  # fmt: skip
