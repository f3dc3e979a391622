"""JWT bearer with a key in KMS: from the certificate to a query, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sfconnect import JwtBearer, Salesforce
from sfconnect.errors import AuthConfigurationError, InvalidCredentialsError
from sfconnect_auth_kms import self_signed
from sfconnect_emulator import Emulator


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 3}) as running:
        yield running


def register(org: Emulator, certificate: str) -> None:
    """Upload a certificate to the app, as an admin does in Setup."""
    app = next(app for app in org.control.apps() if app.client_id == org.client_id)
    org.control.add_app(replace(app, certificate=certificate))


async def test_a_key_in_kms_logs_in_with_the_certificate_made_of_it(org, kms, key) -> None:
    signer = kms.signer(key)
    register(org, await self_signed(signer))
    auth = JwtBearer(org.login_url, org.client_id, org.username, signer=signer)

    async with Salesforce.connect(auth) as sf:
        rows = [row async for row in sf.query("SELECT Id FROM Account")]

    assert len(rows) == 3
    assert org.control.statistics()["logins"] == {"jwt-bearer": 1}


async def test_a_certificate_of_another_key_is_refused_by_the_org(org, kms, key) -> None:
    register(org, await self_signed(kms.signer(kms.make_key())))
    auth = JwtBearer(org.login_url, org.client_id, org.username, signer=kms.signer(key))

    async with Salesforce.connect(auth) as sf:
        with pytest.raises(InvalidCredentialsError) as caught:
            await sf.limits()

    assert caught.value.docs_key == "wrong-key"


async def test_what_kms_refuses_is_the_error_of_the_login(org, kms) -> None:
    auth = JwtBearer(
        org.login_url,
        org.client_id,
        org.username,
        signer=kms.signer("nowhere", kms_region="eu-central-1"),
    )

    async with Salesforce.connect(auth) as sf:
        with pytest.raises(AuthConfigurationError) as caught:
            await sf.limits()

    assert caught.value.docs_key == "kms-key-unknown"
    assert org.control.statistics()["logins"] == {}
