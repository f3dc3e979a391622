"""The plain HTTP API: base URLs, errors by status, and when to come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    ConfigurationError,
    NotFoundError,
    ServerError,
    SessionExpiredError,
    ThrottledError,
)
from sfconnect.messages import Request, Response
from sfconnect.service import HttpService, checked_base_url, origin, parse_retry_after

CREDENTIALS = Credentials(Secret("t"), "https://api.example.com")


@pytest.fixture
def service() -> HttpService:
    return HttpService("https://api.example.com/v1/", headers={"X-Client": "x"})


def answer(status: int, **headers: str) -> Response:
    return Response(status, {name.replace("_", "-"): text for name, text in headers.items()}, b"")


def test_a_base_url_loses_its_trailing_slash(service):
    assert service.base_url(CREDENTIALS) == "https://api.example.com/v1"
    assert service.name == "api.example.com"
    assert service.headers == {"X-Client": "x"}


@pytest.mark.parametrize(
    "url", ["https://a.b", "http://localhost:80", "http://127.0.0.1/x", "http://[::1]:8080"]
)
def test_https_anywhere_and_http_on_this_machine_are_fine(url):
    assert checked_base_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "http://api.example.com",
        "http://localhost.example.com",
        "https://user:canary@api.example.com",
        "https://api.example.com/?token=canary",
        "https://api.example.com/#canary",
        "https://api.example.com:port",
        "https://api.example.com:99999",
        "https://[::1",
    ],
)
def test_a_base_url_that_no_token_should_go_to_is_refused(url):
    with pytest.raises(ConfigurationError) as caught:
        checked_base_url(url)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "owned"),
    [
        ("https://api.example.com/v1/x", True),
        ("https://API.example.com:443/other", True),
        ("http://api.example.com/", False),
        ("https://api.example.com:444/", False),
        ("https://api.example.com.evil.example/", False),
        ("https://evil.example/api.example.com", False),
        ("https://api.example.com@evil.example/", False),
        ("https://[broken", False),
        ("https://api.example.com:port/", False),
    ],
)
def test_only_scheme_host_and_port_of_the_base_url_get_the_token(service, url, owned):
    assert service.owns(url, CREDENTIALS) is owned


@given(st.text())
def test_any_text_has_an_origin(url):
    scheme, host, port = origin(url)

    assert scheme == scheme.lower()
    assert host == host.lower()
    assert port is None or port >= 0


@pytest.mark.parametrize(
    ("status", "kind", "retry_safe"),
    [
        (302, ApiError, False),
        (400, ApiError, False),
        (401, SessionExpiredError, False),
        (403, AccessDeniedError, False),
        (404, NotFoundError, False),
        (408, ServerError, None),
        (410, NotFoundError, False),
        (418, ApiError, False),
        (425, ThrottledError, True),
        (429, ThrottledError, True),
        (500, ServerError, None),
        (501, ApiError, False),
        (502, ServerError, None),
        (503, ServerError, None),
        (599, ServerError, None),
    ],
)
def test_a_status_stands_for_an_error_with_its_facts(service, status, kind, retry_safe):
    request = Request("GET", "/x?q=canary")

    error = service.decode_error(request, answer(status, Retry_After="7", Request_Id="r1"))

    assert type(error) is kind
    assert (error.status, error.retry_safe, error.retry_after) == (status, retry_safe, 7.0)
    assert error.request_id == "r1"
    assert f"GET /x answered {status}" in str(error)
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("status", "challenge", "dead"),
    [
        (401, None, True),
        (401, "Bearer", True),
        (401, 'Basic realm="x"', True),
        (401, 'Bearer error="invalid_token"', True),
        (401, 'Basic realm="x", Bearer realm="y", error="invalid_token"', True),
        (401, 'Bearer realm="insufficient_scope explained", error="invalid_token"', True),
        (401, 'Bearer error="insufficient_scope"', False),
        (401, 'Bearer error="invalid_request"', False),
        (401, 'DPoP error="invalid_token"', True),
        (400, 'Bearer error="invalid_token"', True),
        (403, 'Bearer error="invalid_token"', True),
        (403, 'Bearer error="insufficient_scope", scope="a"', False),
        (403, 'Bearer realm="invalid_token"', False),
        (403, None, False),
        (400, None, False),
        (500, 'Bearer error="invalid_token"', False),
        (200, 'Bearer error="invalid_token"', False),
    ],
)
def test_a_bearer_challenge_decides_whether_the_token_is_dead(service, status, challenge, dead):
    headers = {} if challenge is None else {"WWW_Authenticate": challenge}

    assert service.token_is_dead(answer(status, **headers)) is dead


@pytest.mark.parametrize("status", [401, 403])
def test_a_scope_that_is_too_small_is_told_as_such(service, status):
    response = answer(status, WWW_Authenticate='Bearer error="insufficient_scope"')

    hint = service.decode_error(Request("GET", "/x"), response).hint

    assert hint is not None
    assert "further scope" in hint


def test_without_a_base_url_the_api_is_where_the_login_says():
    service = HttpService()

    assert service.base_url(CREDENTIALS) == "https://api.example.com"
    assert service.owns("https://api.example.com/x", CREDENTIALS)
    assert not service.owns("https://evil.example/x", CREDENTIALS)
    with pytest.raises(ConfigurationError):
        service.base_url(Credentials(Secret("t"), "http://api.example.com"))


def test_a_plain_api_tells_no_quota(service):
    assert service.read_quota("5/100") == ()
    assert service.quota_header is None


DATE = "Fri, 31 Dec 1999 23:59:00 GMT"


@pytest.mark.parametrize(
    ("value", "sent", "seconds"),
    [
        (None, None, None),
        ("120", None, 120.0),
        ("0", None, 0.0),
        ("1.5", None, 1.5),
        ("-1", None, None),
        ("nan", None, None),
        ("inf", None, None),
        ("soon", None, None),
        (f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", DATE, None),
        ("Fri, 31 Dec 1999 23:59:59 +99999999999999", DATE, None),
        ("soon", DATE, None),
        ("", DATE, None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", DATE, 59.0),
        ("Fri, 31 Dec 1999 23:58:00 GMT", DATE, 0.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None, None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "yesterday", None),
        ("Fri, 31 Dec 1999 23:59:59 -0000", DATE, None),
    ],
)
def test_when_to_come_back_is_read_in_both_its_forms(value, sent, seconds):
    assert parse_retry_after(value, sent=sent) == seconds


@given(st.text(), st.text())
def test_no_header_value_breaks_the_reading(value, sent):
    seconds = parse_retry_after(value, sent=sent)

    assert seconds is None or seconds >= 0


def test_a_date_to_come_back_at_is_taken_from_the_answer(service):
    headers = {"Retry_After": "Fri, 31 Dec 1999 23:59:30 GMT", "Date": DATE}

    assert service.decode_error(Request("GET", "/x"), answer(503, **headers)).retry_after == 30.0
