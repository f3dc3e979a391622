"""The authorization endpoint as a browser sees it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfconnect_emulator.authorizing import (
    CALLBACK,
    CHALLENGE,
    authorize_url,
    carried,
    log_in,
    redeem,
)
from sfconnect_emulator.browsing import Browser
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Probe


class TestLoginPage:
    async def test_asks_for_name_and_password(self, browser: Browser, org: InProcess) -> None:
        page = await browser.open(authorize_url(org))

        assert page.status == 200
        assert page.headers["Content-Type"] == "text/html;charset=UTF-8"
        assert {"username", "password", "form_token"} <= set(page.fields)

    async def test_cannot_be_cached_framed_or_made_to_run_anything(
        self, browser: Browser, org: InProcess
    ) -> None:
        headers = (await browser.open(authorize_url(org))).headers

        assert "no-store" in headers["Cache-Control"]
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"

    async def test_fills_in_the_login_hint(self, browser: Browser, org: InProcess) -> None:
        page = await browser.open(authorize_url(org, login_hint='"><b>ada@example.com'))

        assert page.fields["username"] == '"><b>ada@example.com'
        assert "<b>" not in page.text

    async def test_refuses_a_wrong_password_and_keeps_the_name(
        self, browser: Browser, org: InProcess
    ) -> None:
        page = await browser.login(await browser.open(authorize_url(org)), org.username, "wrong")

        assert page.status == 200
        assert page.fields["username"] == org.username
        assert "check your username and password" in page.text
        assert "wrong" not in page.text

    async def test_wants_no_security_token(self, browser: Browser, org: InProcess) -> None:
        page = await browser.open(authorize_url(org))
        both = org.announcement.password + org.announcement.security_token

        assert (await browser.login(page, org.username, both)).status == 200

    async def test_takes_the_name_in_any_case_of_letters(
        self, browser: Browser, org: InProcess
    ) -> None:
        page = await browser.open(authorize_url(org))

        answer = await browser.login(page, org.username.upper(), org.announcement.password)

        assert "code" in carried(answer)

    async def test_refuses_an_inactive_user(self, browser: Browser, probe: Probe) -> None:
        await probe.call("PATCH", f"/sobjects/User/{probe.org.instance.org.user.id}",
                         {"IsActive": False})  # fmt: skip

        page = await log_in(browser, probe.org)

        assert "check your username and password" in page.text

    @pytest.mark.parametrize("token", ["", "another"])
    async def test_takes_no_form_that_it_did_not_show(
        self, browser: Browser, org: InProcess, token: str
    ) -> None:
        page = await browser.open(authorize_url(org))

        answer = await browser.submit(
            *(page, "login"),
            form_token=token, username=org.username, password=org.announcement.password,
        )  # fmt: skip

        assert answer.status == 200
        assert "out of date" in answer.text

    async def test_takes_no_form_of_another_browser(self, browser: Browser, org: InProcess) -> None:
        page = await Browser(org.handle).open(authorize_url(org))

        answer = await browser.login(page, org.username, org.announcement.password)

        assert "out of date" in answer.text

    async def test_starts_a_new_session_with_the_login(
        self, browser: Browser, org: InProcess
    ) -> None:
        await browser.open(authorize_url(org))
        before = browser.cookies["sid"]
        await log_in(browser, org)

        assert browser.cookies["sid"] != before

    async def test_keeps_its_cookie_from_scripts_and_other_sites(
        self, browser: Browser, org: InProcess
    ) -> None:
        page = await browser.open(authorize_url(org))

        assert page.headers["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")


class TestSession:
    async def test_is_not_asked_for_twice(self, browser: Browser, org: InProcess) -> None:
        await log_in(browser, org)

        assert "code" in carried(await browser.open(authorize_url(org)))

    async def test_ends_two_hours_after_its_last_use(
        self, browser: Browser, org: InProcess, clock: Clock
    ) -> None:
        clock.freeze()
        await log_in(browser, org)
        clock.advance(7199)
        still = await browser.open(authorize_url(org))
        clock.advance(7200)

        gone = await browser.open(authorize_url(org))

        assert "code" in carried(still)
        assert gone.status == 200

    @pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
    async def test_is_asked_for_again_when_the_app_wants_it(
        self, browser: Browser, org: InProcess, prompt: str
    ) -> None:
        await log_in(browser, org)

        page = await browser.open(authorize_url(org, prompt=prompt))

        assert "password" in page.fields

    @pytest.mark.parametrize("silent", [{"prompt": "none"}, {"immediate": "true"}])
    async def test_missing_is_told_to_an_app_that_wants_no_questions(
        self, browser: Browser, org: InProcess, silent: dict[str, str]
    ) -> None:
        told = carried(await browser.open(authorize_url(org, **silent)))

        assert told["error"] == "immediate_unsuccessful"
        assert told["state"] == "a state & more=1"

    async def test_is_enough_for_an_app_that_wants_no_questions(
        self, browser: Browser, org: InProcess
    ) -> None:
        await log_in(browser, org)

        assert "code" in carried(await browser.open(authorize_url(org, prompt="none")))

    async def test_of_a_broken_cookie_is_none(self, org: InProcess) -> None:
        answer = await org.handle("GET", authorize_url(org), {"Cookie": 'sid="\x00; =;;'})

        assert answer[0] == 200

    async def test_many_push_the_oldest_out(self, browser: Browser, org: InProcess) -> None:
        await log_in(browser, org)

        for _ in range(1000):
            await org.handle("GET", authorize_url(org), {})

        assert (await browser.open(authorize_url(org))).status == 200


class TestConsent:
    async def test_is_not_asked_for_apps_that_an_admin_has_approved(
        self, browser: Browser, org: InProcess
    ) -> None:
        assert "code" in carried(await log_in(browser, org))

    async def test_page_shows_app_user_and_scopes(
        self, browser: Browser, self_authorized: InProcess
    ) -> None:
        self_authorized.control.change_app(self_authorized.client_id, {"name": "<i>App</i> & Co"})

        page = await log_in(browser, self_authorized, scope="api refresh_token")

        assert page.status == 200
        assert "&lt;i&gt;App&lt;/i&gt; &amp; Co" in page.text
        assert self_authorized.username in page.text
        assert "Manage user data via APIs (api)" in page.text
        assert "(refresh_token, offline_access)" in page.text
        assert "(web)" not in page.text

    async def test_gives_a_code(self, browser: Browser, self_authorized: InProcess) -> None:
        page = await log_in(browser, self_authorized)

        told = carried(await browser.submit(page, "allow"))

        assert set(told) == {"code", "state"}
        assert told["state"] == "a state & more=1"

    async def test_refused_is_told_to_the_app(
        self, browser: Browser, self_authorized: InProcess
    ) -> None:
        page = await log_in(browser, self_authorized)

        told = carried(await browser.submit(page, "deny"))

        assert told == {
            "error": "access_denied",
            "error_description": "end-user denied authorization",
            "state": "a state & more=1",
        }

    async def test_is_remembered_once_the_code_is_redeemed(
        self, browser: Browser, self_authorized: InProcess, probe: Probe
    ) -> None:
        page = await log_in(browser, self_authorized)
        code = carried(await browser.submit(page, "allow"))["code"]
        await redeem(probe, code)

        assert "code" in carried(await browser.open(authorize_url(self_authorized)))

    async def test_is_asked_again_for_more_scopes(
        self, browser: Browser, self_authorized: InProcess, probe: Probe
    ) -> None:
        page = await log_in(browser, self_authorized, scope="api")
        await redeem(probe, carried(await browser.submit(page, "allow"))["code"])

        fewer = await browser.open(authorize_url(self_authorized, scope="api"))
        more = await browser.open(authorize_url(self_authorized, scope="api web"))

        assert "code" in carried(fewer)
        assert more.status == 200

    async def test_is_asked_when_the_app_wants_it(self, browser: Browser, org: InProcess) -> None:
        page = await log_in(browser, org, prompt="consent")

        assert "Allow Access?" in page.text
        assert "code" in carried(await browser.submit(page, "allow"))

    async def test_missing_is_told_to_an_app_that_wants_no_questions(
        self, browser: Browser, self_authorized: InProcess
    ) -> None:
        await log_in(browser, self_authorized)

        told = carried(await browser.open(authorize_url(self_authorized, prompt="none")))

        assert told["error"] == "immediate_unsuccessful"

    async def test_of_somebody_else_can_be_given_instead(
        self, browser: Browser, self_authorized: InProcess
    ) -> None:
        page = await log_in(browser, self_authorized)

        page = await browser.submit(page, "switch")

        assert "password" in page.fields
        assert (await browser.open(authorize_url(self_authorized))).fields.keys() >= {"password"}

    async def test_cannot_be_given_by_a_page_of_another_site(
        self, browser: Browser, self_authorized: InProcess
    ) -> None:
        page = await log_in(browser, self_authorized)

        answer = await browser.submit(page, "allow", form_token="guessed")

        assert answer.status == 200
        assert not answer.location

    async def test_of_users_without_approval_is_not_asked_where_an_admin_decides(
        self, browser: Browser, org: InProcess
    ) -> None:
        org.control.change_app(org.client_id, {"approved_users": []})

        told = carried(await log_in(browser, org))

        assert told["error"] == "OAUTH_APP_ACCESS_DENIED"
        assert told["error_description"] == "user is not admin approved to access this app"


class TestRequestsThatNobodyHearsOf:
    """The callback is not certain, so the browser stays, and so does the refusal."""

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"client_id": "unknown"}, "error=invalid_client_id&amp;"),
            ({"client_id": None}, "error=invalid_client_id&amp;"),
            ({"redirect_uri": None}, "error=redirect_uri_missing&amp;"),
            ({"redirect_uri": CALLBACK + "/"}, "error=redirect_uri_mismatch&amp;"),
            (
                {"redirect_uri": CALLBACK.replace("1717", "1716")},
                "error=redirect_uri_mismatch&amp;",
            ),
            ({"redirect_uri": "https://evil.example/"}, "error=redirect_uri_mismatch&amp;"),
            (
                {"redirect_uri": "https://evil.example/", "response_type": "token"},
                "error=unsupported_response_type&amp;",
            ),
        ],
    )
    async def test_end_on_a_page(
        self, browser: Browser, org: InProcess, changes: dict[str, str | None], text: str
    ) -> None:
        page = await browser.open(authorize_url(org, **changes))

        assert (page.status, page.location) == (400, "")
        assert text in page.text

    async def test_end_there_for_repeated_parameters_too(
        self, browser: Browser, org: InProcess
    ) -> None:
        page = await browser.open(authorize_url(org) + "&client_id=other")

        assert page.status == 400
        assert "error=invalid_request" in page.text

    async def test_cannot_write_into_the_page(self, browser: Browser, org: InProcess) -> None:
        page = await browser.open(
            authorize_url(org, response_type="<script>", redirect_uri="https://evil.example")
        )

        assert page.status == 400
        assert "<script" not in page.text


class TestRequestsThatTheAppHearsOf:
    @pytest.mark.parametrize("response_type", ["token", "code token", "hybrid_token", "", None])
    async def test_for_other_answers_than_codes(
        self, browser: Browser, org: InProcess, response_type: str | None
    ) -> None:
        told = carried(await browser.open(authorize_url(org, response_type=response_type)))

        assert told["error"] == "unsupported_response_type"
        assert told["state"] == "a state & more=1"

    async def test_for_scopes_that_the_app_has_not(self, browser: Browser, org: InProcess) -> None:
        told = carried(await browser.open(authorize_url(org, scope="api pardot_api")))

        assert told["error"] == "invalid_scope"
        assert told["error_description"] == "the requested scope is not allowed"

    async def test_without_a_challenge_where_one_is_needed(
        self, browser: Browser, org: InProcess
    ) -> None:
        org.control.change_app(org.client_id, {"require_pkce": True})

        told = carried(await browser.open(authorize_url(org)))
        challenged = await browser.open(authorize_url(org, code_challenge=CHALLENGE))

        assert told["error"] == "invalid_request"
        assert told["error_description"] == "missing required code challenge"
        assert challenged.status == 200

    @pytest.mark.parametrize(
        "changes",
        [
            {"code_challenge": "short"},
            {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
            {"code_challenge_method": "S256"},
        ],
    )
    async def test_with_a_challenge_that_is_none(
        self, browser: Browser, org: InProcess, changes: dict[str, str]
    ) -> None:
        told = carried(await browser.open(authorize_url(org, **changes)))

        assert told["error"] == "invalid_request"

    async def test_when_the_flow_is_switched_off(self, browser: Browser, org: InProcess) -> None:
        org.control.change_app(org.client_id, {"flows": ["client_credentials"]})

        told = carried(await browser.open(authorize_url(org)))

        assert told["error"] == "unsupported_response_type"

    async def test_are_told_behind_parameters_of_the_callback(
        self, browser: Browser, org: InProcess
    ) -> None:
        org.control.change_app(org.client_id, {"callbacks": ["http://localhost:1/x?keep=1"]})

        page = await browser.open(
            authorize_url(org, redirect_uri="http://localhost:1/x?keep=1", response_type="token")
        )

        assert page.location.startswith("http://localhost:1/x?keep=1&error=")

    async def test_need_the_exact_callback_that_is_registered(
        self, browser: Browser, org: InProcess
    ) -> None:
        org.control.change_app(org.client_id, {"callbacks": ["https://app.example/done"]})

        page = await log_in(browser, org, redirect_uri="https://app.example/done")

        assert page.location.startswith("https://app.example/done?code=")
        assert (await browser.open(authorize_url(org))).status == 400


async def test_a_page_carries_nothing_to_the_app(browser: Browser, org: InProcess) -> None:
    page = await browser.open(authorize_url(org))

    with pytest.raises(ValueError, match="no redirect to the app: 200"):
        carried(page)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.dictionaries(st.sampled_from(["state", "scope", "prompt", "login_hint", "nonce",
                                        "redirect_uri", "response_type", "code_challenge"]),
                       st.text(max_size=30), max_size=4))  # fmt: skip
async def test_no_parameter_can_write_into_a_page_or_a_header(
    org: InProcess, changes: dict[str, str]
) -> None:
    marked = {name: f"{value}<x-mark>\r\nX-Mark: 1" for name, value in changes.items()}

    page = await Browser(org.handle).open(authorize_url(org, **marked))

    assert page.status in {200, 302, 400}
    assert "<x-mark>" not in page.text
    assert not any("\n" in value for value in page.headers.values())
