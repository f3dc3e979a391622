from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.probe import Answer, Probe


async def control(
    probe: Probe, method: str, path: str, content: object = None, host: str = "127.0.0.1:80"
) -> Answer:
    body = b"" if content is None else json.dumps(content).encode()
    return await probe.send(method, f"/__control__{path}", {"Host": host}, body)


class TestAccess:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "org.localhost", "[::1]:80", "[::1]"]
    )
    async def test_is_open_to_loopback_names(self, probe: Probe, host: str) -> None:
        assert (await control(probe, "GET", "/stats", host=host)).status == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "10.0.0.1", "localhost.evil.example", "127.0.0.1@evil.example", ""]
    )
    async def test_is_closed_to_other_names(self, probe: Probe, host: str) -> None:
        answer = await control(probe, "POST", "/reset", host=host)

        assert answer.status == 403

    async def test_needs_no_token_and_is_counted_nowhere(self, probe: Probe) -> None:
        await control(probe, "GET", "/stats")

        body = (await control(probe, "GET", "/stats")).json()

        assert body["requests"] == {}
        assert body["api_usage"] == 0

    async def test_does_not_meet_faults(self, probe: Probe) -> None:
        probe.org.control.add_faults({"action": {"type": "reset"}})

        assert (await control(probe, "DELETE", "/faults")).json() == {"rules": 0}

    async def test_tells_its_operations(self, probe: Probe) -> None:
        body = (await control(probe, "GET", "/")).json()

        assert "POST /tokens/revoke" in body["operations"]
        assert "GET /stats" in body["operations"]

    @pytest.mark.parametrize(("method", "path"), [("GET", "/nope"), ("PUT", "/faults")])
    async def test_answers_404_for_anything_else(
        self, probe: Probe, method: str, path: str
    ) -> None:
        assert (await control(probe, method, path)).status == 404

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            ("/faults", [{"action": {"type": "explode"}}]),
            ("/latency", {"ms": -1}),
            ("/latency", {"seconds": 1}),
            ("/clock", {"advance": 5}),
            ("/token-ttl", {"seconds": 0}),
            ("/capacity", {"concurrent": 0}),
            ("/tokens/revoke", {"tokens": "all"}),
        ],
    )
    async def test_answers_400_with_a_reason_for_bad_input(
        self, probe: Probe, path: str, content: object
    ) -> None:
        answer = await control(probe, "POST", path, content)

        assert answer.status == 400
        assert answer.json()["error"]


class TestOperations:
    async def test_faults_are_listed_as_they_were_added(self, probe: Probe) -> None:
        rule = {
            "match": {"path": "limits", "every": 2},
            "action": {"type": "respond", "status": 503},
        }

        added = await control(probe, "POST", "/faults", [rule, rule])
        listed = (await control(probe, "GET", "/faults")).json()

        assert added.json() == {"rules": 2}
        assert listed[0]["match"]["every"] == 2
        assert listed[0]["action"]["status"] == 503

    async def test_revoking_all_tokens_tells_how_many_there_were(self, probe: Probe) -> None:
        await probe.login()
        await probe.login()

        answer = await control(probe, "POST", "/tokens/revoke")

        assert answer.json() == {"revoked": 2}
        assert (await probe.get("/limits")).status == 401

    async def test_revoking_one_token_leaves_the_others(self, probe: Probe) -> None:
        first, _ = await probe.login(), await probe.login()

        answer = await control(probe, "POST", "/tokens/revoke", {"token": first})

        assert answer.json() == {"revoked": 1}
        assert (await probe.get("/limits")).status == 200

    async def test_clock_is_advanced_frozen_and_reset(self, probe: Probe, clock: Clock) -> None:
        frozen = await control(probe, "POST", "/clock", {"freeze": "2030-01-01T00:00:00Z"})
        moved = await control(probe, "POST", "/clock", {"advance_s": 60})
        stopped = await control(probe, "POST", "/clock", {"freeze": True})
        seen = clock.now()
        await control(probe, "POST", "/clock", {"reset": True})

        assert frozen.json() == {"now": "2030-01-01T00:00:00Z"}
        assert moved.json() == stopped.json() == {"now": "2030-01-01T00:01:00Z"}
        assert seen == datetime(2030, 1, 1, 0, 1, tzinfo=UTC)
        assert clock.now() < datetime(2029, 1, 1, tzinfo=UTC)

    async def test_clock_is_told_without_being_changed(self, probe: Probe, clock: Clock) -> None:
        clock.freeze(datetime(2030, 1, 1, tzinfo=UTC))

        assert (await control(probe, "POST", "/clock")).json() == {"now": "2030-01-01T00:00:00Z"}

    async def test_token_ttl_counts_at_once(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        await probe.login()
        await control(probe, "POST", "/token-ttl", {"seconds": 5})

        clock.advance(5)

        assert (await probe.get("/limits")).status == 401

    async def test_latency_and_capacity_are_set(self, probe: Probe) -> None:
        await control(probe, "POST", "/latency", {"ms": 20})
        content = {"concurrent": 3, "over": "refuse", "daily_api_requests": 10}
        answer = await control(probe, "POST", "/capacity", content)

        instance = probe.org.instance
        assert answer.json() == content
        assert instance.latency_ms == 20
        assert instance.capacity.concurrent == 3
        assert instance.usage.maximum == 10

    async def test_statistics_count_requests_by_resource_and_status(self, probe: Probe) -> None:
        created = await probe.call("POST", "/sobjects/Account", {"Name": "x"})
        for _ in range(2):
            await probe.get(f"/sobjects/Account/{created.json()['id']}")
        await probe.get("/query/0r8000000000001AAA-2000")

        body = (await control(probe, "GET", "/stats")).json()

        assert body["requests"] == {
            "POST /services/oauth2/token": 1,
            "POST /sobjects/Account": 1,
            "GET /sobjects/Account/{id}": 2,
            "GET /query/{locator}": 1,
        }
        assert body["statuses"] == {"200": 3, "201": 1, "400": 1}
        assert body["logins"] == {"client_credentials": 1}
        assert body["rows"] == {"created": 1}
        assert body["live_sessions"] == 1
        assert body["writes"] == 1

    async def test_ledger_can_be_read_from_a_number_on(self, probe: Probe) -> None:
        for _ in range(3):
            await probe.call("POST", "/sobjects/Account", {"Name": "x"})

        body = (await control(probe, "GET", "/ledger?since=2")).json()

        assert [write["number"] for write in body] == [3]
        assert body[0]["action"] == "created"
        assert body[0]["sobject"] == "Account"

    async def test_content_hash_is_that_of_the_rows_as_rest_shows_them(self, probe: Probe) -> None:
        for name in ("Zoë", 'say "hi"\n', "x"):
            await probe.call("POST", "/sobjects/Account", {"Name": name, "AnnualRevenue": 1.5})
        soql = "SELECT Id, Name, AnnualRevenue FROM Account ORDER BY Id"
        rows = (await probe.get(f"/query?q={quote(soql)}")).json()["records"]
        digest = hashlib.sha256()
        for row in rows:
            values = [row["Id"], row["Name"], row["AnnualRevenue"]]
            line = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
            digest.update(line.encode() + b"\n")

        asked = {"object": "Account", "fields": ["Id", "Name", "AnnualRevenue"]}
        answer = await control(probe, "POST", "/content-hash", asked)

        assert answer.json() == {"rows": 3, "sha256": digest.hexdigest()}

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({"object": "Account"}, 400),
            ({"object": "Nope", "fields": ["Id"]}, 404),
            ({"object": "Account", "fields": ["Nope"]}, 404),
        ],
    )
    async def test_content_hash_needs_an_object_and_fields(
        self, probe: Probe, asked: object, status: int
    ) -> None:
        answer = await control(probe, "POST", "/content-hash", asked)

        assert answer.status == status
        assert answer.json()["error"]

    async def test_ledger_takes_numbers_only(self, probe: Probe) -> None:
        assert (await control(probe, "GET", "/ledger?since=x")).status == 400

    async def test_locators_are_forgotten(self, probe: Probe) -> None:
        assert (await control(probe, "POST", "/locators/expire")).json() == {}

    async def test_apps_are_shown_without_secrets(self, probe: Probe) -> None:
        answer = await control(probe, "GET", "/apps")

        assert answer.json()[0]["client_id"] == probe.org.client_id
        assert probe.org.client_secret.encode() not in answer.body

    async def test_policies_of_an_app_are_changed(self, probe: Probe) -> None:
        path = f"/apps/{probe.org.client_id}"

        changed = await control(probe, "PATCH", path, {"rotate_refresh_tokens": True})
        unknown = await control(probe, "PATCH", path, {"rotate": True})
        wrong = await control(probe, "PATCH", path, {"scopes": "api"})
        nobody = await control(probe, "PATCH", "/apps/nobody", {})

        assert changed.json()["rotate_refresh_tokens"] is True
        assert (unknown.status, wrong.status, nobody.status) == (400, 400, 404)

    async def test_reset_undoes_everything_but_rows_and_tokens(
        self, probe: Probe, clock: Clock
    ) -> None:
        await probe.call("POST", "/sobjects/Account", {"Name": "x"})
        for path, content in [
            ("/faults", [{"match": {"path": "query"}, "action": {"type": "reset"}}]),
            ("/latency", {"ms": 20}),
            ("/capacity", {"concurrent": 1, "daily_api_requests": 1}),
            ("/token-ttl", {"seconds": 5}),
            ("/clock", {"freeze": "2030-01-01T00:00:00Z"}),
        ]:
            await control(probe, "POST", path, content)

        await control(probe, "POST", "/reset")

        instance, stats = probe.org.instance, probe.org.control.statistics()
        assert probe.org.control.faults() == ()
        assert (instance.latency_ms, instance.capacity.concurrent) == (0, None)
        assert instance.tokens.ttl_s == 7200
        assert clock.now().year < 2030
        assert (stats["requests"], stats["writes"], stats["api_usage"]) == ({}, 0, 0)
        assert (await probe.get("/limits")).status == 200
        assert instance.store.count("Account") == 1

    async def test_reset_undoes_what_was_done_to_apps_issuers_and_devices(
        self, probe: Probe
    ) -> None:
        before = [
            (await control(probe, "GET", path)).json()
            for path in ("/apps", "/org", "/token-issuers", "/devices")
        ]
        probe.org.control.add_app(ConnectedApp("another", "secret"))
        issuer = {"handler": "Own", "issuer": "https://example.com", "key": "PEM"}
        device = {"response_type": "device_code", "client_id": probe.org.client_id}
        await probe.token(None, **device)
        await control(probe, "PATCH", "/org", {"active": False})
        await control(probe, "POST", "/token-issuers", issuer)
        await control(probe, "DELETE", "/token-issuers/EmulatedTokenHandler")
        path = f"/apps/{probe.org.client_id}"
        await control(probe, "PATCH", path, {"flows": [], "run_as": None, "client_secret": "new"})

        await control(probe, "POST", "/reset")

        after = [
            (await control(probe, "GET", path)).json()
            for path in ("/apps", "/org", "/token-issuers", "/devices")
        ]
        assert after == before
        assert await probe.login()

    async def test_reset_forgets_consents_and_lets_users_log_in_again(self, probe: Probe) -> None:
        admission = probe.org.instance.authorization.state.admission
        asked = (probe.org.client_id, probe.org.instance.org.user.id)
        admission.approvals.record(*asked, ["api"])
        await probe.login()
        assert admission.approvals.exists(*asked)

        await control(probe, "POST", "/reset")
        await control(probe, "PATCH", "/org", {"logins_per_hour": 1})

        assert not admission.approvals.exists(*asked)
        assert await probe.login()

    @pytest.mark.parametrize("way", ["revoked", "rotated"])
    async def test_reset_lets_the_announced_refresh_token_work_again(
        self, probe: Probe, way: str
    ) -> None:
        form = {
            "grant_type": "refresh_token", "client_id": probe.org.client_id,
            "refresh_token": probe.org.refresh_token,
        }  # fmt: skip
        if way == "revoked":
            await control(probe, "POST", "/tokens/revoke", {"token": probe.org.refresh_token})
        else:
            probe.org.control.change_app(probe.org.client_id, {"rotate_refresh_tokens": True})
            await probe.token(None, **form)
        dead = await probe.token(None, **form)

        await control(probe, "POST", "/reset")

        assert dead.json()["error_description"] == "expired access/refresh token"
        assert (await probe.token(None, **form)).status == 200


class TestAuthorize:
    def url(self, probe: Probe, **changes: str) -> str:
        params = {
            "response_type": "code", "client_id": probe.org.client_id, "state": "kept",
            "redirect_uri": "http://127.0.0.1:1718/OauthRedirect", **changes,
        }  # fmt: skip
        return f"{probe.org.login_url}/services/oauth2/authorize?{urlencode(params)}"

    async def test_brings_a_code_without_a_browser(self, probe: Probe) -> None:
        answer = await control(probe, "POST", "/authorize", {"url": self.url(probe)})

        location = urlsplit(answer.json()["location"])
        carried = dict(parse_qsl(location.query))
        granted = await probe.token(
            None, grant_type="authorization_code", code=carried["code"],
            client_id=probe.org.client_id, redirect_uri="http://127.0.0.1:1718/OauthRedirect",
        )  # fmt: skip
        assert location.netloc == "127.0.0.1:1718"
        assert carried["state"] == "kept"
        assert granted.status == 200

    async def test_denies(self, probe: Probe) -> None:
        asked = {"url": self.url(probe), "allow": False}

        location = (await control(probe, "POST", "/authorize", asked)).json()["location"]

        assert "error=access_denied" in location

    async def test_decides_as_another_user(self, probe: Probe) -> None:
        other = probe.org.instance.org.users[1]
        asked = {"url": self.url(probe), "username": other.username}

        location = (await control(probe, "POST", "/authorize", asked)).json()["location"]

        granted = await probe.token(
            None, grant_type="authorization_code", client_id=probe.org.client_id,
            code=dict(parse_qsl(urlsplit(location).query))["code"],
            redirect_uri="http://127.0.0.1:1718/OauthRedirect",
        )  # fmt: skip
        assert granted.json()["id"].endswith(other.id)

    async def test_tells_what_the_app_would_hear(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"approved_users": []})

        answer = await control(probe, "POST", "/authorize", {"url": self.url(probe)})

        assert "error=OAUTH_APP_ACCESS_DENIED" in answer.json()["location"]

    async def test_tells_what_a_page_would_say(self, probe: Probe) -> None:
        asked = {"url": self.url(probe, redirect_uri="https://evil.example")}

        answer = await control(probe, "POST", "/authorize", asked)

        assert answer.status == 400
        assert answer.json()["error"].startswith("redirect_uri_mismatch")

    async def test_knows_its_users(self, probe: Probe) -> None:
        asked = {"url": self.url(probe), "username": "nobody@example.com"}

        assert (await control(probe, "POST", "/authorize", asked)).status == 404
