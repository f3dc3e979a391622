"""Policies set by the control API, and the refusals that clients meet, all over sockets."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import pytest

from sfconnect_emulator.browsing import Sender
from sfconnect_emulator.emulator import Emulator
from sfconnect_emulator.oauth.apps import ALL_FLOWS, ConnectedApp

AWAY = {"caller_address": "203.0.113.9"}
NEAR = ["192.0.2.0/24"]


@dataclass(frozen=True, slots=True)
class Client:
    """Someone who asks the org over sockets."""

    org: Emulator
    send: Sender

    async def control(self, method: str, path: str, content: object = None) -> Any:
        body = b"" if content is None else json.dumps(content).encode()
        status, _, answer = await self.send(method, f"{self.org.control_url}{path}", {}, body)
        assert status == 200, answer
        return json.loads(answer)

    async def app(self, **policies: object) -> Any:
        return await self.control("PATCH", f"/apps/{self.org.client_id}", policies)

    async def policies(self, **policies: object) -> Any:
        return await self.control("PATCH", "/org", policies)

    async def post(self, path: str, **form: str) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        status, _, answer = await self.send("POST", f"{self.org.login_url}{path}", headers, body)
        return status, json.loads(answer) if answer else {}

    async def token(self, grant_type: str, **form: str) -> tuple[int, dict[str, Any]]:
        return await self.post("/services/oauth2/token", grant_type=grant_type, **form)

    async def by_secret(self) -> tuple[int, dict[str, Any]]:
        return await self.token("client_credentials", **self.proof)

    async def by_refresh_token(self) -> tuple[int, dict[str, Any]]:
        form = {"client_id": self.org.client_id, "refresh_token": self.org.refresh_token}
        return await self.token("refresh_token", **form)

    async def by_password(self, password: str | None = None) -> tuple[int, dict[str, Any]]:
        seen = self.org.announcement
        whole = seen.password + seen.security_token if password is None else password
        return await self.token("password", username=seen.username, password=whole, **self.proof)

    async def by_assertion(self, username: str) -> tuple[int, dict[str, Any]]:
        signed = await self.control("POST", "/saml-assertion", {"username": username})
        kind = "urn:ietf:params:oauth:grant-type:saml2-bearer"
        encoded = base64.urlsafe_b64encode(signed["assertion"].encode()).decode()
        return await self.token(kind, assertion=encoded)

    async def by_soap(self, password: str | None = None) -> tuple[int, str]:
        seen = self.org.announcement
        whole = seen.password + seen.security_token if password is None else password
        fields = f"<username>{escape(seen.username)}</username><password>{escape(whole)}</password>"
        envelope = (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
            f'<login xmlns="urn:partner.soap.sforce.com">{fields}</login></e:Body></e:Envelope>'
        )
        url = f"{self.org.login_url}/services/Soap/u/64.0"
        headers = {"Content-Type": "text/xml", "SOAPAction": "login"}
        status, _, answer = await self.send("POST", url, headers, envelope.encode())
        return status, answer.decode()

    async def is_alive(self, token: str) -> bool:
        url = f"{self.org.instance_url}/services/data/v60.0/limits"
        status, _, _ = await self.send("GET", url, {"Authorization": f"Bearer {token}"}, b"")
        assert status in {200, 401}
        return status == 200

    @property
    def proof(self) -> dict[str, str]:
        return {"client_id": self.org.client_id, "client_secret": self.org.client_secret}


def words(answer: tuple[int, dict[str, Any]]) -> str:
    """What a refusal says; a good answer says nothing."""
    status, body = answer
    assert (status == 200) == ("error" not in body)
    return f"{body['error']}: {body['error_description']}" if "error" in body else ""


DENIED = "invalid_app_access: user is not admin approved to access this app"
RESTRICTED = "invalid_grant: ip restricted"


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator() as opened:
        yield opened


@pytest.fixture
def client(org: Emulator, over_sockets: Sender) -> Client:
    return Client(org, over_sockets)


class TestAnyApiAuth:
    async def test_soap_login_needs_the_permission(self, client: Client) -> None:
        await client.policies(users_without_any_api_auth=[client.org.username.upper()])

        status, answer = await client.by_soap()

        assert status == 500
        assert "<sf:exceptionCode>INSUFFICIENT_ACCESS</sf:exceptionCode>" in answer
        assert "Use Any API Auth" in answer

    async def test_other_flows_do_not_need_it(self, client: Client) -> None:
        await client.policies(users_without_any_api_auth=[client.org.username])

        assert words(await client.by_secret()) == ""
        assert words(await client.by_password()) == ""

    async def test_a_wrong_password_is_told_first(self, client: Client) -> None:
        await client.policies(users_without_any_api_auth=[client.org.username])

        assert "INVALID_LOGIN" in (await client.by_soap("wrong"))[1]


class TestAssignment:
    """Who may use an app whose users are approved by an admin."""

    async def test_a_profile_lets_its_users_in_and_no_others(self, client: Client) -> None:
        admin, other = client.org.instance.org.users[:2]

        await client.app(profiles=["System Administrator"])

        assert words(await client.by_assertion(admin.username)) == ""
        assert words(await client.by_assertion(other.username)) == DENIED

    async def test_a_permission_set_lets_those_in_who_are_assigned_to_it(
        self, client: Client
    ) -> None:
        admin, other = client.org.instance.org.users[:2]
        await client.app(permission_sets=["API"])
        before = await client.by_assertion(other.username)

        await client.policies(permission_sets={"API": [other.username.upper()], "Other": []})

        assert words(before) == DENIED
        assert words(await client.by_assertion(other.username)) == ""
        assert words(await client.by_assertion(admin.username)) == DENIED

    async def test_named_users_come_beside_profiles(self, client: Client) -> None:
        other = client.org.instance.org.users[1]

        await client.app(profiles=["No Such Profile"], approved_users=[other.username])

        assert words(await client.by_assertion(other.username)) == ""
        assert words(await client.by_password()) == DENIED

    async def test_assignments_are_shown(self, client: Client) -> None:
        shown = await client.app(profiles=["B", "A"], permission_sets=["API"])

        assert (shown["profiles"], shown["permission_sets"]) == (["A", "B"], ["API"])


class TestAddresses:
    @pytest.mark.parametrize("place", ["app", "org"])
    @pytest.mark.parametrize(
        ("relaxation", "first", "refreshed"),
        [
            ("enforce", RESTRICTED, RESTRICTED),
            ("relax-for-refresh", RESTRICTED, ""),
            ("relax", "", ""),
        ],
    )
    async def test_are_enforced_as_the_app_says(
        self, client: Client, place: str, relaxation: str, first: str, refreshed: str
    ) -> None:
        await client.policies(**AWAY)
        if place == "app":
            await client.app(ip_ranges=NEAR, ip_relaxation=relaxation)
        else:
            await client.policies(login_ip_ranges=NEAR)
            await client.app(ip_relaxation=relaxation)

        assert words(await client.by_secret()) == first
        assert words(await client.by_refresh_token()) == refreshed

    async def test_inside_the_ranges_everybody_is_let_in(self, client: Client) -> None:
        await client.policies(caller_address="192.0.2.7", login_ip_ranges=NEAR)
        await client.app(ip_ranges=NEAR)

        assert words(await client.by_secret()) == ""
        assert (await client.by_soap())[0] == 200

    async def test_soap_login_has_the_ranges_of_the_org(self, client: Client) -> None:
        await client.policies(login_ip_ranges=NEAR, **AWAY)

        status, answer = await client.by_soap()

        assert (status, "LOGIN_DURING_RESTRICTED_DOMAIN" in answer) == (500, True)

    async def test_the_password_flow_does_not_tell_that_it_was_the_address(
        self, client: Client
    ) -> None:
        await client.policies(login_ip_ranges=NEAR, **AWAY)

        assert words(await client.by_password()) == "invalid_grant: authentication failure"

    async def test_the_password_flow_tells_of_other_refusals(self, client: Client) -> None:
        await client.policies(logins_per_hour=0)

        assert words(await client.by_password()) == "invalid_grant: login rate exceeded"

    async def test_the_security_token_is_not_needed_from_trusted_ones(self, client: Client) -> None:
        password = client.org.announcement.password
        before = await client.by_password(password), await client.by_soap(password)

        await client.policies(trusted_ip_ranges=["127.0.0.0/8"])

        assert words(before[0]) == "invalid_grant: authentication failure"
        assert "LOGIN_MUST_USE_SECURITY_TOKEN" in before[1][1]
        assert words(await client.by_password(password)) == ""
        assert words(await client.by_password()) == ""
        assert (await client.by_soap(password))[0] == 200

    async def test_a_range_that_is_none_is_refused(self, client: Client) -> None:
        for policy in ({"login_ip_ranges": ["here"]}, {"trusted_ip_ranges": ["there"]}):
            with pytest.raises(ValueError, match="does not appear to be"):
                client.org.control.change_org(policy)


class TestRotatedSecret:
    async def test_ends_every_token_of_the_app(self, client: Client) -> None:
        token = (await client.by_secret())[1]["access_token"]

        await client.app(client_secret="the next")

        assert not await client.is_alive(token)
        assert words(await client.by_refresh_token()) == (
            "invalid_grant: expired access/refresh token"
        )
        assert words(await client.by_secret()).startswith("invalid_client:")

    async def test_ends_nothing_while_it_is_only_staged_or_the_same(self, client: Client) -> None:
        token = (await client.by_secret())[1]["access_token"]

        await client.app(client_secret_next="the next")
        await client.app(client_secret=client.org.client_secret)

        assert await client.is_alive(token)
        assert words(await client.by_refresh_token()) == ""

    async def test_ends_nothing_of_other_logins(self, client: Client) -> None:
        answer = (await client.by_soap())[1]
        session = answer.partition("<sessionId>")[2].partition("<")[0]

        await client.app(client_secret="the next")

        assert await client.is_alive(session)


class TestFlowsAndScopes:
    @pytest.mark.parametrize("place", ["app", "org"])
    async def test_flows_can_be_off_for_an_app_or_for_all(self, client: Client, place: str) -> None:
        if place == "app":
            await client.app(flows=sorted(ALL_FLOWS - {"client_credentials"}))
        else:
            await client.policies(blocked_flows=["client_credentials"])

        assert words(await client.by_secret()) == (
            "unsupported_grant_type: grant type not supported"
        )
        assert words(await client.by_refresh_token()) == ""

    async def test_scopes_of_the_app_are_those_of_its_tokens(self, client: Client) -> None:
        await client.app(scopes=["cdp_query_api", "web"])

        status, body = await client.by_secret()

        assert (status, body["scope"]) == (200, "cdp_query_api")
        assert not await client.is_alive(body["access_token"])

    async def test_a_user_may_lack_the_api(self, client: Client) -> None:
        await client.policies(users_without_api=[client.org.username])

        assert not await client.is_alive((await client.by_secret())[1]["access_token"])


class TestApiAccessControl:
    async def test_lets_in_apps_that_admins_have_approved(self, client: Client) -> None:
        await client.policies(api_access_control=True)

        assert words(await client.by_secret()) == ""

    async def test_lets_in_no_others(self, client: Client) -> None:
        await client.app(admin_approval=False)
        before = await client.by_secret()

        await client.policies(api_access_control=True)

        assert words(before) == ""
        assert words(await client.by_secret()) == DENIED

    async def test_lets_in_others_for_users_with_the_permission(self, client: Client) -> None:
        await client.app(admin_approval=False)

        await client.policies(
            api_access_control=True, users_with_any_api_client=[client.org.username.upper()]
        )

        assert words(await client.by_secret()) == ""


class TestFrozenUsers:
    async def test_cannot_log_in_by_any_flow(self, client: Client) -> None:
        name = client.org.username

        await client.policies(frozen_users=[name.upper()])

        assert words(await client.by_secret()) == (
            "invalid_grant: no client credentials user enabled"
        )
        assert words(await client.by_refresh_token()) == "inactive_user: inactive user"
        assert words(await client.by_assertion(name)) == "inactive_user: inactive user"
        assert words(await client.by_password()) == "invalid_grant: authentication failure"
        assert "INVALID_LOGIN" in (await client.by_soap())[1]

    async def test_lose_their_sessions_at_once(self, client: Client) -> None:
        token = (await client.by_secret())[1]["access_token"]

        await client.policies(frozen_users=[client.org.username, "nobody@example.com"])

        assert not await client.is_alive(token)

    async def test_are_let_in_again_when_they_are_thawed(self, client: Client) -> None:
        await client.policies(frozen_users=[client.org.username])
        await client.policies(frozen_users=[])

        assert words(await client.by_secret()) == ""

    async def test_who_is_deactivated_in_his_row_is_as_frozen(self, client: Client) -> None:
        inactive = next(user for user in client.org.instance.org.users if not user.is_active)

        assert words(await client.by_assertion(inactive.username)) == (
            "inactive_user: inactive user"
        )


class TestIntrospection:
    async def ask(self, client: Client, token: str, **changes: str) -> dict[str, Any]:
        form = {"token": token, **client.proof, **changes}
        status, body = await client.post("/services/oauth2/introspect", **form)
        assert status == (400 if "error" in body else 200)
        return body

    async def test_tells_of_an_opaque_access_token(self, client: Client) -> None:
        token = (await client.by_secret())[1]["access_token"]

        told = await self.ask(client, token)

        assert told["active"] is True
        assert told["token_type"] == "access_token"
        assert told["username"] == client.org.username
        assert told["exp"] - told["iat"] == 7200

    async def test_tells_of_a_token_in_jwt_format(self, client: Client) -> None:
        await client.app(jwt_access_tokens=True, jwt_access_token_life_s=600)
        token = (await client.by_secret())[1]["access_token"]

        told = await self.ask(client, token, token_type_hint="access_token")

        assert told["exp"] - told["iat"] == 600

    async def test_tells_of_a_refresh_token(self, client: Client) -> None:
        told = await self.ask(client, client.org.refresh_token, token_type_hint="refresh_token")

        assert told["token_type"] == "refresh_token"
        assert told["client_id"] == client.org.client_id
        assert "refresh_token" in told["scope"].split()
        assert "exp" not in told

    async def test_tells_when_a_refresh_token_ends_if_a_policy_ends_it(
        self, client: Client
    ) -> None:
        await client.app(refresh_token_idle_s=100, refresh_token_life_s=5000)

        told = await self.ask(client, client.org.refresh_token)

        assert told["exp"] - told["iat"] in {100, 101}

    async def test_asking_about_a_refresh_token_is_no_use_of_it(self, client: Client) -> None:
        await client.app(rotate_refresh_tokens=True)
        fresh = (await client.by_refresh_token())[1]

        rotated_away = await self.ask(client, client.org.refresh_token)

        assert rotated_away == {"active": False}
        assert (await self.ask(client, fresh["refresh_token"]))["active"] is True
        assert await client.is_alive(fresh["access_token"])

    @pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
    async def test_says_nothing_of_expired_tokens(self, client: Client, kind: str) -> None:
        await client.app(refresh_token_life_s=7200)
        token = (await client.by_secret())[1]["access_token"]
        token = token if kind == "access_token" else client.org.refresh_token
        before = await self.ask(client, token)

        await client.control("POST", "/clock", {"advance_s": 7300})

        assert (before["active"], await self.ask(client, token)) == (True, {"active": False})

    @pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
    async def test_says_nothing_of_revoked_tokens(self, client: Client, kind: str) -> None:
        token = (await client.by_secret())[1]["access_token"]
        token = token if kind == "access_token" else client.org.refresh_token

        await client.post("/services/oauth2/revoke", token=token)

        assert await self.ask(client, token) == {"active": False}

    @pytest.mark.parametrize("token", ["", "nothing", "00D000000000001!x"])
    async def test_says_nothing_of_tokens_that_never_were(self, client: Client, token: str) -> None:
        assert await self.ask(client, token) == {"active": False}

    @pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
    async def test_says_nothing_to_other_apps_unless_they_may_ask_about_all(
        self, client: Client, kind: str
    ) -> None:
        client.org.control.add_app(ConnectedApp("foreign", "its own"))
        token = (await client.by_secret())[1]["access_token"]
        token = token if kind == "access_token" else client.org.refresh_token
        foreign = {"client_id": "foreign", "client_secret": "its own"}

        refused = await self.ask(client, token, **foreign)
        await client.control("PATCH", "/apps/foreign", {"introspects_all": True})

        assert refused == {"active": False}
        assert (await self.ask(client, token, **foreign))["active"] is True

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"client_secret": ""}, "invalid_client"),
            ({"client_id": "nobody"}, "invalid_client_id"),
            ({"client_id": ""}, "invalid_client_id"),
        ],
        ids=str,
    )
    async def test_needs_a_client_that_proves_itself(
        self, client: Client, changes: dict[str, str], error: str
    ) -> None:
        assert (await self.ask(client, client.org.refresh_token, **changes))["error"] == error

    async def test_needs_a_client_at_all(self, client: Client) -> None:
        status, body = await client.post(
            "/services/oauth2/introspect", token=client.org.refresh_token
        )

        assert (status, body["error"]) == (400, "invalid_client_id")
