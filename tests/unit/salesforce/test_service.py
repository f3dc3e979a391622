from __future__ import annotations

from typing import Any

import pytest

from sfconnect import Credentials, Secret
from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    AuthConfigurationError,
    ConfigurationError,
    MultipleMatchesError,
    NotFoundError,
    QueryError,
    QuotaExceededError,
    RecordError,
    ServerError,
    SessionExpiredError,
    ThrottledError,
)
from sfconnect.limits import Quota
from sfconnect.messages import Request
from sfconnect.salesforce.service import SalesforceService
from tests.unit.salesforce.canned import response

SERVICE = SalesforceService()
GET = Request("GET", "/services/data/v68.0/sobjects/Account/001?fields=Id")


def error_of(body: object, status: int = 400, **rest: Any) -> ApiError:
    return SERVICE.decode_error(GET, response(body, status=status, **rest))


def fault(code: str, message: str = "text", **rest: object) -> list[dict[str, object]]:
    return [{"message": message, "errorCode": code, **rest}]


@pytest.mark.parametrize(
    ("code", "message", "status", "kind", "retry_safe"),
    [
        ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", 400, ThrottledError, True),
        ("SERVER_UNAVAILABLE", "busy", 503, ThrottledError, True),
        ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403, QuotaExceededError, False),
        (
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            403,
            ThrottledError,
            True,
        ),
        (
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentPerOrgLongTxn Limit exceeded.",
            403,
            ThrottledError,
            True,
        ),
        ("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500, ServerError, None),
        ("QUERY_TIMEOUT", "too long", 400, ServerError, None),
        ("INVALID_QUERY_LOCATOR", "invalid query locator", 400, ApiError, False),
        ("INVALID_FIELD", "No such column 'F__c' on sobject of type X", 400, RecordError, False),
        ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", 400, RecordError, False),
        ("INSUFFICIENT_ACCESS", "no", 403, AccessDeniedError, False),
        ("API_DISABLED_FOR_ORG", "no", 403, AccessDeniedError, False),
        ("STORAGE_LIMIT_EXCEEDED", "full", 400, QuotaExceededError, False),
        ("CUSTOM_FIELD_LIMIT_EXCEEDED", "full", 400, QuotaExceededError, False),
        ("ENTITY_IS_DELETED", "entity is deleted", 404, NotFoundError, False),
        ("NOT_FOUND", "The requested resource does not exist", 404, NotFoundError, False),
        ("APEX_ERROR", "System.NullPointerException", 500, ServerError, False),
        ("SOMETHING_NEW", "who knows", 400, ApiError, False),
        ("SOMETHING_NEW", "who knows", 502, ServerError, None),
        ("INVALID_SESSION_ID", "Session expired or invalid", 401, SessionExpiredError, False),
    ],
)
def test_a_code_becomes_its_class_and_its_retry_fact(
    code: str, message: str, status: int, kind: type[ApiError], retry_safe: bool | None
) -> None:
    error = error_of(fault(code, message), status)

    assert type(error) is kind
    assert error.retry_safe is retry_safe
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize(
    ("body", "status", "content_type", "kind", "words"),
    [
        (b"<html><head><title>Down For Maintenance</title></head></html>", 503, "text/html",
         ServerError, "Down For Maintenance"),
        (b"<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>", 414, "text/html",
         ApiError, "Bad Message 414"),
        (b"", 500, "", ServerError, "an empty body"),
        (b"", 404, "", NotFoundError, "an empty body"),
        (b"gateway says no", 502, "text/plain", ServerError, "text/plain"),
        (b"{not json", 400, "application/json", ApiError, "no Salesforce error"),
        (b'"text"', 400, "application/json", ApiError, "no Salesforce error"),
        (b"[]", 401, "application/json", SessionExpiredError, "no Salesforce error"),
        (b"\xff\xfe", 400, "application/octet-stream", ApiError, "no Salesforce error"),
        (b"<a><!DOCTYPE x></a>", 400, "text/xml", ApiError, "no Salesforce error"),
        (b"<broken", 500, "text/xml", ServerError, "no Salesforce error"),
    ],
    ids=["maintenance", "too-long", "empty-500", "empty-404", "plain", "cut-json", "json-text",
         "empty-list", "binary", "doctype", "cut-xml"],
)  # fmt: skip
def test_a_body_without_a_code_is_decided_by_the_status_and_described(
    body: bytes, status: int, content_type: str, kind: type[ApiError], words: str
) -> None:
    error = error_of(body, status, content_type=content_type)

    assert type(error) is kind
    assert words in error.message
    assert "/sobjects/Account/001" in error.message


def test_the_path_in_a_message_has_no_query_string() -> None:
    request = Request("GET", "/services/data/v68.0/query?q=SELECT+secret", params={"q": "private"})

    error = SERVICE.decode_error(request, response(b"", status=500))

    assert "secret" not in str(error)
    assert "private" not in str(error)


def test_420_from_the_edge_may_be_repeated_by_any_method() -> None:
    error = error_of(b"<html><title>We are setting things up</title></html>", 420)

    assert error.retry_safe is True
    assert error.throttled


def test_a_gateways_retry_after_reaches_the_error() -> None:
    error = error_of(fault("SERVER_UNAVAILABLE"), 503, headers={"Retry-After": "7"})

    assert error.retry_after == 7.0


@pytest.mark.parametrize("value", ["", "soon", "-1", "inf", "nan", "Mon, 23 Nov 2026 14:05:06 GMT"])
def test_a_retry_after_that_is_no_number_of_seconds_counts_as_absent(value: str) -> None:
    error = error_of(b"", 503, headers={"Retry-After": value})

    assert error.retry_after is None


@pytest.mark.parametrize(
    ("body", "code", "message", "fields"),
    [
        (
            [{"statusCode": "INVALID_EMAIL", "message": "m", "fields": ["Email"]}],
            "INVALID_EMAIL",
            "m",
            ("Email",),
        ),
        ({"exceptionCode": "InvalidBatch", "exceptionMessage": "m"}, "InvalidBatch", "m", ()),
        ({"error": "invalid_grant", "error_description": "m"}, "invalid_grant", "m", ()),
        (
            {
                "enhancedErrorType": "RecordError",
                "message": "outer",
                "output": {
                    "errors": [],
                    "fieldErrors": {"F": [{"errorCode": "REQUIRED_FIELD_MISSING", "message": "m"}]},
                },
            },
            "REQUIRED_FIELD_MISSING",
            "m",
            ("F",),
        ),
        (
            b"<?xml version='1.0'?><Errors><Error><errorCode>NOT_FOUND</errorCode>"
            b"<message>m</message></Error></Errors>",
            "NOT_FOUND",
            "m",
            (),
        ),
        (
            b"<error xmlns='http://www.force.com/2009/06/asyncapi/dataload'>"
            b"<exceptionCode>InvalidJob</exceptionCode><exceptionMessage>m</exceptionMessage>"
            b"</error>",
            "InvalidJob",
            "m",
            (),
        ),
        (
            b"<soapenv:Envelope xmlns:soapenv='x'><soapenv:Body><soapenv:Fault>"
            b"<faultcode>sf:INVALID_OPERATION</faultcode><faultstring>m</faultstring>"
            b"</soapenv:Fault></soapenv:Body></soapenv:Envelope>",
            "INVALID_OPERATION",
            "m",
            (),
        ),
        (b"Bad_OAuth_Token", "Bad_OAuth_Token", "Bad_OAuth_Token", ()),
    ],
    ids=["collections", "bulk1", "oauth", "ui-api", "rest-xml", "bulk1-xml", "soap", "word"],
)
def test_every_form_of_error_body_is_read(
    body: object, code: str, message: str, fields: tuple[str, ...]
) -> None:
    content_type = "text/plain" if body == b"Bad_OAuth_Token" else "application/json"

    error = error_of(body, 400, content_type=content_type)

    assert (error.code, error.message, error.fields) == (code, message, fields)


def test_several_faults_are_all_kept() -> None:
    error = error_of([*fault("STRING_TOO_LONG", "a"), *fault("INVALID_STATUS", "b")])

    assert error.details == (("STRING_TOO_LONG", "a"), ("INVALID_STATUS", "b"))


def test_a_query_error_tells_its_place_and_leaves_the_query_out() -> None:
    text = (
        "\nName = 'private' AND Foo__c = 1\n                     ^\n"
        "ERROR at Row:1:Column:41\nNo such column 'Foo__c' on entity 'Account'."
    )

    query = Request("GET", "/services/data/v68.0/query", params={"q": "…"})

    error = SERVICE.decode_error(query, response(fault("INVALID_FIELD", text), status=400))

    assert isinstance(error, QueryError)
    assert (error.line, error.column) == (1, 41)
    assert error.message == "No such column 'Foo__c' on entity 'Account'."


CANARY = "Ünïque-canary, it's 'quoted' (max length=80)"


@pytest.mark.parametrize(
    "template",
    [
        "Email: invalid email address: {}",
        "Type: bad value for restricted picklist field: {}",
        "Name: data value too large: {} (max length=80)",
        "Foreign key external ID: {} not found for field Ext__c in entity Parent__c",
        "Record ID: id value of incorrect type: {}",
        "invalid ID field: {}",
        "unexpected token: '{}'",
        "Cannot deserialize instance of double from VALUE_STRING value {} or request may be "
        "missing a required field at [line:1, column:19]",
        "Unrecognized token '{}': was expecting ('true', 'false' or 'null')",
    ],
)
def test_record_values_do_not_reach_a_message(template: str) -> None:
    error = error_of(fault("SOMETHING", template.format(CANARY)))

    assert "canary" not in str(error)
    assert "canary" not in repr(error.details)


def comet(reason: str) -> list[dict[str, object]]:
    """What CometD says to a handshake."""
    return [{"successful": False, "ext": {"sfdc": {"failureReason": reason}}}]


@pytest.mark.parametrize(
    ("status", "body", "dead"),
    [
        (401, fault("INVALID_SESSION_ID"), True),
        (401, fault("INVALID_AUTH_HEADER"), True),
        (401, fault("INVALID_JWT_FORMAT"), True),
        (401, b"", True),
        (401, fault("X", "This session is not valid for use with the REST API"), False),
        (401, fault("X", "Connected app is not attached to Agent"), False),
        (403, b"Bad_OAuth_Token", True),
        (403, b"Wrong_Org", False),
        (403, fault("REQUEST_LIMIT_EXCEEDED"), False),
        (400, {"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid"}, True),
        (400, fault("MALFORMED_QUERY"), False),
        (500, b"<a><f><faultcode>sf:INVALID_SESSION_ID</faultcode></f></a>", True),
        (500, b"", False),
        (404, fault("INVALID_SESSION_ID"), False),
        (403, comet("401::Authentication invalid"), True),
        (400, comet("401::Request requires authentication"), True),
        (403, comet("403::Handshake denied"), False),
        (403, b'{"failureReason": "401::x"}', False),
        (403, b'["failureReason 401::"]', False),
        (403, b'[{"ext": {}, "failureReason": "401::"}]', False),
        (400, b"failureReason \xff", False),
    ],
)
def test_which_answers_mean_a_dead_token(status: int, body: object, dead: bool) -> None:
    assert SERVICE.token_is_dead(response(body, status=status)) is dead


def test_a_token_without_the_api_scope_is_about_rights_and_says_what_to_change() -> None:
    error = error_of(
        fault("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), 401
    )

    assert type(error) is AccessDeniedError
    assert "scope 'api'" in str(error.hint)


def test_an_app_that_may_not_talk_to_an_agent_says_what_to_change() -> None:
    error = error_of(fault("X", "Connected app is not attached to Agent"), 401)

    assert type(error) is AccessDeniedError
    assert "connections" in str(error.hint)


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"


GATEWAY, ORG = "https://api.salesforce.com", "https://acme.my.salesforce.com"


@pytest.mark.parametrize(
    ("instance_url", "path", "token", "answered", "explained"),
    [
        (GATEWAY, "/einstein/ai-agent/v1", "00Dx!a", (404, b""), True),
        (f"{GATEWAY}/", "/einstein", "00Dx!a", (404, b" \n"), True),
        ("https://test.api.salesforce.com", "/einstein", "00Dx!a", (404, b""), True),
        (ORG, f"{GATEWAY}/x", "00Dx!a", (404, b""), True),
        (GATEWAY, "/einstein", JWT, (404, b""), False),
        (GATEWAY, "/einstein", "00Dx!a", (404, b"{}"), False),
        (GATEWAY, "/einstein", "00Dx!a", (400, b""), False),
        (ORG, "/einstein", "00Dx!a", (404, b""), False),
        (f"{GATEWAY}.evil.example", "/x", "00Dx!a", (404, b""), False),
    ],
)
def test_an_empty_404_of_the_gateway_is_explained_by_an_opaque_token(
    instance_url: str, path: str, token: str, answered: tuple[int, bytes], explained: bool
) -> None:
    status, body = answered
    used = Credentials(Secret(token), instance_url)

    error = SERVICE.explain_refusal(Request("GET", path), response(body, status=status), used)

    assert (error is not None) is explained
    if error is not None:
        assert type(error) is AuthConfigurationError
        assert "JWT)-based access tokens" in (error.hint or "")
        assert token not in str(error)


def test_several_matches_of_an_external_id_are_listed() -> None:
    paths = [
        "/services/data/v68.0/sobjects/Account/001A",
        "/services/data/v68.0/sobjects/Account/1",
    ]

    error = error_of(paths, 300)

    assert isinstance(error, MultipleMatchesError)
    assert list(error.matches) == paths


def test_an_unreadable_300_is_still_several_matches() -> None:
    error = error_of(b"<html>", 300)

    assert isinstance(error, MultipleMatchesError)
    assert error.matches == ()


@pytest.mark.parametrize(
    ("header", "quotas"),
    [
        ("api-usage=74/15000", [Quota("api-usage", 74, 15000)]),
        (
            "api-usage=17/15000; per-app-api-usage=16/250(appName=my-app)",
            [
                Quota("api-usage", 17, 15000),
                Quota("per-app-api-usage", 16, 250, "appName=my-app"),
            ],
        ),
        (
            "per-app-api-usage=1/2(appName=a;b=3/4); api-usage=5/6;new-kind=7/8",
            [
                Quota("per-app-api-usage", 1, 2, "appName=a;b=3/4"),
                Quota("api-usage", 5, 6),
                Quota("new-kind", 7, 8),
            ],
        ),
        (
            "per-app-api-usage=1/2(appName=a (b) c=1/2); api-usage=5/6",
            [Quota("per-app-api-usage", 1, 2, "appName=a (b) c=1/2"), Quota("api-usage", 5, 6)],
        ),
        ("per-app-api-usage=1/2(appName=c=3/4", [Quota("per-app-api-usage", 1, 2)]),
        (f"api-usage={'9' * 5000}/1", []),
        ("", []),
        ("something else", []),
    ],
)
def test_the_limit_header_is_read_in_all_its_forms(header: str, quotas: list[Quota]) -> None:
    assert SERVICE.read_quota(header) == quotas


def test_what_is_left_of_an_overrun_quota_is_nothing() -> None:
    assert Quota("api-usage", 15010, 15000).remaining == 0


def credentials(instance_url: str) -> Credentials:
    return Credentials(Secret("t"), instance_url)


@pytest.mark.parametrize(
    ("url", "owned"),
    [
        ("https://acme.my.salesforce.com/services/data", True),
        ("https://ACME.my.salesforce.com:443/x", True),
        ("http://acme.my.salesforce.com/x", False),
        ("https://acme.my.salesforce.com:8443/x", False),
        ("https://acme.my.salesforce.com.evil.example/x", False),
        ("https://acme.my.salesforce.com@evil.example/x", False),
        ("https://evil.example/https://acme.my.salesforce.com", False),
    ],
)
def test_only_the_orgs_own_origin_gets_its_token(url: str, owned: bool) -> None:
    assert SERVICE.owns(url, credentials("https://acme.my.salesforce.com")) is owned


def test_plain_http_is_for_loopback_only() -> None:
    with pytest.raises(ConfigurationError, match="plain http"):
        SERVICE.base_url(credentials("http://acme.my.salesforce.com"))

    assert SERVICE.base_url(credentials("http://127.0.0.1:8080/")) == "http://127.0.0.1:8080"


@pytest.mark.parametrize("before", [b"\n", b"\xef\xbb\xbf", b" \r\n\t"])
@pytest.mark.parametrize(
    "body",
    [
        b'[{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "busy"}]',
        b"<Errors><Error><errorCode>UNABLE_TO_LOCK_ROW</errorCode></Error></Errors>",
    ],
)
def test_what_stands_before_a_body_does_not_hide_its_code(before: bytes, body: bytes) -> None:
    error = error_of(before + body)

    assert (type(error), error.code) == (ThrottledError, "UNABLE_TO_LOCK_ROW")


def test_retry_after_may_be_a_date_beside_a_code_too() -> None:
    headers = {
        "Date": "Tue, 01 Dec 2026 10:00:00 GMT",
        "Retry-After": "Tue, 01 Dec 2026 10:00:07 GMT",
    }

    error = error_of(fault("SERVER_UNAVAILABLE"), 503, headers=headers)

    assert error.retry_after == 7.0


def test_a_value_in_the_path_is_in_no_message() -> None:
    request = Request("GET", "/sobjects/Account/Email__c/a%40b.c", shown_as="/sobjects/Account/E/…")

    errors = [
        SERVICE.decode_error(request, response(b"", status=status)) for status in (300, 404, 503)
    ]

    assert not any("a%40b.c" in str(error) for error in errors)
    assert "/sobjects/Account/E/…" in str(errors[1])


def test_an_error_of_several_records_tells_those_of_each():
    body = {
        "hasErrors": True,
        "results": [
            {"referenceId": "c1", "errors": [{"statusCode": "INVALID_EMAIL_ADDRESS",
                                              "message": "invalid", "fields": ["Email"]}]},
            {"referenceId": "c2", "errors": [{"statusCode": "STRING_TOO_LONG", "message": "long"}]},
            {"referenceId": "c3", "errors": [{"fields": []}, "broken"]},
        ],
    }  # fmt: skip

    error = SERVICE.decode_error(Request("POST", "/x"), response(body, status=400))

    assert isinstance(error, RecordError)
    assert (error.code, error.fields) == ("INVALID_EMAIL_ADDRESS", ("Email",))
    assert [code for code, _ in error.details] == ["INVALID_EMAIL_ADDRESS", "STRING_TOO_LONG"]
