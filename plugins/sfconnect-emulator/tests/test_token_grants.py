from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import quote_plus

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Answer, Probe


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    return answer.status, body["error"], body["error_description"]


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


async def by_secret(probe: Probe, **changes: str) -> Answer:
    form = {
        "grant_type": "client_credentials",
        "client_id": probe.org.client_id,
        "client_secret": probe.org.client_secret,
        **changes,
    }
    return await probe.token(None, **form)


async def by_refresh(probe: Probe, token: str, **more: str) -> Answer:
    return await probe.token(
        None, grant_type="refresh_token", client_id=probe.org.client_id, refresh_token=token, **more
    )


async def by_password(probe: Probe, **changes: str) -> Answer:
    seen = probe.org.announcement
    form = {
        "grant_type": "password",
        "client_id": seen.client_id,
        "client_secret": seen.client_secret,
        "username": seen.username,
        "password": seen.password + seen.security_token,
        **changes,
    }
    return await probe.token(None, **form)


class TestTokenBody:
    async def test_holds_what_an_org_sends_and_no_expires_in(self, probe: Probe) -> None:
        answer = await by_secret(probe)

        body = answer.json()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert set(body) == {
            "access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at",
        }  # fmt: skip
        assert re.fullmatch(r"00D\w{12}![.\w]{80,}", body["access_token"])
        assert body["token_type"] == "Bearer"
        assert body["instance_url"] == probe.org.instance_url

    async def test_names_org_and_user_in_the_identity_url(self, probe: Probe) -> None:
        body = (await by_secret(probe)).json()

        org = probe.org.instance.org
        assert body["id"] == f"{probe.org.login_url}/id/{org.org_id}/{org.user.id}"

    async def test_signs_identity_and_issue_date_with_the_client_secret(self, probe: Probe) -> None:
        body = (await by_secret(probe)).json()

        message = (body["id"] + body["issued_at"]).encode()
        mac = hmac.new(probe.org.client_secret.encode(), message, hashlib.sha256)
        assert base64.b64decode(body["signature"]) == mac.digest()

    async def test_states_the_issue_date_as_text_of_milliseconds_by_the_orgs_clock(
        self, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()

        body = (await by_secret(probe)).json()

        assert body["issued_at"] == str(int(clock.time() * 1000))

    async def test_must_not_be_cached_and_costs_no_api_request(self, probe: Probe) -> None:
        answer = await by_secret(probe)

        assert "no-store" in answer.headers["Cache-Control"]
        assert "Sforce-Limit-Info" not in answer.headers
        assert probe.org.instance.usage.used == 0


class TestClientCredentials:
    async def test_accept_the_secret_in_the_body(self, probe: Probe) -> None:
        assert (await by_secret(probe)).status == 200

    async def test_accept_basic_with_form_encoded_parts(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"client_secret": "a+b/c:d e%"})

        answer = await probe.token(
            basic(probe.org.client_id, "a+b/c:d e%"), grant_type="client_credentials"
        )

        assert answer.status == 200

    async def test_refuse_both_at_once(self, probe: Probe) -> None:
        answer = await probe.token(
            basic(probe.org.client_id, probe.org.client_secret),
            grant_type="client_credentials",
            client_id=probe.org.client_id,
            client_secret=probe.org.client_secret,
        )

        assert refusal(answer)[:2] == (400, "invalid_request")

    async def test_refuse_two_different_client_ids(self, probe: Probe) -> None:
        answer = await probe.token(
            basic(probe.org.client_id, probe.org.client_secret),
            grant_type="client_credentials",
            client_id="another",
        )

        assert refusal(answer)[:2] == (400, "invalid_request")

    @pytest.mark.parametrize(
        "host", ["login.salesforce.com", "test.salesforce.com", "LOGIN.localhost"]
    )
    async def test_refuse_the_shared_login_hosts(self, probe: Probe, host: str) -> None:
        answer = await probe.token(
            {"Host": host},
            grant_type="client_credentials",
            client_id=probe.org.client_id,
            client_secret=probe.org.client_secret,
        )

        assert refusal(answer) == (400, "invalid_grant", "request not supported on this domain")

    async def test_refuse_a_wrong_secret(self, probe: Probe) -> None:
        answer = await by_secret(probe, client_secret="wrong")

        assert refusal(answer) == (400, "invalid_client", "invalid client credentials")

    @pytest.mark.parametrize("header", ["Basic ???", "Basic bm9jb2xvbg==", "Basic /////w=="])
    async def test_refuse_an_unreadable_basic_header(self, probe: Probe, header: str) -> None:
        answer = await probe.token({"Authorization": header}, grant_type="client_credentials")

        assert refusal(answer) == (400, "invalid_client", "invalid client credentials")

    async def test_refuse_a_missing_secret(self, probe: Probe) -> None:
        answer = await probe.token(grant_type="client_credentials", client_id=probe.org.client_id)

        assert refusal(answer) == (400, "invalid_client", "invalid client credentials")

    async def test_refuse_an_unknown_client(self, probe: Probe) -> None:
        answer = await by_secret(probe, client_id="3MVG9nobody")

        assert refusal(answer) == (400, "invalid_client_id", "client identifier invalid")

    async def test_refuse_a_scope_parameter(self, probe: Probe) -> None:
        answer = await by_secret(probe, scope="api")

        assert refusal(answer) == (400, "invalid_request", "scope parameter not supported")

    @pytest.mark.parametrize("run_as", [None, "nobody@example.com", "inactive"])
    async def test_need_an_active_run_as_user(self, probe: Probe, run_as: str | None) -> None:
        users = probe.org.instance.org.users
        inactive = next(user for user in users if not user.is_active)
        name = inactive.username if run_as == "inactive" else run_as
        probe.org.control.change_app(probe.org.client_id, {"run_as": name})

        answer = await by_secret(probe)

        assert refusal(answer) == (400, "invalid_grant", "no client credentials user enabled")

    async def test_drop_scopes_that_need_a_user_present(self, probe: Probe) -> None:
        scopes = ["api", "full", "web", "refresh_token", "id"]
        probe.org.control.change_app(probe.org.client_id, {"scopes": scopes})

        assert (await by_secret(probe)).json()["scope"] == "api id"

    async def test_need_one_scope_that_is_left(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"scopes": ["full", "web"]})

        answer = await by_secret(probe)

        assert refusal(answer) == (400, "invalid_grant", "no valid scopes defined")


class TestTokenEndpoint:
    @pytest.mark.parametrize("grant", ["", "implicit", "CLIENT_CREDENTIALS"])
    async def test_refuses_grant_types_that_it_does_not_know(
        self, probe: Probe, grant: str
    ) -> None:
        answer = await by_secret(probe, grant_type=grant)

        assert refusal(answer) == (400, "unsupported_grant_type", "grant type not supported")

    async def test_does_not_read_parameters_from_the_query(self, probe: Probe) -> None:
        path = (
            "/services/oauth2/token?grant_type=client_credentials"
            f"&client_id={probe.org.client_id}&client_secret={probe.org.client_secret}"
        )

        answer = await probe.send("POST", path)

        assert refusal(answer)[1] == "unsupported_grant_type"

    async def test_does_not_read_json(self, probe: Probe) -> None:
        answer = await probe.send(
            "POST",
            "/services/oauth2/token",
            {"Content-Type": "application/json"},
            b'{"grant_type":"client_credentials"}',
        )

        assert refusal(answer)[1] == "unsupported_grant_type"

    async def test_takes_post_only(self, probe: Probe) -> None:
        answer = await probe.send("GET", "/services/oauth2/token")

        assert refusal(answer) == (400, "invalid_request", "must use HTTP POST")

    @pytest.mark.parametrize(
        "grant",
        ["client_credentials", "refresh_token", "password"],
    )
    async def test_refuses_flows_that_are_switched_off(self, probe: Probe, grant: str) -> None:
        probe.org.control.change_app(probe.org.client_id, {"flows": []})
        ask = {"client_credentials": by_secret, "password": by_password}.get(grant)

        answer = await (ask(probe) if ask else by_refresh(probe, probe.org.refresh_token))

        assert refusal(answer) == (400, "unsupported_grant_type", "grant type not supported")

    async def test_limits_logins_per_user_and_hour(self, probe: Probe, clock: Clock) -> None:
        probe.org.control.change_org({"logins_per_hour": 2})
        clock.freeze()
        await by_secret(probe)
        clock.advance(1800)
        await by_secret(probe)

        refused = await by_secret(probe)
        clock.advance(1800)
        granted = await by_secret(probe)

        assert refusal(refused) == (400, "invalid_grant", "login rate exceeded")
        assert granted.status == 200

    async def test_counts_logins_and_refusals_by_grant(self, probe: Probe) -> None:
        await by_secret(probe)
        await by_refresh(probe, probe.org.refresh_token)
        await by_secret(probe, client_secret="wrong")

        seen = probe.org.control.statistics()

        assert seen["logins"] == {"client_credentials": 1, "refresh_token": 1}
        assert seen["refused_logins"] == {"client_credentials: invalid_client": 1}


class TestRefreshToken:
    async def test_gives_an_access_token_and_stays_good(self, probe: Probe) -> None:
        first = await by_refresh(probe, probe.org.refresh_token)
        second = await by_refresh(probe, probe.org.refresh_token)

        assert first.status == second.status == 200
        assert "refresh_token" not in first.json()
        assert first.json()["scope"] == "api cdp_query_api openid refresh_token web"

    async def test_checks_a_secret_that_is_sent_although_none_is_needed(self, probe: Probe) -> None:
        answer = await by_refresh(probe, probe.org.refresh_token, client_secret="wrong")

        assert refusal(answer) == (400, "invalid_client", "invalid client credentials")

    async def test_needs_the_secret_when_the_app_says_so(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"require_secret_for_refresh": True})

        without = await by_refresh(probe, probe.org.refresh_token)
        with_secret = await by_refresh(
            probe, probe.org.refresh_token, client_secret=probe.org.client_secret
        )

        assert refusal(without)[1] == "invalid_client"
        assert with_secret.status == 200

    async def test_needs_a_client_id(self, probe: Probe) -> None:
        answer = await probe.token(
            grant_type="refresh_token", refresh_token=probe.org.refresh_token
        )

        assert refusal(answer)[1] == "invalid_request"

    async def test_refuses_an_unknown_token(self, probe: Probe) -> None:
        answer = await by_refresh(probe, "5Aep861nothing")

        assert refusal(answer) == (400, "invalid_grant", "expired access/refresh token")

    async def test_refuses_the_token_of_another_app(self, probe: Probe) -> None:
        from sfconnect_emulator.oauth.apps import ConnectedApp

        probe.org.control.add_app(ConnectedApp("other-app", "s"))

        answer = await probe.token(
            grant_type="refresh_token",
            client_id="other-app",
            refresh_token=probe.org.refresh_token,
        )

        assert refusal(answer) == (400, "invalid_grant", "expired access/refresh token")

    async def test_refuses_a_user_who_was_deactivated(self, probe: Probe) -> None:
        user = probe.org.instance.org.user
        await probe.call("PATCH", f"/sobjects/User/{user.id}", {"IsActive": False})

        answer = await by_refresh(probe, probe.org.refresh_token)

        assert refusal(answer) == (400, "inactive_user", "inactive user")

    async def test_rotation_gives_a_new_token_each_time(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"rotate_refresh_tokens": True})

        second = (await by_refresh(probe, probe.org.refresh_token)).json()["refresh_token"]
        third = (await by_refresh(probe, second)).json()["refresh_token"]

        assert len({probe.org.refresh_token, second, third}) == 3

    async def test_reuse_of_a_rotated_token_revokes_the_newer_one_and_its_sessions(
        self, probe: Probe
    ) -> None:
        probe.org.control.change_app(probe.org.client_id, {"rotate_refresh_tokens": True})
        granted = (await by_refresh(probe, probe.org.refresh_token)).json()
        probe.access_token = granted["access_token"]
        assert (await probe.get("/limits")).status == 200

        reused = await by_refresh(probe, probe.org.refresh_token)
        newer = await by_refresh(probe, granted["refresh_token"])

        assert refusal(reused) == (400, "invalid_grant", "expired access/refresh token")
        assert refusal(newer) == (400, "invalid_grant", "expired access/refresh token")
        assert (await probe.get("/limits")).status == 401


class TestPassword:
    async def test_is_password_and_security_token_in_one(self, probe: Probe) -> None:
        assert (await by_password(probe)).status == 200

    @pytest.mark.parametrize(
        "change",
        [{"password": "wrong"}, {"username": "nobody@example.com"}],
        ids=["password", "user"],
    )
    async def test_failure_does_not_say_what_was_wrong(
        self, probe: Probe, change: dict[str, str]
    ) -> None:
        answer = await by_password(probe, **change)

        assert refusal(answer) == (400, "invalid_grant", "authentication failure")

    async def test_needs_the_security_token(self, probe: Probe) -> None:
        answer = await by_password(probe, password=probe.org.announcement.password)

        assert refusal(answer) == (400, "invalid_grant", "authentication failure")


class TestSessions:
    async def test_end_when_unused_for_the_token_ttl(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        await probe.login()
        clock.advance(7199)
        assert (await probe.get("/limits")).status == 200

        clock.advance(7200)

        assert (await probe.get("/limits")).status == 401

    async def test_are_extended_by_use(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        await probe.login()

        statuses = []
        for _ in range(4):
            clock.advance(5000)
            statuses.append((await probe.get("/limits")).status)

        assert statuses == [200, 200, 200, 200]

    async def test_the_ttl_can_be_changed_for_tokens_already_issued(
        self, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        await probe.login()
        probe.org.control.set_token_ttl(10)

        clock.advance(10)

        assert (await probe.get("/limits")).status == 401

    async def test_each_login_is_a_session_of_its_own(self, probe: Probe) -> None:
        first = await probe.login()
        second = await probe.login()

        probe.org.control.revoke_tokens(second)

        assert first != second
        assert (await probe.get("/limits")).status == 401
        probe.access_token = first
        assert (await probe.get("/limits")).status == 200


def test_secrets_do_not_show_in_representations(org: InProcess) -> None:
    seen = org.announcement
    secrets = {
        org.client_secret, org.refresh_token, seen.password, seen.security_token, org.private_key,
    }  # fmt: skip

    shown = repr([seen, org.instance, org.instance.registration, *org.control.apps()])

    assert not [secret for secret in secrets if secret in shown]
