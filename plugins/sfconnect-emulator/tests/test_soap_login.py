"""Login and logout of the SOAP API."""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from sfconnect_emulator.probe import Answer, Probe

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PARTNER = "urn:partner.soap.sforce.com"


async def send(probe: Probe, body: str, head: str = "", place: str = "u/64.0") -> Answer:
    document = (
        f'<e:Envelope xmlns:e="{SOAP}" xmlns:u="{PARTNER}"><e:Header>{head}</e:Header>'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"}
    return await probe.send("POST", f"/services/Soap/{place}", headers, document.encode())


async def login(probe: Probe, place: str = "u/64.0", **changes: str) -> Answer:
    seen = probe.org.announcement
    given = {"username": seen.username, "password": seen.password + seen.security_token, **changes}
    fields = "".join(f"<u:{name}>{escape(text)}</u:{name}>" for name, text in given.items())
    return await send(probe, f"<u:login>{fields}</u:login>", place=place)


async def logout(probe: Probe, session_id: str) -> Answer:
    head = f"<u:SessionHeader><u:sessionId>{session_id}</u:sessionId></u:SessionHeader>"
    return await send(probe, "<u:logout/>", head)


def texts(answer: Answer) -> dict[str, str]:
    root = ET.fromstring(answer.body)
    return {one.tag.rpartition("}")[2]: one.text or "" for one in root.iter()}


def code(answer: Answer) -> tuple[int, str]:
    found = texts(answer)
    assert found["faultcode"] == f"sf:{found['exceptionCode']}"
    assert found["faultstring"].startswith(f"{found['exceptionCode']}: ")
    return answer.status, found["exceptionCode"]


@pytest.mark.parametrize("place", ["u/31.0", "u/64.0", "c/58.0"])
async def test_a_login_opens_a_session_that_rest_takes(probe: Probe, place: str) -> None:
    answer = await login(probe, place)

    found = texts(answer)
    probe.access_token = found["sessionId"]
    org = probe.org.instance.org
    assert answer.status == 200
    assert found["serverUrl"] == (
        f"{probe.org.instance_url}/services/Soap/{place}/{org.org_id[:15]}"
    )
    assert (found["userId"], found["organizationId"]) == (org.user.id, org.org_id)
    assert (found["passwordExpired"], found["sessionSecondsValid"]) == ("false", "7200")
    assert (await probe.get("/limits")).status == 200
    assert probe.org.control.statistics()["logins"] == {"soap": 1}


@pytest.mark.parametrize("place", ["u/30.0", "u/65.0", "c/68.0", "u/x", "u/64"])
async def test_other_versions_have_no_login(probe: Probe, place: str) -> None:
    assert code(await login(probe, place)) == (500, "UNSUPPORTED_API_VERSION")


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "nobody"}], ids=str)
async def test_wrong_credentials_are_refused(probe: Probe, changes: dict[str, str]) -> None:
    answer = await login(probe, "u/64.0", **changes)

    assert code(answer) == (500, "INVALID_LOGIN")
    assert b"wrong" not in answer.body


async def test_the_security_token_is_needed(probe: Probe) -> None:
    answer = await login(probe, password=probe.org.announcement.password)

    assert code(answer) == (500, "LOGIN_MUST_USE_SECURITY_TOKEN")


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        ({"api_enabled": False}, "API_DISABLED_FOR_ORG"),
        ({"logins_per_hour": 0}, "LOGIN_RATE_EXCEEDED"),
        ({"active": False}, "INVALID_LOGIN"),
    ],
    ids=str,
)
async def test_policies_refuse(probe: Probe, policy: dict[str, object], fault: str) -> None:
    probe.org.control.change_org(policy)

    assert code(await login(probe)) == (500, fault)


async def test_a_session_of_an_expired_password_is_good_for_nothing(probe: Probe) -> None:
    probe.org.control.change_org({"expired_passwords": [probe.org.username]})

    found = texts(await login(probe))
    probe.access_token = found["sessionId"]

    assert found["passwordExpired"] == "true"
    assert (await probe.get("/limits")).status == 401


async def test_logout_ends_a_session_and_is_refused_for_a_dead_one(probe: Probe) -> None:
    probe.access_token = texts(await login(probe))["sessionId"]

    first, second = await logout(probe, probe.access_token), await logout(probe, "00D!dead")

    assert first.status == 200
    assert (await probe.get("/limits")).status == 401
    assert code(second) == (500, "INVALID_SESSION_ID")


async def test_soap_does_not_take_tokens_in_jwt_format(probe: Probe) -> None:
    probe.org.control.change_app(probe.org.client_id, {"jwt_access_tokens": True})

    answer = await logout(probe, await probe.login())

    assert code(answer) == (500, "INVALID_SESSION_ID")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a>",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b"<a>" * 40 + b"</a>" * 40,
        b"<a>" + b"x" * (1 << 20) + b"</a>",
    ],
    ids=["empty", "open", "entities", "deep", "large"],
)
async def test_documents_that_are_no_requests_are_refused(probe: Probe, document: bytes) -> None:
    answer = await probe.send("POST", "/services/Soap/u/64.0", {}, document)

    assert code(answer) == (500, "INVALID_SOAP_BODY")


async def test_other_operations_and_other_apis_are_not_there(probe: Probe) -> None:
    assert code(await send(probe, "<u:query/>")) == (500, "UNKNOWN_EXCEPTION")
    assert (await send(probe, "<u:login/>", place="m/64.0")).status == 404
    assert (await probe.send("POST", "/services/Soap/u")).status == 404


ENVELOPES = {
    "prefix of its own for the operation": (
        f'<env:Envelope xmlns:env="{SOAP}" xmlns:urn="{PARTNER}"><env:Header><urn:CallOptions>'
        "<urn:client>peer</urn:client><urn:defaultNamespace>sf</urn:defaultNamespace>"
        f'</urn:CallOptions></env:Header><env:Body><n1:login xmlns:n1="{PARTNER}">\n'
        "<n1:username>%s</n1:username>\n<n1:password>%s</n1:password>\n"
        "</n1:login></env:Body></env:Envelope>"
    ),
    "organization in the header": (
        f'<soapenv:Envelope xmlns:soapenv="{SOAP}" xmlns:urn="{PARTNER}"><soapenv:Header>'
        "<urn:LoginScopeHeader><urn:organizationId>00D000000000001</urn:organizationId>"
        "</urn:LoginScopeHeader></soapenv:Header><soapenv:Body><urn:login>"
        "<urn:username>%s</urn:username><urn:password>%s</urn:password></urn:login>"
        "</soapenv:Body></soapenv:Envelope>"
    ),
    "default namespace and CDATA": (
        f'<Envelope xmlns="{SOAP}"><Body><login xmlns="{PARTNER}"><username>%s</username>'
        "<password><![CDATA[%s]]></password></login></Body></Envelope>"
    ),
}  # fmt: skip


@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="utf-8" ?>\n'])
@pytest.mark.parametrize("shape", ENVELOPES)
@pytest.mark.parametrize("path", ["u/59.0", "u/59.0/", "u/59.0/00D000000000001", "%75/59.0"])
async def test_the_envelopes_and_paths_of_other_clients_are_taken(
    probe: Probe, declaration: str, shape: str, path: str
) -> None:
    seen = probe.org.announcement
    document = declaration + ENVELOPES[shape] % (seen.username, seen.password + seen.security_token)
    headers = {"content-type": "text/xml", "charset": "UTF-8", "SOAPAction": "login"}

    answer = await probe.send("POST", f"/services/Soap/{path}", headers, document.encode())

    assert answer.status == 200
    probe.access_token = texts(answer)["sessionId"]
    assert (await probe.get("/limits")).status == 200


async def test_a_trusted_address_needs_the_password_alone(probe: Probe) -> None:
    """As clients that leave the security token out expect it, from trusted addresses."""
    seen = probe.org.announcement
    probe.org.control.change_org({"trusted_ip_ranges": ["127.0.0.1"]})

    assert (await login(probe, password=seen.password)).status == 200
