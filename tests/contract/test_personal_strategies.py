"""The strategies that need a person pass the tests that plugins inherit; the person is fake."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfconnect.auth.oauth2 import OAuth2AuthorizationCode, OAuth2Device
from sfconnect.messages import Response
from sfconnect.salesforce.auth import AuthorizationCode, Device
from sfconnect.testing import FakeTokenServer, ReceivedRequest, answer
from sfconnect.testing.conformance import StrategyConformance, TokenEndpointConformance
from sfconnect.testing.rotation import RotationConformance


class TestAuthorizationCode(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return AuthorizationCode(
            token_server.url,
            "canary-id",
            "canary secret/+&%",
            redirect_uris=("http://127.0.0.1:0/callback",),
        )


class TestRotatingAuthorizationCode(RotationConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return AuthorizationCode(
            token_server.url, "canary-id", redirect_uris=("http://localhost:0/callback",)
        )


class DeviceServer(FakeTokenServer):
    """Gives a code for a device, and a token when the code comes back."""

    def token_answer(self, request: ReceivedRequest) -> Response:
        if "code" in request.form or "device_code" in request.form:
            return super().token_answer(request)
        return answer(
            {
                "device_code": "a-device-code",
                "user_code": "WDJB-MJHT",
                "verification_uri": "https://acme.my.salesforce.com/setup/connect",
                "interval": 0.01,
            }
        )


class DeviceConformance(StrategyConformance):
    @pytest.fixture
    async def token_server(self) -> AsyncIterator[DeviceServer]:
        async with DeviceServer() as server:
            yield server


@pytest.mark.filterwarnings("ignore:Salesforce's device flow:sfconnect.auth.RetirementWarning")
class TestDevice(DeviceConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return Device(token_server.url, "canary-id", "canary secret", accept_restricted=True)


class TestOAuth2AuthorizationCode(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return OAuth2AuthorizationCode(
            token_url=token_server.url + "/token",
            authorization_url=token_server.url + "/authorize",
            client_id="canary-id",
            client_secret="canary secret/+&%",
            scope="read write",
        )


class TestRotatingOAuth2AuthorizationCode(RotationConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return OAuth2AuthorizationCode(
            token_url=token_server.url + "/token",
            authorization_url=token_server.url + "/authorize",
            client_id="canary-id",
            client_auth="none",
        )


class TestOAuth2Device(DeviceConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return OAuth2Device(
            token_url=token_server.url + "/token",
            device_authorization_url=token_server.url + "/device",
            client_id="canary-id",
            client_secret="canary secret/+&%",
        )
