"""Tokens for Data 360 from tokens of the org."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from sfconnect_emulator import Emulator
from sfconnect_emulator.browsing import Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.probe import Answer, Probe

GRANT = "urn:salesforce:grant-type:external:cdp"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


async def exchange(probe: Probe, **changes: str) -> Answer:
    form = {
        "grant_type": GRANT,
        "subject_token": probe.access_token or await probe.login(),
        "subject_token_type": ACCESS_TOKEN,
        **changes,
    }
    return await probe.post_form("/services/a360/token", None, **form)


async def metadata(probe: Probe, token: str) -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return await probe.send("GET", "/api/v1/metadata", headers)


async def test_a_token_comes_with_a_bare_host_and_its_life(probe: Probe) -> None:
    answer = await exchange(probe)

    body = answer.json()
    assert answer.status == 200
    assert body["instance_url"] == "org.localhost"
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 7193
    assert "no-store" in answer.headers["Cache-Control"]


async def test_a_token_is_signed_and_names_its_tenant(probe: Probe, clock: Clock) -> None:
    clock.freeze()
    token = (await exchange(probe)).json()["access_token"]
    keys = KeySet.import_key_set((await probe.send("GET", "/id/keys")).json())

    claims = jwt.decode(token, keys).claims

    assert claims["exp"] == int(clock.time()) + 7193
    assert claims["audienceTenantId"].startswith("a360/")
    assert claims["sub"] == probe.org.instance.org.user.id


@pytest.mark.parametrize(("asked", "given"), [({}, "default"), ({"dataspace": "sales"}, "sales")])
async def test_a_token_opens_its_dataspace(probe: Probe, asked: dict[str, str], given: str) -> None:
    token = (await exchange(probe, **asked)).json()["access_token"]

    answer = await metadata(probe, token)

    assert (answer.status, answer.json()["dataspace"]) == (200, given)


async def test_a_token_ends_when_it_says(probe: Probe, clock: Clock) -> None:
    clock.freeze()
    probe.org.control.set_data360_token_life(60)
    token = (await exchange(probe)).json()["access_token"]
    clock.advance(59)
    before = await metadata(probe, token)
    clock.advance(1)

    assert before.status == 200
    assert (await metadata(probe, token)).status == 401


async def test_neither_tokens_of_the_org_nor_nonsense_open_the_tenant(probe: Probe) -> None:
    assert (await metadata(probe, await probe.login())).status == 401
    assert (await metadata(probe, "a.b.c")).status == 401
    assert (await probe.send("GET", "/api/v1/metadata")).status == 401


async def test_a_token_of_the_tenant_does_not_open_the_org(probe: Probe) -> None:
    probe.access_token = (await exchange(probe)).json()["access_token"]

    assert (await probe.get("/limits")).status == 401


@pytest.mark.parametrize("scopes", [["api"], ["api", "openid", "web"]])
async def test_a_token_needs_a_scope_of_data_360(probe: Probe, scopes: list[str]) -> None:
    probe.org.control.change_app(probe.org.client_id, {"scopes": scopes})

    answer = await exchange(probe)

    assert (answer.status, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_token": "00Dx!dead"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"subject_token_type": "jwt"}, "invalid_request"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(probe: Probe, changes: dict[str, str], error: str) -> None:
    answer = await exchange(probe, **changes)

    assert (answer.status, answer.json()["error"]) == (400, error)


async def test_a_revoked_token_of_the_org_brings_none(probe: Probe) -> None:
    await probe.login()
    probe.org.control.revoke_tokens()

    assert (await exchange(probe)).json()["error"] == "invalid_grant"


async def test_get_is_refused(probe: Probe) -> None:
    answer = await probe.send("GET", "/services/a360/token")

    assert answer.json()["error"] == "invalid_request"


async def test_the_life_can_be_set_over_http_until_the_reset(probe: Probe) -> None:
    body = json.dumps({"seconds": 5}).encode()
    await probe.send("POST", "/__control__/data360-ttl", {}, body)
    changed = (await exchange(probe)).json()["expires_in"]
    probe.org.control.reset()

    assert (changed, (await exchange(probe)).json()["expires_in"]) == (5, 7193)


async def test_the_host_has_its_port_over_sockets(over_sockets: Sender) -> None:
    async with Emulator() as org:

        async def post(path: str, **form: str) -> dict[str, str]:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            url, body = f"{org.login_url}{path}", urlencode(form).encode()
            answer: dict[str, str] = json.loads((await over_sockets("POST", url, kind, body))[2])
            return answer

        core = await post(
            "/services/oauth2/token", grant_type="client_credentials",
            client_id=org.client_id, client_secret=org.client_secret,
        )  # fmt: skip
        tenant = await post(
            "/services/a360/token", grant_type=GRANT, subject_token=core["access_token"],
            subject_token_type=ACCESS_TOKEN,
        )  # fmt: skip
        headers = {"Authorization": f"Bearer {tenant['access_token']}"}
        url = f"http://{tenant['instance_url']}/api/v1/metadata"
        status, _, _ = await over_sockets("GET", url, headers, b"")

        assert f"http://{tenant['instance_url']}" == org.instance_url
    assert status == 200
