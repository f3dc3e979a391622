"""The password flow and SOAP login against an emulated org, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfconnect import Salesforce
from sfconnect.errors import AuthConfigurationError, AuthError, InvalidCredentialsError
from sfconnect_auth_legacy import SoapLogin, UsernamePassword
from sfconnect_emulator import Emulator


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 3}) as running:
        yield running


def strategy_for(org: Emulator, **changes: str) -> UsernamePassword:
    announced = org.announcement
    options = {
        "login_url": announced.login_url,
        "client_id": announced.client_id,
        "client_secret": announced.client_secret,
        "username": announced.username,
        "password": announced.password,
        "security_token": announced.security_token,
    }
    return UsernamePassword(**{**options, **changes})


async def test_a_password_opens_a_session_that_queries(org: Emulator) -> None:
    async with Salesforce.connect(strategy_for(org)) as sf:
        rows = [row async for row in sf.query("SELECT Id FROM Account")]

    assert len(rows) == 3


async def test_a_session_that_ends_is_followed_by_another_login(org: Emulator) -> None:
    async with Salesforce.connect(strategy_for(org)) as sf:
        await sf.limits()
        org.control.revoke_tokens()
        await sf.limits()

    logins = org.control.statistics()["logins"]
    assert logins == {"password": 2}


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"security_token": ""}])
async def test_a_wrong_password_and_a_missing_token_are_the_same_refusal(
    org: Emulator, changes: dict[str, str]
) -> None:
    async with Salesforce.connect(strategy_for(org, **changes)) as sf:
        with pytest.raises(InvalidCredentialsError) as caught:
            await sf.limits()

    assert caught.value.code == "invalid_grant"
    assert "Login History" in (caught.value.hint or "")


async def test_an_app_without_the_flow_says_that_it_is_retired(org: Emulator) -> None:
    org.control.change_app(org.client_id, {"flows": ["client_credentials"]})

    async with Salesforce.connect(strategy_for(org)) as sf:
        with pytest.raises(AuthConfigurationError) as caught:
            await sf.limits()

    assert caught.value.docs_key == "flow-retired"


async def test_a_wrong_secret_is_told_apart_from_a_wrong_password(org: Emulator) -> None:
    async with Salesforce.connect(strategy_for(org, client_secret="wrong")) as sf:
        with pytest.raises(InvalidCredentialsError) as caught:
            await sf.limits()

    assert caught.value.docs_key == "wrong-client-secret"


def soap_login_for(org: Emulator, **changes: str) -> SoapLogin:
    announced = org.announcement
    options = {
        "login_url": announced.login_url,
        "username": announced.username,
        "password": announced.password,
        "security_token": announced.security_token,
    }
    return SoapLogin(**{**options, **changes})


async def test_a_soap_login_opens_a_session_that_queries(org: Emulator) -> None:
    async with Salesforce.connect(soap_login_for(org)) as sf:
        rows = [row async for row in sf.query("SELECT Id FROM Account")]

    assert len(rows) == 3
    assert org.control.statistics()["logins"] == {"soap": 1}


async def test_a_soap_session_that_ends_is_followed_by_another_login(org: Emulator) -> None:
    async with Salesforce.connect(soap_login_for(org, soap_version="31.0")) as sf:
        await sf.limits()
        org.control.revoke_tokens()
        await sf.limits()

    assert org.control.statistics()["logins"] == {"soap": 2}


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"password": "wrong"}, "INVALID_LOGIN"),
     ({"security_token": ""}, "LOGIN_MUST_USE_SECURITY_TOKEN")],
)  # fmt: skip
async def test_a_refused_soap_login_says_what_is_wrong(
    org: Emulator, changes: dict[str, str], code: str
) -> None:
    async with Salesforce.connect(soap_login_for(org, **changes)) as sf:
        with pytest.raises(InvalidCredentialsError) as caught:
            await sf.limits()

    assert caught.value.code == code


async def test_an_expired_password_ends_a_soap_login(org: Emulator) -> None:
    org.control.change_org({"expired_passwords": [org.username]})

    async with Salesforce.connect(soap_login_for(org)) as sf:
        with pytest.raises(InvalidCredentialsError) as caught:
            await sf.limits()

    assert caught.value.docs_key == "password-expired"


@pytest.mark.parametrize(
    ("policies", "key", "hint"),
    [
        ({"users_without_any_api_auth": None}, "soap-login-off", "Use Any API Auth"),
        ({"login_ip_ranges": ["192.0.2.0/24"]}, "ip-restricted", "login IP ranges"),
    ],
    ids=["permission", "address"],
)
async def test_a_policy_that_refuses_a_soap_login_is_the_one_to_change(
    org: Emulator, policies: dict[str, object], key: str, hint: str
) -> None:
    org.control.change_org({name: value or [org.username] for name, value in policies.items()})

    async with Salesforce.connect(soap_login_for(org)) as sf:
        with pytest.raises(AuthConfigurationError) as caught:
            await sf.limits()

    assert caught.value.docs_key == key
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("policies", "key"),
    [
        ({"blocked_flows": ["password"]}, "flow-retired"),
        ({"active": False}, "inactive-org"),
        ({"logins_per_hour": 0}, "login-rate"),
    ],
    ids=["blocked", "locked org", "login rate"],
)
async def test_what_the_org_forbids_passwords_is_told(
    org: Emulator, policies: dict[str, object], key: str
) -> None:
    org.control.change_org(policies)

    async with Salesforce.connect(strategy_for(org)) as sf:
        with pytest.raises(AuthError) as caught:
            await sf.limits()

    assert caught.value.docs_key == key
    assert caught.value.hint


@pytest.mark.parametrize(
    ("policies", "key"),
    [({"api_enabled": False}, "api-disabled"), ({"logins_per_hour": 0}, "login-rate")],
    ids=["no API", "login rate"],
)
async def test_what_the_org_forbids_soap_logins_is_told(
    org: Emulator, policies: dict[str, object], key: str
) -> None:
    org.control.change_org(policies)

    async with Salesforce.connect(soap_login_for(org)) as sf:
        with pytest.raises(AuthError) as caught:
            await sf.limits()

    assert caught.value.docs_key == key
    assert caught.value.hint
