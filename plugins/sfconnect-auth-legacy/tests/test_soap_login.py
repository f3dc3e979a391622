"""SOAP login: what is sent, what is read, and what faults mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect import ConfigurationError, Secret
from sfconnect.auth import Credentials, resolve
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    HostNotAllowedError,
    InvalidCredentialsError,
    LoginRateLimited,
    TransientAuthError,
)
from sfconnect.messages import Response
from sfconnect.testing import ScriptedSender, answer
from sfconnect_auth_legacy import SoapLogin
from sfconnect_auth_legacy.soap import Scope, login_request

USER = "ada@example.com"
NAMES = {"e": "http://schemas.xmlsoap.org/soap/envelope/", "u": "urn:partner.soap.sforce.com"}


def envelope(body: str, status: int = 200) -> Response:
    """An answer in the shape that the partner API gives it."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    return answer(text, status=status, headers=headers)


def logged_in(server_url: str, **members: str) -> Response:
    shown = {
        "metadataServerUrl": f"{server_url}/services/Soap/m/64.0/00D000000000001",
        "passwordExpired": "false",
        "sandbox": "false",
        "serverUrl": f"{server_url}/services/Soap/u/64.0/00D000000000001",
        "sessionId": "00D000000000001!canary.session",
        "userId": "005000000000001AAA",
        **members,
    }
    info = {
        "organizationId": "00D000000000001EAA",
        "profileId": "00e000000000001AAA",
        "sessionSecondsValid": members.get("sessionSecondsValid", "7200"),
        "userEmail": "ada@example.com",
        "userFullName": "Ada &amp; Co",
        "userName": USER,
    }
    result = "".join(f"<{name}>{text}</{name}>" for name, text in shown.items())
    user = "".join(f"<{name}>{text}</{name}>" for name, text in info.items())
    return envelope(
        f"<loginResponse><result>{result}<userInfo>{user}</userInfo></result></loginResponse>"
    )


def fault(code: str, words: str) -> Response:
    return envelope(
        f"<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {words}</faultstring>"
        '<detail><sf:LoginFault xmlns:sf="urn:fault.partner.soap.sforce.com" '
        f'xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{words}</sf:exceptionMessage></sf:LoginFault></detail>"
        "</soapenv:Fault>",
        status=500,
    )


def strategy_at(url: str, **options: str) -> SoapLogin:
    return SoapLogin(url, USER, "p<&>\"' \r\n]]>", **options)


async def test_the_login_is_an_envelope_with_escaped_texts(server, context) -> None:
    server.script(logged_in(server.url))
    strategy = strategy_at(server.url, security_token="TOKEN")

    await strategy.authenticate(context)

    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/services/Soap/u/64.0")
    assert request.headers["Content-Type"] == "text/xml; charset=UTF-8"
    assert request.headers["SOAPAction"] == "login"
    login = ET.fromstring(request.body).find("e:Body/u:login", NAMES)
    assert login is not None
    assert login.findtext("u:username", namespaces=NAMES) == USER
    assert login.findtext("u:password", namespaces=NAMES) == "p<&>\"' \r\n]]>TOKEN"


async def test_users_of_portals_say_whose_they_are(server, context) -> None:
    server.script(logged_in(server.url), logged_in(server.url))

    await strategy_at(server.url, organization_id="00D1", portal_id="0611").authenticate(context)
    await strategy_at(server.url, organization_id="00D1").authenticate(context)

    sent = [ET.fromstring(request.body) for request in server.requests]
    path = "e:Header/u:LoginScopeHeader/u:"
    assert [one.findtext(f"{path}organizationId", None, NAMES) for one in sent] == ["00D1"] * 2
    assert [one.findtext(f"{path}portalId", None, NAMES) for one in sent] == ["0611", None]


def test_a_portal_without_its_org_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="portal_id needs organization_id"):
        strategy_at("https://acme.my.salesforce.com", portal_id="0611")


async def test_ordinary_users_send_no_scope(server, context) -> None:
    server.script(logged_in(server.url))

    await strategy_at(server.url).authenticate(context)

    assert "LoginScopeHeader" not in server.requests[0].body


XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32)])
    | st.sampled_from("\t\r\n"),
).filter(lambda text: not {"\ufffe", "\uffff"} & set(text))


@given(XML_TEXT, XML_TEXT)
def test_any_password_arrives_as_it_is(username: str, password: str) -> None:
    request = login_request("https://acme.my.salesforce.com", username, password, Scope())

    assert isinstance(request.content, bytes)
    login = ET.fromstring(request.content).find("e:Body/u:login", NAMES)
    assert login is not None
    assert (login.findtext("u:username", None, NAMES) or "") == username
    assert (login.findtext("u:password", None, NAMES) or "") == password


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\ud800", "\uffff"])
async def test_a_password_that_xml_cannot_express_is_told_and_not_shown(
    server, context, character
) -> None:
    strategy = SoapLogin(server.url, USER, f"canary{character}")

    with pytest.raises(AuthConfigurationError, match="password holds a character") as caught:
        await strategy.authenticate(context)

    assert "canary" not in str(caught.value)
    assert server.requests == []


async def test_the_session_knows_how_long_it_lives(server, context, clock) -> None:
    server.script(logged_in(server.url))

    credentials = await strategy_at(server.url).authenticate(context)

    assert credentials == Credentials(
        Secret("00D000000000001!canary.session"),
        server.url,
        issued_at=clock.time(),
        expires_at=clock.time() + 7200,
        extra={
            "organizationId": "00D000000000001EAA",
            "profileId": "00e000000000001AAA",
            "userEmail": "ada@example.com",
            "userFullName": "Ada & Co",
            "userId": "005000000000001AAA",
        },
    )


@pytest.mark.parametrize("told", ["", "0", "soon", "-1", "²"])
async def test_an_odd_life_is_an_unknown_one(server, context, told) -> None:
    server.script(logged_in(server.url, sessionSecondsValid=told))

    assert (await strategy_at(server.url).authenticate(context)).expires_at is None


async def test_an_expired_password_is_no_login(server, context) -> None:
    """Salesforce answers 200 with a session that does nothing but change the password."""
    server.script(logged_in(server.url, passwordExpired="true"))

    with pytest.raises(InvalidCredentialsError, match="has expired") as caught:
        await strategy_at(server.url).authenticate(context)

    assert caught.value.code == "PASSWORD_EXPIRED"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "words", "meaning"),
    [
        (
            "INVALID_LOGIN",
            "Invalid username, password, security token; or user locked out.",
            (InvalidCredentialsError, "authentication-failure"),
        ),
        (
            "LOGIN_MUST_USE_SECURITY_TOKEN",
            "Invalid username, password, security token",
            (InvalidCredentialsError, "security-token"),
        ),
        (
            "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
            "The users password has expired",
            (InvalidCredentialsError, "password-expired"),
        ),
        ("PASSWORD_LOCKOUT", "locked", (InvalidCredentialsError, "locked-out")),
        (
            "INVALID_OPERATION",
            "SOAP API login() is disabled by default in this org.",
            (AuthConfigurationError, "soap-login-off"),
        ),
        (
            "INSUFFICIENT_ACCESS",
            "User lacks Use Any API Auth",
            (AuthConfigurationError, "soap-login-off"),
        ),
        (
            "UNSUPPORTED_API_VERSION",
            "version not supported",
            (AuthConfigurationError, "soap-login-off"),
        ),
        ("API_DISABLED_FOR_ORG", "API is not enabled", (AuthConfigurationError, "api-disabled")),
        (
            "API_CURRENTLY_DISABLED",
            "API is disabled for this User",
            (AuthConfigurationError, "api-disabled"),
        ),
        ("LOGIN_DURING_RESTRICTED_DOMAIN", "x", (AuthConfigurationError, "ip-restricted")),
        ("LOGIN_DURING_RESTRICTED_TIME", "x", (AuthConfigurationError, "login-hours")),
        ("ORG_LOCKED", "x", (AuthConfigurationError, "inactive-org")),
        ("LOGIN_RATE_EXCEEDED", "x", (LoginRateLimited, "login-rate")),
        ("REQUEST_LIMIT_EXCEEDED", "x", (LoginRateLimited, "rate-limited")),
        ("SERVER_UNAVAILABLE", "x", (TransientAuthError, "server-fault")),
        ("OF_TOMORROW", "x", (AuthConfigurationError, "refused")),
    ],
    ids=lambda value: value if isinstance(value, str) and "_" in value else "",
)
async def test_faults_are_typed_and_say_who_was_refused(
    server, context, code, words, meaning
) -> None:
    server.script(fault(code, words))

    with pytest.raises(AuthError) as caught:
        await strategy_at(server.url).authenticate(context)

    assert (type(caught.value), caught.value.docs_key) == meaning
    assert (caught.value.code, caught.value.status) == (code, 500)
    assert f"login of {USER}: {code}: {words.rstrip('.')}." in caught.value.message


async def test_a_fault_without_details_goes_by_its_code(server, context) -> None:
    body = "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring/></soapenv:Fault>"
    server.script(envelope(body, 500))

    with pytest.raises(TransientAuthError) as caught:
        await strategy_at(server.url).authenticate(context)

    assert caught.value.code == "Server"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, AuthConfigurationError),
        (302, AuthConfigurationError),
        (404, AuthConfigurationError),
        (429, LoginRateLimited),
        (500, TransientAuthError),
        (503, TransientAuthError),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><title>canary</title></html>",
        "{}",
        "<a>",
        "<e:Envelope/>",
        "<Envelope><Body/></Envelope>",
        "\x00",
    ],
)
async def test_what_is_no_soap_is_explained_and_not_quoted(
    server, context, status, kind, body
) -> None:
    server.script(answer(body, status=status, headers={"Retry-After": "7"}))

    with pytest.raises(kind) as caught:
        await strategy_at(server.url).authenticate(context)

    assert "canary" not in str(caught.value)
    assert caught.value.status == status
    assert caught.value.retry_after == 7.0


DOCUMENT_TYPES = {
    "entities": '<!DOCTYPE a [<!ENTITY b "canary">]>',
    "growing": '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;"><!ENTITY d "&c;&c;">]>',
    "external": '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    "parameter": '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:9/"> %b;]>',
}


@pytest.mark.parametrize("declaration", DOCUMENT_TYPES.values(), ids=DOCUMENT_TYPES)
async def test_a_document_type_is_refused_with_all_that_it_says(
    server, context, declaration
) -> None:
    text = logged_in(server.url).text.replace("?>", f"?>{declaration}", 1)
    server.script(answer(text))

    with pytest.raises(AuthConfigurationError, match="did not answer"):
        await strategy_at(server.url).authenticate(context)


@pytest.mark.parametrize(
    "make",
    [
        lambda text: text + " " * (1 << 20),
        lambda text: text.replace("<soapenv:Body>", "<soapenv:Body>" + "<a>" * 60 + "</a>" * 60),
        lambda text: text.replace("UTF-8", "no-such-encoding"),
        lambda text: text.replace("</loginResponse>", ""),
        lambda text: text.replace("false", "&canary;"),
    ],
    ids=["huge", "deep", "encoding", "cut", "unknown entity"],
)
async def test_a_document_that_no_login_is_like_is_refused(
    server, context, make: Callable[[str], str]
) -> None:
    server.script(answer(make(logged_in(server.url).text)))

    with pytest.raises(AuthConfigurationError, match="did not answer") as caught:
        await strategy_at(server.url).authenticate(context)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("missing", ["sessionId", "serverUrl"])
async def test_a_login_without_a_session_or_its_place_is_none(server, context, missing) -> None:
    server.script(logged_in(server.url, **{missing: ""}))

    with pytest.raises(AuthConfigurationError):
        await strategy_at(server.url).authenticate(context)


@pytest.mark.parametrize(
    ("named", "base"),
    [
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://na139-api.salesforce.com", "https://na139.salesforce.com"),
        ("https://foo-api.my.salesforce.com", "https://foo-api.my.salesforce.com"),
    ],
)
async def test_the_api_is_where_the_server_url_says(context, named, base) -> None:
    sender = ScriptedSender(logged_in(named))
    strategy = strategy_at("https://login.salesforce.com")

    credentials = await strategy.authenticate(replace(context, send=sender))

    assert credentials.instance_url == base


async def test_a_session_for_a_foreign_host_is_thrown_away(context) -> None:
    sender = ScriptedSender(logged_in("https://acme.example.com"))
    strategy = strategy_at("https://login.salesforce.com")

    with pytest.raises(HostNotAllowedError, match=r"acme\.example\.com"):
        await strategy.authenticate(replace(context, send=sender))


async def test_a_fault_that_repeats_the_password_does_not_show_it(server, context) -> None:
    server.script(fault("ODD", "p&lt;canary&gt; and p%3Ccanary%3E and 00D000000000001!canary"))

    with pytest.raises(AuthError) as caught:
        await SoapLogin(server.url, USER, "p<canary>").authenticate(context)

    assert "canary" not in str(caught.value)


async def test_logging_out_ends_the_session_where_it_lives(server, context) -> None:
    server.script(logged_in(server.url), envelope("<logoutResponse/>"))
    strategy = strategy_at("http://localhost:1", soap_version="31.0")
    credentials = await strategy_at(server.url).authenticate(context)

    await strategy.revoke(context, credentials)

    request = server.requests[1]
    assert request.path == "/services/Soap/u/31.0"
    assert request.headers["SOAPAction"] == "logout"
    document = ET.fromstring(request.body)
    session = document.findtext("e:Header/u:SessionHeader/u:sessionId", None, NAMES)
    assert session == credentials.access_token.reveal()
    assert document.find("e:Body/u:logout", NAMES) is not None


async def test_logging_out_of_a_dead_session_is_no_error(server, context) -> None:
    server.script(fault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader"))

    await strategy_at(server.url).revoke(context, Credentials(Secret("dead"), server.url))


async def test_a_logout_that_fails_says_so_without_the_session(server, context) -> None:
    server.script(fault("SERVER_UNAVAILABLE", "canary"), answer("canary", status=404))

    for kind in (TransientAuthError, AuthConfigurationError):
        with pytest.raises(kind) as caught:
            await strategy_at(server.url).revoke(context, Credentials(Secret("canary"), server.url))
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("version", ["31.0", "64.0"])
def test_versions_with_a_login_are_taken(version: str) -> None:
    assert (
        strategy_at("https://acme.my.salesforce.com", soap_version=version).soap_version == version
    )


@pytest.mark.parametrize("version", ["30.0", "65.0", "64", "6.0", "064.0", "v64.0", "", "²1.0"])
def test_versions_without_a_login_are_refused(version: str) -> None:
    with pytest.raises(ConfigurationError, match=r"from 31\.0 to 64\.0"):
        strategy_at("https://acme.my.salesforce.com", soap_version=version)


def test_it_is_found_by_its_name(tmp_path) -> None:
    made = resolve(
        "soap-login",
        options={"login_url": "login.salesforce.com", "api_version": "68.0"},
        environ={"SFCONNECT_USERNAME": USER, "SFCONNECT_PASSWORD": "a password"},
        cwd=tmp_path,
    )

    assert made.strategy == SoapLogin("https://login.salesforce.com", USER, "a password")
