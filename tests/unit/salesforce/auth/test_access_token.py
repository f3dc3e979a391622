"""A given token that a callback of the application renews."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sfconnect._types import Secret
from sfconnect.auth import Credentials, build, options_of
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore, identity_key
from sfconnect.config import Value
from sfconnect.errors import AuthError, ConfigurationError, PluginError, ReauthorizationRequired
from sfconnect.salesforce.auth import AccessToken
from sfconnect.testing import ScriptedSender

ACME = "https://acme.my.salesforce.com"
JWT_UNTIL_2033 = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.c2ln"
GIVEN = AccessToken(ACME, "00Dxx!given")


def renewing(value: Any) -> tuple[AccessToken, list[str]]:
    calls: list[str] = []

    async def renew() -> Any:
        calls.append("renew")
        if isinstance(value, Exception):
            raise value
        return value

    return replace(GIVEN, renew=renew), calls


@pytest.fixture
async def managed():
    managers: list[CredentialManager] = []

    def make(strategy: AccessToken, **more: Any) -> CredentialManager:
        managers.append(CredentialManager(strategy, send=ScriptedSender(), **more))
        return managers[-1]

    yield make
    for manager in managers:
        await manager.aclose()


@pytest.mark.parametrize("wrap", [str, Secret])
async def test_a_refused_token_is_replaced_by_the_callbacks(managed: Callable[..., Any], wrap):
    strategy, calls = renewing(wrap("00Dxx!renewed"))
    manager = managed(strategy)
    first = await manager.get()

    second = await manager.replace(first)

    assert (first.access_token, second.access_token) == (
        Secret("00Dxx!given"),
        Secret("00Dxx!renewed"),
    )
    assert second.instance_url == ACME
    assert calls == ["renew"]


async def test_the_callback_may_give_whole_credentials(managed):
    moved = Credentials(Secret("00Dyy!x"), "https://other.my.salesforce.com")
    strategy, _ = renewing(moved)
    manager = managed(strategy)

    assert await manager.replace(await manager.get()) == moved


async def test_a_renewed_jwt_tells_its_expiry(managed):
    strategy, _ = renewing(JWT_UNTIL_2033)
    manager = managed(strategy)

    assert (await manager.replace(await manager.get())).expires_at == 2_000_000_000.0


async def test_what_was_renewed_is_found_by_the_next_process(managed):
    store = MemoryStore()
    strategy, calls = renewing("00Dxx!renewed")
    first = managed(strategy, store=store)
    await first.replace(await first.get())

    found = await managed(strategy, store=store).get()

    assert found.access_token == Secret("00Dxx!renewed")
    assert calls == ["renew"]


@pytest.mark.parametrize("value", [None, b"00Dxx!x", "", Secret(""), 7])
async def test_a_callback_that_gives_no_token_is_told(managed, value):
    strategy, _ = renewing(value)
    manager = managed(strategy)

    with pytest.raises(PluginError, match=f"gave {type(value).__name__}"):
        await manager.replace(await manager.get())


async def test_the_placeholder_of_the_cli_is_no_renewal(managed):
    strategy, _ = renewing("[REDACTED] Use 'sf org auth show-access-token' to view")
    manager = managed(strategy)

    with pytest.raises(ConfigurationError, match="placeholder"):
        await manager.replace(await manager.get())


async def test_what_a_callback_raises_is_named_without_the_token(managed):
    strategy, _ = renewing(LookupError("no more than 00Dxx!given"))
    manager = managed(strategy)

    with pytest.raises(
        AuthError, match="Logging in with AccessToken failed: LookupError"
    ) as caught:
        await manager.replace(await manager.get())

    assert "00Dxx!given" not in str(caught.value)


async def test_an_error_of_the_callback_that_is_ours_passes(managed):
    strategy, _ = renewing(ReauthorizationRequired("Ask Ada.", hint="Phone her."))
    manager = managed(strategy)

    with pytest.raises(ReauthorizationRequired, match=r"Ask Ada\."):
        await manager.replace(await manager.get())


def test_a_callback_changes_no_identity_and_no_text_can_be_one():
    strategy, _ = renewing("x")
    (spec,) = [spec for spec in options_of(AccessToken) if spec.name == "renew"]
    values = {
        "instance_url": Value(ACME, "a test"),
        "access_token": Value("x", "a test"),
        "renew": Value("os.system", "a test"),
    }

    assert identity_key(strategy) == identity_key(renewing("y")[0])
    assert "which only code can give" in spec.wanted
    with pytest.raises(ConfigurationError, match="renew"):
        build(AccessToken, values)
