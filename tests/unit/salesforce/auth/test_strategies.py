"""What the four Salesforce strategies send, take and refuse."""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials, SupportsRefresh, SupportsRevoke
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.signing import LocalSigner
from sfconnect.auth.store import identity_key
from sfconnect.errors import (
    AuthConfigurationError,
    ClockSkewError,
    ConfigurationError,
    ConnectError,
    HostNotAllowedError,
    InvalidCredentialsError,
    ReauthorizationRequired,
    TransientAuthError,
)
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth import AccessToken, ClientCredentials, JwtBearer, RefreshToken
from sfconnect.testing import FakeClock, ScriptedSender, answer
from tests.unit.auth.oauth2.people import form_of

ACME = "https://acme.my.salesforce.com"
LOGIN = "https://login.salesforce.com"
TEST = "https://test.salesforce.com"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
TOKEN = {"access_token": "00Dxx!abc", "instance_url": ACME, "token_type": "Bearer"}


def refusal(description: str, error: str = "invalid_grant", **headers: str) -> Response:
    return answer({"error": error, "error_description": description}, status=400, headers=headers)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wall=1_700_000_000.5)


@pytest.fixture
def context(clock: FakeClock) -> Callable[[ScriptedSender], AuthContext]:
    async def no_child(strategy):
        raise AssertionError(strategy)

    def make(sender: ScriptedSender) -> AuthContext:
        return AuthContext(send=sender, child=no_child, log=structlog.get_logger(), clock=clock)

    return make


CLIENT = ClientCredentials(ACME, "3MVG9app", "s3cr3t")
JWT = JwtBearer(ACME, "3MVG9app", "ada@example.com", private_key=PEM)
REFRESH = RefreshToken(ACME, "3MVG9app", "5Aep-configured")
GIVEN = AccessToken(ACME, "00Dxx!given")
NETWORKED = [CLIENT, JWT, REFRESH]
ALL = [*NETWORKED, GIVEN]


def by_class(strategy: object) -> str:
    return type(strategy).__name__


async def test_client_credentials_send_the_secret_in_the_body_and_no_scope(context):
    sender = ScriptedSender(answer(TOKEN))

    credentials = await CLIENT.authenticate(context(sender))

    assert sender.last.path == f"{ACME}/services/oauth2/token"
    assert form_of(sender.last) == {
        "grant_type": "client_credentials",
        "client_id": "3MVG9app",
        "client_secret": "s3cr3t",
    }
    assert credentials.access_token.reveal() == "00Dxx!abc"
    assert credentials.instance_url == ACME
    assert credentials.refresh_token is None


async def test_client_credentials_as_basic_leave_the_body_without_them(context):
    sender = ScriptedSender(answer(TOKEN))

    await replace(CLIENT, client_auth="basic").authenticate(context(sender))

    assert form_of(sender.last) == {"grant_type": "client_credentials"}
    assert sender.last.headers["Authorization"].startswith("Basic ")


async def test_client_credentials_by_assertion_hold_no_secret(context):
    sender = ScriptedSender(answer(TOKEN))
    by_key = ClientCredentials(ACME, "3MVG9app", client_auth="private_key_jwt", private_key=PEM)

    await by_key.authenticate(context(sender))

    form = form_of(sender.last)
    assertion = jwt.decode(
        form.pop("client_assertion"), RSAKey.import_key(PEM), algorithms=["RS256"]
    )
    assert form == {
        "grant_type": "client_credentials",
        "client_id": "3MVG9app",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert assertion.claims.pop("jti")
    assert assertion.claims == {
        "iss": "3MVG9app",
        "sub": "3MVG9app",
        "aud": f"{ACME}/services/oauth2/token",
        "exp": 1_700_000_060,
    }


async def test_a_refused_assertion_speaks_of_the_key_and_does_not_quote_the_assertion(context):
    sent: list[str] = []

    async def refuse(request: Request) -> Response:
        sent.append(form_of(request)["client_assertion"])
        return answer({"error": "invalid_client", "error_description": sent[0]}, status=400)

    by_key = ClientCredentials(
        ACME, "3MVG9app", client_auth="private_key_jwt", private_key=PEM.encode()
    )

    with pytest.raises(InvalidCredentialsError, match="signed proof") as caught:
        await by_key.authenticate(replace(context(ScriptedSender()), send=refuse))

    assert sent[0] not in str(caught.value)
    assert sent[0].split(".")[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "client_auth='body' needs client_secret"),
        ({"client_secret": "s", "private_key": PEM}, "private_key is not used"),
        ({"client_auth": "private_key_jwt"}, "exactly one of private_key"),
        (
            {"client_auth": "private_key_jwt", "private_key": PEM, "client_secret": "s"},
            "client_secret is not used",
        ),
        ({"client_auth": "tls_client_auth"}, "must be one of 'body', 'basic', 'private_key_jwt'"),
    ],
)
def test_client_credentials_take_a_secret_or_a_key(options, problem):
    with pytest.raises(ConfigurationError, match=problem):
        ClientCredentials(ACME, "3MVG9app", **options)


@pytest.mark.parametrize("host", ["login.salesforce.com", "https://test.salesforce.com/"])
async def test_client_credentials_are_not_sent_to_a_host_that_all_orgs_share(context, host):
    sender = ScriptedSender()

    with pytest.raises(AuthConfigurationError, match="My Domain") as caught:
        await replace(CLIENT, login_url=host).authenticate(context(sender))

    assert sender.requests == []
    assert caught.value.hopeless
    assert caught.value.docs_key == "needs-my-domain"


async def test_the_assertion_is_what_salesforce_wants(context):
    sender = ScriptedSender(answer(TOKEN))

    await JWT.authenticate(context(sender))

    form = form_of(sender.last)
    assert set(form) == {"grant_type", "assertion"}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    decoded = jwt.decode(form["assertion"], RSAKey.import_key(PEM), algorithms=["RS256"])
    assert decoded.header == {"alg": "RS256", "typ": "JWT"}
    assert decoded.claims == {
        "iss": "3MVG9app",
        "sub": "ada@example.com",
        "aud": LOGIN,
        "exp": 1_700_000_120,
    }


def claims_of(request: Request) -> dict[str, Any]:
    assertion = form_of(request)["assertion"]
    return dict(jwt.decode(assertion, RSAKey.import_key(PEM), algorithms=["RS256"]).claims)


@pytest.mark.parametrize(
    ("options", "audience"),
    [
        ({}, LOGIN),
        ({"login_url": "https://acme--uat.sandbox.my.salesforce.com"}, TEST),
        ({"audience": "https://site.example.com/x"}, "https://site.example.com/x"),
    ],
    ids=["production", "sandbox", "given"],
)
async def test_the_audience_is_derived_or_given(context, options, audience):
    sender = ScriptedSender(answer(TOKEN))

    await replace(JWT, **options).authenticate(context(sender))

    assert claims_of(sender.last)["aud"] == audience


async def test_the_key_comes_from_a_file_text_bytes_or_signer(context, tmp_path):
    path = tmp_path / "server.key"
    path.write_text(PEM)
    sources: list[dict[str, Any]] = [
        {"private_key": PEM},
        {"private_key": PEM.encode()},
        {"private_key": Secret(PEM)},
        {"private_key_file": path},
        {"private_key_file": str(path)},
        {"signer": LocalSigner(KEY)},
    ]

    for source in sources:
        sender = ScriptedSender(answer(TOKEN))
        strategy = JwtBearer(ACME, "3MVG9app", "ada@example.com", **source)
        await strategy.authenticate(context(sender))
        assert claims_of(sender.last)["sub"] == "ada@example.com"


async def test_a_key_file_that_was_replaced_is_found_by_the_next_login(context, tmp_path):
    path = tmp_path / "server.key"
    strategy = JwtBearer(ACME, "3MVG9app", "ada@example.com", private_key_file=path)
    with pytest.raises(AuthConfigurationError, match="cannot be read"):
        await strategy.authenticate(context(ScriptedSender()))

    path.write_text(PEM)

    credentials = await strategy.authenticate(context(ScriptedSender(answer(TOKEN))))
    assert credentials.instance_url == ACME


@pytest.mark.parametrize(
    "sources",
    [
        {},
        {"private_key": PEM, "private_key_file": Path("server.key")},
        {"private_key": PEM, "signer": LocalSigner(KEY)},
    ],
    ids=["none", "text and file", "text and signer"],
)
def test_a_jwt_bearer_has_exactly_one_key(sources: Any):
    with pytest.raises(ConfigurationError, match="exactly one of private_key"):
        JwtBearer(ACME, "3MVG9app", "ada@example.com", **sources)


def dated(response: Response, clock: FakeClock, drift_s: float) -> Response:
    date = email.utils.formatdate(clock.time() + drift_s, usegmt=True)
    return answer(response.content, status=response.status, headers={"Date": date})


@pytest.mark.parametrize("description", ["assertion expired", "invalid assertion", "expired"])
async def test_a_wrong_clock_is_corrected_once_by_the_servers(context, clock, description):
    sender = ScriptedSender(dated(refusal(description), clock, 600.0), answer(TOKEN))

    with structlog.testing.capture_logs() as logs:
        await JWT.authenticate(context(sender))

    first, second = (claims_of(request)["exp"] for request in sender.requests)
    assert second - first == pytest.approx(600, abs=1)
    assert [log["event"] for log in logs] == ["auth.clock_differs"]


async def test_a_clock_that_is_wrong_after_all_is_said_so(context, clock):
    expired = dated(refusal("assertion expired"), clock, -7200.0)
    sender = ScriptedSender(expired, expired)

    with pytest.raises(ClockSkewError, match=r"clock is 7200 s ahead of .*NTP") as caught:
        await JWT.authenticate(context(sender))

    assert caught.value.code == "invalid_grant"
    assert len(sender.requests) == 2


async def test_a_slow_clock_is_told_as_such(context, clock):
    expired = dated(refusal("assertion expired"), clock, 7200.0)

    with pytest.raises(ClockSkewError, match=r"clock is 7200 s behind the login server's"):
        await JWT.authenticate(context(ScriptedSender(expired, expired)))


async def test_another_refusal_by_the_servers_clock_is_the_one_that_counts(context, clock):
    sender = ScriptedSender(
        dated(refusal("invalid assertion"), clock, 600.0),
        dated(refusal("invalid assertion"), clock, 600.0),
    )

    with pytest.raises(InvalidCredentialsError, match="differs by 600 s"):
        await JWT.authenticate(context(sender))


@pytest.mark.parametrize(
    ("description", "drift_s"),
    [("invalid assertion", 59.0), ("invalid assertion", -59.0), ("audience is invalid", 600.0)],
)
async def test_no_second_login_is_tried_where_the_clock_explains_nothing(
    context, clock, description, drift_s
):
    sender = ScriptedSender(dated(refusal(description), clock, drift_s))

    with pytest.raises((InvalidCredentialsError, AuthConfigurationError)):
        await JWT.authenticate(context(sender))

    assert len(sender.requests) == 1


async def test_a_server_without_a_date_leaves_the_clock_alone(context):
    sender = ScriptedSender(refusal("invalid assertion"))

    with pytest.raises(InvalidCredentialsError, match="unknown number of s"):
        await JWT.authenticate(context(sender))


async def test_a_wrong_audience_is_named_with_the_other_one(context):
    with pytest.raises(AuthConfigurationError) as caught:
        await JWT.authenticate(context(ScriptedSender(refusal("audience is invalid"))))

    assert f"was for {LOGIN}; set audience={TEST}" in str(caught.value)
    assert "username ada@example.com" in str(caught.value)
    assert "client_id 3MVG9a…" in str(caught.value)


async def test_a_refresh_sends_token_and_client_and_nothing_else(context):
    sender = ScriptedSender(answer(TOKEN), answer(TOKEN))

    await REFRESH.authenticate(context(sender))
    await replace(REFRESH, client_secret="s3cr3t").authenticate(context(sender))

    public, confidential = (form_of(request) for request in sender.requests)
    assert public == {
        "grant_type": "refresh_token",
        "refresh_token": "5Aep-configured",
        "client_id": "3MVG9app",
    }
    assert confidential == {**public, "client_secret": "s3cr3t"}


async def test_a_rotated_refresh_token_is_used_next_and_kept_if_none_comes(clock):
    sender = ScriptedSender(
        answer({**TOKEN, "access_token": "a1", "refresh_token": "5Aep-1"}),
        answer({**TOKEN, "access_token": "a2", "refresh_token": "5Aep-2"}),
        answer({**TOKEN, "access_token": "a3"}),
        answer({**TOKEN, "access_token": "a4"}),
    )
    manager = CredentialManager(REFRESH, send=sender, clock=clock)

    credentials = await manager.get()
    for _ in range(3):
        credentials = await manager.replace(credentials)

    used = [form_of(request)["refresh_token"] for request in sender.requests]
    assert used == ["5Aep-configured", "5Aep-1", "5Aep-2", "5Aep-2"]
    await manager.aclose()


async def test_credentials_without_a_refresh_token_fall_back_to_the_configured_one(context):
    sender = ScriptedSender(answer(TOKEN))

    await REFRESH.refresh(context(sender), Credentials(Secret("a"), ACME))

    assert form_of(sender.last)["refresh_token"] == "5Aep-configured"


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("expired access/refresh token", ReauthorizationRequired),
        ("token request is already being processed", TransientAuthError),
        ("expired authorization code", TransientAuthError),
    ],
)
async def test_a_refused_refresh_is_over_or_passing(context, description, kind):
    with pytest.raises(kind):
        await REFRESH.authenticate(context(ScriptedSender(refusal(description))))


async def test_an_error_repeats_no_rotated_token(context):
    sender = ScriptedSender(refusal("cannot use rotated-token-1"))
    old = Credentials(Secret("a"), ACME, refresh_token=Secret("rotated-token-1"))

    with pytest.raises(ReauthorizationRequired) as caught:
        await REFRESH.refresh(context(sender), old)

    assert "rotated-token-1" not in str(caught.value)


async def test_a_given_token_is_used_as_it_is_and_not_renewed(clock):
    sender = ScriptedSender()
    manager = CredentialManager(GIVEN, send=sender, clock=clock)

    credentials = await manager.get()

    assert credentials.access_token.reveal() == "00Dxx!given"
    assert credentials.instance_url == ACME
    with pytest.raises(ReauthorizationRequired, match="Give a new one"):
        await manager.replace(credentials)
    with pytest.raises(ReauthorizationRequired):
        await manager.get()
    assert sender.requests == []
    await manager.aclose()


def test_what_the_cli_shows_instead_of_a_token_is_no_token():
    shown = "[REDACTED] Use 'sf org auth show-access-token' to view"

    with pytest.raises(ConfigurationError, match="show-access-token --json"):
        AccessToken(ACME, shown)


@pytest.mark.parametrize("strategy", NETWORKED, ids=by_class)
@pytest.mark.parametrize(
    "instance_url",
    ["https://evil.com", "http://acme.my.salesforce.com", "http://127.0.0.1:8000", "https://"],
)
async def test_a_token_for_a_foreign_address_is_not_used(context, strategy, instance_url):
    sender = ScriptedSender(answer({**TOKEN, "instance_url": instance_url}))

    with pytest.raises(HostNotAllowedError):
        await strategy.authenticate(context(sender))


@pytest.mark.parametrize("strategy", NETWORKED, ids=by_class)
async def test_loopback_is_allowed_where_the_login_was_there(context, strategy):
    local = replace(strategy, login_url="http://127.0.0.1:8000/")
    sender = ScriptedSender(answer({**TOKEN, "instance_url": "http://127.0.0.1:9000/"}))

    credentials = await local.authenticate(context(sender))

    assert sender.last.path == "http://127.0.0.1:8000/services/oauth2/token"
    assert credentials.instance_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize("strategy", NETWORKED, ids=by_class)
async def test_my_domain_is_the_address_if_the_answer_names_none(context, strategy):
    sender = ScriptedSender(answer({"access_token": "t"}))

    assert (await strategy.authenticate(context(sender))).instance_url == ACME


@pytest.mark.parametrize("strategy", [JWT, REFRESH], ids=by_class)
async def test_a_shared_login_has_to_name_the_orgs_address(context, strategy):
    sender = ScriptedSender(answer({"access_token": "t"}))

    with pytest.raises(AuthConfigurationError, match="not the org's address"):
        await replace(strategy, login_url=LOGIN).authenticate(context(sender))


@pytest.mark.parametrize("strategy", NETWORKED, ids=by_class)
async def test_transport_errors_pass(context, strategy):
    with pytest.raises(ConnectError):
        await strategy.authenticate(context(ScriptedSender(ConnectError("no route"))))


@pytest.mark.parametrize("strategy", [CLIENT, JWT, GIVEN], ids=by_class)
async def test_revoking_ends_the_session(context, strategy):
    sender = ScriptedSender(answer(""))
    credentials = Credentials(Secret("00Dxx!live"), ACME)

    await strategy.revoke(context(sender), credentials)

    assert sender.last.path == f"{ACME}/services/oauth2/revoke"
    assert form_of(sender.last) == {"token": "00Dxx!live"}


@pytest.mark.parametrize(
    ("held", "revoked"), [(Secret("5Aep-newest"), "5Aep-newest"), (None, "5Aep-configured")]
)
async def test_revoking_a_refresh_token_ends_the_grant(context, held, revoked):
    sender = ScriptedSender(answer(""))

    await REFRESH.revoke(context(sender), Credentials(Secret("a"), ACME, refresh_token=held))

    assert form_of(sender.last) == {"token": revoked}


def test_capabilities_are_what_the_flows_can_do():
    assert [isinstance(strategy, SupportsRefresh) for strategy in ALL] == [False, False, True, True]
    assert all(isinstance(strategy, SupportsRevoke) for strategy in ALL)


@pytest.mark.parametrize("strategy", NETWORKED, ids=by_class)
def test_login_urls_are_brought_to_one_form(strategy):
    copied = replace(strategy, login_url="acme.lightning.force.com/lightning/page/home")

    assert copied.login_url == ACME
    assert identity_key(copied) == identity_key(strategy)


def test_users_of_one_app_have_identities_of_their_own():
    keys = {
        identity_key(strategy)
        for strategy in (
            JWT,
            replace(JWT, username="bob@example.com"),
            REFRESH,
            replace(REFRESH, refresh_token="5Aep-of-bob"),
            GIVEN,
            replace(GIVEN, access_token="00Dxx!of-bob"),
        )
    }

    assert len(keys) == 6


def test_a_rotated_secret_or_key_is_the_same_identity():
    other = rsa.generate_private_key(65537, 2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    assert identity_key(replace(CLIENT, client_secret="rotated")) == identity_key(CLIENT)
    assert identity_key(replace(JWT, private_key=pem)) == identity_key(JWT)


@pytest.mark.parametrize("client_auth", ["header", "BODY", ""])
def test_client_auth_has_two_spellings(client_auth: Any):
    with pytest.raises(ConfigurationError, match="client_auth must be"):
        replace(CLIENT, client_auth=client_auth)
