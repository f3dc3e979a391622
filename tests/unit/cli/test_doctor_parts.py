"""What single checks make of what they are given."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from multidict import CIMultiDict

from sfconnect._types import Secret
from sfconnect.auth import Credentials, RetirementWarning
from sfconnect.auth.key_pairs import make_key_pair
from sfconnect.auth.oauth2 import OAuth2ClientCredentials
from sfconnect.auth.resolve import Resolved
from sfconnect.auth.signing import LocalSigner, load_rsa_key
from sfconnect.cli.common import Common
from sfconnect.cli.doctor import keys, logins, network, options, orgs, server
from sfconnect.cli.doctor.case import Case, Target, target_of
from sfconnect.config import Settings
from sfconnect.errors import AccessDeniedError
from sfconnect.messages import Response
from sfconnect.salesforce.auth import AccessToken, Data360, Device, JwtBearer
from sfconnect.salesforce.client import Salesforce
from sfconnect.salesforce.identity import Identity
from sfconnect.testing import FakeClock

PAIR = make_key_pair(bits=2048, days=365, common_name="app", now=FakeClock().time())
SANDBOX = "https://acme--dev.sandbox.my.salesforce.com"
PRODUCTION = "https://acme.my.salesforce.com"


def case_of(strategy: Any, settings: Settings | None = None, **facts: Any) -> Case:
    settings = settings or Settings()
    login = Resolved(strategy, "some-login", settings, "argument auth")
    target = target_of(strategy, settings)
    case = Case(Common(), login=login, target=target, clock=FakeClock())
    for name, fact in facts.items():
        setattr(case, name, fact)
    return case


def jwt(login_url: str = PRODUCTION, username: str = "ada@acme.example", **more: Any) -> JwtBearer:
    return JwtBearer(login_url, "app", username, PAIR.private_pem, **more)


def answer(status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, CIMultiDict(headers or {}), b"")


@pytest.mark.parametrize(
    ("strategy", "settings", "url", "option"),
    [
        (jwt(), Settings(), PRODUCTION, "login_url"),
        (AccessToken(PRODUCTION, Secret("t")), Settings(), PRODUCTION, "instance_url"),
        (Data360(base=jwt(SANDBOX)), Settings(), SANDBOX, "login_url"),
        (
            OAuth2ClientCredentials("https://a.example/token", "id", "s"),
            Settings(base_url="https://api.example"),
            "https://a.example/token",
            "token_url",
        ),
        (
            OAuth2ClientCredentials(
                client_id="id", client_secret="s", issuer="https://i.example/x"
            ),
            Settings(),
            "https://i.example/x",
            "issuer",
        ),
        (
            SimpleNamespace(),
            Settings(base_url="https://api.example/v1"),
            "https://api.example/v1",
            "base_url",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_login_begins_where_its_options_say(
    strategy: object, settings: Settings, url: str, option: str
) -> None:
    found = target_of(strategy, settings)

    assert found is not None
    assert (found.url, found.option, found.port) == (url, option, 443)


def test_a_login_of_a_command_begins_nowhere() -> None:
    assert target_of(SimpleNamespace(), Settings()) is None


def test_addresses_are_written_with_their_port() -> None:
    assert Target.of("https://[::1]/x", "login_url").place == "[::1]:443"
    assert Target.of("http://localhost:8080", "login_url").place == "localhost:8080"


@pytest.mark.parametrize(
    ("strategy", "result", "message"),
    [
        (jwt(), "pass", "the address is that of a production or developer org"),
        (jwt(SANDBOX, "ada@acme.example.dev"), "pass", "the address is that of a sandbox"),
        (jwt(SANDBOX), "warn", "The username does not end in .dev"),
        (
            jwt(audience="https://test.salesforce.com"),
            "warn",
            "audience is that of a sandbox or scratch org, and login_url that of a production",
        ),
        (jwt("https://shop.acme.example/site"), "skip", "does not show what kind"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_production_and_sandboxes_are_told_apart_before_a_login(
    strategy: JwtBearer, result: str, message: str
) -> None:
    found = await orgs.environment(case_of(strategy))

    assert (str(found.result), message in found.message) == (result, True)


@pytest.mark.parametrize(
    ("url", "is_sandbox", "result", "message"),
    [
        (PRODUCTION, False, "pass", "the org is a production or developer org"),
        (SANDBOX, True, "pass", "the org is a sandbox or scratch org"),
        (PRODUCTION, True, "warn", "it is a sandbox or scratch org, and the address is that of"),
        (
            "https://test.salesforce.com",
            False,
            "warn",
            "it is a production or developer org",
        ),
        ("http://127.0.0.1:8080", True, "pass", "the org is a sandbox or scratch org"),
    ],
)
async def test_an_org_of_another_kind_than_its_address_is_to_be_looked_at(
    url: str, is_sandbox: bool, result: str, message: str
) -> None:
    who: Any = SimpleNamespace(is_sandbox=is_sandbox)
    strategy = jwt(url, "ada@acme.example.dev")

    found = await orgs.environment(case_of(strategy, who=who))

    assert (str(found.result), message in found.message) == (result, True)


class OneUser(Salesforce):
    """An org that knows one user, or does not tell."""

    def __init__(self, found: Identity | Exception) -> None:
        self._found = found

    def identity(self) -> Any:
        async def asked() -> Identity:
            if isinstance(self._found, Exception):
                raise self._found
            return self._found

        return asked()


async def test_a_user_who_is_frozen_fails() -> None:
    frozen = Identity("005", "00D", "ada@acme.example", "Ada", None, is_active=False)

    found = await orgs.user(case_of(jwt(), org=OneUser(frozen)))

    assert found.message == "The user ada@acme.example (Ada) is not active."
    assert "unfreeze" in (found.fix or "")


async def test_a_token_that_may_not_tell_its_user_is_to_be_looked_at() -> None:
    refused = AccessDeniedError("No.", hint="Add the scope id.")

    found = await orgs.user(case_of(jwt(), org=OneUser(refused)))

    assert (str(found.result), found.fix) == ("warn", "Add the scope id.")


def granted(*scopes: str) -> Credentials:
    return Credentials(Secret("t"), PRODUCTION, scopes=frozenset(scopes))


async def test_scopes_that_the_server_does_not_tell_are_passed_over() -> None:
    assert str((await orgs.scopes(case_of(jwt(), credentials=granted()))).result) == "skip"
    assert str((await logins.granted(case_of(jwt(), credentials=granted()))).result) == "skip"


async def test_scopes_of_another_api_are_those_that_were_asked_for() -> None:
    strategy = OAuth2ClientCredentials("https://a.example/token", "id", "s", scope="read write")

    less = await logins.granted(case_of(strategy, credentials=granted("read")))
    enough = await logins.granted(case_of(strategy, credentials=granted("read", "write")))

    assert less.message == "Not granted: write; granted: read."
    assert (str(less.result), str(enough.result)) == ("warn", "pass")


async def test_limits_that_nobody_told_are_passed_over() -> None:
    assert str((await orgs.limits(case_of(jwt()))).result) == "skip"


class Elsewhere:
    """Signs as an HSM does."""

    algorithm = "RS256"
    key_id = None

    def __init__(self) -> None:
        self._local = LocalSigner(load_rsa_key(PAIR.private_pem.reveal()))

    async def sign(self, data: bytes) -> bytes:
        return await self._local.sign(data)


async def test_a_key_elsewhere_is_compared_by_what_it_signs() -> None:
    strategy = JwtBearer(
        PRODUCTION, "app", "ada@acme.example", signer=Elsewhere(), certificate=PAIR.certificate_pem
    )
    case = case_of(strategy)

    found = await keys.key(case)
    compared = await keys.certificate(case)

    assert found.message == "signed elsewhere, by Elsewhere with RS256"
    assert PAIR.sha256 in compared.message


async def test_without_a_certificate_the_fix_says_how_to_compare() -> None:
    case = case_of(jwt())
    await keys.key(case)

    assert "Set certificate_file" in ((await keys.certificate(case)).fix or "")
    assert str((await keys.certificate_expiry(case)).result) == "skip"


async def test_a_login_whose_option_is_another_login_ends_when_that_one_does() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetirementWarning)  # told once in a process
        device = Device(PRODUCTION, "app", accept_restricted=True)

    found = await options.flow(case_of(Data360(base=device)))

    assert str(found.result) == "warn"


async def test_what_names_no_server_is_passed_over() -> None:
    case = case_of(SimpleNamespace())

    for check in (network.dns, network.tcp, network.tls, orgs.discovery, server.clock):
        assert str((await check(case)).result) == "skip"
    assert str((await orgs.environment(case)).result) == "skip"


def test_a_redirect_is_told_without_what_it_carries() -> None:
    to = "https://ada:secret@other.example/path?token=x"

    assert server.redirect_of(answer(302, {"Location": to})) == "https://other.example"
    assert server.redirect_of(answer(302, {"Location": "/relative"})) is None
    assert server.redirect_of(answer(200, {"Location": to})) is None


def test_names_of_certificates_are_told_as_far_as_there_are_any() -> None:
    assert network._name(PAIR.certificate.subject) == "'app'"
    assert network._name(x509.Name([])) == "somebody without a name"
    assert network._names(PAIR.certificate) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "asyncio's words"), "connection refused"),
        (OSError(-2, "Name or service not known"), "name or service not known"),
        (OSError("Multiple exceptions"), "no address of it answers"),
    ],
)
def test_reasons_of_the_system_are_told_in_its_words(error: OSError, words: str) -> None:
    assert network._reason(error) == words


async def test_fixes_of_other_apis_do_not_speak_of_salesforce() -> None:
    strategy = OAuth2ClientCredentials("https://nowhere.invalid/token", "id", "s")

    found = await network.dns(case_of(strategy))

    assert found.fix == "Check token_url. Behind a proxy, set HTTPS_PROXY."
