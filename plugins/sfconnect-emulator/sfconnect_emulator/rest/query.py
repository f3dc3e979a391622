"""Queries: first pages, next pages, column metadata, plans."""

from __future__ import annotations

import re

from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.rendering import JSON, json_answer
from sfconnect_emulator.rest.call import Call
from sfconnect_emulator.rest.plan import explain
from sfconnect_emulator.wire import Response

_BATCH_SIZE = re.compile(r"(?:^|[,;\s])batchSize\s*=\s*([0-9]{1,9})", re.IGNORECASE)
_SMALLEST_BATCH = 200
_LARGEST_BATCH = 2_000


def query(call: Call) -> Response:
    """Answer ``GET /query``: rows, a plan, or what the columns are."""
    params = call.request.params()
    explained = params.get("explain")
    if explained is not None:
        return json_answer(200, explain(call, explained))
    if params.get("columns", "").lower() == "true":
        return json_answer(200, _columns(call, _soql(params)))
    return _first_page(call, _soql(params), include_deleted=False)


def query_all(call: Call) -> Response:
    """Answer ``GET /queryAll``, which sees the recycle bin too."""
    return _first_page(call, _soql(call.request.params()), include_deleted=True)


def query_more(call: Call) -> Response:
    """Answer ``GET /query/<locator>``."""
    page = call.instance.queries.more(
        call.rest[1], version=call.version, max_rows=_batch_size(call)
    )
    return Response(200, {"Content-Type": JSON}, page.body(call.version))


def _columns(call: Call, soql: str) -> dict[str, object]:
    return call.instance.queries.column_metadata(
        soql, version=call.version, user=call.session.user_id
    )


def _soql(params: dict[str, str]) -> str:
    soql = params.get("q", "")
    if not soql.strip():
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    return soql


def _first_page(call: Call, soql: str, *, include_deleted: bool) -> Response:
    page = call.instance.queries.run(
        soql,
        version=call.version,
        include_deleted=include_deleted,
        max_rows=_batch_size(call) or _LARGEST_BATCH,
        user=call.session.user_id,
    )
    return Response(200, {"Content-Type": JSON}, page.body(call.version))


def _batch_size(call: Call) -> int | None:
    """The rows per page that the client asked for; out of range means the nearest allowed."""
    found = _BATCH_SIZE.search(call.request.headers.get("sforce-query-options", ""))
    if found is None:
        return None
    return max(_SMALLEST_BATCH, min(_LARGEST_BATCH, int(found[1])))
