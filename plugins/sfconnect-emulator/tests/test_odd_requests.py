"""What no honest client sends is answered like what is merely wrong, and never by a failure."""

from __future__ import annotations

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from sfconnect_emulator.authorizing import authorize_url
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Probe


@pytest.mark.parametrize(
    "cookie",
    ["a,b=1", "=", "sid", "sid=; sid=x", 'sid="\\', "; ; ;", "sid=\u00e9"],
    ids=repr,
)
async def test_a_cookie_that_is_none_belongs_to_nobody(self_authorized: InProcess, cookie: str):
    org = self_authorized

    status, headers, page = await org.handle("GET", authorize_url(org), {"Cookie": cookie}, b"")

    assert status == 200
    assert b'name="password"' in page
    assert "sid=" in headers["Set-Cookie"]


@pytest.mark.parametrize("payload", ["[1]", '"text"', "null", "1", "{", ""], ids=repr)
async def test_a_signed_text_that_is_no_object_of_claims_proves_nothing(probe: Probe, payload: str):
    key = RSAKey.import_key(probe.org.private_key)
    signed = jws.serialize_compact({"alg": "RS256"}, payload, key)

    bearer = await probe.token(
        None, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=signed
    )
    client = await probe.token(
        None,
        grant_type="client_credentials",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=signed,
    )

    assert (bearer.status, bearer.json()["error"]) == (400, "invalid_grant")
    assert (client.status, client.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"{", b"\xff", b"12"], ids=repr)
async def test_a_body_that_is_no_object_makes_no_row(probe: Probe, body: bytes):
    before = probe.org.control.count("Account")

    json_body = {"Content-Type": "application/json"}
    answer = await probe.call("POST", "/sobjects/Account", body, headers=json_body)

    assert answer.status == 400
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
    assert probe.org.control.count("Account") == before
