"""Each way in which an app proves itself, as bytes; and options that do not fit a way."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Signer
from sfconnect.auth.oauth2.client_auth import (
    authenticated_client,
    check_client_options,
    refuse_unused_key,
)
from sfconnect.auth.oauth2.refusals import LoginFacts, explain
from sfconnect.auth.oauth2.wire import Client, Refusal, token_request
from sfconnect.auth.options import option
from sfconnect.auth.signing import LocalSigner
from sfconnect.errors import ConfigurationError, InvalidCredentialsError
from sfconnect.messages import Request
from sfconnect.testing import FakeClock, ScriptedSender

URL = "https://auth.example.com/token"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
NOW = 1_700_000_000.75
ASSERTION_TYPE = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"


@dataclass(frozen=True, slots=True)
class App:
    """The options, as a strategy has them."""

    client_id: str = "app"
    client_secret: Secret | str | None = option(help="x", secret=True, default=None)
    client_auth: str | None = None
    private_key: Secret | str | bytes | None = option(help="x", secret=True, default=None)
    private_key_file: Path | str | None = None
    passphrase: Secret | str | None = option(help="x", secret=True, default=None)
    signer: Signer | None = None


@pytest.fixture
def context() -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    log, clock = structlog.get_logger(), FakeClock(wall=NOW)
    return AuthContext(send=ScriptedSender(), child=no_child, log=log, clock=clock)


def body_of(request: Request) -> str:
    assert isinstance(request.content, bytes)
    return request.content.decode("ascii")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


WIRE: dict[str, tuple[Client, str, str | None]] = {
    "body": (
        Client("my app", Secret("s/c=t")),
        "grant_type=client_credentials&client_id=my+app&client_secret=s%2Fc%3Dt",
        None,
    ),
    "basic": (
        Client("my app", Secret("s/c=t:ü"), "basic"),
        "grant_type=client_credentials",
        basic("my+app:s%2Fc%3Dt%3A%C3%BC"),
    ),
    "none": (
        Client("my app", method="none"),
        "grant_type=client_credentials&client_id=my+app",
        None,
    ),
    "private_key_jwt": (
        Client("my app", method="private_key_jwt", assertion=Secret("aa.bb.cc")),
        "grant_type=client_credentials&client_id=my+app"
        f"&client_assertion_type={ASSERTION_TYPE}&client_assertion=aa.bb.cc",
        None,
    ),
    "tls_client_auth": (
        Client("my app", method="tls_client_auth"),
        "grant_type=client_credentials&client_id=my+app",
        None,
    ),
}


@pytest.mark.parametrize(("client", "body", "header"), WIRE.values(), ids=WIRE.keys())
def test_each_way_is_these_bytes(client, body, header):
    request = token_request(URL, "client_credentials", {}, client)

    assert body_of(request) == body
    assert request.headers.get("Authorization") == header


def test_a_client_shows_neither_secret_nor_assertion_and_knows_both():
    client = Client("app", Secret("s3cr3t"), assertion=Secret("aa.bb.cc"))

    assert client.secrets == ("s3cr3t", "aa.bb.cc")
    assert "s3cr3t" not in repr(client)
    assert "aa.bb.cc" not in repr(client)


async def assertion_of(
    app: App, context: AuthContext, **rest: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of the app's assertion, its signature proven with the public key."""
    client = await authenticated_client(app, context, audience=URL, **rest)
    form = dict(parse_qsl(body_of(token_request(URL, "client_credentials", {}, client))))
    token = jwt.decode(form["client_assertion"], RSAKey.import_key(PEM), algorithms=["RS256"])
    return token.header, token.claims


async def test_an_assertion_names_the_app_twice_and_lives_for_a_minute(context):
    header, claims = await assertion_of(
        App(client_auth="private_key_jwt", private_key=PEM), context
    )

    assert header == {"alg": "RS256", "typ": "JWT"}
    jti = claims.pop("jti")
    assert claims == {"iss": "app", "sub": "app", "aud": URL, "exp": 1_700_000_060}
    assert type(claims["exp"]) is int
    assert len(jti) >= 16


async def test_no_two_assertions_have_the_same_jti(context):
    app = App(client_auth="private_key_jwt", signer=LocalSigner(KEY))

    seen = {(await assertion_of(app, context))[1]["jti"] for _ in range(20)}

    assert len(seen) == 20


async def test_a_key_may_have_a_name_and_comes_from_any_of_three_places(context, tmp_path):
    path = tmp_path / "server.key"
    path.write_text(PEM)
    from_file = App(client_auth="private_key_jwt", private_key_file=path)
    from_bytes = App(client_auth="private_key_jwt", private_key=PEM)
    from_signer = App(client_auth="private_key_jwt", signer=LocalSigner(KEY, key_id="k9"))

    headers = [
        (await assertion_of(app, context, key_id=key_id))[0]
        for app, key_id in [(from_file, "k1"), (from_bytes, None), (from_signer, None)]
    ]

    assert [header.get("kid") for header in headers] == ["k1", None, "k9"]


@pytest.mark.parametrize(
    ("spelling", "method"),
    [
        (None, "body"),
        ("client_secret_post", "body"),
        ("client_secret_basic", "basic"),
        ("self_signed_tls_client_auth", "tls_client_auth"),
    ],
)
async def test_names_of_the_standards_are_taken(context, spelling, method):
    secret = None if method == "tls_client_auth" else "s3cr3t"

    client = await authenticated_client(
        App(client_auth=spelling, client_secret=secret), context, audience=URL
    )

    assert client == Client("app", Secret(secret) if secret else None, method)


def check(app: App, **rest: Any) -> None:
    check_client_options(app, app.client_auth or "body", **rest)
    refuse_unused_key(app, app.client_auth or "body")


FITTING = {
    "a secret in the body": App(client_secret="s"),
    "a secret as Basic": App(client_secret="s", client_auth="basic"),
    "nothing": App(client_auth="none"),
    "a certificate": App(client_auth="tls_client_auth"),
    "a key": App(client_auth="private_key_jwt", private_key=PEM),
    "a key file": App(client_auth="private_key_jwt", private_key_file="k", passphrase="p"),
}


@pytest.mark.parametrize("app", FITTING.values(), ids=FITTING.keys())
def test_options_that_fit_are_taken(app):
    check(app)


UNFIT = {
    "unknown": (App(client_auth="header"), "must be one of 'body', .*not 'header'"),
    "a slip": (App(client_auth="private_key_jws"), "Did you mean 'private_key_jwt'"),
    "no secret": (App(), "client_auth='body' needs client_secret"),
    "no secret for Basic": (App(client_auth="basic"), "client_auth='basic' needs client_secret"),
    "a secret for nothing": (
        App(client_auth="none", client_secret="s"),
        "client_secret is not used with client_auth='none'",
    ),
    "a secret beside a certificate": (
        App(client_auth="tls_client_auth", client_secret="s"),
        "client_secret is not used",
    ),
    "a secret beside a key": (
        App(client_auth="private_key_jwt", client_secret="s", private_key=PEM),
        "client_secret is not used with client_auth='private_key_jwt'",
    ),
    "no key": (
        App(client_auth="private_key_jwt"),
        "needs exactly one of private_key, private_key_file and signer",
    ),
    "two keys": (
        App(client_auth="private_key_jwt", private_key=PEM, private_key_file="k"),
        "Leave all but one of these out: private_key, private_key_file",
    ),
    "a key beside a secret": (
        App(client_secret="s", private_key_file="k"),
        "private_key_file is not used with client_auth='body'. Hint: Did you mean",
    ),
}


@pytest.mark.parametrize(("app", "problem"), UNFIT.values(), ids=UNFIT.keys())
def test_options_that_do_not_fit_are_refused_with_the_way_out(app, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        check(app)

    assert PEM not in str(caught.value)


def test_some_grants_take_the_apps_name_without_a_secret():
    check(App(), needs_secret=False)
    check(App(client_auth="basic"), needs_secret=False)


def test_a_server_may_know_fewer_methods():
    with pytest.raises(ConfigurationError, match="must be one of 'body', 'basic', not 'none'"):
        check(App(client_auth="none"), allowed=("body", "basic"))


@pytest.mark.parametrize(
    ("method", "advice"),
    [
        ("private_key_jwt", r"certificate or public key .* differs by -90 s"),
        ("tls_client_auth", "Set client_cert_file and client_key_file"),
        ("basic", "Check client_id and client_secret"),
        ("", "Check client_id and client_secret"),
    ],
)
def test_a_refused_client_is_told_what_its_own_way_needs(method: str, advice: str):
    facts = LoginFacts("client_credentials", URL, client_auth=method, drift_s=-90.0)

    error = explain(Refusal(401, error="invalid_client"), facts)

    assert isinstance(error, InvalidCredentialsError)
    with pytest.raises(InvalidCredentialsError, match=advice):
        raise error
