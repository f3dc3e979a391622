"""Both strategies pass the tests that every auth strategy should pass."""

from __future__ import annotations

import pytest

from sfconnect.testing import StrategyConformance, TokenEndpointConformance, answer
from sfconnect_auth_legacy import SoapLogin, UsernamePassword

LOGGED_IN = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns="urn:partner.soap.sforce.com"><soapenv:Body><loginResponse><result>
<passwordExpired>false</passwordExpired>
<serverUrl>{url}/services/Soap/u/64.0/00D000000000001</serverUrl>
<sessionId>00D000000000001!canary.session</sessionId>
</result></loginResponse></soapenv:Body></soapenv:Envelope>"""


class TestUsernamePassword(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return UsernamePassword(
            token_server.url,
            "canary-id",
            "ada@example.com",
            "canary password/+&%",
            client_secret="canary secret/+&%",
            security_token="canary token",
        )


class TestUsernamePasswordAlone(TokenEndpointConformance):
    @pytest.fixture
    def strategy(self, token_server):
        return UsernamePassword(token_server.url, "an-id", "ada@example.com", "canary<&>")


class TestSoapLogin(StrategyConformance):
    @pytest.fixture
    def strategy(self, server):
        # The tests of event loops log in twice.
        server.script(*2 * [answer(LOGGED_IN.format(url=server.url))])
        return SoapLogin(
            server.url, "ada@example.com", "canary password<&>", security_token="canary-token"
        )
