"""SAML assertions over sockets: really signed here, really verified by the org."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from sfconnect import Salesforce
from sfconnect.errors import (
    AuthConfigurationError,
    InvalidCredentialsError,
    ReauthorizationRequired,
)
from sfconnect.salesforce.auth import SamlBearer
from sfconnect_emulator import Emulator
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.saml_issuer import SamlDraft

LOGIN = "https://login.salesforce.com"


def draft(org: Emulator, **changes: Any) -> SamlDraft:
    now = org.instance.clock.time()
    good = SamlDraft(
        issuer=org.client_id,
        name_id=org.username,
        audience=LOGIN,
        recipient=f"{org.login_url}/services/oauth2/token",
        begins_at=now - 5,
        ends_at=now + 300,
    )
    return replace(good, **changes)


def strategy(org: Emulator, key: str | None = None, **changes: Any) -> SamlBearer:
    return SamlBearer(org.login_url, assertion=draft(org, **changes).signed(key or org.private_key))


async def test_a_signed_assertion_is_a_login_of_its_subject(org):
    async with Salesforce.connect(strategy(org)) as sf:
        assert await sf.query("SELECT Id FROM Account").count() == 1
        assert (await sf.whoami()).username == org.username


async def test_an_assertion_may_be_in_base64_and_about_any_user(org, manage):
    other = org.instance.org.users[1]
    text = draft(org, name_id=other.username).signed(org.private_key)

    given = SamlBearer(org.login_url, assertion=base64.b64encode(text.encode()).decode())
    credentials = await manage(given).get()

    assert (credentials.identity_url or "").endswith(other.id)


async def test_a_source_gives_a_new_assertion_for_each_login(org, manage, is_accepted):
    async def source() -> str:
        return draft(org).signed(org.private_key)

    manager = manage(SamlBearer(org.login_url, assertion_source=source, username=org.username))
    first = await manager.get()
    org.control.revoke_tokens()

    second = await manager.replace(first)

    assert await is_accepted(second.access_token)
    assert org.control.statistics()["logins"] == {"saml-bearer": 2}


async def test_the_assertion_that_the_control_api_signs_is_one(org, manage):
    given = SamlBearer(org.login_url, assertion=org.control.saml_assertion())

    assert await manage(given).get() is not None


async def test_an_assertion_is_good_for_one_login(org, manage, failure):
    once = strategy(org)
    await manage(once).get()

    error = await failure(once)

    assert type(error) is InvalidCredentialsError
    assert error.docs_key == "saml-refused"


async def test_an_assertion_of_another_key_names_certificate_and_validator(org, failure):
    error = await failure(strategy(org, KeyPair.generate().private_key))

    assert type(error) is InvalidCredentialsError
    assert error.docs_key == "saml-refused"
    assert "Upload the certificate" in (error.hint or "")
    assert "SAML Assertion Validator" in (error.hint or "")


@pytest.mark.parametrize(
    ("old", "new"),
    [("ac:classes:unspecified", "ac:classes:Password"), ("</saml:NameID>", "x</saml:NameID>")],
)
async def test_an_assertion_that_was_tampered_with(org, failure, old, new):
    text = draft(org).signed(org.private_key)
    assert old in text

    error = await failure(SamlBearer(org.login_url, assertion=text.replace(old, new)))

    assert error.docs_key == "saml-refused"
    assert text.partition("<ds:SignatureValue>")[2][:40] not in str(error)


async def test_an_assertion_that_has_ended_is_not_sent(org, failure):
    error = await failure(strategy(org, ends_at=org.instance.clock.time() - 1))

    assert type(error) is ReauthorizationRequired
    assert org.control.statistics()["refused_logins"] == {}


async def test_an_assertion_that_has_ended_by_the_clock_of_the_org(org, failure):
    given = strategy(org)
    org.control.advance_clock(3600)

    error = await failure(given)

    assert error.docs_key == "saml-refused"
    assert "differs by 3" in (error.hint or "")


async def test_the_wrong_audience_is_named_with_the_right_one(org, failure):
    meant_for = "https://example.com"

    error = await failure(replace(strategy(org, audience=meant_for), audience=meant_for))

    assert type(error) is AuthConfigurationError
    assert error.docs_key == "saml-audience"
    assert f"Recipient to {org.login_url}/services/oauth2/token" in (error.hint or "")


async def test_a_user_whom_the_org_does_not_know(org, failure):
    error = await failure(strategy(org, name_id="nobody@example.com"))

    assert error.docs_key == "consumer-not-approved"
    assert "nobody@example.com" in (error.hint or "")


async def test_an_app_that_the_org_does_not_know(org, failure):
    error = await failure(strategy(org, issuer="3MVG9somethingelse"))

    assert error.docs_key == "unknown-client-id"
