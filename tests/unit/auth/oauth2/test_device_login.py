"""A code that is entered elsewhere: what is shown, how often is asked, and when it ends."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.oauth2.device_login import (
    DeviceCode,
    ask_for_code,
    check_can_show,
    device_request,
    log_in_by_device,
    read_device_answer,
)
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import Client, Refusal
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    ConnectError,
    ConnectionLostError,
    CredentialUnavailableError,
    LoginRateLimited,
    TransientAuthError,
)
from sfconnect.testing import FakeClock, FakePerson, ScriptedSender, answer
from sfconnect.testing.senders import text_of
from tests.unit.auth.oauth2.people import context_of

TOKEN = Credentials(Secret("a-token"), "https://api.example.com")
DEVICE = DeviceCode(
    Secret("a-device-code"), "WDJB-MJHT", "https://auth.example.com/device", interval_s=5, life_s=60
)
FACTS = LoginFacts("device", "https://auth.example.com", client_id="app-id")
ANSWER = {
    "device_code": "a-device-code",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://auth.example.com/device",
    "verification_uri_complete": "https://auth.example.com/device?user_code=WDJB-MJHT",
    "expires_in": 1800,
    "interval": 7,
}


def refused(code: str, kind: type[AuthError] = AuthConfigurationError) -> AuthError:
    return kind("The server said no.", code=code)


class Redeemer:
    """Raises or gives, one outcome for each question; keeps when it was asked."""

    def __init__(self, clock: FakeClock, *outcomes: Exception) -> None:
        self.clock = clock
        self.began = clock.monotonic()
        self.outcomes = list(outcomes)
        self.times: list[float] = []

    async def __call__(self) -> Credentials:
        self.times.append(self.clock.monotonic() - self.began)
        if self.outcomes:
            raise self.outcomes.pop(0)
        return TOKEN


async def run(clock, redeem, device=DEVICE, seconds=120.0, **people) -> Any:
    """Log in, with time passing; returns the credentials or the error."""
    people = people or {"prompt": FakePerson().prompt}
    context = context_of(ScriptedSender(), clock, **people)
    login = asyncio.ensure_future(log_in_by_device(context, device, redeem, "auth.example.com"))
    await clock.advance(seconds)
    assert login.done()
    assert clock.sleepers == 0
    return (await asyncio.gather(login, return_exceptions=True))[0]


async def test_it_is_asked_at_the_servers_interval_until_there_is_a_token(clock):
    redeem = Redeemer(clock, *[refused("authorization_pending")] * 3)

    assert await run(clock, redeem) is TOKEN
    assert redeem.times == [5, 10, 15, 20]


async def test_slow_down_adds_five_seconds_for_good(clock):
    pending = refused("authorization_pending")
    redeem = Redeemer(clock, pending, refused("slow_down", LoginRateLimited), pending, pending)

    assert await run(clock, redeem) is TOKEN
    assert redeem.times == [5, 10, 20, 30, 40]


@pytest.mark.parametrize(
    "fault",
    [ConnectError("no route"), ConnectionLostError("cut"), TransientAuthError("status 503")],
    ids=["not sent", "lost", "503"],
)
async def test_a_network_or_server_in_trouble_is_asked_less_often(clock, fault):
    redeem = Redeemer(clock, fault, fault)

    assert await run(clock, redeem) is TOKEN
    assert redeem.times == [5, 15, 35]


async def test_backing_off_has_an_end(clock):
    device = DeviceCode(Secret("d"), "U", "https://a.example.com", interval_s=40, life_s=1000)
    redeem = Redeemer(clock, *[ConnectError("no route")] * 3)

    await run(clock, redeem, device, 1000)

    assert redeem.times == [40, 100, 160, 220]


async def test_retry_after_is_kept_to(clock):
    limited = LoginRateLimited("status 429", retry_after=30.0)
    redeem = Redeemer(clock, limited)

    assert await run(clock, redeem) is TOKEN
    assert redeem.times == [5, 35]


async def test_nobody_asks_after_the_code_has_expired(clock):
    redeem = Redeemer(clock, *[refused("authorization_pending")] * 100)

    error = await run(clock, redeem, seconds=60.0)

    assert type(error) is AuthError
    assert error.docs_key == "device-code-expired"
    assert "within 60 s" in str(error)
    assert redeem.times == list(range(5, 60, 5))


async def test_a_code_that_the_server_ends_early_ends_the_login(clock):
    error = await run(clock, Redeemer(clock, refused("expired_token")))

    assert error.docs_key == "device-code-expired"
    assert error.__cause__.code == "expired_token"


@pytest.mark.parametrize("kind", [AppAccessDenied, AuthConfigurationError])
async def test_a_refusal_ends_the_login_at_once(clock, kind):
    refusal = refused("access_denied", kind)
    redeem = Redeemer(clock, refusal)

    assert await run(clock, redeem) is refusal
    assert redeem.times == [5]


async def test_the_person_sees_the_code_and_where_to_enter_it(clock):
    person = FakePerson()

    await run(clock, Redeemer(clock), prompt=person.prompt)

    (text,) = person.asked
    assert "WDJB-MJHT" in text
    assert "https://auth.example.com/device" in text
    assert "a-device-code" not in text
    assert "within 1 min" in text


async def test_the_address_with_the_code_in_it_is_shown_too(clock):
    person = FakePerson()
    device = read_device_answer(answer(ANSWER))
    assert isinstance(device, DeviceCode)

    await run(clock, Redeemer(clock), device, prompt=person.prompt)

    assert "https://auth.example.com/device?user_code=WDJB-MJHT" in person.asked[0]


async def test_without_a_prompt_the_browser_shows_the_address_with_the_code(clock):
    person = FakePerson()
    device = read_device_answer(answer(ANSWER))
    assert isinstance(device, DeviceCode)

    await run(clock, Redeemer(clock), device, browser=person.browser)

    assert person.opened == ["https://auth.example.com/device?user_code=WDJB-MJHT"]


async def test_enter_at_the_prompt_ends_nothing(clock):
    async def prompt(text: str) -> str:
        return ""

    redeem = Redeemer(clock, refused("authorization_pending"))

    assert await run(clock, redeem, prompt=prompt) is TOKEN
    assert redeem.times == [5, 10]


async def test_a_code_that_nobody_would_see_is_not_asked_for(clock):
    person = FakePerson()
    nobody = context_of(ScriptedSender(), clock)
    with_browser = context_of(ScriptedSender(), clock, browser=person.browser)

    with pytest.raises(CredentialUnavailableError, match="sfconnect login"):
        check_can_show(nobody)
    check_can_show(with_browser)
    with pytest.raises(CredentialUnavailableError):
        check_can_show(with_browser, DEVICE)


async def test_a_cancelled_login_asks_no_more(clock):
    redeem = Redeemer(clock, *[refused("authorization_pending")] * 100)
    context = context_of(ScriptedSender(), clock, prompt=FakePerson().prompt)
    login = asyncio.ensure_future(log_in_by_device(context, DEVICE, redeem, "auth.example.com"))
    await clock.advance(7)

    login.cancel()
    await asyncio.gather(login, return_exceptions=True)
    await clock.advance(50)

    assert login.cancelled()
    assert redeem.times == [5]
    assert clock.sleepers == 0


# Wire


def test_the_request_is_a_form_in_the_body():
    client = Client("app-id", Secret("s3cr3t"), "basic")

    request = device_request("https://a.example.com/d", {"scope": "read", "x": ""}, client)

    assert request.method == "POST"
    assert dict(parse_qsl(text_of(request))) == {"scope": "read"}
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    public = device_request("https://a.example.com/d", {"scope": "read"}, Client("app id"))
    assert text_of(public) == "scope=read&client_id=app+id"


def test_an_answer_is_read_with_its_times():
    device = read_device_answer(answer(ANSWER))

    assert device == DeviceCode(
        Secret("a-device-code"),
        "WDJB-MJHT",
        "https://auth.example.com/device",
        "https://auth.example.com/device?user_code=WDJB-MJHT",
        7.0,
        1800.0,
    )
    assert "a-device-code" not in repr(device)


@pytest.mark.parametrize(
    ("change", "interval_s", "life_s"),
    [
        ({"interval": None, "expires_in": None}, 5.0, 600.0),
        ({"interval": 0, "expires_in": 0}, 5.0, 600.0),
        ({"interval": -3, "expires_in": -1}, 5.0, 600.0),
        ({"interval": True, "expires_in": "soon"}, 5.0, 600.0),
        ({"interval": "3", "expires_in": "60"}, 3.0, 60.0),
        ({"interval": 1e400, "expires_in": [1]}, 5.0, 600.0),
    ],
)
def test_times_that_are_missing_or_odd_have_the_usual_values(change, interval_s, life_s):
    device = read_device_answer(answer({**ANSWER, **change}))

    assert isinstance(device, DeviceCode)
    assert (device.interval_s, device.life_s) == (interval_s, life_s)


def test_googles_older_name_is_known():
    members = {**ANSWER, "verification_url": ANSWER["verification_uri"]}
    del members["verification_uri"]

    device = read_device_answer(answer(members))

    assert isinstance(device, DeviceCode)
    assert device.verification_uri == "https://auth.example.com/device"


@pytest.mark.parametrize(
    "change",
    [
        {"device_code": ""},
        {"user_code": None},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://auth.example.com/device"},
        {"verification_uri": "https://auth.example.com/\x1b[2J"},
        {"verification_uri": "https://auth.example.com/a b"},
        {"verification_uri": 5},
    ],
)
def test_an_answer_that_cannot_be_shown_safely_is_none(change):
    refusal = read_device_answer(answer({**ANSWER, **change}))

    assert isinstance(refusal, Refusal)
    assert "It lacks a code" in refusal.description


def test_an_unsafe_address_with_the_code_is_left_out():
    device = read_device_answer(answer({**ANSWER, "verification_uri_complete": "ftp://x"}))

    assert isinstance(device, DeviceCode)
    assert device.complete_uri is None


@given(st.text(min_size=1))
def test_no_code_can_write_on_a_terminal_as_it_likes(user_code):
    text = user_code.encode("utf-8", "ignore").decode() or "x"

    device = read_device_answer(answer({**ANSWER, "user_code": text}))

    assert isinstance(device, DeviceCode)
    assert device.user_code.isprintable()
    assert len(device.user_code) <= 64


@pytest.mark.parametrize(
    ("response", "kind", "words"),
    [
        (answer({"error": "invalid_client"}, status=401), AuthError, "invalid_client"),
        (answer("<title>Sign in</title>"), AuthConfigurationError, "a web page"),
        (answer(""), AuthConfigurationError, "an empty body"),
        (answer("[1]"), AuthConfigurationError, "It lacks a code"),
        (answer({"access_token": "t"}), AuthConfigurationError, "It lacks a code"),
        (answer(status=503), TransientAuthError, "503"),
    ],
    ids=["refused", "page", "empty", "list", "token", "fault"],
)
async def test_an_answer_without_a_code_is_explained(clock, response, kind, words):
    context = context_of(ScriptedSender(response), clock)
    request = device_request("https://auth.example.com/device", {}, Client("app-id"))

    with pytest.raises(kind, match=words):
        await ask_for_code(context, request, FACTS)
