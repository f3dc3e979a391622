"""Token requests as bytes, and answers of every shape."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, unquote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import Secret
from sfconnect.auth.oauth2.wire import (
    AnswerMembers,
    Client,
    Refusal,
    TokenAnswer,
    basic_authorization,
    credentials_from,
    jwt_expiry,
    read_answer,
    revoke_request,
    server_time,
    token_request,
)
from sfconnect.messages import Replay, Request
from sfconnect.testing import answer

URL = "https://auth.example.com/token"
NOW = 1_700_000_000.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = Secret("s3cr3t")


def form_of(request: Request) -> dict[str, str]:
    assert isinstance(request.content, bytes)
    return dict(parse_qsl(request.content.decode(), keep_blank_values=True))


def test_a_token_request_is_one_form_post():
    request = token_request(URL, "refresh_token", {"refresh_token": "r/+&="})

    assert (request.method, request.path, request.params) == ("POST", URL, None)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept"] == "application/json"
    assert form_of(request) == {"grant_type": "refresh_token", "refresh_token": "r/+&="}
    assert request.replay is Replay.UNSAFE
    assert request.surface == "auth"


def test_a_client_in_the_body_sends_no_header():
    request = token_request(URL, "client_credentials", {}, Client("app", SECRET))

    assert "Authorization" not in request.headers
    assert form_of(request) == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "s3cr3t",
    }


def test_a_client_as_basic_sends_nothing_in_the_body():
    request = token_request(URL, "client_credentials", {}, Client("app", SECRET, "basic"))

    assert form_of(request) == {"grant_type": "client_credentials"}
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"app:s3cr3t").decode()


@pytest.mark.parametrize("method", ["body", "basic"])
def test_a_client_without_a_secret_names_itself_in_the_body(method):
    request = token_request(URL, "refresh_token", {}, Client("app", None, method))

    assert form_of(request) == {"grant_type": "refresh_token", "client_id": "app"}
    assert "Authorization" not in request.headers


def test_scope_is_sent_only_if_it_is_asked_for():
    without = token_request(URL, "client_credentials", {"scope": ""})
    with_scope = token_request(URL, "client_credentials", {"scope": "read write"})

    assert "scope" not in form_of(without)
    assert form_of(with_scope)["scope"] == "read write"


def body_of(request: Request) -> bytes:
    assert isinstance(request.content, bytes)
    return request.content


def test_a_json_body_is_these_bytes():
    request = token_request(
        URL,
        "client_credentials",
        {"scope": "", "account_id": "ü"},
        Client("app", SECRET),
        encoding="json",
    )

    assert (
        body_of(request)
        == (
            '{"grant_type":"client_credentials","account_id":"ü",'
            '"client_id":"app","client_secret":"s3cr3t"}'
        ).encode()
    )
    assert request.headers == {"Content-Type": "application/json", "Accept": "application/json"}


def test_a_json_body_leaves_basic_to_the_header():
    client = Client("app", SECRET, "basic")

    request = token_request(URL, "x", {}, client, encoding="json")

    assert body_of(request) == b'{"grant_type":"x"}'
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"app:s3cr3t").decode()


def test_resources_are_repeated_in_a_form():
    resources = ("https://one.example.com/a b", "https://two.example.com")

    request = token_request(URL, "x", {"scope": "a b"}, resources=resources)

    assert body_of(request) == (
        b"grant_type=x&scope=a+b&resource=https%3A%2F%2Fone.example.com%2Fa+b"
        b"&resource=https%3A%2F%2Ftwo.example.com"
    )


@pytest.mark.parametrize(
    ("resources", "value"), [(["https://one"], b'"https://one"'), (["a", "b"], b'["a","b"]')]
)
def test_resources_are_a_text_or_a_list_in_json(resources, value):
    request = token_request(URL, "x", {}, resources=resources, encoding="json")

    assert body_of(request) == b'{"grant_type":"x","resource":' + value + b"}"


@given(st.dictionaries(st.sampled_from(["scope", "audience", "tenant"]), st.text(max_size=20)))
def test_a_field_arrives_as_it_is_in_a_form_as_in_json(fields):
    sent = {name: text for name, text in fields.items() if text}
    form = token_request(URL, "x", fields)
    json = token_request(URL, "x", fields, encoding="json")

    assert form_of(form) == {"grant_type": "x", **sent}
    assert msgspec.json.decode(body_of(json)) == {"grant_type": "x", **sent}


def test_a_revocation_brings_the_apps_proof():
    body = revoke_request(URL, Secret("t"), client=Client("a b", SECRET))
    basic = revoke_request(URL, Secret("t"), client=Client("app", SECRET, "basic"))

    assert body_of(body) == b"token=t&client_id=a+b&client_secret=s3cr3t"
    assert body_of(basic) == b"token=t"
    assert basic.headers["Authorization"].startswith("Basic ")


def test_the_repr_of_a_request_shows_no_secret():
    request = token_request(URL, "client_credentials", {"x": "y"}, Client("app", SECRET))

    assert "s3cr3t" not in repr(request)
    assert "s3cr3t" not in repr(Client("app", SECRET))


@given(st.text(), st.text())
def test_both_parts_of_basic_are_form_encoded(client_id, secret):
    """A colon or an umlaut must arrive as it is; RFC 6749 §2.3.1."""
    header = basic_authorization(client_id, Secret(secret))

    sent = base64.b64decode(header.removeprefix("Basic ")).decode("ascii")
    first, _, second = sent.partition(":")
    assert (unquote_plus(first), unquote_plus(second)) == (client_id, secret)


def test_a_revocation_names_the_token_and_its_kind_if_known():
    plain = revoke_request(URL, Secret("t/+"))
    hinted = revoke_request(URL, Secret("t"), token_type_hint="refresh_token")

    assert form_of(plain) == {"token": "t/+"}
    assert form_of(hinted) == {"token": "t", "token_type_hint": "refresh_token"}
    assert plain.headers["Content-Type"] == "application/x-www-form-urlencoded"


TOKENS = {
    "JSON": answer({"access_token": "t"}),
    "JSON with a wrong type": answer(
        '{"access_token": "t"}', headers={"Content-Type": "text/html"}
    ),
    "JSON after blank lines": answer(b'\r\n {"access_token": "t"}'),
    "form": answer("access_token=t&x=y", headers=FORM),
    "form as text": answer("access_token=t", headers={"Content-Type": "text/plain; charset=x"}),
    "created": answer({"access_token": "t"}, status=201),
}


@pytest.mark.parametrize("response", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_is_found_in_whatever_form_it_came(response):
    read = read_answer(response)

    assert isinstance(read, TokenAnswer)
    assert read.text("access_token") == "t"


PAGE = "<!DOCTYPE html><html><head><title>\n Down for &amp;  care </title></head></html>"
REFUSALS = {
    "JSON error": (
        answer({"error": "invalid_grant", "error_description": "no"}, status=400),
        ("oauth", "invalid_grant", "no"),
    ),
    "form error": (
        answer("error=invalid_grant&error_description=no+way", status=400, headers=FORM),
        ("oauth", "invalid_grant", "no way"),
    ),
    "error without a description": (
        answer({"error": "invalid_client"}, status=401),
        ("oauth", "invalid_client", ""),
    ),
    "error with status 200": (answer({"error": "x"}), ("oauth", "x", "")),
    "token with an error status": (
        answer({"access_token": "t", "error": "x"}, status=400),
        ("oauth", "x", ""),
    ),
    "neither token nor error": (
        answer({"message": "hello"}),
        ("other", "", "It names neither a token nor an error."),
    ),
    "token that is no text": (
        answer({"access_token": 7}),
        ("other", "", "It names neither a token nor an error."),
    ),
    "empty token": (
        answer({"access_token": ""}),
        ("other", "", "It names neither a token nor an error."),
    ),
    "nothing": (answer(""), ("empty", "", "")),
    "blank": (answer("  \n"), ("empty", "", "")),
    "page": (
        answer(PAGE, status=503, headers={"Content-Type": "text/html; charset=utf-8"}),
        ("html", "", "Down for & care"),
    ),
    "page without a type": (answer(PAGE), ("html", "", "Down for & care")),
    "page without a title": (answer("<html>secret</html>"), ("html", "", "")),
    "text": (
        answer("what", headers={"Content-Type": "text/plain"}),
        ("other", "", "4 characters of text/plain."),
    ),
    "list": (answer("[1]"), ("other", "", "3 characters of no content type.")),
    "broken JSON": (
        answer('{"access_token": "t'),
        ("other", "", "19 characters of no content type."),
    ),
    "redirect": (
        answer(status=302, headers={"Location": "https://other.example.com/x?code=secret"}),
        ("redirect", "", "other.example.com"),
    ),
    "redirect on the same host": (
        answer(status=307, headers={"Location": "/login"}),
        ("redirect", "", ""),
    ),
    "redirect to nowhere": (answer({"access_token": "t"}, status=304), ("redirect", "", "")),
}


@pytest.mark.parametrize(("response", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_answer_without_a_token_is_a_refusal(response, expected):
    read = read_answer(response)

    assert isinstance(read, Refusal)
    assert (read.shape, read.error, read.description) == expected
    assert read.status == response.status


def test_a_refusal_carries_what_helps_to_find_it_and_when_to_come_back():
    headers = {"X-Request-Id": "r1", "Retry-After": "30"}

    read = read_answer(answer({"error": "slow_down"}, status=400, headers=headers))

    assert isinstance(read, Refusal)
    assert (read.request_id, read.retry_after) == ("r1", 30.0)


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:14:20 GMT", "Date": DATE}, 60.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:12:20 GMT", "Date": DATE}, 0.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:14:20 GMT"}, None),
        ({"Retry-After": "soon", "Date": DATE}, None),
        ({"Retry-After": "-5", "Date": DATE}, None),
        ({"Retry-After": "9" * 400}, 999_999_999.0),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(headers, wait_s):
    read = read_answer(answer(status=503, headers=headers))

    assert isinstance(read, Refusal)
    assert read.retry_after == wait_s


@pytest.mark.parametrize(("date", "seconds"), [(DATE, NOW), ("yesterday", None), ("", None)])
def test_the_servers_clock_is_read_from_its_date(date, seconds):
    assert server_time(answer(headers={"Date": date})) == seconds


def test_credentials_take_every_member_to_its_place():
    members = {
        "access_token": "00Dxx!abc",
        "instance_url": "https://ignored.example.com",
        "id": "https://login.salesforce.com/id/00Dxx/005xx",
        "token_type": "Bearer",
        "issued_at": "1699999999000",
        "signature": "c2ln",
        "scope": "api  id",
        "refresh_token": "5Aep1",
        "api_instance_url": "https://api.salesforce.com",
        "sfdc_community_id": "0DBxx",
        "token_format": "opaque",
        "lightning_sid": "00Dxx!sid",
        "id_token": "eyJ.eyJ.x",
        "csrf_token": "c",
        "custom": {"nested": [1, {"client_secret": "s"}]},
        "plain": {"nested": [1]},
    }

    credentials = credentials_from(TokenAnswer(members), base_url="https://acme", now=NOW)

    assert credentials.access_token.reveal() == "00Dxx!abc"
    assert credentials.instance_url == "https://acme"
    assert credentials.identity_url == members["id"]
    assert credentials.issued_at == 1_699_999_999.0
    assert credentials.expires_at is None
    assert credentials.scopes == {"api", "id"}
    assert credentials.refresh_token == Secret("5Aep1")
    assert dict(credentials.extra) == {
        "api_instance_url": "https://api.salesforce.com",
        "sfdc_community_id": "0DBxx",
        "token_format": "opaque",
        "plain": {"nested": [1]},
    }


def test_credentials_of_the_least_answer():
    credentials = credentials_from(TokenAnswer({"access_token": "t"}), base_url="u", now=NOW)

    assert credentials.token_type == "Bearer"
    assert credentials.issued_at == NOW
    assert credentials.expires_at is None
    assert credentials.refresh_token is None
    assert credentials.identity_url is None
    assert credentials.scopes == frozenset()


@pytest.mark.parametrize(
    ("told", "expires_at"),
    [
        (3600, NOW + 3600),
        ("3600", NOW + 3600),
        (0.5, NOW + 0.5),
        (0, None),
        (-1, None),
        ("soon", None),
        (True, None),
        (None, None),
        ("inf", None),
        (10**400, None),
        ([], None),
    ],
)
def test_expires_in_is_honoured_where_it_makes_sense(told, expires_at):
    members = {"access_token": "t", "expires_in": told}

    assert credentials_from(TokenAnswer(members), base_url="u", now=NOW).expires_at == expires_at


@pytest.mark.parametrize(
    ("told", "issued_at"), [("1700000000123", 1_700_000_000.123), (1_700_000_000, NOW), ("x", NOW)]
)
def test_issued_at_may_be_in_milliseconds(told, issued_at):
    members = {"access_token": "t", "issued_at": told}

    assert credentials_from(TokenAnswer(members), base_url="u", now=NOW).issued_at == issued_at


def jwt_of(claims: object) -> str:
    encoded = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{encoded}.c2ln"


@pytest.mark.parametrize(
    ("token", "expires_at"),
    [
        (jwt_of({"exp": 1_700_000_900}), 1_700_000_900.0),
        (jwt_of({"exp": "x"}), None),
        (jwt_of({}), None),
        (jwt_of([1]), None),
        ("eyJhbGciOiJSUzI1NiJ9.!!!.c2ln", None),
        ("eyJhbGciOiJSUzI1NiJ9.AAAA.c2ln", None),
        (f"eyJhbGciOiJSUzI1NiJ9.{'W1tb' * 30_000}.c2ln", None),  # [[[[…
        ("00Dxx!a.b.c", None),
        ("eyJ", None),
    ],
)
def test_a_jwt_tells_its_own_expiry(token, expires_at):
    assert jwt_expiry(token) == expires_at
    made = credentials_from(TokenAnswer({"access_token": token}), base_url="u", now=NOW)
    assert made.expires_at == expires_at


@pytest.mark.parametrize("drift_s", [None, 0.0, 600.0, -600.0])
def test_the_expiry_in_a_jwt_is_told_by_the_servers_clock(drift_s):
    """A machine whose clock is 10 minutes late must use the token no 10 minutes longer."""
    token = jwt_of({"exp": 1_700_000_900})

    answered = TokenAnswer({"access_token": token}, drift_s)

    made = credentials_from(answered, base_url="u", now=NOW)
    assert made.expires_at == 1_700_000_900 - (drift_s or 0.0)


@pytest.mark.parametrize("drift_s", [None, 600.0])
def test_a_lifetime_needs_no_clock_but_the_own(drift_s):
    answered = TokenAnswer({"access_token": "t", "expires_in": 100}, drift_s)

    assert credentials_from(answered, base_url="u", now=NOW).expires_at == NOW + 100


@given(st.text())
def test_any_token_can_be_looked_at(token):
    assert jwt_expiry("eyJ" + token) is None or "." in token


@given(st.binary(max_size=200), st.sampled_from([200, 302, 400, 500]))
def test_any_bytes_are_an_answer_or_a_refusal(body, status):
    for kind in ("application/json", "text/html", "application/x-www-form-urlencoded", ""):
        read = read_answer(answer(body, status=status, headers={"Content-Type": kind}))

        assert isinstance(read, TokenAnswer | Refusal)


NESTED = AnswerMembers(
    access_token="data.token",
    refresh_token="data.renew",
    expires_in="life",
    expires_at="data.until",
    base_url="data.links.api",
)


def test_an_answer_of_another_shape_is_read_by_the_names_that_it_has():
    body = {
        "data": {
            "token": "t",
            "renew": "r",
            "until": "2023-11-14T22:15:20+00:00",
            "links": {"api": "https://api.example.com/"},
        },
        "life": 60,
        "plan": "gold",
        "access_token": "of something else",
    }

    read = read_answer(answer(body), NESTED)

    assert isinstance(read, TokenAnswer)
    assert read.base_url == "https://api.example.com/"
    credentials = credentials_from(read, base_url="https://x", now=NOW)
    assert credentials.access_token == Secret("t")
    assert credentials.refresh_token == Secret("r")
    assert credentials.expires_at == NOW + 120
    assert credentials.extra == {"plan": "gold"}


@pytest.mark.parametrize(
    "body",
    [{}, {"data": {}}, {"data": "token"}, {"data": {"token": 7}}, {"access_token": "t"}],
    ids=str,
)
def test_a_token_in_another_place_than_the_named_one_is_none(body):
    assert isinstance(read_answer(answer(body), NESTED), Refusal)


def test_a_name_with_a_dot_may_be_the_members_own():
    read = read_answer(answer({"a.b": "t"}), AnswerMembers(access_token="a.b"))

    assert isinstance(read, TokenAnswer)
    assert read.text("access_token") == "t"


def test_a_form_may_have_other_names_too():
    read = read_answer(answer("token=t", headers=FORM), AnswerMembers(access_token="token"))

    assert isinstance(read, TokenAnswer)
    assert credentials_from(read, base_url="https://x", now=NOW).access_token == Secret("t")


@pytest.mark.parametrize(
    ("told", "expires_at"),
    [
        (1_700_000_060, NOW + 60),
        (1_700_000_060_000, NOW + 60),
        ("1700000060", NOW + 60),
        ("1700000060.5", NOW + 60.5),
        ("2023-11-14T22:14:20Z", NOW + 60),
        ("2023-11-14T23:14:20+01:00", NOW + 60),
        ("2023-11-14T22:14:20", None),
        ("soon", None),
        ("", None),
        (True, None),
        (None, None),
        (-5, None),
        ([], None),
        ("9999-99-99T00:00:00Z", None),
    ],
)
def test_an_absolute_expiry_is_read_in_the_forms_that_mean_one_time(told, expires_at):
    names = AnswerMembers(expires_at="until")
    read = read_answer(answer({"access_token": "t", "until": told}), names)

    assert isinstance(read, TokenAnswer)
    assert credentials_from(read, base_url="https://x", now=NOW).expires_at == expires_at


def test_an_absolute_expiry_is_by_the_servers_clock():
    read = TokenAnswer({"access_token": "t"}, drift_s=30.0, expires_at=NOW + 60)

    assert credentials_from(read, base_url="https://x", now=NOW).expires_at == NOW + 30


@pytest.mark.parametrize(
    ("members", "expires_at"), [({}, NOW + 90), ({"expires_in": 60}, NOW + 60)]
)
def test_a_default_life_counts_where_nothing_is_told(members, expires_at):
    read = TokenAnswer({"access_token": "t", **members})

    credentials = credentials_from(read, base_url="https://x", now=NOW, default_lifetime_s=90.0)

    assert credentials.expires_at == expires_at


@pytest.mark.parametrize("spelling", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_is_written_as_every_api_reads_it(spelling):
    read = TokenAnswer({"access_token": "t", "token_type": spelling})

    assert credentials_from(read, base_url="https://x", now=NOW).token_type == "Bearer"


CHALLENGED = {"WWW-Authenticate": 'Basic realm="x", Bearer'}


@pytest.mark.parametrize("body", [b"", b"{}", "<html></html>", "no"])
def test_a_challenge_without_an_error_of_its_own_refuses_the_client(body):
    """RFC 6749 §5.2: 401 with the scheme that the client used is about the client."""
    read = read_answer(answer(body, status=401, headers=CHALLENGED))

    assert isinstance(read, Refusal)
    assert (read.error, read.description) == ("invalid_client", "It asks for basic, bearer.")


def test_the_errors_of_a_body_count_more_than_a_challenge():
    body = {"error": "unauthorized_client", "error_description": "no"}
    read = read_answer(answer(body, status=401, headers=CHALLENGED))

    assert isinstance(read, Refusal)
    assert (read.error, read.description) == ("unauthorized_client", "no")


def test_a_challenge_may_name_the_error_itself():
    headers = {"WWW-Authenticate": 'Bearer error="invalid_request"'}

    read = read_answer(answer(b"", status=401, headers=headers))

    assert isinstance(read, Refusal)
    assert read.error == "invalid_request"


def test_another_status_with_a_challenge_is_not_about_the_client():
    read = read_answer(answer(b"", status=403, headers=CHALLENGED))

    assert isinstance(read, Refusal)
    assert read.shape == "empty"
