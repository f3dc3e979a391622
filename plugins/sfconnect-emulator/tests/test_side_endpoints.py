from __future__ import annotations

import base64
from urllib.parse import parse_qs

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.probe import Answer, Probe


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


async def introspect(probe: Probe, token: str, **changes: str) -> Answer:
    form = {
        "token": token,
        "client_id": probe.org.client_id,
        "client_secret": probe.org.client_secret,
        **changes,
    }
    return await probe.post_form("/services/oauth2/introspect", None, **form)


class TestRevoke:
    async def test_ends_one_session(self, probe: Probe) -> None:
        token = await probe.login()

        answer = await probe.post_form("/services/oauth2/revoke", token=token)

        assert (answer.status, answer.body) == (200, b"")
        assert (await probe.get("/limits")).status == 401

    async def test_by_get_does_the_same(self, probe: Probe) -> None:
        token = await probe.login()

        answer = await probe.send("GET", f"/services/oauth2/revoke?token={token}")

        assert answer.status == 200
        assert (await probe.get("/limits")).status == 401

    async def test_of_a_refresh_token_ends_all_its_sessions(self, probe: Probe) -> None:
        form = {"grant_type": "refresh_token", "client_id": probe.org.client_id}
        granted = await probe.token(None, refresh_token=probe.org.refresh_token, **form)
        probe.access_token = granted.json()["access_token"]

        answer = await probe.post_form("/services/oauth2/revoke", token=probe.org.refresh_token)

        again = await probe.token(None, refresh_token=probe.org.refresh_token, **form)
        assert answer.status == 200
        assert (await probe.get("/limits")).status == 401
        assert again.json()["error_description"] == "expired access/refresh token"

    async def test_of_nothing_is_refused_in_form_encoding(self, probe: Probe) -> None:
        answer = await probe.post_form("/services/oauth2/revoke", token="nothing")

        assert answer.status == 400
        assert answer.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
        assert parse_qs(answer.body.decode())["error"] == ["unsupported_token_type"]

    async def test_of_nothing_is_refused_in_json_for_those_who_accept_it(
        self, probe: Probe
    ) -> None:
        headers = {"Accept": "application/json"}

        answer = await probe.post_form("/services/oauth2/revoke", headers, token="nothing")

        assert answer.json()["error"] == "unsupported_token_type"


class TestIntrospect:
    async def test_tells_about_a_live_token(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        token = await probe.login()

        body = (await introspect(probe, token)).json()

        now, org = int(clock.time()), probe.org.instance.org
        assert body == {
            "active": True,
            "scope": "api cdp_query_api openid",
            "client_id": probe.org.client_id,
            "username": probe.org.username,
            "sub": f"{probe.org.login_url}/id/{org.org_id}/{org.user.id}",
            "token_type": "access_token",
            "exp": now + 7200,
            "iat": now,
            "nbf": now,
        }
        assert type(body["exp"]) is int

    async def test_accepts_basic_authentication(self, probe: Probe) -> None:
        token = await probe.login()
        pair = f"{probe.org.client_id}:{probe.org.client_secret}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

        answer = await probe.post_form("/services/oauth2/introspect", headers, token=token)

        assert answer.json()["active"] is True

    async def test_does_not_extend_the_session(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        token = await probe.login()
        clock.advance(7000)
        await introspect(probe, token)

        clock.advance(200)

        assert (await introspect(probe, token)).json() == {"active": False}

    async def test_says_nothing_about_tokens_of_other_apps(self, probe: Probe) -> None:
        token = await probe.login()
        probe.org.control.add_app(ConnectedApp("other-app", "other-secret"))

        answer = await introspect(probe, token, client_id="other-app", client_secret="other-secret")

        assert answer.json() == {"active": False}

    async def test_tells_apps_that_may_ask_about_all_tokens(self, probe: Probe) -> None:
        token = await probe.login()
        probe.org.control.add_app(ConnectedApp("other-app", "other", introspects_all=True))

        answer = await introspect(probe, token, client_id="other-app", client_secret="other")

        assert answer.json()["client_id"] == probe.org.client_id

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"client_id": "nobody"}, "invalid_client_id"),
        ],
        ids=["secret", "client"],
    )
    async def test_needs_the_clients_credentials(
        self, probe: Probe, change: dict[str, str], error: str
    ) -> None:
        answer = await introspect(probe, "any", **change)

        assert (answer.status, answer.json()["error"]) == (400, error)

    async def test_needs_a_client_at_all(self, probe: Probe) -> None:
        answer = await probe.post_form("/services/oauth2/introspect", token="any")

        assert answer.json()["error"] == "invalid_client_id"

    async def test_takes_post_only(self, probe: Probe) -> None:
        answer = await probe.send("GET", "/services/oauth2/introspect")

        assert answer.json()["error"] == "invalid_request"


class TestIdentity:
    @pytest.mark.parametrize("scheme", ["Bearer", "OAuth", "bearer"])
    async def test_userinfo_tells_who_the_token_is(self, probe: Probe, scheme: str) -> None:
        token = await probe.login()

        answer = await probe.send("GET", "/services/oauth2/userinfo", bearer(token, scheme))

        body, org = answer.json(), probe.org.instance.org
        assert body["user_id"] == org.user.id
        assert body["organization_id"] == org.org_id
        assert body["preferred_username"] == org.user.username
        assert body["sub"].endswith(f"/id/{org.org_id}/{org.user.id}")

    async def test_document_has_urls_with_a_version_to_fill_in(self, probe: Probe) -> None:
        token = await probe.login()
        org = probe.org.instance.org

        answer = await probe.send("GET", f"/id/{org.org_id}/{org.user.id}", bearer(token))

        body = answer.json()
        assert body["username"] == org.user.username
        assert body["urls"]["rest"] == f"{probe.org.instance_url}/services/data/v{{version}}/"
        assert body["urls"]["partner"].endswith(f"/services/Soap/u/{{version}}/{org.org_id[:15]}")

    async def test_document_shows_other_users_and_their_time_zone(self, probe: Probe) -> None:
        token = await probe.login()
        org = probe.org.instance.org
        tokyo = next(user for user in org.users if user.time_zone == "Asia/Tokyo")

        answer = await probe.send("GET", f"/id/{org.org_id}/{tokyo.id[:15]}", bearer(token))

        assert answer.json()["utcOffset"] == 9 * 3600 * 1000

    @pytest.mark.parametrize("path", ["/services/oauth2/userinfo", "/id/{org}/{user}"])
    @pytest.mark.parametrize(
        ("headers", "text"),
        [({}, b"Missing_OAuth_Token"), (bearer("00Dxx!bad"), b"Bad_OAuth_Token")],
        ids=["none", "bad"],
    )
    async def test_refuses_missing_and_bad_tokens_with_403_and_plain_text(
        self, probe: Probe, path: str, headers: dict[str, str], text: bytes
    ) -> None:
        org = probe.org.instance.org

        answer = await probe.send("GET", path.format(org=org.org_id, user=org.user.id), headers)

        assert (answer.status, answer.body) == (403, text)
        assert answer.headers["Content-Type"].startswith("text/plain")

    async def test_refuses_the_id_of_another_org(self, probe: Probe) -> None:
        token = await probe.login()
        user = probe.org.instance.org.user

        answer = await probe.send("GET", f"/id/00D000000000000AAA/{user.id}", bearer(token))

        assert (answer.status, answer.body) == (403, b"Wrong_Org")

    async def test_knows_no_other_users(self, probe: Probe) -> None:
        token = await probe.login()
        org_id = probe.org.instance.org.org_id

        answer = await probe.send("GET", f"/id/{org_id}/005000000000000AAA", bearer(token))

        assert answer.status == 404


class TestDiscovery:
    async def test_points_at_endpoints_that_answer(self, probe: Probe) -> None:
        answer = await probe.send("GET", "/.well-known/openid-configuration")

        body = answer.json()
        assert body["token_endpoint"] == f"{probe.org.login_url}/services/oauth2/token"
        assert body["issuer"] == probe.org.login_url
        for name in ("revocation_endpoint", "introspection_endpoint", "userinfo_endpoint"):
            path = body[name].removeprefix(probe.org.login_url)
            assert (await probe.send("POST", path)).status in {400, 403}

    async def test_lists_the_public_half_of_one_key(self, probe: Probe) -> None:
        (key,) = (await probe.send("GET", "/id/keys")).json()["keys"]

        assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}
        assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")

    async def test_lists_what_the_token_endpoint_takes(self, probe: Probe) -> None:
        body = (await probe.send("GET", "/.well-known/openid-configuration")).json()

        assert "private_key_jwt" in body["token_endpoint_auth_methods_supported"]
        assert body["code_challenge_methods_supported"] == ["S256"]
        assert {"authorization_code", "client_credentials"} <= set(body["grant_types_supported"])

    async def test_paths_of_nothing_answer_404_with_a_page(self, probe: Probe) -> None:
        answer = await probe.send("GET", "/services/oauth2/nothing")

        assert answer.status == 404
        assert answer.headers["Content-Type"].startswith("text/html")
