"""Tokens of other identity providers: what is sent, what may come back, whose token is kept."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog

from sfconnect._types import Secret
from sfconnect.auth import build
from sfconnect.auth.base import AuthContext
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import identity_key, secrets_of
from sfconnect.config import Value
from sfconnect.errors import (
    AuthConfigurationError,
    ConfigurationError,
    CredentialUnavailableError,
    InvalidCredentialsError,
)
from sfconnect.salesforce.auth import TokenExchange
from sfconnect.testing import ScriptedSender, answer
from sfconnect.testing.senders import text_of

ACME = "https://acme.my.salesforce.com"
URN = "urn:ietf:params:oauth:token-type:"
TOKEN = {
    "access_token": "00Dxx!abc",
    "instance_url": ACME,
    "issued_token_type": f"{URN}access_token",
}
EXCHANGE = TokenExchange(ACME, "3MVG9app", subject_token="idp-token-1")


def context(sender: ScriptedSender) -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    return AuthContext(send=sender, child=no_child, log=structlog.get_logger())


def form(sender: ScriptedSender) -> dict[str, str]:
    return dict(parse_qsl(text_of(sender.last), keep_blank_values=True))


async def sent(strategy: TokenExchange) -> dict[str, str]:
    sender = ScriptedSender(answer(TOKEN))
    await strategy.authenticate(context(sender))
    return form(sender)


async def test_the_least_is_the_token_its_kind_and_the_app():
    sender = ScriptedSender(answer(TOKEN))

    credentials = await EXCHANGE.authenticate(context(sender))

    assert sender.last.path == f"{ACME}/services/oauth2/token"
    assert form(sender) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "idp-token-1",
        "subject_token_type": f"{URN}jwt",
        "client_id": "3MVG9app",
    }
    assert credentials.access_token == Secret("00Dxx!abc")
    assert credentials.extra["issued_token_type"] == f"{URN}access_token"


async def test_all_that_is_optional_is_sent_when_it_is_given():
    whole = replace(
        EXCHANGE,
        client_secret="s3cr3t",
        token_handler="Github",
        actor_token="robot-token",
        actor_token_type="access_token",
        scope="api",
    )

    assert await sent(whole) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "idp-token-1",
        "subject_token_type": f"{URN}jwt",
        "client_id": "3MVG9app",
        "client_secret": "s3cr3t",
        "token_handler": "Github",
        "actor_token": "robot-token",
        "actor_token_type": f"{URN}access_token",
        "scope": "api",
    }


@pytest.mark.parametrize("kind", ["access_token", "refresh_token", "id_token", "jwt", "saml2"])
async def test_kinds_have_short_names(kind):
    assert (await sent(replace(EXCHANGE, subject_token_type=kind)))["subject_token_type"] == (
        URN + kind
    )


async def test_a_urn_is_sent_as_it_is():
    """Salesforce's own enumeration writes one of them in capitals."""
    spelled = replace(EXCHANGE, subject_token_type=f"{URN}JWT")

    assert (await sent(spelled))["subject_token_type"] == f"{URN}JWT"


@pytest.mark.parametrize("name", ["subject_token_type", "actor_token_type"])
def test_a_kind_that_is_none_is_refused_with_the_nearest(name):
    wrong: dict[str, Any] = {name: "idtoken"}

    with pytest.raises(ConfigurationError, match=rf"{name} 'idtoken'.*id_token"):
        replace(EXCHANGE, **wrong)


async def test_a_rotated_file_is_found_by_the_next_login(tmp_path):
    path = tmp_path / "identity"
    path.write_text("first\n")
    strategy = TokenExchange(ACME, "3MVG9app", subject_token_file=path)
    before = await sent(strategy)

    path.write_text("second\n")

    assert [before["subject_token"], (await sent(strategy))["subject_token"]] == ["first", "second"]


async def test_the_tokens_of_commands_and_callbacks_are_taken():
    async def source() -> Secret:
        return Secret("of a callback")

    command = shlex.join([sys.executable, "-SEc", "print('of a command')"])
    by_command = TokenExchange(ACME, "3MVG9app", subject_token_command=command)
    by_callback = TokenExchange(ACME, "3MVG9app", subject_token_source=source, subject="job-1")

    assert (await sent(by_command))["subject_token"] == "of a command"
    assert (await sent(by_callback))["subject_token"] == "of a callback"


async def test_the_actors_token_is_read_anew_too(tmp_path):
    path = tmp_path / "actor"
    path.write_text("robot")

    assert (await sent(replace(EXCHANGE, actor_token_file=path)))["actor_token"] == "robot"


async def test_a_token_that_is_not_there_sends_nothing(tmp_path):
    sender = ScriptedSender()
    strategy = TokenExchange(ACME, "3MVG9app", subject_token_file=tmp_path / "gone")

    with pytest.raises(CredentialUnavailableError):
        await strategy.authenticate(context(sender))

    assert sender.requests == []


@pytest.mark.parametrize("host", ["login.salesforce.com", "test.salesforce.com"])
async def test_hosts_that_all_orgs_share_do_not_get_the_token(host):
    sender = ScriptedSender()

    with pytest.raises(AuthConfigurationError, match=r"Token exchange cannot .* My Domain"):
        await replace(EXCHANGE, login_url=host).authenticate(context(sender))

    assert sender.requests == []


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"issued_token_type": f"{URN}id_token"}, "id_token"),
        ({"issued_token_type": f"{URN}refresh_token"}, "refresh_token"),
        ({"issued_token_type": f"{URN}saml2"}, "saml2"),
        ({"issued_token_type": f"{URN}jwt", "token_type": "N_A"}, "jwt"),
        ({"issued_token_type": None, "token_type": "n_a"}, "N_A"),
    ],
)
async def test_a_token_that_opens_no_api_is_told_as_such(members, kind):
    sender = ScriptedSender(answer({**TOKEN, **members}))

    with pytest.raises(AuthConfigurationError, match=f"of the kind {kind}, which"):
        await EXCHANGE.authenticate(context(sender))


@pytest.mark.parametrize("issued", [f"{URN}access_token", f"{URN}jwt", f"{URN}JWT", None, "urn:x"])
async def test_access_tokens_of_any_form_are_taken(issued):
    sender = ScriptedSender(answer({**TOKEN, "issued_token_type": issued}))

    assert (await EXCHANGE.authenticate(context(sender))).instance_url == ACME


async def test_a_secret_that_is_being_rotated_is_followed_by_the_next():
    wrong = answer({"error": "invalid_client"}, status=400)
    sender = ScriptedSender(wrong, answer(TOKEN))
    rotating = replace(EXCHANGE, client_secret="old", client_secret_next="new")

    await rotating.authenticate(context(sender))

    assert form(sender)["client_secret"] == "new"


async def test_an_error_does_not_repeat_a_token_that_was_read(tmp_path):
    path = tmp_path / "identity"
    path.write_text("canary-of-the-file")
    refusal = {"error": "invalid_grant", "error_description": "bad canary-of-the-file"}
    strategy = TokenExchange(ACME, "3MVG9app", subject_token_file=path)

    with pytest.raises(InvalidCredentialsError) as caught:
        await strategy.authenticate(context(ScriptedSender(answer(refusal, status=400))))

    assert "canary" not in str(caught.value)


async def test_a_dead_token_is_replaced_by_a_new_exchange(tmp_path):
    path = tmp_path / "identity"
    path.write_text("first")
    sender = ScriptedSender(answer(TOKEN), answer({**TOKEN, "access_token": "00Dxx!def"}))
    strategy = TokenExchange(ACME, "3MVG9app", subject_token_file=path)
    manager = CredentialManager(strategy, send=sender)
    credentials = await manager.get()

    path.write_text("second")
    await manager.replace(credentials)
    await manager.aclose()

    assert form(sender)["subject_token"] == "second"


async def source() -> str:
    return "token"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"subject_token": None}, "none is given"),
        ({"subject_token_file": "x"}, "subject_token and subject_token_file are given"),
        ({"actor_token": "x", "actor_token_file": "y"}, "actor_token and actor_token_file"),
        ({"subject_token": None, "subject_token_source": source}, "needs subject"),
        ({"client_secret_next": "x"}, "client_secret is not"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: Any, problem: str):
    with pytest.raises(ConfigurationError, match=problem):
        replace(EXCHANGE, **options)


def test_each_users_token_has_a_place_of_its_own_in_a_store():
    def by_callback(subject: str) -> TokenExchange:
        return TokenExchange(ACME, "3MVG9app", subject_token_source=source, subject=subject)

    keys = [
        identity_key(one)
        for one in (
            EXCHANGE,
            replace(EXCHANGE, subject_token="idp-token-2"),
            TokenExchange(ACME, "3MVG9app", subject_token_file="a"),
            TokenExchange(ACME, "3MVG9app", subject_token_file="b"),
            by_callback("ada"),
            by_callback("bob"),
        )
    ]

    assert len(set(keys)) == 6
    assert identity_key(replace(EXCHANGE, client_secret="x")) == keys[0]


def test_tokens_and_secrets_are_secrets():
    whole = replace(EXCHANGE, client_secret="s3cr3t", actor_token="robot")

    assert set(secrets_of(whole)) == {"idp-token-1", "s3cr3t", "robot"}
    assert not any(secret in repr(whole) for secret in secrets_of(whole))


def test_a_relative_file_of_a_profile_begins_at_the_profile(tmp_path):
    values = {
        "login_url": Value(ACME, "p"),
        "client_id": Value("app", "p"),
        "subject_token_file": Value("identity", "p", tmp_path),
    }

    assert build(TokenExchange, values).subject_token_file == tmp_path / "identity"


async def test_revoking_ends_the_session_in_the_org_and_shows_no_token_of_the_provider():
    sender = ScriptedSender(answer(TOKEN), answer(b""))
    credentials = await EXCHANGE.authenticate(context(sender))

    await EXCHANGE.revoke(context(sender), credentials)

    assert sender.last.path == f"{ACME}/services/oauth2/revoke"
    assert form(sender) == {"token": "00Dxx!abc"}
