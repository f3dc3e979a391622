"""While an app has two secrets, a login works with either."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
import structlog

from sfconnect.auth.base import AuthContext
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import identity_key, secrets_of
from sfconnect.errors import ConfigurationError, ConnectError, InvalidCredentialsError
from sfconnect.messages import Request
from sfconnect.salesforce.auth import ClientCredentials, RefreshToken
from sfconnect.testing import ScriptedSender, answer
from sfconnect.testing.senders import text_of

ACME = "https://acme.my.salesforce.com"
TOKEN = {"access_token": "00Dxx!abc", "instance_url": ACME}
WRONG = answer(
    {"error": "invalid_client", "error_description": "invalid client credentials"}, status=400
)
CLIENT = ClientCredentials(ACME, "3MVG9app", "current-1", client_secret_next="next-2")
REFRESH = RefreshToken(
    ACME, "3MVG9app", "5Aep-1", client_secret="current-1", client_secret_next="next-2"
)
BOTH = pytest.mark.parametrize(
    "strategy", [CLIENT, REFRESH], ids=["client-credentials", "refresh-token"]
)


def context(sender: ScriptedSender) -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    return AuthContext(send=sender, child=no_child, log=structlog.get_logger())


def secrets_sent(sender: ScriptedSender) -> list[str]:
    return [dict(parse_qsl(text_of(one)))["client_secret"] for one in sender.requests]


@BOTH
async def test_the_next_secret_is_left_alone_while_the_current_one_works(strategy):
    sender = ScriptedSender(answer(TOKEN))

    await strategy.authenticate(context(sender))

    assert secrets_sent(sender) == ["current-1"]


@BOTH
@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_secret_is_followed_by_the_next(strategy, status):
    refused = answer({"error": "invalid_client"}, status=status)
    sender = ScriptedSender(refused, answer(TOKEN))

    credentials = await strategy.authenticate(context(sender))

    assert secrets_sent(sender) == ["current-1", "next-2"]
    assert credentials.instance_url == ACME


async def test_the_next_secret_goes_where_the_current_one_went():
    sender = ScriptedSender(WRONG, answer(TOKEN))

    await replace(CLIENT, client_auth="basic").authenticate(context(sender))

    first, second = (one.headers["Authorization"] for one in sender.requests)
    assert first != second
    assert [dict(parse_qsl(text_of(one))) for one in sender.requests] == [
        {"grant_type": "client_credentials"}
    ] * 2


@BOTH
async def test_two_wrong_secrets_are_two_requests_and_one_error(strategy):
    sender = ScriptedSender(WRONG, WRONG)

    with pytest.raises(InvalidCredentialsError, match="Check client_secret") as caught:
        await strategy.authenticate(context(sender))

    assert secrets_sent(sender) == ["current-1", "next-2"]
    assert caught.value.hopeless


@BOTH
@pytest.mark.parametrize(
    ("error", "description"),
    [
        ("invalid_grant", "authentication failure"),
        ("invalid_client_id", "client identifier invalid"),
        ("invalid_request", "invalid client credentials"),
    ],
)
async def test_other_refusals_do_not_try_the_next_secret(strategy, error, description):
    refused = answer({"error": error, "error_description": description}, status=400)
    sender = ScriptedSender(refused)

    with pytest.raises(Exception, match=description):
        await strategy.authenticate(context(sender))

    assert secrets_sent(sender) == ["current-1"]


@BOTH
async def test_a_lost_connection_does_not_try_the_next_secret(strategy):
    sender = ScriptedSender(ConnectError("no route"))

    with pytest.raises(ConnectError):
        await strategy.authenticate(context(sender))

    assert secrets_sent(sender) == ["current-1"]


@BOTH
async def test_an_equal_next_secret_is_not_tried(strategy):
    sender = ScriptedSender(WRONG)

    with pytest.raises(InvalidCredentialsError):
        await replace(strategy, client_secret_next="current-1").authenticate(context(sender))


@BOTH
async def test_every_login_begins_with_the_current_secret(strategy):
    """Nothing is remembered: the strategy is a value, shared by loops and threads."""
    sender = ScriptedSender(WRONG, answer(TOKEN), answer({**TOKEN, "access_token": "00Dxx!def"}))
    manager = CredentialManager(strategy, send=sender)

    await manager.replace(await manager.get())
    await manager.aclose()

    assert secrets_sent(sender) == ["current-1", "next-2", "current-1"]


async def test_a_refused_secret_uses_up_no_refresh_token():
    sender = ScriptedSender(WRONG, answer(TOKEN))

    await REFRESH.authenticate(context(sender))

    def token_of(request: Request) -> str:
        return dict(parse_qsl(text_of(request)))["refresh_token"]

    assert [token_of(one) for one in sender.requests] == ["5Aep-1", "5Aep-1"]


@BOTH
def test_a_next_secret_that_follows_none_is_refused(strategy):
    options = {"client_secret": None, "client_secret_next": "canary"}
    if isinstance(strategy, ClientCredentials):
        options |= {"client_auth": "private_key_jwt", "private_key": "canary"}

    with pytest.raises(ConfigurationError, match="client_secret_next is given") as caught:
        replace(strategy, **options)

    assert "canary" not in str(caught.value)


@BOTH
def test_both_are_secrets_and_neither_changes_the_identity(strategy):
    assert {"current-1", "next-2"} <= set(secrets_of(strategy))
    assert "next-2" not in repr(strategy)
    assert identity_key(replace(strategy, client_secret_next=None)) == identity_key(strategy)
