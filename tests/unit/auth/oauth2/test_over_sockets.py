"""Logins to servers that speak as the real ones do, over sockets, and calls with their tokens."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect.connector import Connector
from sfconnect.errors import (
    AccessDeniedError,
    AuthConfigurationError,
    ConnectError,
    HostNotAllowedError,
    InvalidCredentialsError,
    TransportError,
)
from sfconnect.messages import Response
from sfconnect.testing import FakeTokenServer, answer
from sfconnect.testing.token_server import ReceivedRequest

REALM: dict[str, Any] = {"short_code": "kv7k", "organization": "f_ecom_zzrf_001"}
ID, SECRET = "app/1", "s3c:r+t"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def refused(error: str, description: str = "", *, status: int = 401, **headers: str) -> Response:
    body = {"error": error, "error_description": description}
    return answer(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


class ThingsServer(FakeTokenServer):
    """An API, and the login to it, on one port."""

    tokens: set[str]

    def __init__(self) -> None:
        super().__init__()
        self.tokens = set()
        self.logins = 0

    def token_answer(self, request: ReceivedRequest) -> Response:
        if not request.path.startswith("/api"):
            return self.log_in(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            challenge = 'Bearer realm="things", error="invalid_token"'
            return refused("x", status=403, WWW_Authenticate=challenge)
        return answer({"things": [1]})

    def log_in(self, request: ReceivedRequest) -> Response:
        raise NotImplementedError

    def granted(self, **members: Any) -> Response:
        self.logins += 1
        token = f"token-{self.logins}"
        self.tokens = {token}
        return answer({"access_token": token, "token_type": "Bearer", **members})


class MarketingCloud(ThingsServer):
    def log_in(self, request: ReceivedRequest) -> Response:
        assert request.path == "/v2/token"
        assert request.headers["Content-Type"] == "application/json"
        assert "Authorization" not in request.headers
        body = json.loads(request.body)
        if (body.pop("client_id"), body.pop("client_secret")) != (ID, SECRET):
            return refused("invalid_client", "Invalid client ID. Use the client ID of the package.")
        assert body == {"grant_type": "client_credentials", "account_id": "514009876"}
        return self.granted(
            expires_in=1079,
            scope="email_read",
            rest_instance_url=self.url + "/api/",
            soap_instance_url=self.url + "/soap/",
        )


def basic_of(request: ReceivedRequest) -> tuple[str, ...]:
    """Decode Basic as RFC 6749 §2.3.1 has a server do it."""
    encoded = request.headers["Authorization"].removeprefix("Basic ")
    pair = base64.b64decode(encoded).decode("ascii")
    return tuple(unquote_plus(part) for part in pair.split(":"))


class ShopperLogin(ThingsServer):
    def log_in(self, request: ReceivedRequest) -> Response:
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        if basic_of(request) != (ID, SECRET):
            return refused("invalid_client", WWW_Authenticate='Basic realm="slas"')
        assert request.form == {"grant_type": "client_credentials", "channel_id": "RefArch"}
        return self.granted(
            expires_in=1800, token_type="BEARER", usid="7", customer_id="c", refresh_token="r"
        )


class AccountManager(ThingsServer):
    """It takes each assertion once, for a minute, if the app's public key proves it."""

    seen: set[str]

    def __init__(self) -> None:
        super().__init__()
        self.seen = set()
        self.key = RSAKey.import_key(PUBLIC_PEM)

    def log_in(self, request: ReceivedRequest) -> Response:
        form = request.form
        claims = jwt.decode(form["client_assertion"], self.key, algorithms=["RS256"]).claims
        assert form["client_assertion_type"].endswith("client-assertion-type:jwt-bearer")
        assert claims["iss"] == claims["sub"] == form["client_id"] == ID
        assert claims["aud"] == f"{self.url}/dwsso/oauth2/access_token"
        assert 0 < claims["exp"] - time.time() <= 60
        assert claims["jti"] not in self.seen
        self.seen.add(claims["jti"])
        return self.granted(expires_in=1799, scope=form["scope"])


class Anypoint(ThingsServer):
    def log_in(self, request: ReceivedRequest) -> Response:
        assert request.form == {
            "grant_type": "client_credentials",
            "client_id": ID,
            "client_secret": SECRET,
        }
        return self.granted(expires_in=3600, token_type="bearer")


async def two_calls(server: ThingsServer, **options: Any) -> None:
    """Call, let the token die in between, and call again: two logins, and both calls succeed."""
    connection = Connector.connect("oauth2-client-credentials", client_id=ID, **options)
    async with connection as api:
        assert await api.get("/v1/things") == {"things": [1]}
        server.tokens.clear()
        assert await api.get("/v1/things") == {"things": [1]}
    assert server.logins == 2


async def test_marketing_cloud_speaks_json_and_says_where_its_api_is():
    async with MarketingCloud() as server:
        await two_calls(
            server,
            provider="mce",
            subdomain="mc1",
            token_url=server.url + "/v2/token",
            base_url_hosts=("127.0.0.1",),
            client_secret=SECRET,
            account_id="514009876",
        )

        calls = [one.path for one in server.requests if one.path.startswith("/api")]
        assert calls == ["/api/v1/things"] * 3


async def test_a_wrong_secret_of_marketing_cloud_is_explained_without_it():
    async with MarketingCloud() as server:
        connection = Connector.connect(
            "oauth2-client-credentials",
            provider="mce",
            subdomain="mc1",
            token_url=server.url + "/v2/token",
            client_id=ID,
            client_secret="wrong-canary",
            account_id="514009876",
        )
        async with connection as api:
            with pytest.raises(InvalidCredentialsError, match="Use the client ID") as caught:
                await api.get("/v1/things")

    assert "canary" not in str(caught.value)


async def test_the_token_of_marketing_cloud_goes_to_marketing_cloud_only():
    """The answer names another host than the provider's, so the token is not sent at all."""
    async with MarketingCloud() as server:
        connection = Connector.connect(
            "oauth2-client-credentials",
            provider="mce",
            subdomain="mc1",
            token_url=server.url + "/v2/token",
            client_id=ID,
            client_secret=SECRET,
            account_id="514009876",
        )
        async with connection as api:
            with pytest.raises(HostNotAllowedError, match=r"hosts are: \.marketingcloudapis\.com"):
                await api.get("/v1/things")

        assert [request.path for request in server.requests] == ["/v2/token"]


async def test_shopper_login_takes_basic_with_form_encoded_parts():
    async with ShopperLogin() as server:
        await two_calls(
            server,
            provider="slas",
            **REALM,
            token_url=server.url + "/oauth2/token",
            base_url=server.url + "/api",
            client_secret=SECRET,
            channel_id="RefArch",
        )


async def test_a_refusal_that_is_a_challenge_alone_is_a_wrong_secret():
    async with ShopperLogin() as server:
        server.script(answer(b"", status=401, headers={"WWW-Authenticate": 'Basic realm="slas"'}))
        connection = Connector.connect(
            "oauth2-client-credentials",
            provider="slas",
            **REALM,
            token_url=server.url + "/oauth2/token",
            base_url=server.url + "/api",
            client_id=ID,
            client_secret=SECRET,
            channel_id="RefArch",
        )
        async with connection as api:
            with pytest.raises(InvalidCredentialsError, match="asks for basic") as caught:
                await api.get("/v1/things")

    assert (caught.value.status, caught.value.code) == (401, "invalid_client")


async def test_account_manager_proves_each_assertion_with_the_public_key(tmp_path):
    path = tmp_path / "am.key"
    path.write_text(PEM)
    async with AccountManager() as server:
        await two_calls(
            server,
            provider="account-manager",
            token_url=server.url + "/dwsso/oauth2/access_token",
            base_url=server.url + "/api",
            client_auth="private_key_jwt",
            private_key_file=path,
            scope="sfcc.products",
        )
        assert len(server.seen) == 2


async def test_anypoint_takes_the_secret_in_the_form():
    async with Anypoint() as server:
        await two_calls(
            server,
            provider="anypoint-eu1",
            token_url=server.url + "/accounts/api/v2/oauth2/token",
            base_url=server.url + "/api",
            client_secret=SECRET,
        )


class Narrow(Anypoint):
    """Its tokens are good for less than is asked."""

    def token_answer(self, request: ReceivedRequest) -> Response:
        if request.path.startswith("/api"):
            challenge = 'Bearer error="insufficient_scope", scope="things.write"'
            return refused("x", status=403, WWW_Authenticate=challenge)
        return super().token_answer(request)


async def test_a_scope_that_is_too_small_causes_no_second_login():
    async with Narrow() as server:
        connection = Connector.connect(
            "oauth2-client-credentials",
            provider="anypoint",
            token_url=server.url + "/token",
            base_url=server.url + "/api",
            client_id=ID,
            client_secret=SECRET,
        )
        async with connection as api:
            with pytest.raises(AccessDeniedError, match="ask for a further scope"):
                await api.get("/v1/things")

    assert server.logins == 1


class Discovered(Anypoint):
    """An issuer with a path; its document is where OpenID has it."""

    def document(self) -> dict[str, object]:
        return {"issuer": f"{self.url}/t1", "token_endpoint": f"{self.url}/t1/token"}

    def token_answer(self, request: ReceivedRequest) -> Response:
        if request.path == "/t1/.well-known/openid-configuration":
            return answer(self.document())
        if "/.well-known/" in request.path:
            return answer(status=404)
        return super().token_answer(request)


async def test_an_issuer_is_enough():
    async with Discovered() as server:
        await two_calls(
            server,
            issuer=server.url + "/t1",
            base_url=server.url + "/api",
            client_auth="client_secret_post",
            client_secret=SECRET,
        )

        documents = [one.path for one in server.requests if "well-known" in one.path]
        assert documents == [
            "/.well-known/oauth-authorization-server/t1",
            "/t1/.well-known/openid-configuration",
        ]


REDIRECT = answer(status=302, headers={"Location": "/elsewhere"})
PAGE = answer("<html><title>Sign in</title></html>", headers={"Content-Type": "text/html"})
WRONG = {
    "another issuer": ([answer({"issuer": "https://evil.example"})], "it is not used"),
    "no members": ([answer({}), answer({})], "without an issuer"),
    "redirects": ([REDIRECT, REDIRECT], r"redirect \(status 302\)"),
    "pages": ([PAGE, PAGE], "a web page"),
}


@pytest.mark.parametrize(("script", "problem"), WRONG.values(), ids=WRONG.keys())
async def test_a_discovery_that_cannot_be_right_ends_before_a_secret_is_sent(script, problem):
    async with Discovered() as server:
        server.script(*script)
        connection = Connector.connect(
            "oauth2-client-credentials",
            issuer=server.url + "/t1",
            base_url=server.url + "/api",
            client_id=ID,
            client_secret=SECRET,
        )
        async with connection as api:
            with pytest.raises(AuthConfigurationError, match=problem):
                await api.get("/v1/things")

        assert {request.method for request in server.requests} == {"GET"}
        assert "/elsewhere" not in [request.path for request in server.requests]


# Mutual TLS


class Files:
    """Certificates as the settings want them: one authority, a server's and two clients'."""

    def __init__(self, folder: Path) -> None:
        authority, other = trustme.CA(), trustme.CA()
        self.authority = authority
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self.client = self._client(folder, "client", authority)
        self.stranger = self._client(folder, "stranger", other)

    def _client(self, folder: Path, name: str, authority: trustme.CA) -> dict[str, Path]:
        issued = authority.issue_cert(f"{name}@example.com", common_name=name)
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return {"client_cert_file": certificate, "client_key_file": key}


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


@asynccontextmanager
async def tls_server(files: Files, *, demands_certificate: bool, app: web.Application) -> Any:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    files.authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    if demands_certificate:
        files.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def subject_of(request: web.Request) -> str:
    """The common name of the certificate that the connection showed."""
    assert request.transport is not None
    certificate: Any = request.transport.get_extra_info("peercert")
    return str(dict(pair for row in certificate["subject"] for pair in row)["commonName"])


class Guarded:
    """A token endpoint, and an API, that know their client by its certificate."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.app = web.Application()
        self.app.router.add_post("/token", self.token)
        self.app.router.add_get("/api/things", self.things)

    async def token(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, subject_of(request), await request.text()))
        return web.json_response({"access_token": "bound", "token_type": "Bearer"})

    async def things(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, subject_of(request), request.headers["Authorization"]))
        return web.json_response([1])


@pytest.fixture
async def guarded(files) -> AsyncIterator[tuple[Guarded, str]]:
    server = Guarded()
    async with tls_server(files, demands_certificate=True, app=server.app) as url:
        yield server, url


BODY = "grant_type=client_credentials&client_id=app%2F1"


async def test_a_client_with_a_certificate_sends_its_name_and_nothing_else(files, guarded):
    server, url = guarded
    connection = Connector.connect(
        "oauth2-client-credentials",
        token_url=url + "/token",
        base_url=url + "/api",
        client_id=ID,
        client_auth="tls_client_auth",
        ca_file=files.ca_file,
        **files.client,
    )
    async with connection as api:
        assert await api.get("/things") == [1]

    assert server.seen == [
        ("/token", "client", BODY),
        ("/api/things", "client", "Bearer bound"),
    ]


@pytest.mark.parametrize("which", ["none", "stranger"])
async def test_no_certificate_or_a_strangers_gets_no_token(files, guarded, which):
    server, url = guarded
    shown = files.stranger if which == "stranger" else {}
    connection = Connector.connect(
        "oauth2-client-credentials",
        token_url=url + "/token",
        base_url=url + "/api",
        client_id=ID,
        client_auth="tls_client_auth",
        ca_file=files.ca_file,
        max_attempts=1,
        **shown,
    )
    async with connection as api:
        with pytest.raises(TransportError):
            await api.get("/things")

    assert server.seen == []


async def test_the_alias_for_certificates_is_discovered(files, guarded):
    """The issuer demands none; its document names another port for those who have one."""
    server, guarded_url = guarded
    front = web.Application()

    async def document(request: web.Request) -> web.Response:
        issuer = f"https://127.0.0.1:{request.url.port}"
        aliases = {"token_endpoint": guarded_url + "/token"}
        members = {"issuer": issuer, "token_endpoint": issuer + "/token"}
        return web.json_response({**members, "mtls_endpoint_aliases": aliases})

    front.router.add_get("/.well-known/oauth-authorization-server", document)
    async with tls_server(files, demands_certificate=False, app=front) as issuer:
        connection = Connector.connect(
            "oauth2-client-credentials",
            issuer=issuer,
            base_url=guarded_url + "/api",
            client_id=ID,
            client_auth="self_signed_tls_client_auth",
            ca_file=files.ca_file,
            **files.client,
        )
        async with connection as api:
            assert await api.get("/things") == [1]

    assert [path for path, *_ in server.seen] == ["/token", "/api/things"]


async def test_a_server_of_an_unknown_authority_gets_nothing(files, guarded):
    server, url = guarded
    connection = Connector.connect(
        "oauth2-client-credentials",
        token_url=url + "/token",
        base_url=url + "/api",
        client_id=ID,
        client_secret=SECRET,
        max_attempts=1,
        **files.client,
    )
    async with connection as api:
        with pytest.raises(ConnectError):
            await api.get("/things")

    assert server.seen == []


# Other grants


class Rotating(ThingsServer):
    """An API whose refresh tokens are good for one use."""

    def log_in(self, request: ReceivedRequest) -> Response:
        if request.path == "/revoke":
            self.revoked = request.form
            return answer("")
        expected = f"refresh-{self.logins}"
        if request.form.get("refresh_token") != expected:
            return refused("invalid_grant", status=400)
        return self.granted(refresh_token=f"refresh-{self.logins + 1}")


async def test_a_refresh_token_rotates_and_the_newest_is_revoked():
    async with Rotating() as server:
        connection = Connector.connect(
            "oauth2-refresh-token",
            token_url=server.url + "/token",
            revocation_url=server.url + "/revoke",
            base_url=server.url + "/api",
            client_id=ID,
            refresh_token="refresh-0",
            rotates_refresh_token=True,
        )
        async with connection as api:
            for _ in range(3):
                assert await api.get("/v1/things") == {"things": [1]}
                server.tokens.clear()
            await api.revoke()

    assert server.logins == 3
    assert server.revoked == {
        "token": "refresh-3",
        "token_type_hint": "refresh_token",
        "client_id": ID,
    }


class ServiceAccounts(ThingsServer):
    """As Google's: the assertion alone, its scope inside, proven with the public key."""

    def log_in(self, request: ReceivedRequest) -> Response:
        key = RSAKey.import_key(PUBLIC_PEM)
        form = request.form
        assert set(form) == {"grant_type", "assertion"}
        token = jwt.decode(form["assertion"], key, algorithms=["RS256"])
        assert token.header["kid"] == "key-1"
        assert token.claims["aud"] == self.url + "/token"
        assert token.claims["scope"] == "https://www.example.com/auth/things"
        assert token.claims["sub"] == "ada@example.com"
        return self.granted(expires_in=3599)


async def test_a_service_account_logs_in_by_its_assertion():
    async with ServiceAccounts() as server:
        connection = Connector.connect(
            "oauth2-jwt-bearer",
            token_url=server.url + "/token",
            base_url=server.url + "/api",
            client_id="robot@project.iam.example.com",
            private_key=PEM,
            key_id="key-1",
            subject="ada@example.com",
            scope="https://www.example.com/auth/things",
            scope_in="claim",
        )
        async with connection as api:
            assert await api.get("/v1/things") == {"things": [1]}
