"""Hints as an org brings them about: its policies are changed, and the login is really refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sfconnect import Salesforce
from sfconnect.auth.base import AuthStrategy
from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import ClockSkewError
from sfconnect.salesforce.auth import ClientCredentials, JwtBearer, RefreshToken
from sfconnect.testing import FakeClock
from sfconnect_emulator import Emulator
from sfconnect_emulator.keys import KeyPair


def client(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


def bearer(org: Emulator) -> JwtBearer:
    return JwtBearer(org.login_url, org.client_id, org.username, private_key=org.private_key)


def refresher(org: Emulator) -> RefreshToken:
    return RefreshToken(org.login_url, org.client_id, org.refresh_token)


def policy(**changes: Any) -> Callable[[Emulator], object]:
    return lambda org: org.control.change_app(org.client_id, changes)


def of_org(**changes: Any) -> Callable[[Emulator], object]:
    return lambda org: org.control.change_org(changes)


def freeze(org: Emulator) -> None:
    org.control.change_org({"frozen_users": [org.username]})


def nothing(_org: Emulator) -> None:
    return None


def no_logins_left(org: Emulator) -> None:
    org.control.change_org({"logins_per_hour": 0})


def answering(error: str, description: str, **more: Any) -> Callable[[Emulator], object]:
    """For what the org's policies cannot bring about: the answer as it comes over the wire."""
    body = {"error": error, "error_description": description, **more}
    action = {"type": "respond", "status": 400, "json": body}
    match = {"path": "/services/oauth2/token"}
    return lambda org: org.control.add_faults([{"match": match, "action": action}])


Login = Callable[[Emulator], AuthStrategy]
PROVOKED: list[tuple[str, Callable[[Emulator], object], Login, str]] = [
    ("no-run-as-user", policy(run_as=None), client, "Set Run As"),
    ("no-valid-scopes", policy(scopes=["full", "web"]), client, "(api)"),
    ("flow-not-enabled", policy(flows=[]), client, "Enable"),
    ("flow-not-enabled", policy(flows=[]), bearer, "Enable"),
    ("user-not-approved", policy(approved_users=[]), bearer, "permission set"),
    (
        "consumer-not-approved",
        policy(admin_approval=False, approved_users=[]),
        bearer,
        "/services/oauth2/authorize?response_type=code&client_id=",
    ),
    (
        "consumer-not-approved",
        nothing,
        lambda org: replace(bearer(org), username="nobody@example.com"),
        "profile of nobody@example.com",
    ),
    (
        "wrong-audience",
        nothing,
        lambda org: replace(bearer(org), audience="https://acme.example"),
        "was for https://acme.example; set audience=https://test.salesforce.com",
    ),
    (
        "wrong-key",
        nothing,
        lambda org: replace(bearer(org), private_key=KeyPair.generate().private_key),
        "sfconnect auth doctor",
    ),
    (
        "unknown-client-id",
        nothing,
        lambda org: replace(client(org), client_id="3MVG9unknown"),
        "Consumer Key and Secret",
    ),
    (
        "wrong-client-secret",
        nothing,
        lambda org: replace(client(org), client_secret="wrong"),
        "Check client_secret",
    ),
    (
        "refresh-token-dead",
        lambda org: org.control.revoke_tokens(refresh_tokens=True),
        refresher,
        "Authorise the app again",
    ),
    ("refresh-token-dead", policy(refresh_token_life_s=0), refresher, "Refresh Token Policy"),
    ("login-rate", no_logins_left, client, "token store"),
    (
        "scope-not-supported",
        answering("invalid_request", "scope parameter not supported"),
        client,
        "Leave scope",
    ),
    ("app-not-installed", policy(installed=False), client, "Install"),
    ("inactive-org", of_org(active=False), client, "unlock"),
    ("ip-restricted", of_org(login_ip_ranges=["192.0.2.0/24"]), client, "Login IP Ranges"),
    ("ip-restricted", policy(ip_ranges=["192.0.2.0/24"]), client, "relax IP"),
    ("user-not-approved", policy(profiles=["Nobody's"]), bearer, "permission set"),
    ("inactive-user", freeze, bearer, "unfreeze"),
    ("org-gone", answering("invalid_grant", "Data Not Available"), refresher, "new org"),
    ("unknown-user", answering("invalid_grant", "user not found"), bearer, "sandbox's name"),
    (
        "refresh-in-progress",
        answering("invalid_grant", "expired authorization code"),
        refresher,
        "token store",
    ),
]


@pytest.mark.parametrize("case", PROVOKED, ids=lambda case: f"{case[0]}, {case[3]}")
async def test_a_refusal_of_the_org_is_explained(org, failure, case):
    key, change, login, named = case
    change(org)

    error = await failure(login(org))

    assert error.docs_key == key
    assert named in (error.hint or "")
    assert error.request_id
    assert "127.0.0.1" in error.message


async def test_a_user_who_is_deactivated_is_named(org, failure):
    async with Salesforce.connect(client(org)) as sf:
        user = await sf.query("SELECT Id, Username FROM User WHERE IsActive = true").first()
        assert user is not None
        await sf.sobject("User").update(user["Id"], {"IsActive": False})

    error = await failure(replace(bearer(org), username=user["Username"]))

    assert error.docs_key == "inactive-user"
    assert f"unfreeze {user['Username']}" in (error.hint or "")


@pytest.mark.parametrize("drift_s", [-7200.0, 7200.0])
async def test_a_clock_that_explains_a_refusal_is_told(org, pool, drift_s):
    clock = FakeClock(wall=org.instance.clock.time() + drift_s)
    expired = answering("invalid_grant", "assertion expired")
    expired(org)
    manager = CredentialManager(bearer(org), send=pool.send, clock=clock)

    with pytest.raises(ClockSkewError, match=r"7\d\d\d s (behind|ahead of) the login server's"):
        await manager.get()
    await manager.aclose()
