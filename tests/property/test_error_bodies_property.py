"""Whatever a body is, an answer that is no success ends in a typed error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from sfconnect.errors import ApiError, SfConnectError
from sfconnect.messages import Request, Response
from sfconnect.salesforce.query._wire import decode_page, page_of_response
from sfconnect.salesforce.rest.calls import decode_id
from sfconnect.salesforce.service import SalesforceService

SERVICE = SalesforceService()
KEYS = [
    "errorCode", "statusCode", "exceptionCode", "error", "message", "exceptionMessage",
    "error_description", "fields", "output", "errors", "fieldErrors", "ext", "sfdc",
    "failureReason", "id", "success", "records", "done", "totalSize", "nextRecordsUrl",
]  # fmt: skip
TEXTS = st.sampled_from(["", "INVALID_FIELD", "401::x", "INVALID_SESSION_ID", "ü", "Name"])
LEAVES = st.none() | st.booleans() | st.integers() | TEXTS
# The words that the decoders look for, with any value behind them and at any depth.
JSON = st.recursive(
    LEAVES,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(KEYS), part),
    max_leaves=12,
)
XML = st.recursive(
    st.sampled_from(["", "text", "INVALID_SESSION_ID", "&amp;", "&x;", "<", "]]>"]),
    lambda part: st.tuples(st.sampled_from([*KEYS, "faultcode", "x:faultcode"]), part).map(
        lambda pair: "<{0}>{1}</{0}>".format(*pair)
    ),
)
HEADS = st.sampled_from(
    ["", "\n ", "\ufeff", '<?xml version="1.0" encoding="utf-32"?>',
     '<?xml version="1.0" encoding="no-such"?>', "<!DOCTYPE html>", "<html><title>", "<h1>"]
)  # fmt: skip
BODIES = st.one_of(
    JSON.map(msgspec.json.encode),
    st.builds(lambda head, body: (head + body).encode(), HEADS, XML),
    st.binary(max_size=40),
    st.builds(lambda head, value: head.encode() + msgspec.json.encode(value), HEADS, JSON),
)
ANSWERS = st.builds(
    lambda status, kind, body: Response(status, CIMultiDict({"Content-Type": kind}), body),
    st.sampled_from([300, 302, 400, 401, 403, 404, 409, 415, 420, 429, 500, 502, 503]),
    st.sampled_from(["application/json", "text/xml", "text/html; charset=x", "text/plain", ""]),
    BODIES,
)
GET = Request("GET", "/services/data/v68.0/query")


@given(ANSWERS)
@example(Response(400, {}, b"[" * 100_000))
@example(Response(500, {}, b'[{"output":{"errors":["x"],"fieldErrors":{"a":5}}}]'))
@example(Response(403, {}, b'[{"ext":"failureReason"}]' + b"[" * 100_000))
def test_an_answer_that_is_no_success_ends_in_a_typed_error(answer: Response) -> None:
    error = SERVICE.decode_error(GET, answer)

    assert isinstance(error, ApiError)
    assert error.status == answer.status
    assert error.message
    assert isinstance(SERVICE.token_is_dead(answer), bool)


@pytest.mark.parametrize("decode", [decode_page, page_of_response, decode_id])
@given(BODIES)
@example(b'{"a":' * 100_000)
@example(b'{"success": false, "errors": 5}')
@example(b'{"success": false, "errors": [{"fields": 5}]}')
def test_a_success_is_decoded_or_raises_a_typed_error(decode: Any, body: bytes) -> None:
    try:
        decode(Response(200, CIMultiDict(), body))
    except SfConnectError as error:
        assert error.message  # noqa: PT017  # there may be none
