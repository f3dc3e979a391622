"""Salesforce's dialect of the device flow, which has to be asked for."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import replace

import pytest

from sfconnect._types import Secret
from sfconnect.auth import RetirementWarning
from sfconnect.auth.base import Credentials
from sfconnect.auth.store import identity_key
from sfconnect.errors import (
    AppAccessDenied,
    AuthError,
    ConfigurationError,
    CredentialUnavailableError,
    ReauthorizationRequired,
)
from sfconnect.salesforce.auth import Device
from sfconnect.testing import FakePerson, ScriptedSender, answer
from tests.unit.auth.oauth2.people import context_of, form_of

ACME = "https://acme.my.salesforce.com"
CODE = answer(
    {
        "device_code": "a-device-code",
        "user_code": "WDJB-MJHT",
        "verification_uri": f"{ACME}/setup/connect",
        "interval": 5,
    }
)
TOKEN = answer({"access_token": "00Dxx!abc", "refresh_token": "5Aep-1", "instance_url": ACME})
GIVEN = Credentials(Secret("00Dxx!old"), ACME, refresh_token=Secret("5Aep-held"))
PENDING = {"error": "authorization_pending", "error_description": "User has not responded"}

pytestmark = pytest.mark.filterwarnings("ignore:Salesforce's device flow")


@pytest.fixture
def device() -> Device:
    return Device(ACME, "3MVG9app", client_secret="s3cr3t", accept_restricted=True)


async def outcome(clock, strategy, sender, seconds=60.0):
    person = FakePerson()
    login = asyncio.ensure_future(
        strategy.authenticate(context_of(sender, clock, prompt=person.prompt))
    )
    await clock.advance(seconds)
    return (await asyncio.gather(login, return_exceptions=True))[0], person


async def test_a_code_is_shown_and_asked_with_until_it_was_entered(clock, device):
    sender = ScriptedSender(CODE, answer(PENDING, status=400), TOKEN)

    credentials, person = await outcome(clock, replace(device, scope="api"), sender)

    assert credentials.access_token.reveal() == "00Dxx!abc"
    assert "WDJB-MJHT" in person.asked[0]
    assert [request.path for request in sender.requests] == [f"{ACME}/services/oauth2/token"] * 3
    first, *polls = map(form_of, sender.requests)
    assert first == {"response_type": "device_code", "client_id": "3MVG9app", "scope": "api"}
    assert (
        polls
        == [
            {
                "grant_type": "device",
                "code": "a-device-code",
                "client_id": "3MVG9app",
                "client_secret": "s3cr3t",
            }
        ]
        * 2
    )


async def test_a_person_who_says_no_ends_it(clock, device):
    refusal = answer({"error": "access_denied", "error_description": "user said no"}, status=400)

    error, _ = await outcome(clock, device, ScriptedSender(CODE, refusal))

    assert type(error) is AppAccessDenied
    assert "Log in again and allow the app" in str(error)


async def test_a_code_lives_ten_minutes_where_nothing_else_is_said(clock, device):
    pending = [answer(PENDING, status=400)] * 119

    error, _ = await outcome(clock, device, ScriptedSender(CODE, *pending), 600.0)

    assert type(error) is AuthError
    assert "within 600 s" in str(error)


async def test_the_device_code_is_in_no_error(clock, device):
    body = {"error": "invalid_grant", "error_description": "a-device-code is not known"}

    error, _ = await outcome(clock, device, ScriptedSender(CODE, answer(body, status=400)))

    assert isinstance(error, AuthError)
    assert "a-device-code" not in str(error)


async def test_where_nobody_is_there_nothing_is_sent(clock, device):
    sender = ScriptedSender()

    with pytest.raises(CredentialUnavailableError):
        await device.authenticate(context_of(sender, clock))

    assert sender.requests == []


async def test_it_is_renewed_and_ended_as_any_grant_of_a_person(clock, device):
    sender = ScriptedSender(TOKEN, answer())

    await device.refresh(context_of(sender, clock), GIVEN)
    await device.revoke(context_of(sender, clock), GIVEN)

    renewal, end = map(form_of, sender.requests)
    assert renewal["grant_type"] == "refresh_token"
    assert renewal["refresh_token"] == "5Aep-held"
    assert end == {"token": "5Aep-held"}
    with pytest.raises(ReauthorizationRequired, match="scope refresh_token"):
        await device.refresh(context_of(sender, clock), replace(GIVEN, refresh_token=None))


def test_it_is_off_unless_it_is_asked_for():
    with pytest.raises(ConfigurationError, match=r"authorization-code.*accept_restricted"):
        Device(ACME, "3MVG9app")


def test_it_warns_of_its_end_once_in_a_process(monkeypatch):
    monkeypatch.setattr("sfconnect.auth.retirement._told", {})

    with pytest.warns(RetirementWarning, match="30 November 2026") as told:
        Device(ACME, "3MVG9app", accept_restricted=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Device(ACME, "3MVG9app", accept_restricted=True)

    assert told[0].filename == __file__


def test_that_it_was_asked_for_does_not_change_whose_token_it_is(device):
    assert identity_key(device) == identity_key(replace(device, client_secret=None))
