"""Every strategy that comes with sfconnect passes the tests that plugins inherit."""

from __future__ import annotations

import json
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sfconnect.auth import ApiKey, Basic, Chain, ProcessCredentials
from sfconnect.auth.oauth2 import (
    OAuth2ClientCredentials,
    OAuth2JwtBearer,
    OAuth2RefreshToken,
)
from sfconnect.salesforce.auth import (
    AccessToken,
    ClientCredentials,
    Data360,
    JwtBearer,
    RefreshToken,
    SamlBearer,
    TokenExchange,
)
from sfconnect.testing.conformance import StrategyConformance, TokenEndpointConformance
from sfconnect.testing.rotation import RotationConformance
from tests.unit.salesforce.auth.assertions import assertion, confirmation


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TestClientCredentialsInTheBody(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return ClientCredentials(token_server.url, "canary-id", "canary secret/+&%")


class TestClientCredentialsAsBasic(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return ClientCredentials(
            token_server.url, "canary-id", "canary secret/+&%", client_auth="basic"
        )


class TestClientCredentialsByAssertion(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, private_key):
        return ClientCredentials(
            token_server.url, "canary-id", client_auth="private_key_jwt", private_key=private_key
        )


class TestJwtBearerWithKeyText(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, private_key):
        return JwtBearer(token_server.url, "canary-id", "ada@example.com", private_key=private_key)


class TestJwtBearerWithKeyFile(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, private_key, tmp_path):
        path = tmp_path / "server.key"
        path.write_text(private_key)
        return JwtBearer(
            token_server.url,
            "canary-id",
            "ada@example.com",
            private_key_file=path,
            passphrase="canary passphrase",
        )


class TestJwtBearerWithEverything(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, private_key):
        return JwtBearer(
            token_server.url,
            "canary-id",
            "ada@example.com",
            private_key=private_key,
            audience="https://test.salesforce.com",
            user_claim="prn",
            try_other_audience=True,
        )


class TestRefreshToken(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return RefreshToken(
            token_server.url, "canary-id", "canary refresh token", client_secret="canary secret"
        )


class TestRefreshTokenThatRotates(RotationConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return RefreshToken(token_server.url, "canary-id", token_server.refresh_token)


class TestTokenExchange(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return TokenExchange(
            token_server.url,
            "canary-id",
            subject_token="canary subject token",
            client_secret="canary secret/+&%",
            actor_token="canary actor token",
            token_handler="Github",
        )


class TestTokenExchangeOfAFile(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, tmp_path):
        path = tmp_path / "token"
        path.write_text("canary token of a file\n")
        return TokenExchange(
            token_server.url, "canary-id", subject_token_file=path, subject_token_type="id_token"
        )


class TestSamlBearer(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        recipient = f"{token_server.url}/services/oauth2/token"
        text = assertion(
            confirmations=confirmation(recipient, ends=None),
            times='NotOnOrAfter="2100-01-01T00:00:00Z"',
        )
        return SamlBearer(token_server.url, assertion=text, username="ada@example.com")


class TestData360(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return Data360(AccessToken(token_server.url, "canary token of the org"), "lab")


async def _renew() -> str:
    return "canary renewed token"


class TestAccessTokenWithRenewal(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return AccessToken("https://acme.my.salesforce.com", "canary access token", renew=_renew)


class TestAccessToken(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return AccessToken("https://acme.my.salesforce.com", "canary access token")


class TestProcessCredentials(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        answer = {
            "version": 1,
            "access_token": "canary token of a command",
            "instance_url": "https://acme.my.salesforce.com",
        }
        return ProcessCredentials((sys.executable, "-SEc", f"print({json.dumps(answer)!r})"))


class TestChain(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return Chain(
            ProcessCredentials("no-such-command-here"),
            ClientCredentials(token_server.url, "canary-id", "canary secret/+&%"),
        )


class TestApiKey(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return ApiKey("canary-api-key", "https://api.example.com", "Authorization", "Token ")


class TestBasic(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return Basic("ada", "canary password", "https://api.example.com")


class TestOAuth2ClientCredentials(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return OAuth2ClientCredentials(
            token_server.url + "/token", "canary-id", "canary secret/+&%"
        )


class TestOAuth2ClientCredentialsWithEverything(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return OAuth2ClientCredentials(
            token_server.url + "/token",
            "canary-id",
            "canary secret/+&%",
            client_auth="body",
            scope="read write",
            audience="https://api.example.com",
            base_url="https://api.example.com/v1",
        )


class TestOAuth2ClientCredentialsByAssertion(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, private_key):
        return OAuth2ClientCredentials(
            token_server.url + "/token",
            "canary-id",
            client_auth="private_key_jwt",
            private_key=private_key,
            key_id="k1",
            resource=("https://one.example.com", "https://two.example.com"),
            token_params={"tenant": "acme"},
        )


class TestOAuth2RefreshToken(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return OAuth2RefreshToken(
            token_server.url + "/token",
            "canary-id",
            "canary secret/+&%",
            refresh_token="canary refresh token",
        )


class TestOAuth2RefreshTokenThatRotates(RotationConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return OAuth2RefreshToken(
            token_server.url + "/token",
            "canary-id",
            refresh_token=token_server.refresh_token,
            rotates_refresh_token=True,
        )


class TestOAuth2JwtBearer(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, private_key):
        return OAuth2JwtBearer(
            token_server.url + "/token",
            "sa@example.iam",
            private_key=private_key,
            scope_in="claim",
            subject="ada@example.com",
        )


class TestOAuth2JwtBearerWithASecret(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server, private_key):
        return OAuth2JwtBearer(
            token_server.url + "/token",
            "canary-id",
            "canary secret/+&%",
            private_key=private_key,
            claims=("tenant=acme",),
        )
