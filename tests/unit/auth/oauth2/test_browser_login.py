"""A person in the browser: what is asked, what comes back, and when nobody answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.oauth2.browser_login import (
    Code,
    CodeRequest,
    check_code_options,
    log_in_by_code,
    renewal_token,
)
from sfconnect.auth.oauth2.pkce import Pkce
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    ConnectError,
    CredentialUnavailableError,
    InvalidCredentialsError,
    ReauthorizationRequired,
)
from sfconnect.testing import FakePerson, ScriptedSender
from tests.unit.auth.oauth2.people import Typist, context_of, pasted, query_of

FACTS = LoginFacts("authorization_code", "https://auth.example.com", client_id="app-id")
ASKED = CodeRequest(
    "https://auth.example.com/authorize?tenant=a",
    ("http://127.0.0.1:0/cb",),
    FACTS,
    parameters={"scope": "read write", "prompt": "", "login_hint": "ada@example.com"},
    is_issuer="https://auth.example.com".__eq__,
)
TOKEN = Credentials(Secret("a-token"), "https://api.example.com")


class Redeemer:
    """Gives a token for any code, or raises; keeps the codes."""

    def __init__(self, error: Exception | None = None) -> None:
        self.codes: list[Code] = []
        self.error = error

    async def __call__(self, code: Code) -> Credentials:
        self.codes.append(code)
        if self.error is not None:
            raise self.error
        return TOKEN


async def log_in(clock, person, asked=ASKED, redeem=None, **context):
    context = {"prompt": person.prompt, "browser": person.browser, **context}
    try:
        return await log_in_by_code(
            context_of(ScriptedSender(), clock, **context), asked, redeem or Redeemer()
        )
    finally:
        await person.leave()


async def test_a_login_asks_for_a_code_with_a_proof_and_redeems_it(clock):
    person, redeem = FakePerson({"code": "aPrx.1=="}), Redeemer()

    assert await log_in(clock, person, redeem=redeem) is TOKEN

    (url,), (code,) = person.opened, redeem.codes
    query = query_of(url)
    assert url.startswith("https://auth.example.com/authorize?tenant=a&")
    assert {name: query[name] for name in ("response_type", "client_id", "scope")} == {
        "response_type": "code",
        "client_id": "app-id",
        "scope": "read write",
    }
    assert query["login_hint"] == "ada@example.com"
    assert "prompt" not in query
    assert "nonce" not in query
    assert len(query["state"]) >= 43
    assert query["code_challenge_method"] == "S256"
    digest = hashlib.sha256(code.verifier.reveal().encode()).digest()
    assert query["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert code.fields == {
        "code": "aPrx.1==",
        "redirect_uri": query["redirect_uri"],
        "code_verifier": code.verifier.reveal(),
    }
    assert [(page.url, page.status) for page in person.pages] == [
        (query["redirect_uri"].replace("/cb", "/login-result"), 200)
    ]
    assert "You are logged in" in person.pages[0].text


async def test_no_two_logins_have_the_same_state_or_proof(clock):
    person, redeem = FakePerson(), Redeemer()

    for _ in range(2):
        await log_in(clock, person, redeem=redeem)

    first, second = map(query_of, person.opened)
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


def test_a_parameter_cannot_take_the_place_of_what_guards_the_login():
    parameters = {"state": "fixed", "code_challenge": "x", "redirect_uri": "https://evil.example"}
    asked = replace(ASKED, parameters=parameters)
    query = query_of(asked.url("http://127.0.0.1:1/cb", "drawn", Pkce.new()))

    assert query["state"] == "drawn"
    assert query["redirect_uri"] == "http://127.0.0.1:1/cb"
    assert query["code_challenge"] != "x"


def test_neither_code_nor_proof_is_shown():
    code = Code(Secret("a-code"), "http://127.0.0.1:1/cb", Secret("a-verifier"))

    assert "a-code" not in repr(code)
    assert "a-verifier" not in repr(code)
    assert {"a-code", "a-verifier"} <= set(code.facts(FACTS).secrets)


# Refusals


async def test_a_person_who_says_no_ends_the_login(clock):
    answer = {"error": "access_denied", "error_description": "end-user denied authorization"}
    person, redeem = FakePerson(answer), Redeemer()

    with pytest.raises(AppAccessDenied, match="end-user denied authorization") as caught:
        await log_in(clock, person, redeem=redeem)

    assert redeem.codes == []
    assert caught.value.code == "access_denied"
    assert person.pages[0].status == 400
    assert "end-user denied authorization" in person.pages[0].text


async def test_an_unknown_refusal_is_told_in_the_servers_words(clock):
    person = FakePerson({"error": "OAUTH_APP_BLOCKED", "error_description": "<b>blocked</b>"})

    with pytest.raises(AuthConfigurationError, match=r"OAUTH_APP_BLOCKED: <b>blocked</b>"):
        await log_in(clock, person)

    assert "&lt;b&gt;blocked&lt;/b&gt;" in person.pages[0].text


async def test_a_code_that_is_refused_is_told_in_the_browser_and_asked_for_only_once(clock):
    """The manager repeats a passing fault; a person must not be asked again for it."""
    person, refused = FakePerson(), ConnectError("No route.")

    with pytest.raises(ConnectError) as caught:
        await log_in(clock, person, redeem=Redeemer(refused))

    assert caught.value.retry_safe is False
    assert person.pages[0].status == 400
    assert "No route." in person.pages[0].text


async def test_an_answer_of_another_server_is_refused(clock):
    person = FakePerson({"code": "a", "iss": "https://evil.example.com"})
    redeem = Redeemer()

    with pytest.raises(AuthError, match=r"another server: https://evil\.example\.com") as caught:
        await log_in(clock, person, redeem=redeem)

    assert caught.value.docs_key == "wrong-issuer"
    assert redeem.codes == []


async def test_an_answer_that_names_the_right_server_is_taken(clock):
    person = FakePerson({"code": "a", "iss": "https://auth.example.com"})

    assert await log_in(clock, person) is TOKEN


async def test_a_redirect_of_another_login_is_not_taken(clock):
    person = FakePerson({"code": "stolen", "state": "other"})
    redeem = Redeemer()
    login = asyncio.ensure_future(log_in(clock, person, redeem=redeem))
    while not person.pages:  # noqa: ASYNC110  # the socket's part of it has no event
        await asyncio.sleep(0.001)

    assert person.pages[0].status == 400
    assert not login.done()
    await clock.advance(ASKED.timeout_s)
    with pytest.raises(AuthError, match="Nobody finished"):
        await login
    assert redeem.codes == []


# Nobody


async def test_where_nobody_is_there_the_login_says_how_to_log_in(clock):
    context = context_of(ScriptedSender(), clock)

    with pytest.raises(CredentialUnavailableError, match="sfconnect login"):
        await log_in_by_code(context, ASKED, Redeemer())


async def test_a_person_who_does_nothing_ends_the_login_in_time(clock):
    person = FakePerson()
    places: list[str] = []

    async def browser(url: str) -> bool:
        places.append(query_of(url)["redirect_uri"])
        return True

    login = asyncio.ensure_future(log_in(clock, person, browser=browser, prompt=None))
    await clock.advance(119.9)
    assert not login.done()

    await clock.advance(0.1)

    with pytest.raises(AuthError, match=r"within 120 s.*redirect_uri_mismatch") as caught:
        await login
    assert places[0] in str(caught.value)
    assert caught.value.docs_key == "login-timed-out"
    assert not caught.value.hopeless
    assert clock.sleepers == 0
    with closing(socket.create_server(("127.0.0.1", urlsplit(places[0]).port or 0))):
        pass


async def test_a_cancelled_login_leaves_nothing_open(clock):
    person = FakePerson()
    places: list[str] = []

    async def browser(url: str) -> bool:
        places.append(url)
        return True

    login = asyncio.ensure_future(log_in(clock, person, browser=browser))
    while not person.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)

    login.cancel()
    await asyncio.gather(login, return_exceptions=True)

    assert login.cancelled()
    assert clock.sleepers == 0
    port = urlsplit(query_of(places[0])["redirect_uri"]).port
    with closing(socket.create_server(("127.0.0.1", port or 0))):
        pass


async def test_a_browser_that_breaks_ends_the_login(clock):
    async def browser(url: str) -> bool:
        raise OSError("no display")

    with pytest.raises(OSError, match="no display"):
        await log_in(clock, FakePerson(), browser=browser)


# By hand


async def by_hand(clock, typist, asked=ASKED, redeem=None, browser=None):
    context = context_of(ScriptedSender(), clock, prompt=typist, browser=browser)
    return await log_in_by_code(context, asked, redeem or Redeemer())


async def test_without_a_browser_the_prompt_shows_the_page_and_takes_the_address(clock):
    typist, redeem = Typist(pasted), Redeemer()

    assert await by_hand(clock, typist, redeem=redeem) is TOKEN

    assert "https://auth.example.com/authorize?" in typist.asked[0]
    assert redeem.codes[0].code.reveal() == "aPrx.typed=="


async def test_where_no_browser_could_be_opened_the_prompt_leaves_the_page_to_whom_showed_it(clock):
    typist = Typist(pasted)

    await by_hand(clock, typist, browser=typist.browser)

    assert "https://" not in typist.asked[0]
    assert "paste the address" in typist.asked[0]


async def test_a_bare_code_is_taken(clock):
    redeem = Redeemer()

    await by_hand(clock, Typist("aPrx.typed%3D%3D"), redeem=redeem)

    assert redeem.codes[0].code.reveal() == "aPrx.typed=="


async def test_a_slip_is_asked_about_again(clock):
    other = "http://127.0.0.1/cb?code=x&state=other"
    url_alone = Typist("", "what?", other, pasted, url="set by the first prompt")
    first = url_alone.__call__

    async def prompt(text: str) -> str:
        if "://" in text:
            url_alone.url = next(word for word in text.split() if "://" in word)
        return await first(text)

    await by_hand(clock, prompt)

    assert [text.partition(".")[0] for text in url_alone.asked[1:]] == [
        "That holds neither a code nor an error",
        "That holds neither a code nor an error",
        "That is the end of another login",
    ]


async def test_a_prompt_that_only_gives_nothing_is_not_asked_for_ever(clock):
    typist = Typist(*[""] * 100)

    with pytest.raises(AuthError, match="5 times"):
        await by_hand(clock, typist)

    assert len(typist.asked) == 5


async def test_a_pasted_refusal_is_one(clock):
    def refused(url: str) -> str:
        return pasted(url).replace("code=aPrx.typed%3D%3D", "error=access_denied")

    with pytest.raises(AppAccessDenied):
        await by_hand(clock, Typist(refused))


async def test_a_browser_that_comes_back_ends_the_prompt(clock):
    person, redeem = FakePerson({"code": "by-browser"}), Redeemer()

    await log_in(clock, person, redeem=redeem)

    assert redeem.codes[0].code.reveal() == "by-browser"
    assert all("cannot come back here" in text for text in person.asked)


async def test_what_is_typed_first_wins_over_the_browser(clock):
    typist, redeem = Typist(pasted), Redeemer()

    async def browser(url: str) -> bool:
        typist.url = url
        return True

    await by_hand(clock, typist, redeem=redeem, browser=browser)

    assert redeem.codes[0].code.reveal() == "aPrx.typed=="


async def test_an_app_whose_callback_is_elsewhere_is_finished_by_hand(clock):
    elsewhere = "https://login.salesforce.com/services/oauth2/success"
    redeem = Redeemer()

    await by_hand(clock, Typist(pasted), replace(ASKED, redirect_uris=(elsewhere,)), redeem)

    assert redeem.codes[0].redirect_uri == elsewhere


# Options and renewal


@pytest.mark.parametrize(
    ("uris", "timeout_s", "problem"),
    [
        ((), 1.0, "redirect_uris is empty"),
        (("http://localhost/cb",), 1.0, "names no port"),
        (("http://localhost:1/cb", "http://example.com/cb"), 1.0, "plain http"),
        (("http://localhost:1/cb",), 0.0, "timeout_s must be more than 0"),
    ],
)
def test_options_with_which_nobody_could_log_in_are_refused(uris, timeout_s, problem):
    with pytest.raises(ConfigurationError, match=problem):
        check_code_options(uris, timeout_s)


def test_a_login_that_cannot_be_renewed_names_the_scope():
    with pytest.raises(ReauthorizationRequired, match=r"scope offline_access.*sfconnect login"):
        renewal_token(TOKEN, FACTS, "offline_access")

    renewable = replace(TOKEN, refresh_token=Secret("r"))
    assert renewal_token(renewable, FACTS, "offline_access").reveal() == "r"


async def test_an_error_of_the_exchange_keeps_its_kind(clock):
    with pytest.raises(InvalidCredentialsError):
        await log_in(clock, FakePerson(), redeem=Redeemer(InvalidCredentialsError("no")))
