from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect_emulator.rendering import pretty_json, xml_errors
from sfconnect_emulator.routes import route_label
from sfconnect_emulator.wire import Request

segment = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class TestRequest:
    @given(st.lists(segment, max_size=6))
    def test_segments_are_what_was_percent_encoded(self, parts: list[str]) -> None:
        path = "/" + "/".join(quote(part, safe="") for part in parts)

        assert Request.build("GET", path, {}).segments == tuple(parts)

    @given(st.lists(segment, min_size=1, max_size=4), st.integers(1, 3))
    def test_slashes_may_be_repeated_anywhere(self, parts: list[str], times: int) -> None:
        slashes = "/" * times
        path = slashes + slashes.join(quote(part, safe="") for part in parts) + slashes

        assert Request.build("GET", path, {}).segments == tuple(parts)

    @given(st.dictionaries(segment, st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
    def test_parameters_are_what_was_form_encoded(self, values: dict[str, str]) -> None:
        kind = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
        encoded = urlencode(values)

        assert Request.build("GET", f"/x?{encoded}", {}).params() == values
        assert Request.build("POST", "/x", kind, encoded.encode()).form() == values

    def test_the_first_of_repeated_parameters_counts(self) -> None:
        assert Request.build("GET", "/x?a=1&a=2&b=", {}).params() == {"a": "1", "b": ""}

    @pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data"])
    def test_a_body_of_another_type_is_an_empty_form(self, kind: str) -> None:
        assert Request.build("POST", "/x", {"content-type": kind}, b"a=1").form() == {}

    def test_a_body_does_not_show_in_representations(self) -> None:
        request = Request.build("POST", "/token", {}, b"client_secret=hidden")

        assert "hidden" not in repr(request)


class TestPrettyJson:
    @given(json_value)
    def test_means_what_compact_json_means(self, value: object) -> None:
        assert json.loads(pretty_json(value)) == value

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ({}, "{ }"),
            ([], "[ ]"),
            ([1, "a", None], '[ 1, "a", null ]'),
            ({"a": {"b": 1}}, '{\n  "a" : {\n    "b" : 1\n  }\n}'),
            ([{"a": 1}, {"b": []}], '[ {\n  "a" : 1\n}, {\n  "b" : [ ]\n} ]'),
        ],
    )
    def test_is_laid_out_as_the_platform_does(self, value: object, shown: str) -> None:
        assert pretty_json(value).decode() == shown


def test_xml_errors_escape_markup() -> None:
    errors = [{"errorCode": "A<B", "message": "x & y", "fields": ["F>1", "G"]}]

    assert xml_errors(errors) == (
        b'<?xml version="1.0" encoding="UTF-8"?><Errors><Error><errorCode>A&lt;B</errorCode>'
        b"<message>x &amp; y</message><fields>F&gt;1</fields><fields>G</fields></Error></Errors>"
    )


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/", "/"),
        ("/services/oauth2/token", "/services/oauth2/token"),
        ("/id/00Dxx/005xx", "/id/{org}/{user}"),
        ("/id/keys", "/id/keys"),
        ("/services/data", "/services/data"),
        ("/services/data/v68.0", "/services/data/{version}"),
        ("/services/data/v68.0/limits/recordCount", "/limits/recordCount"),
        ("/services/data/v68.0/query", "/query"),
        ("/services/data/v68.0/queryAll/0r8-2000", "/queryAll/{locator}"),
        ("/services/data/v68.0/sobjects", "/sobjects"),
        ("/services/data/v68.0/sobjects/Account", "/sobjects/Account"),
        ("/services/data/v68.0/sobjects/Account/describe", "/sobjects/Account/describe"),
        ("/services/data/v68.0/sobjects/Account/Id", "/sobjects/Account/Id"),
        ("/services/data/v68.0/sobjects/Account/001", "/sobjects/Account/{id}"),
        ("/services/data/v68.0/sobjects/Account/Ext/7", "/sobjects/Account/Ext/{value}"),
        (
            "/services/data/v68.0/sobjects/Account/describe/layouts",
            "/sobjects/Account/describe/layouts",
        ),
        ("/services/data/v68.0/a/b/c/d", "/a/b"),
    ],
)
def test_route_labels_leave_ids_and_locators_out(path: str, label: str) -> None:
    assert route_label("GET", Request.build("GET", path, {}).segments) == f"GET {label}"
