"""Real answers of real orgs: each decodes, or raises the right typed error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    NotFoundError,
    QueryError,
    RecordError,
    ServerError,
)
from sfconnect.messages import Request, Response
from sfconnect.salesforce.error_bodies import read_faults
from sfconnect.salesforce.query._wire import decode_page
from sfconnect.salesforce.resources import decode_row, decode_rows
from sfconnect.salesforce.rest.calls import decode_id, decode_nothing
from sfconnect.salesforce.service import SalesforceService
from tests.unit.salesforce.canned import response

SAMPLES = os.environ.get("SFCONNECT_SAMPLES")
FOLDER = Path(SAMPLES or ".") / "recorded"

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(SAMPLES is None, reason="SFCONNECT_SAMPLES names no folder of samples"),
]

ERRORS: dict[str, tuple[type[ApiError], str | None]] = {
    "049": (ServerError, None),
    "085": (RecordError, "INVALID_FIELD"),
    "087": (RecordError, "REQUIRED_FIELD_MISSING"),
    "095": (QueryError, "INVALID_FIELD"),
    "103": (RecordError, "MALFORMED_ID"),
    "107": (NotFoundError, "NOT_FOUND"),
    "113": (ApiError, "INVALIDJOBSTATE"),
    "127": (ApiError, "invalid_client"),
    "129": (AccessDeniedError, "INVALID_LOGIN"),
    "137": (ServerError, "Client"),
    "145": (QueryError, "MALFORMED_SEARCH"),
    "151": (NotFoundError, "NOT_FOUND"),
    "153": (ApiError, "invalid_grant"),
}


def entries(*, errors: bool) -> Iterator[Any]:
    if SAMPLES is None:
        return
    index = json.loads((FOLDER / "index.json").read_bytes())
    for entry in index["responses"]:
        if (entry["status"] >= 300) is errors:
            yield pytest.param(entry, id=f"{entry['id']}-{entry['api']}")


def as_response(entry: dict[str, Any]) -> Response:
    body = (FOLDER / entry["body_file"]).read_bytes() if entry["body_file"] else b""
    return response(body, status=entry["status"], headers=entry["headers"])


def decoder(entry: dict[str, Any]) -> Callable[[Response], object]:
    api, method, path = entry["api"], entry["method"], entry["endpoint"]
    if entry["status"] == 204:
        return decode_nothing
    if "/query/?" in path or "/query?" in path or "/query/01g" in path:
        return decode_page
    if api == "rows" and method == "POST":
        return decode_id
    if path.endswith("/recent") or "/composite/sobjects" in path or api == "bulk1":
        return decode_rows if path.endswith(("/recent", "/Id", "/result")) else Response.json
    return decode_row if entry["body_file"].endswith(".json") else lambda answer: answer.text


@pytest.mark.parametrize("entry", list(entries(errors=False)))
def test_a_recorded_success_decodes(entry: dict[str, Any]) -> None:
    answer = as_response(entry)
    if (entry["body_file"] or "").endswith(".xml"):
        assert read_faults(answer) == ()
        return

    value = decoder(entry)(answer)

    assert (value is None) is (entry["status"] == 204)


@pytest.mark.parametrize("entry", list(entries(errors=True)))
def test_a_recorded_error_becomes_its_typed_error(entry: dict[str, Any]) -> None:
    kind, code = ERRORS[entry["id"]]

    error = SalesforceService().decode_error(
        Request(entry["method"], entry["endpoint"]), as_response(entry)
    )

    assert (type(error), error.code) == (kind, code)


@pytest.mark.skipif(SAMPLES is None, reason="SFCONNECT_SAMPLES names no folder of samples")
def test_every_recorded_error_is_in_the_table() -> None:
    assert {param.values[0]["id"] for param in entries(errors=True)} == set(ERRORS)
