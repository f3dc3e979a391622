"""Tokens that the org signs: ID tokens and access tokens in JWT format."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.probe import Probe

CALLBACK = "http://localhost:1717/OauthRedirect"


async def verified(probe: Probe, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set((await probe.send("GET", "/id/keys")).json())
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    return jwt.decode(token, keys, registry=registry).claims


async def granted_by_code(probe: Probe, **params: str) -> dict[str, Any]:
    org = probe.org
    asked = {"response_type": "code", "client_id": org.client_id, "redirect_uri": CALLBACK}
    query = urlencode({**asked, **params})
    location = org.control.authorize(f"{org.login_url}/services/oauth2/authorize?{query}")
    answer = await probe.token(
        None, grant_type="authorization_code", client_id=org.client_id, redirect_uri=CALLBACK,
        code=parse_qs(urlsplit(location).query)["code"][0],
    )  # fmt: skip
    granted: dict[str, Any] = answer.json()
    return granted


class TestIdToken:
    async def test_tells_who_was_there_and_for_which_app(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        granted = await granted_by_code(probe, scope="api openid", nonce="n-1")

        claims = await verified(probe, granted["id_token"])

        now, digest = int(clock.time()), hashlib.sha256(granted["access_token"].encode()).digest()
        assert claims["iss"] == probe.org.login_url
        assert claims["sub"] == granted["id"]
        assert claims["aud"] == probe.org.client_id
        assert claims["nonce"] == "n-1"
        assert (claims["iat"], claims["exp"]) == (now, now + 120)
        assert claims["at_hash"] == urlsafe_b64encode(digest[:16]).decode().rstrip("=")

    async def test_is_given_to_those_who_ask_for_it(self, probe: Probe) -> None:
        granted = await granted_by_code(probe, scope="api")

        assert "id_token" not in granted

    async def test_has_a_nonce_only_if_there_was_one(self, probe: Probe) -> None:
        granted = await granted_by_code(probe, scope="openid")

        assert "nonce" not in await verified(probe, granted["id_token"])

    async def test_comes_with_refreshes_and_not_with_logins_of_machines(self, probe: Probe) -> None:
        org = probe.org
        renewed = await probe.token(
            None, grant_type="refresh_token", client_id=org.client_id,
            refresh_token=org.refresh_token,
        )  # fmt: skip
        machine = await probe.token(
            None, grant_type="client_credentials", client_id=org.client_id,
            client_secret=org.client_secret,
        )  # fmt: skip

        assert "id_token" in renewed.json()
        assert "id_token" not in machine.json()


class TestJwtAccessToken:
    @pytest.fixture(autouse=True)
    def policy(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"jwt_access_tokens": True})

    async def test_is_signed_and_says_what_it_is_for(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()

        token = await probe.login()

        claims, now = await verified(probe, token), int(clock.time())
        head = jws.extract_compact(token.encode()).headers()
        assert head["tty"] == "sfdc-core-token"
        assert claims["sub"] == f"uid:{probe.org.instance.org.user.id}"
        assert claims["client_id"] == probe.org.client_id
        assert claims["scp"] == "api cdp_query_api openid"
        assert claims["exp"] == now + 1800

    async def test_is_announced_as_one_with_its_life(self, probe: Probe) -> None:
        answer = await probe.token(
            None, grant_type="client_credentials", client_id=probe.org.client_id,
            client_secret=probe.org.client_secret,
        )  # fmt: skip

        body = answer.json()
        assert (body["token_format"], body["expires_in"]) == ("jwt", 1800)

    async def test_opens_rest_and_can_be_revoked(self, probe: Probe) -> None:
        await probe.login()
        before = await probe.get("/limits")
        await probe.post_form("/services/oauth2/revoke", token=probe.access_token)

        assert before.status == 200
        assert (await probe.get("/limits")).status == 401

    async def test_ends_at_its_time_although_it_is_used(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        await probe.login()
        seen = []
        for pause in (900, 899, 1):
            clock.advance(pause)
            seen.append((await probe.get("/limits")).status)

        assert seen == [200, 200, 401]

    async def test_lives_as_long_as_the_policy_says(self, probe: Probe, clock: Clock) -> None:
        probe.org.control.change_app(probe.org.client_id, {"jwt_access_token_life_s": 60})
        clock.freeze()
        token = await probe.login()
        form = {"token": token, "client_id": probe.org.client_id,
                "client_secret": probe.org.client_secret}  # fmt: skip

        told = (await probe.post_form("/services/oauth2/introspect", None, **form)).json()

        assert told["exp"] == int(clock.time()) + 60

    async def test_cannot_be_made_by_others(self, probe: Probe) -> None:
        token = await probe.login()
        head, claims, signature = token.split(".")
        probe.access_token = f"{head}.{claims}.{signature[::-1]}"

        assert (await probe.get("/limits")).status == 401
