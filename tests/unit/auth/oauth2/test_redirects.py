"""What comes back from a login page, by itself or by hand."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.auth.oauth2.redirects import Redirect, read_pasted, read_redirect

CODES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)


def code_of(redirect: Redirect | None) -> str | None:
    return redirect.code.reveal() if redirect and redirect.code else None


def test_a_code_is_decoded_once():
    redirect = read_redirect("code=aPrx%2525.abc%3D%3D&state=s&sfdc_community_url=x")

    assert code_of(redirect) == "aPrx%25.abc=="


def test_an_error_comes_with_its_description():
    redirect = read_redirect("error=access_denied&error_description=end-user+denied&state=s")

    assert redirect == Redirect(state="s", error="access_denied", description="end-user denied")
    assert redirect.refusal.error == "access_denied"
    assert redirect.refusal.description == "end-user denied"


def test_an_error_beside_a_code_is_an_error():
    assert code_of(read_redirect("code=a&error=server_error&state=s")) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=s",
        "code=&state=s",
        "error=",
        "code=a&code=b&state=s",
        "code=a&state=s&state=t",
        "error=a&error=a",
        "&".join(f"p{number}=x" for number in range(60)) + "&code=a",
    ],
)
def test_other_queries_are_no_redirect(query):
    assert read_redirect(query) is None


def test_other_members_may_come_as_often_as_they_like():
    assert code_of(read_redirect("x=1&x=2&code=a")) == "a"


def test_a_redirect_is_of_the_login_whose_state_it_repeats():
    redirect = read_redirect("code=a&state=mine")

    assert redirect is not None
    assert redirect.is_of("mine")
    assert not redirect.is_of("other")
    assert not redirect.is_of("")


@pytest.mark.parametrize("query", ["code=a", "error=access_denied", "code=a&state="])
def test_a_redirect_without_a_state_is_of_no_login(query):
    redirect = read_redirect(query)

    assert redirect is not None
    assert not redirect.is_of("mine")


def test_neither_code_nor_state_is_shown():
    text = repr(read_redirect("code=a-secret-code&state=a-secret-state"))

    assert "a-secret" not in text


@given(CODES, TEXTS, TEXTS)
def test_what_a_server_encodes_is_read_back(code, state, other):
    redirect = read_redirect(urlencode({"state": state, "other": other, "code": code}))

    assert redirect is not None
    assert code_of(redirect) == code
    assert redirect.is_of(state)


@given(st.text())
def test_no_text_is_too_strange_to_be_read(text):
    for redirect in (read_redirect(text), read_pasted(text)):
        assert redirect is None or redirect.is_of("x") == (
            redirect.is_bare or redirect.state == "x"
        )


def test_half_a_character_from_a_terminal_is_compared_as_well():
    redirect = read_pasted("http://localhost/?code=a&state=\udcff")

    assert redirect is not None
    assert not redirect.is_of("mine")


WHOLE = "http://localhost:1717/OauthRedirect?code=aPrx.1%3D%3D&state=mine"


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        f"  {WHOLE}\n",
        f'"{WHOLE}"',
        f"<{WHOLE}>",
        WHOLE + "#_=_",
        "localhost:1717/OauthRedirect?code=aPrx.1%3D%3D&state=mine",
        "?code=aPrx.1%3D%3D&state=mine",
        "code=aPrx.1%3D%3D&state=mine",
        "https://login.salesforce.com/services/oauth2/success?state=mine&code=aPrx.1%3D%3D",
    ],
)
def test_a_pasted_address_is_read_whatever_surrounds_it(text):
    redirect = read_pasted(text)

    assert redirect is not None
    assert code_of(redirect) == "aPrx.1=="
    assert redirect.is_of("mine")
    assert not redirect.is_of("other")


@pytest.mark.parametrize("text", ["aPrx.1%3D%3D", "aPrx.1==", " 'aPrx.1==' "])
def test_a_code_alone_belongs_to_whatever_login_waits(text):
    redirect = read_pasted(text)

    assert redirect is not None
    assert code_of(redirect) == "aPrx.1=="
    assert redirect.is_of("any")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "what?",
        "not a code",
        "http://localhost:1717/OauthRedirect",
        "http://localhost:1717/OauthRedirect?state=mine",
        "https://acme.my.salesforce.com/services/oauth2/authorize?response_type=code&state=mine",
        "state=mine",
        "localhost:1717/OauthRedirect",
    ],
)
def test_a_text_that_ends_no_login_is_recognised(text):
    assert read_pasted(text) is None


@given(CODES)
def test_a_code_is_read_as_the_address_bar_shows_it(code):
    redirect = read_pasted(f"http://localhost:1717/cb?code={quote(code, safe='')}&state=s")

    assert code_of(redirect) == code
