"""API keys and Basic: what is sent with a request, and what is refused before."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import Secret
from sfconnect.auth import ApiKey, AuthContext, Basic, Credentials
from sfconnect.auth.base import SupportsSigning
from sfconnect.auth.store import identity_key
from sfconnect.connector import Connector
from sfconnect.errors import ConfigurationError, SessionExpiredError
from sfconnect.messages import Request
from sfconnect.testing import FakeTokenServer, ScriptedSender, answer

API = "https://api.example.com/v1"
KEY = ApiKey("k-canary", API)
BASIC = Basic("ada", "pa:ss wörd", API)


@pytest.fixture
def context() -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    return AuthContext(send=ScriptedSender(), child=no_child, log=structlog.get_logger())


async def test_a_key_and_a_password_are_handed_over_without_a_request(context):
    key = await replace(KEY, base_url=API + "/").authenticate(context)
    basic = await BASIC.authenticate(context)

    assert key == Credentials(Secret("k-canary"), API, token_type="ApiKey")
    assert (basic.instance_url, basic.token_type) == (API, "Basic")
    assert basic.expires_at is None


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({}, ("X-API-Key", "k-canary")),
        ({"header": "Authorization", "prefix": "Token "}, ("Authorization", "Token k-canary")),
        ({"header": "authorization", "prefix": "key="}, ("authorization", "key=k-canary")),
    ],
)
async def test_the_key_goes_into_its_header_behind_its_prefix(context, options, header):
    strategy = replace(KEY, **options)

    request = strategy.authorize(
        Request("GET", "/x", headers={"A": "1"}), await strategy.authenticate(context)
    )

    assert isinstance(strategy, SupportsSigning)
    assert dict(request.headers) == {"A": "1", header[0]: header[1]}


#: What RFC 7617 §2 allows: no control characters, no colon in the name.
NAMES = st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_characters=":\x7f"))
PASSWORDS = st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f"))


@given(NAMES, PASSWORDS)
async def test_any_name_and_password_arrive_as_utf_8(username, password):
    credentials = await Basic(username, password, API).authenticate(None)  # type: ignore[arg-type]

    pair = base64.b64decode(credentials.access_token.reveal(), validate=True).decode()
    assert pair.split(":", 1) == [username, password]


async def test_the_examples_of_the_rfc_are_met(context):
    latin = await Basic("Aladdin", "open sesame", API).authenticate(context)
    pound = await Basic("test", "123\u00a3", API).authenticate(context)

    assert latin.access_token == Secret("QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert pound.access_token == Secret("dGVzdDoxMjPCow==")


@pytest.mark.parametrize(
    "options",
    [
        {"key": ""},
        {"key": "  "},
        {"key": "canary\n"},
        {"key": " canary"},
        {"key": "canary\x00"},
        {"key": "canäry"},
        {"header": ""},
        {"header": "X API"},
        {"header": "X-Key:"},
        {"header": "X-Key\r\nEvil"},
        {"header": "Host"},
        {"header": "content-length"},
        {"prefix": "Token\n"},
        {"prefix": "Tökén "},
        {"base_url": "http://api.example.com"},
        {"base_url": "api.example.com"},
    ],
)
def test_a_key_that_no_request_can_carry_is_refused_at_once(options):
    with pytest.raises(ConfigurationError) as caught:
        replace(KEY, **options)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"username": "ada:x"}, "colon"),
        ({"username": "ada\n"}, "username"),
        ({"password": "canary\r\n"}, "password"),
        ({"password": "canary\x7f"}, "password"),
        ({"password": "canary\ud800"}, "password"),
        ({"base_url": "http://api.example.com"}, "base_url"),
    ],
)
def test_a_name_or_password_that_basic_cannot_carry_is_refused_at_once(options, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        replace(BASIC, **options)

    assert "canary" not in str(caught.value)


def test_two_keys_are_two_identities_and_a_new_password_is_the_same_user():
    assert identity_key(KEY) != identity_key(replace(KEY, key="other"))
    assert identity_key(BASIC) == identity_key(replace(BASIC, password="new"))
    assert identity_key(BASIC) != identity_key(replace(BASIC, username="grace"))


@pytest.mark.parametrize(
    ("name", "options", "header", "value"),
    [
        ("api-key", {"key": "k-1"}, "X-API-Key", "k-1"),
        (
            "api-key",
            {"key": "k-1", "header": "Authorization", "prefix": "Token "},
            "Authorization",
            "Token k-1",
        ),
        ("basic", {"username": "ada", "password": "x"}, "Authorization", "Basic YWRhOng="),
    ],
)
async def test_by_their_names_they_reach_an_api(name, options, header, value):
    async with FakeTokenServer() as server:
        server.script(answer({"things": [1]}))
        async with Connector.connect(name, base_url=server.url + "/v1", **options) as api:
            data = await api.get("/things")

    (call,) = server.requests
    assert data == {"things": [1]}
    assert call.path == "/v1/things"
    assert call.headers.getall(header) == [value]  # type: ignore[attr-defined]


async def test_a_refused_key_is_the_apis_own_refusal_and_sent_once_more_at_most():
    async with FakeTokenServer() as server:
        server.script(*[answer(status=401)] * 5)
        async with Connector.connect(replace(KEY, base_url=server.url)) as api:
            with pytest.raises(SessionExpiredError):
                await api.get("/things")

    assert len(server.requests) == 2
