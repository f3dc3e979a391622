"""The device flow: the device at the token endpoint, and its user at the page for codes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from sfconnect_emulator import Emulator
from sfconnect_emulator.browsing import Browser, Page, Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Answer, Probe


async def start(probe: Probe, **changes: str) -> dict[str, Any]:
    form = {"response_type": "device_code", "client_id": probe.org.client_id, **changes}
    answer = await probe.token(None, **form)
    assert answer.status == 200
    started: dict[str, Any] = answer.json()
    return started


async def poll(probe: Probe, started: Mapping[str, str], **changes: str) -> Answer:
    form = {
        "grant_type": "device",
        "client_id": probe.org.client_id,
        "code": started["device_code"],
        **changes,
    }
    return await probe.token(None, **form)


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


async def open_page(browser: Browser, org: InProcess, query: str = "") -> Page:
    page = await browser.open(f"{org.login_url}/setup/connect{query}")
    return await browser.login(page, org.username, org.announcement.password)


class TestDevice:
    async def test_gets_codes_for_itself_and_for_its_user(self, probe: Probe) -> None:
        started = await start(probe)

        assert set(started) == {"device_code", "user_code", "verification_uri", "interval"}
        assert len(started["user_code"]) == 8
        assert started["verification_uri"] == f"{probe.org.login_url}/setup/connect"
        assert started["interval"] == 5

    async def test_waits_until_its_user_has_decided(self, probe: Probe) -> None:
        answer = await poll(probe, await start(probe))

        assert refusal(answer)[:2] == (400, "authorization_pending")

    async def test_gets_tokens_once_it_is_allowed(self, probe: Probe) -> None:
        started = await start(probe, scope="api refresh_token")
        probe.org.control.answer_device(started["user_code"])

        answer = await poll(probe, started)

        body = answer.json()
        assert answer.status == 200
        assert body["scope"] == "api refresh_token"
        assert body["refresh_token"].startswith("5Aep")
        assert body["id"].endswith(probe.org.instance.org.user.id)

    async def test_gets_them_once(self, probe: Probe) -> None:
        started = await start(probe)
        probe.org.control.answer_device(started["user_code"])
        await poll(probe, started)

        assert refusal(await poll(probe, started)) == (
            *(400, "invalid_grant", "invalid device code"),
        )

    async def test_hears_that_it_is_denied(self, probe: Probe) -> None:
        started = await start(probe)
        probe.org.control.answer_device(started["user_code"], allow=False)

        answer = await poll(probe, started)

        assert refusal(answer) == (400, "access_denied", "end-user denied authorization")

    async def test_has_to_wait_between_questions_and_longer_after_each_offence(
        self, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        started = await start(probe)
        seen = []
        for pause in (0, 4, 9.5, 15, 15):
            clock.advance(pause)
            seen.append(refusal(await poll(probe, started))[1])

        assert seen == [
            "authorization_pending",
            "slow_down",
            "slow_down",
            "authorization_pending",
            "authorization_pending",
        ]

    async def test_need_not_wait_where_the_interval_is_nothing(self, probe: Probe) -> None:
        probe.org.control.set_device_interval(0)
        started = await start(probe)

        seen = {refusal(await poll(probe, started))[1] for _ in range(3)}

        assert seen == {"authorization_pending"}

    async def test_has_ten_minutes(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        started = await start(probe)
        clock.advance(599)
        before = await poll(probe, started)
        probe.org.control.answer_device(started["user_code"])
        clock.advance(1)

        after = await poll(probe, started)

        assert refusal(before)[1] == "authorization_pending"
        assert refusal(after) == (400, "expired_token", "expired device code")

    async def test_of_another_app_knows_nothing_of_the_code(self, probe: Probe) -> None:
        started = await start(probe)
        app = probe.org.instance.apps.get(probe.org.client_id)
        assert app is not None
        probe.org.control.add_app(type(app)("another", "its secret"))

        answer = await poll(probe, started, client_id="another")

        assert refusal(answer)[1] == "invalid_grant"

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"client_id": "unknown"}, "invalid_client_id"),
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"scope": "api pardot_api"}, "invalid_scope"),
        ],
    )
    async def test_gets_no_codes(self, probe: Probe, changes: dict[str, str], error: str) -> None:
        form = {"response_type": "device_code", "client_id": probe.org.client_id, **changes}

        assert refusal(await probe.token(None, **form))[1] == error

    async def test_gets_nothing_where_the_flow_is_switched_off(self, probe: Probe) -> None:
        started = await start(probe)
        probe.org.control.change_app(probe.org.client_id, {"flows": ["client_credentials"]})

        form = {"response_type": "device_code", "client_id": probe.org.client_id}
        first, second = await probe.token(None, **form), await poll(probe, started)

        wanted = (400, "unsupported_grant_type", "grant type not supported")
        assert refusal(first) == refusal(second) == wanted

    async def test_gets_nothing_for_a_user_who_was_deactivated_meanwhile(
        self, probe: Probe
    ) -> None:
        started = await start(probe)
        probe.org.control.answer_device(started["user_code"])
        user = f"/sobjects/User/{probe.org.instance.org.user.id}"
        await probe.call("PATCH", user, {"IsActive": False})

        assert refusal(await poll(probe, started))[1] == "inactive_user"


class TestPage:
    async def test_asks_who_is_there_and_then_for_the_code(
        self, browser: Browser, org: InProcess
    ) -> None:
        page = await open_page(browser, org, "?user_code=ABC%22D")

        assert page.status == 200
        assert page.fields["user_code"] == 'ABC"D'

    async def test_allows(self, browser: Browser, probe: Probe) -> None:
        started = await start(probe, scope="api")
        entered = started["user_code"].lower()

        page = await open_page(browser, probe.org)
        page = await browser.submit(page, "connect", user_code=f"{entered[:4]}-{entered[4:]} ")
        assert "Manage user data via APIs (api)" in page.text
        page = await browser.submit(page, "allow")

        assert "Return to your device" in page.text
        assert (await poll(probe, started)).status == 200

    async def test_denies(self, browser: Browser, probe: Probe) -> None:
        started = await start(probe)

        page = await open_page(browser, probe.org)
        page = await browser.submit(page, "connect", user_code=started["user_code"])
        await browser.submit(page, "deny")

        assert refusal(await poll(probe, started))[1] == "access_denied"

    async def test_knows_only_codes_that_wait(self, browser: Browser, probe: Probe) -> None:
        used = await start(probe)
        probe.org.control.answer_device(used["user_code"])
        page = await open_page(browser, probe.org)

        for code in ("", "NOTHING1", used["user_code"]):
            page = await browser.submit(page, "connect", user_code=code)
            assert "code is not valid" in page.text

    async def test_lets_nobody_in_whom_an_admin_has_not_approved(
        self, browser: Browser, probe: Probe
    ) -> None:
        started = await start(probe)
        probe.org.control.change_app(probe.org.client_id, {"approved_users": []})

        page = await open_page(browser, probe.org)
        page = await browser.submit(page, "connect", user_code=started["user_code"])

        assert "not admin approved" in page.text
        assert refusal(await poll(probe, started))[1] == "authorization_pending"

    async def test_remembers_who_is_there(self, browser: Browser, org: InProcess) -> None:
        await open_page(browser, org)

        page = await browser.open(f"{org.login_url}/setup/connect")

        assert "user_code" in page.fields

    async def test_lets_somebody_else_come(self, browser: Browser, probe: Probe) -> None:
        started = await start(probe)
        page = await open_page(browser, probe.org)
        page = await browser.submit(page, "connect", user_code=started["user_code"])

        page = await browser.submit(page, "switch")

        assert "password" in page.fields

    async def test_takes_no_form_that_it_did_not_show(self, browser: Browser, probe: Probe) -> None:
        started = await start(probe)
        page = await open_page(browser, probe.org)

        page = await browser.submit(
            page, "allow", form_token="guessed", user_code=started["user_code"]
        )

        assert "out of date" in page.text
        assert refusal(await poll(probe, started))[1] == "authorization_pending"

    async def test_refuses_a_wrong_password(self, browser: Browser, org: InProcess) -> None:
        page = await browser.open(f"{org.login_url}/setup/connect")

        page = await browser.login(page, org.username, "wrong")

        assert "check your username and password" in page.text


class TestControl:
    async def control(self, probe: Probe, method: str, path: str, content: object = None) -> Answer:
        body = b"" if content is None else json.dumps(content).encode()
        return await probe.send(method, f"/__control__{path}", {"Host": "127.0.0.1"}, body)

    async def test_shows_devices_and_not_their_codes(self, probe: Probe) -> None:
        started = await start(probe, scope="api")

        answer = await self.control(probe, "GET", "/devices")

        assert answer.json() == [
            {
                "user_code": started["user_code"], "client_id": probe.org.client_id,
                "scope": "api", "allowed": None, "expired": False,
            }
        ]  # fmt: skip
        assert started["device_code"].encode() not in answer.body

    async def test_decides(self, probe: Probe) -> None:
        started = await start(probe)
        other = probe.org.instance.org.users[1]
        asked = {"user_code": started["user_code"], "username": other.username}

        answer = await self.control(probe, "POST", "/devices", asked)

        assert answer.json() == {"allowed": True}
        assert (await poll(probe, started)).json()["id"].endswith(other.id)

    @pytest.mark.parametrize(
        "asked", [{"user_code": "NOTHING1"}, {"user_code": "X", "username": "nobody"}]
    )
    async def test_knows_its_devices_and_users(self, probe: Probe, asked: dict[str, str]) -> None:
        assert (await self.control(probe, "POST", "/devices", asked)).status == 404

    async def test_sets_the_interval_until_it_is_reset(self, probe: Probe) -> None:
        await self.control(probe, "POST", "/device-interval", {"seconds": 1})
        changed = (await start(probe))["interval"]
        await self.control(probe, "POST", "/reset")

        assert changed == 1
        assert (await start(probe))["interval"] == 5


async def test_the_whole_way_over_sockets(over_sockets: Sender) -> None:
    async with Emulator() as org:

        async def token(**form: str) -> tuple[int, dict[str, str]]:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            url, body = f"{org.login_url}/services/oauth2/token", urlencode(form).encode()
            status, _, content = await over_sockets("POST", url, kind, body)
            return status, json.loads(content)

        _, started = await token(response_type="device_code", client_id=org.client_id)
        browser = Browser(over_sockets)
        page = await browser.open(started["verification_uri"])
        page = await browser.login(page, org.username, org.announcement.password)
        page = await browser.submit(page, "connect", user_code=started["user_code"])
        await browser.submit(page, "allow")
        status, granted = await token(
            grant_type="device", client_id=org.client_id, code=started["device_code"]
        )

    assert status == 200
    assert "refresh_token" in granted


class TestTheWayOfTheRfc:
    GRANT = "urn:ietf:params:oauth:grant-type:device_code"

    async def test_has_an_endpoint_of_its_own_and_a_page_that_knows_the_code(
        self, probe: Probe
    ) -> None:
        answer = await probe.post_form(
            "/services/oauth2/device_authorization", client_id=probe.org.client_id, scope="api"
        )

        started = answer.json()
        page = f"{probe.org.login_url}/setup/connect"
        assert answer.status == 200
        assert started["verification_uri"] == page
        assert started["verification_uri_complete"] == f"{page}?user_code={started['user_code']}"
        assert (started["expires_in"], started["interval"]) == (600, 5)

    async def test_gives_tokens_under_the_names_of_the_rfc_once_it_is_allowed(
        self, probe: Probe
    ) -> None:
        started = await start(probe, scope="api refresh_token")
        rfc = {"grant_type": self.GRANT, "code": "", "device_code": started["device_code"]}
        before = await poll(probe, started, **rfc)
        probe.org.control.set_device_interval(0)
        probe.org.control.answer_device(started["user_code"])

        answer = await poll(probe, started, **rfc)

        assert refusal(before)[:2] == (400, "authorization_pending")
        assert answer.json()["refresh_token"].startswith("5Aep")
        assert probe.org.control.statistics()["logins"] == {"device": 1}

    async def test_takes_posts_only(self, probe: Probe) -> None:
        answer = await probe.send("GET", "/services/oauth2/device_authorization")

        assert refusal(answer) == (400, "invalid_request", "must use HTTP POST")
