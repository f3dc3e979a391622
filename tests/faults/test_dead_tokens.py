"""Which answers over real sockets cause another login, and how many requests they may cost."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from sfconnect import ClientCredentials, Salesforce
from sfconnect.errors import (
    AccessDeniedError,
    AuthConfigurationError,
    ServerError,
    SessionExpiredError,
)
from sfconnect.retry import RetryPolicy

AT_ONCE = RetryPolicy(initial_s=0.0, max_s=0.0)
TOKEN_PATH = "/services/oauth2/token"


@dataclass(frozen=True)
class Refusal:
    """An answer of one surface, and a request that gets it."""

    status: int
    body: bytes
    path: str = "/services/data/v68.0/limits"
    method: str = "GET"
    content_type: str = "application/json;charset=UTF-8"


def rest(code: str, message: str = "Session expired or invalid") -> bytes:
    return json.dumps([{"errorCode": code, "message": message}]).encode()


XML = "text/xml; charset=UTF-8"
BATCHES = "/services/async/60.0/job/750x/batch"
SOAP = "/services/Soap/u/60.0"
SOAP_FAULT = (
    b'<?xml version="1.0"?><soapenv:Envelope '
    b'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    b'xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault>'
    b"<faultcode>sf:%s</faultcode><faultstring>%s: refused</faultstring>"
    b"</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)
BULK_XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<error xmlns="http://www.force.com/2009/06/asyncapi/dataload">'
    b"<exceptionCode>%s</exceptionCode><exceptionMessage>Invalid session id</exceptionMessage>"
    b"</error>"
)
BULK_JSON = b'{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}'
COMET = (
    b'[{"ext":{"sfdc":{"failureReason":"%s"}},"error":"403::Handshake denied",'
    b'"successful":false,"channel":"/meta/handshake"}]'
)

DEAD = {
    "rest": Refusal(401, rest("INVALID_SESSION_ID")),
    "rest header": Refusal(401, rest("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")),
    "rest jwt": Refusal(401, rest("INVALID_JWT_FORMAT", "malformed")),
    "rest post": Refusal(
        401, rest("INVALID_SESSION_ID"), "/services/data/v68.0/sobjects/Account", "POST"
    ),
    "identity": Refusal(403, b"Bad_OAuth_Token", "/id/00Dx/005x", content_type="text/plain"),
    "userinfo": Refusal(
        403, b"Bad_OAuth_Token\n", "/services/oauth2/userinfo", content_type="text/html"
    ),
    "bulk xml": Refusal(400, BULK_XML % b"InvalidSessionId", BATCHES, content_type=XML),
    "bulk json": Refusal(400, BULK_JSON, BATCHES),
    "soap": Refusal(500, SOAP_FAULT % (b"INVALID_SESSION_ID", b"x"), SOAP, "POST", XML),
    "comet": Refusal(403, COMET % b"401::Authentication invalid", "/cometd/60.0", "POST"),
}
ALIVE = {
    "not for rest": Refusal(
        401,
        rest("INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
    ),
    "no agent": Refusal(401, rest("X", "Connected app is not attached to Agent")),
    "missing token": Refusal(403, b"Missing_OAuth_Token", "/id/00Dx/005x", content_type="text/x"),
    "wrong org": Refusal(403, b"Wrong_Org", "/id/00Dx/005x", content_type="text/plain"),
    "rights": Refusal(403, rest("INSUFFICIENT_ACCESS", "no")),
    "bulk": Refusal(400, BULK_XML % b"InvalidJob", BATCHES, content_type=XML),
    "soap": Refusal(500, SOAP_FAULT % (b"INVALID_FIELD", b"x"), SOAP, "POST", XML),
    "comet": Refusal(403, COMET % b"403::Organization total events daily limit exceeded",
                     "/cometd/60.0", "POST"),
    "not found": Refusal(404, b""),
}  # fmt: skip


@dataclass
class Org:
    """Gives tokens ``token-1``, ``token-2``, …; refuses the first ``refused`` of them."""

    refusal: Refusal
    refused: int = 1
    token: str = "token-{}"
    logins: int = 0
    calls: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, connection):
        while True:
            request = await connection.request()
            if request.target == TOKEN_PATH:
                self.logins += 1
                token = self.token.format(self.logins)
                body = {"access_token": token, "instance_url": self.url, "token_type": "Bearer"}
                await connection.answer(json.dumps(body).encode())
                continue
            token = request.headers["authorization"].removeprefix("Bearer ")
            self.calls.append(token)
            if token in {self.token.format(n + 1) for n in range(self.refused)}:
                headers = {"Content-Type": self.refusal.content_type}
                await connection.answer(
                    self.refusal.body, status=self.refusal.status, headers=headers
                )
            else:
                await connection.answer(b'{"fine": true}')


@pytest.fixture
def connect(serve, monkeypatch, tmp_path):
    """Describe a connection to an org that refuses tokens as it is told."""
    monkeypatch.chdir(tmp_path)

    async def make(refusal: Refusal, **facts) -> tuple[Org, Salesforce]:
        org = Org(refusal, **facts)
        org.url = (await serve(org.serve)).url
        return org, Salesforce.connect(ClientCredentials(org.url, "id", "secret"), retry=AT_ONCE)

    return make


def call(sf: Salesforce, refusal: Refusal):
    return sf.request(refusal.method, refusal.path, json={} if refusal.method == "POST" else None)


@pytest.mark.parametrize("refusal", DEAD.values(), ids=DEAD)
async def test_a_dead_token_is_replaced_and_the_call_sent_again(connect, refusal):
    org, connection = await connect(refusal)

    async with connection as sf:
        assert await call(sf, refusal) == {"fine": True}

    assert org.calls == ["token-1", "token-2"]
    assert org.logins == 2


@pytest.mark.parametrize("refusal", DEAD.values(), ids=DEAD)
async def test_a_new_token_that_is_refused_too_ends_the_call_and_says_where_to_look(
    connect, refusal
):
    org, connection = await connect(refusal, refused=99)

    async with connection as sf:
        with pytest.raises((SessionExpiredError, AccessDeniedError)) as caught:
            await call(sf, refusal)

    assert org.calls == ["token-1", "token-2"]
    assert org.logins == 2
    assert caught.value.status == refusal.status
    assert caught.value.retry_safe is False


@pytest.mark.parametrize("name", sorted(DEAD.keys() - {"comet"}))
async def test_the_hint_names_the_scope_and_the_permission(connect, name):
    _, connection = await connect(DEAD[name], refused=99)

    async with connection as sf:
        with pytest.raises(SessionExpiredError) as caught:
            await call(sf, DEAD[name])

    assert "A new token was refused too" in (caught.value.hint or "")
    assert "'API Enabled'" in (caught.value.hint or "")


@pytest.mark.parametrize("refusal", ALIVE.values(), ids=ALIVE)
async def test_what_is_not_about_the_token_costs_no_login_and_no_second_request(connect, refusal):
    org, connection = await connect(refusal, refused=99)

    async with connection as sf:
        with pytest.raises(Exception) as caught:  # noqa: PT011  # the class is told by the codes
            await call(sf, refusal)

    assert getattr(caught.value, "status", None) == refusal.status
    assert org.calls == ["token-1"]
    assert org.logins == 1


async def test_a_hundred_calls_with_a_missing_right_cause_few_logins(connect):
    """Each of them would cause one, and the user's limit would be reached in no time."""
    org, connection = await connect(DEAD["rest"], refused=999)

    async with connection as sf:
        for _ in range(100):
            with pytest.raises(SessionExpiredError):
                await call(sf, DEAD["rest"])

    assert org.logins == 6
    assert len(org.calls) == 105


async def test_a_call_replays_once_in_all_its_attempts(connect):
    """A fault after the replay is retried; a refusal after that is the end."""
    org, connection = await connect(DEAD["rest"], refused=99)
    busy = Refusal(503, rest("SERVER_UNAVAILABLE", "busy"))
    refusal = org.refusal

    class Changing(list[str]):
        def append(self, token):
            super().append(token)
            org.refusal = busy if len(self) == 2 else refusal

    org.calls = Changing()

    async with connection as sf:
        with pytest.raises(SessionExpiredError):
            await call(sf, refusal)

    assert org.calls == ["token-1", "token-2", "token-2"]
    assert org.logins == 2


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln{}"


async def test_soap_with_a_jwt_is_told_as_a_setting_of_the_app(connect):
    """Another login would give another JWT."""
    org, connection = await connect(DEAD["soap"], refused=99, token=JWT)

    async with connection as sf:
        with pytest.raises(AuthConfigurationError, match="one in JWT format") as caught:
            await call(sf, DEAD["soap"])

    assert len(org.calls) == 1
    assert org.logins == 1
    assert "JWT-based access tokens" in (caught.value.hint or "")


async def test_soap_with_an_opaque_token_has_its_own_faults(connect):
    org, connection = await connect(ALIVE["soap"], refused=99, token=JWT)

    async with connection as sf:
        with pytest.raises(Exception, match="INVALID_FIELD"):
            await call(sf, ALIVE["soap"])

    assert org.logins == 1


async def test_a_stream_meets_the_same_end(connect):
    org, connection = await connect(DEAD["rest"], refused=99)

    async with connection as sf:
        with pytest.raises(SessionExpiredError):
            async with sf.stream("GET", DEAD["rest"].path):
                raise AssertionError("it must not open")

    assert org.calls == ["token-1", "token-2"]
    assert org.logins == 2


async def test_a_server_that_fails_is_no_dead_token(connect):
    org, connection = await connect(Refusal(500, b""), refused=99)

    async with connection as sf:
        with pytest.raises(ServerError):
            await sf.request("GET", "/services/data/v68.0/limits")

    assert org.logins == 1
