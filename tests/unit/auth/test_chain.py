"""A chain: whose credentials it takes, what ends it, and how it goes on with what it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import structlog

from sfconnect._types import Secret
from sfconnect.auth import STRATEGIES, AuthContext, Credentials, ProcessCredentials, resolve
from sfconnect.auth.chain import Chain
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.oauth2 import OAuth2ClientCredentials
from sfconnect.auth.store import MemoryStore, identity_key, secrets_of
from sfconnect.errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    CredentialUnavailableError,
    InvalidCredentialsError,
)
from sfconnect.messages import Request
from sfconnect.testing import FakeClock, ScriptedSender, ScriptedStrategy, answer

URL = "https://org.example.com"
NOTHING = CredentialUnavailableError("It is not installed.", hint="Install it.")


def token(text: str, **facts: Any) -> Credentials:
    return Credentials(Secret(text), URL, **facts)


@pytest.fixture
def context() -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    log = structlog.get_logger()
    return AuthContext(send=ScriptedSender(), child=no_child, log=log, clock=FakeClock())


def unavailable() -> ScriptedStrategy:
    return ScriptedStrategy(*[NOTHING] * 9)


class Renewing(ScriptedStrategy):
    """A login that renews from its own refresh token, and can sign."""

    def __init__(self, *script: Credentials | Exception) -> None:
        super().__init__(*script)
        self.renewed: list[Credentials] = []
        self.renewals: list[Credentials | Exception] = []

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        self.renewed.append(credentials)
        outcome = self.renewals.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def authorize(self, request: Request, credentials: Credentials) -> Request:
        return request.with_headers({"X-Key": credentials.access_token.reveal()})


async def test_the_first_that_has_credentials_is_taken_and_no_other_is_asked(context):
    first, second, third = unavailable(), ScriptedStrategy(token("second")), ScriptedStrategy()

    credentials = await Chain(first, second, third).authenticate(context)

    assert credentials.access_token == Secret("second")
    assert [one.started for one in (first, second, third)] == [1, 1, 0]


@pytest.mark.parametrize(
    "failure",
    [AuthError("no"), InvalidCredentialsError("wrong"), ConnectError("down"), KeyError("bug")],
    ids=lambda error: type(error).__name__,
)
async def test_a_login_that_fails_ends_the_chain(context, failure):
    spare = ScriptedStrategy()

    with pytest.raises(type(failure)):
        await Chain(unavailable(), ScriptedStrategy(failure), spare).authenticate(context)

    assert spare.started == 0


async def test_where_none_has_credentials_the_reason_of_each_is_told(context):
    chain = Chain(unavailable(), ProcessCredentials("no-such-command-here"))

    with pytest.raises(CredentialUnavailableError) as caught:
        await chain.authenticate(context)

    assert caught.value.message.splitlines() == [
        "None of the 2 logins of the chain has credentials:",
        "- ScriptedStrategy: It is not installed. Install it.",
        "- ProcessCredentials: The command no-such-command-here is not there. "
        "Install it, or name it with its path.",
    ]
    assert caught.value.docs_key == "chain-empty"


def test_chains_inside_a_chain_are_taken_apart():
    one, two, three = (ScriptedStrategy() for _ in range(3))

    assert Chain(one, Chain(two, Chain(three))).strategies == (one, two, three)
    assert Chain(one, two) == Chain(strategies=[one, two])


@pytest.mark.parametrize(
    ("logins", "problem"),
    [
        ((), "at least one"),
        (("sfcli",), "str is none"),
        ((ScriptedStrategy,), "ScriptedStrategy is none"),
        ((None,), "NoneType is none"),
    ],
)
def test_what_is_no_login_is_refused_at_once(logins, problem):
    with pytest.raises(ConfigurationError, match=problem):
        Chain(*logins)


async def test_credentials_are_renewed_by_the_login_that_gave_them(context):
    renewing, other = Renewing(token("r1")), ScriptedStrategy()
    chain = Chain(unavailable(), renewing, other)
    first = await chain.authenticate(context)
    renewing.renewals = [token("r2"), token("r3")]

    second = await chain.refresh(context, first)
    third = await chain.refresh(context, second)

    assert [one.access_token.reveal() for one in (first, second, third)] == ["r1", "r2", "r3"]
    assert renewing.renewed == [first, second]
    assert other.started == 0


async def test_a_login_that_cannot_renew_is_asked_again(context):
    skipped, plain = unavailable(), ScriptedStrategy()
    chain = Chain(skipped, plain)

    second = await chain.refresh(context, await chain.authenticate(context))

    assert second.access_token == Secret("token-2")
    assert skipped.started == 1


async def test_a_login_that_has_no_credentials_any_more_hands_over(context):
    leaving, other = ScriptedStrategy(token("mine"), *[NOTHING] * 2), ScriptedStrategy()
    chain = Chain(leaving, other)

    second = await chain.refresh(context, await chain.authenticate(context))

    assert second.access_token == Secret("token-1")
    assert other.started == 1


async def test_a_refresh_token_never_reaches_another_login(context):
    leaving, other = Renewing(token("mine", refresh_token=Secret("5Aep"))), ScriptedStrategy()
    leaving.renewals = [NOTHING]
    chain = Chain(leaving, other)
    first = await chain.authenticate(context)

    with pytest.raises(CredentialUnavailableError):
        await chain.refresh(context, first)

    assert other.started == 0


@pytest.mark.parametrize("number", [None, 7, -1, "0"])
async def test_credentials_of_an_unknown_login_are_replaced_by_a_new_login(context, number):
    extra = {} if number is None else {"chain_member": number}
    login = Renewing(token("new"))

    credentials = await Chain(login).refresh(context, token("old", extra=extra))

    assert credentials.access_token == Secret("new")
    assert login.renewed == []


async def test_revoking_is_the_matter_of_the_login_that_gave_the_token(context):
    other, mine = ScriptedStrategy(NOTHING), ScriptedStrategy()
    chain = Chain(other, mine)

    await chain.revoke(context, await chain.authenticate(context))
    await chain.revoke(context, token("of nobody"))

    assert (other.revoked, mine.revoked) == ([], ["token-1"])


async def test_a_request_is_signed_the_way_of_the_login_that_gave_the_token(context):
    chain = Chain(ScriptedStrategy(NOTHING), Renewing(token("k")), ScriptedStrategy())
    signed = await chain.authenticate(context)
    plain = replace(signed, extra={"chain_member": 2}, token_type="DPoP")
    request = Request("GET", "/x", headers={"A": "1"})

    assert chain.authorize(request, signed).headers == {"A": "1", "X-Key": "k"}
    assert chain.authorize(request, plain).headers == {"A": "1", "Authorization": "DPoP k"}


async def test_what_the_caller_puts_in_the_header_stays():
    request = Request("GET", "/x", headers={"Authorization": "Basic mine"})

    assert Chain(ScriptedStrategy()).authorize(request, token("k")).headers == request.headers


APP = OAuth2ClientCredentials("https://auth.example.com/token", "app", "s3cr3t-of-the-app")


@dataclass(frozen=True)
class Derived:
    base: OAuth2ClientCredentials
    spare: ProcessCredentials

    async def authenticate(self, context):
        raise NotImplementedError


def test_two_chains_are_one_identity_only_if_their_logins_are():
    """Under one key a store would give the token of one org to the other."""
    other = replace(APP, client_id="other")
    command = ProcessCredentials("login")

    keys = [identity_key(Chain(*logins)) for logins in ([APP], [other], [APP, command])]
    keys += [identity_key(Chain(command, APP)), identity_key(Derived(APP, command))]

    assert len(set(keys)) == 5
    assert identity_key(Chain(replace(APP, client_secret="rotated"))) == keys[0]


def test_the_secrets_of_its_logins_are_its_own():
    assert secrets_of(Chain(APP, ProcessCredentials("x"))) == ["s3cr3t-of-the-app"]
    assert secrets_of(Derived(APP, ProcessCredentials("x"))) == ["s3cr3t-of-the-app"]
    assert "s3cr3t" not in repr(Chain(APP))


async def test_a_store_keeps_which_login_gave_the_token():
    """The next process renews by that one, too."""
    store, clock = MemoryStore(), FakeClock()
    chain = Chain(ProcessCredentials("no-such-command-here"), APP)
    first = CredentialManager(
        chain, send=ScriptedSender(answer({"access_token": "t1"})), store=store, clock=clock
    )
    held = await first.get()
    await first.aclose()

    sender = ScriptedSender(answer({"access_token": "t2"}))
    second = CredentialManager(chain, send=sender, store=store, clock=clock)
    assert (await second.get()).access_token == held.access_token
    renewed = await second.replace(held)
    await second.aclose()

    assert renewed.access_token == Secret("t2")
    assert renewed.extra["chain_member"] == 1


def test_by_its_name_it_takes_objects_and_no_text(tmp_path):
    options = {"strategies": [APP]}

    made = resolve("chain", options=options, environ={}, cwd=tmp_path, registry=STRATEGIES)

    assert made.strategy == Chain(APP)
    environ = {"SFCONNECT_STRATEGIES": "sfcli,process"}
    with pytest.raises(ConfigurationError, match="which only code can give"):
        resolve("chain", environ=environ, cwd=tmp_path, registry=STRATEGIES)
