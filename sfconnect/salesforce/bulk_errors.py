"""What the errors of the Bulk APIs mean, and which of their quotas a call uses up.

Bulk 2.0 writes its codes in capitals without underscores, Bulk 1.0 in camel case; they are the
same codes. Sources: Bulk API Developer Guide, "Errors"; "Bulk API and Bulk API 2.0 Limits and
Allocations".
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from sfconnect.errors import QueryError, QuotaExceededError, ServerError
from sfconnect.salesforce.error_codes import DAY_S, Meaning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.messages import Request

SURFACE: Final = "bulk"
"""The surface of requests to the Bulk APIs."""
BATCHES: Final = "DailyBulkApiBatches"
QUERY_JOBS: Final = "DailyBulkV2QueryJobs"
RESULT_STORAGE: Final = "DailyBulkV2QueryFileStorageMB"
ROWS: Final = "bulk rows"
"""Our word for a quota that ``/limits`` does not tell."""
QUOTAS: Final[Mapping[str, bool]] = {BATCHES: False, QUERY_JOBS: True, RESULT_STORAGE: False}
"""What ``/limits`` tells of the Bulk APIs, and whether a call that uses it up takes one of it."""
OLD_NAMES: Final[Mapping[str, str]] = {"DailyBulkApiRequests": BATCHES}
"""Names of quotas before API version 49.0."""

_PATH = re.compile(r"(?:https?://[^/]+)?/services/(?:data/v[\d.]+/jobs|async)(?:[/?]|$)")
_BEGINS = re.compile(r"[^?]*/(?P<what>jobs/query|jobs/ingest|async/[\d.]+/job/\w+/batch)/?(?:\?|$)")


_USED_UP_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "jobs/query": (QUERY_JOBS, RESULT_STORAGE),
    "jobs/ingest": (BATCHES, ROWS),
}


def is_bulk(path: str) -> bool:
    """Whether a path, or an address, belongs to one of the Bulk APIs."""
    return _PATH.match(path) is not None


def used_up_by(request: Request) -> tuple[str, ...]:
    """The quotas that a request uses up if it succeeds: first that which it takes one of.

    Polling, uploads, results, closing and aborting use up none: they go on when a quota is spent.
    """
    if request.method != "POST" or not is_bulk(request.path):
        return ()
    begins = _BEGINS.match(request.path)
    if begins is None:
        return ()
    return _USED_UP_BY.get(begins["what"], (BATCHES,))


def bulk_meaning(request: Request, status: int, code: str, message: str) -> Meaning | None:
    """Say what a code means that means something else, or more, of the Bulk APIs; else None."""
    code = code.upper()
    if code in {"EXCEEDEDQUOTA", "LIMIT_EXCEEDED"}:
        return _quota(request, code, message)
    if not is_bulk(request.path):
        return None
    if code in _SERVER_FAILED and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Not the job has failed then but this call, of which nobody knows what it did.
        return Meaning(ServerError, None)
    if code == "API_ERROR" and used_up_by(request)[:1] == (QUERY_JOBS,):
        return Meaning(QueryError, False, _NOT_FOR_BULK)
    return None


_SERVER_FAILED: Final = frozenset({"INTERNALSERVERERROR", "UNKNOWN", "TIMEOUT"})
_NOT_FOR_BULK: Final = (
    "Bulk queries take no GROUP BY, aggregates, OFFSET, TYPEOF, subqueries, compound or base64 "
    "fields, and not every object; change the query, or use a REST query."
)


def _quota(request: Request, code: str, message: str) -> Meaning | None:
    """Tell the quotas apart by what the API writes, and else by what was asked for."""
    words = message.lower()
    quota = next((name for pattern, name in _WORDS if pattern.search(words)), None)
    if quota is None and code == "EXCEEDEDQUOTA":
        quota = next(iter(used_up_by(request)), _SOME)
    if quota is None:  # LIMIT_EXCEEDED is also what other APIs say of a request that is too large
        return None
    window_s = None if quota == _OPEN_JOBS else DAY_S
    return Meaning(QuotaExceededError, False, _HINTS[quota], window_s=window_s, quota=quota)


_OPEN_JOBS: Final = "open bulk jobs"
_SOME: Final = "bulk jobs and batches"
_WORDS: Final = (
    (re.compile(r"bulk.*result size|result size stored"), RESULT_STORAGE),
    (re.compile(r"bulk.*query jobs?\b"), QUERY_JOBS),
    (re.compile(r"\bopen\b.*\bjobs?\b|\bjobs?\b.*\bopen\b"), _OPEN_JOBS),
    (re.compile(r"apibatchitems|\bbatch(?:es)?\b"), BATCHES),
    (re.compile(r"bulk.*\b(?:records|rows)\b|\b(?:records|rows)\b.*\b(?:24|day|daily)\b"), ROWS),
)
_ROLLING: Final = (
    "It counts the last 24 hours, so there is room bit by bit, and at the latest a day from now. "
)
_SEE: Final = "'sfconnect limits' shows it as {}; {} go on."
_HINTS: Final[Mapping[str, str]] = {
    BATCHES: "The org's bulk batches are used up (15,000 a day as a rule, one for each 10,000 rows "
    "of an ingest job). "
    + _ROLLING
    + _SEE.format(BATCHES, "REST calls, bulk queries and jobs that have their data"),
    QUERY_JOBS: "The org's bulk query jobs are used up (10,000 a day as a rule). "
    + _ROLLING
    + _SEE.format(QUERY_JOBS, "REST calls, ingest jobs and the results of jobs that are made"),
    RESULT_STORAGE: "The results of bulk queries take all the space of a day (1 TB as a rule). "
    + _ROLLING
    + _SEE.format(
        RESULT_STORAGE, "REST queries, ingest jobs and the results of jobs that are made"
    ),
    ROWS: "The rows of bulk ingest jobs are used up (150,000,000 a day as a rule). "
    + _ROLLING
    + "Setup → Bulk Data Load Jobs shows what loads them; REST calls and bulk queries go on.",
    _OPEN_JOBS: "Too many bulk jobs are open. Close or abort those that nobody feeds any more "
    "(Setup → Bulk Data Load Jobs); they count for up to 24 hours otherwise.",
    _SOME: "The org's bulk jobs or batches are used up. "
    + _ROLLING
    + f"'sfconnect limits' shows {BATCHES} and {QUERY_JOBS}; REST calls go on.",
}
