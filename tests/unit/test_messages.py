"""Requests and responses as values."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from sfconnect.errors import ConfigurationError, ResponseError
from sfconnect.messages import (
    Replay,
    Request,
    Response,
    Timeout,
    default_replay,
    json_request,
    path_segment,
    query_string,
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_idempotent_methods_are_safe_to_repeat(method):
    assert default_replay(method) is Replay.SAFE


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK", "post", ""])
def test_any_other_method_is_not(method):
    assert default_replay(method) is Replay.UNSAFE


def test_a_request_by_hand_makes_no_promise_of_its_own():
    assert Request("POST", "/x").replay is None


def test_a_request_shows_neither_parameters_nor_headers_nor_content():
    request = Request(
        "POST", "/x?canary", params={"q": "canary"}, headers={"X": "canary"}, content=b"canary"
    )

    assert repr(request) == "Request('POST', '/x', replay=None, surface='rest')"


def test_changed_requests_are_copies():
    request = Request("GET", "/x", headers={"A": "1", "B": "2"})

    changed = request.with_headers({"B": "3"}).with_timeout(Timeout(total_s=5))

    assert changed.headers == {"A": "1", "B": "3"}
    assert changed.timeout == Timeout(total_s=5)
    assert (request.headers, request.timeout) == ({"A": "1", "B": "2"}, None)


async def produced():
    yield b"x"


@pytest.mark.parametrize(
    ("content", "one_shot"), [(None, False), (b"", False), (b"x", False)], ids=repr
)
def test_bytes_can_be_sent_again(content, one_shot):
    assert Request("POST", "/x", content=content).has_one_shot_body is one_shot


def test_a_produced_body_cannot():
    assert Request("POST", "/x", content=produced()).has_one_shot_body


def test_a_json_request_says_what_it_sends():
    request = json_request("POST", "/x", json={"a": [1, None, "é"]}, params={"b": 1})

    assert request.content == '{"a":[1,null,"é"]}'.encode()
    assert request.headers == {"Content-Type": "application/json"}
    assert request.params == {"b": 1}
    assert request.replay is Replay.UNSAFE


def test_a_json_request_without_json_has_no_body_and_no_type():
    request = json_request("GET", "/x", headers={"A": "1"}, surface="query")

    assert (request.content, request.headers) == (None, {"A": "1"})
    assert (request.replay, request.surface) == (Replay.SAFE, "query")


@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_a_content_type_of_the_callers_own_wins(name):
    request = json_request("PATCH", "/x", json={}, headers={name: "application/merge-patch+json"})

    assert request.headers == {name: "application/merge-patch+json"}


def test_the_callers_headers_are_not_changed():
    headers = MappingProxyType({"A": "1"})

    json_request("POST", "/x", json={}, headers=headers)

    assert headers == {"A": "1"}


def test_a_caller_may_know_better_whether_to_repeat():
    assert json_request("POST", "/x", replay=Replay.KEYED).replay is Replay.KEYED


def test_what_has_no_json_form_is_a_type_error():
    with pytest.raises(TypeError):
        json_request("POST", "/x", json={"a": object()})  # type: ignore[dict-item]  # on purpose


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"q": "SELECT Id FROM A WHERE b = 'x&y'"}, "q=SELECT%20Id%20FROM%20A%20WHERE%20b%20%3D"),
        ({"all": True, "none": False}, "all=true&none=false"),
        ({"n": 5, "f": 1.5}, "n=5&f=1.5"),
        ({"a b": "é+/"}, "a%20b=%C3%A9%2B%2F"),
        ({}, ""),
    ],
)
def test_parameters_are_encoded(params, text):
    assert query_string(params).startswith(text)


@given(st.dictionaries(st.text(), st.text()))
def test_encoded_parameters_read_back_as_they_were(params):
    assert dict(URL("http://h/?" + query_string(params), encoded=True).query) == params


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_segment_that_is_a_step_through_the_path_is_refused(value):
    with pytest.raises(ConfigurationError):
        path_segment(value)


def test_a_segment_of_half_a_character_is_refused():
    with pytest.raises(ConfigurationError, match="surrogate"):
        path_segment("a\ud800")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("//host/x", "%2F%2Fhost%2Fx"),
        ("a?b#c", "a%3Fb%23c"),
        ("%2e%2e", "%252e%252e"),
        ("a\r\nb", "a%0D%0Ab"),
        ("ä b", "%C3%A4%20b"),
        ("...", "..."),
        ("a;b=c@d:e", "a%3Bb%3Dc%40d%3Ae"),
    ],
)
def test_a_segment_is_encoded_so_that_it_stays_one(value, encoded):
    assert path_segment(value) == encoded


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_value_leaves_its_segment(value):
    if value in {".", ".."}:
        return

    url = URL(f"https://own.example.com/a/{path_segment(value)}/z", encoded=True)

    assert url.host == "own.example.com"
    assert url.raw_parts[0:2] == ("/", "a")
    assert len(url.raw_parts) == 4
    assert url.raw_parts[3] == "z"
    assert not url.raw_query_string
    assert URL(f"https://h/{path_segment(value)}", encoded=True).name == value


def response(content: bytes = b"{}", **headers: str) -> Response:
    return Response(
        200, {name.replace("_", "-"): value for name, value in headers.items()}, content
    )


def test_a_response_shows_neither_headers_nor_content():
    assert "canary" not in repr(response(b"canary", Set_Cookie="canary"))


@pytest.mark.parametrize(
    ("header", "content_type"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=UTF-8", "application/json"),
        (" text/html ;x", "text/html"),
        ("", ""),
    ],
)
def test_the_content_type_comes_without_its_parameters(header, content_type):
    assert response(Content_Type=header).content_type == content_type
    assert response().content_type == ""


@pytest.mark.parametrize("name", ["X-SFDC-Request-Id", "X-Request-Id", "Request-Id"])
def test_the_request_id_is_found_under_its_names(name):
    assert Response(200, {name: "r1"}, b"").request_id == "r1"


def test_without_a_request_id_there_is_none():
    assert response().request_id is None
    assert Response(200, {"X-SFDC-Request-Id": "", "Request-Id": "r2"}, b"").request_id == "r2"


def test_text_is_utf_8_whatever_the_bytes():
    assert response("é".encode()).text == "é"
    assert response(b"\xff").text == "\ufffd"


def test_json_is_decoded():
    assert response(b' {"a": [1, 2.5, null]} ').json() == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>canary</html>", b'{"a": ', b'"\xff"', b"[" * 100_000],
    ids=["empty", "html", "cut", "not utf-8", "too deep"],
)
def test_a_body_that_is_not_json_is_an_error_without_its_text(content):
    answer = Response(200, {"Content-Type": "text/html", "Request-Id": "r1"}, content)

    with pytest.raises(ResponseError) as caught:
        answer.json()

    assert f"{len(content)} bytes" in str(caught.value)
    assert "text/html" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert (caught.value.status, caught.value.request_id) == (200, "r1")
