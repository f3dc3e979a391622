"""The authorization endpoint as a browser sees it, and the codes that come out of it."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfconnect_emulator import Emulator
from sfconnect_emulator.browsing import Browser, Page, Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.probe import Answer, Probe

CALLBACK = "http://localhost:1717/OauthRedirect"
VERIFIER = "a-verifier-of-at-least-43-characters-0123456789"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)


@pytest.fixture
def browser(org: InProcess) -> Browser:
    return Browser(org.handle)


@pytest.fixture
def self_authorized(org: InProcess) -> InProcess:
    org.control.change_app(org.client_id, {"admin_approval": False})
    return org


def authorize_url(org: InProcess | Emulator, **changes: str | None) -> str:
    params = {
        "response_type": "code",
        "client_id": org.client_id,
        "redirect_uri": CALLBACK,
        "state": "s t&te=1",
        **changes,
    }
    given = {name: value for name, value in params.items() if value is not None}
    return f"{org.login_url}/services/oauth2/authorize?{urlencode(given)}"


def carried(page: Page) -> dict[str, str]:
    """What a redirect to the app carries there."""
    assert page.status == 302
    assert page.location.startswith(CALLBACK + "?")
    return dict(parse_qsl(urlsplit(page.location).query, strict_parsing=True))


async def log_in(browser: Browser, org: InProcess | Emulator, **changes: str | None) -> Page:
    page = await browser.open(authorize_url(org, **changes))
    return await browser.login(page, org.username, org.announcement.password)


async def code_for(browser: Browser, org: InProcess | Emulator, **changes: str | None) -> str:
    return carried(await log_in(browser, org, **changes))["code"]


async def redeem(probe: Probe, code: str, **changes: str | None) -> Answer:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": probe.org.client_id,
        "redirect_uri": CALLBACK,
        **changes,
    }
    return await probe.token(None, **{n: value for n, value in form.items() if value is not None})


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


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
        assert told["state"] == "s t&te=1"

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
        assert told["state"] == "s t&te=1"

    async def test_refused_is_told_to_the_app(
        self, browser: Browser, self_authorized: InProcess
    ) -> None:
        page = await log_in(browser, self_authorized)

        told = carried(await browser.submit(page, "deny"))

        assert told == {
            "error": "access_denied",
            "error_description": "end-user denied authorization",
            "state": "s t&te=1",
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
        assert told["state"] == "s t&te=1"

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


class TestCode:
    async def test_brings_tokens(self, browser: Browser, org: InProcess, probe: Probe) -> None:
        answer = await redeem(probe, await code_for(browser, org))

        body = answer.json()
        probe.access_token = body["access_token"]
        assert answer.status == 200
        assert body["scope"] == "api cdp_query_api openid refresh_token web"
        assert (await probe.get("/limits")).status == 200
        assert org.control.statistics()["logins"] == {"authorization_code": 1}

    async def test_brings_a_refresh_token_that_works(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        granted = (await redeem(probe, await code_for(browser, org))).json()

        again = await probe.token(
            None, grant_type="refresh_token", client_id=org.client_id,
            refresh_token=granted["refresh_token"],
        )  # fmt: skip

        assert again.status == 200
        assert again.json()["scope"] == granted["scope"]

    @pytest.mark.parametrize("scope", ["offline_access api", "api refresh_token"])
    async def test_brings_one_under_either_name_of_its_scope(
        self, browser: Browser, org: InProcess, probe: Probe, scope: str
    ) -> None:
        granted = (await redeem(probe, await code_for(browser, org, scope=scope))).json()

        assert set(granted["scope"].split()) == {"api", "refresh_token"}
        assert granted["refresh_token"].startswith("5Aep")

    async def test_brings_none_without_the_scope(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        granted = (await redeem(probe, await code_for(browser, org, scope="api"))).json()

        assert granted["scope"] == "api"
        assert "refresh_token" not in granted

    async def test_ends_so_that_it_has_to_be_decoded(
        self, browser: Browser, org: InProcess
    ) -> None:
        page = await log_in(browser, org)

        assert "%3D%3D&state=" in page.location

    async def test_works_once(self, browser: Browser, org: InProcess, probe: Probe) -> None:
        code = await code_for(browser, org)
        await redeem(probe, code)

        again = await redeem(probe, code)

        assert refusal(again) == (400, "invalid_grant", "expired authorization code")

    async def test_lives_for_fifteen_minutes_of_the_orgs_clock(
        self, browser: Browser, org: InProcess, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        first, second = await code_for(browser, org), await code_for(Browser(org.handle), org)
        clock.advance(899)
        in_time = await redeem(probe, first)
        clock.advance(1)

        late = await redeem(probe, second)

        assert in_time.status == 200
        assert refusal(late) == (400, "invalid_grant", "expired authorization code")

    async def test_unknown_is_invalid(self, probe: Probe) -> None:
        answer = await redeem(probe, "aPrxNothing==")

        assert refusal(answer) == (400, "invalid_grant", "invalid authorization code")

    async def test_missing_is_an_invalid_request(self, probe: Probe) -> None:
        form = {"grant_type": "authorization_code", "client_id": probe.org.client_id}

        answer = await probe.token(None, redirect_uri=CALLBACK, **form)

        assert refusal(answer)[1] == "invalid_request"

    async def test_is_bound_to_its_callback(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        code = await code_for(browser, org)

        other = await redeem(probe, code, redirect_uri=CALLBACK.replace("1717", "1718"))
        none = await redeem(probe, code, redirect_uri=None)

        wanted = (400, "redirect_uri_mismatch", "redirect_uri must match configuration")
        assert refusal(other) == refusal(none) == wanted

    async def test_is_bound_to_its_app(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        app = org.instance.apps.get(org.client_id)
        assert app is not None
        org.instance.apps.add(type(app)("another", "its secret"))

        answer = await redeem(probe, await code_for(browser, org), client_id="another")

        assert refusal(answer) == (400, "invalid_grant", "invalid authorization code")

    async def test_of_an_unknown_app_is_not_looked_at(self, probe: Probe) -> None:
        assert refusal(await redeem(probe, "code", client_id="x"))[1] == "invalid_client_id"
        assert refusal(await redeem(probe, "code", client_id=None))[1] == "invalid_request"

    async def test_needs_the_secret_where_the_policy_says_so(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        org.control.change_app(org.client_id, {"require_secret": True})
        code = await code_for(browser, org)

        without = await redeem(probe, code)
        proven = await redeem(probe, code, client_secret=org.client_secret)

        assert refusal(without) == (400, "invalid_client", "invalid client credentials")
        assert proven.status == 200

    async def test_with_a_wrong_secret_is_refused_although_none_is_needed(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        answer = await redeem(probe, await code_for(browser, org), client_secret="wrong")

        assert refusal(answer)[1] == "invalid_client"

    async def test_is_worth_nothing_once_its_user_is_inactive(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        code = await code_for(browser, org)
        user = f"/sobjects/User/{org.instance.org.user.id}"
        await probe.call("PATCH", user, {"IsActive": False})

        assert refusal(await redeem(probe, code))[1] == "inactive_user"

    async def test_is_worth_nothing_once_the_flow_is_off(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        code = await code_for(browser, org)
        org.control.change_app(org.client_id, {"flows": []})

        assert refusal(await redeem(probe, code))[1] == "unsupported_grant_type"


class TestProofKey:
    @pytest.mark.parametrize("method", ["S256", None])
    async def test_lets_the_right_verifier_through(
        self, browser: Browser, org: InProcess, probe: Probe, method: str | None
    ) -> None:
        code = await code_for(browser, org, code_challenge=CHALLENGE, code_challenge_method=method)

        assert (await redeem(probe, code, code_verifier=VERIFIER)).status == 200

    async def test_lets_verifiers_through_that_are_longer_than_the_rfc_has_them(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        verifier = "v" * 171
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        code = await code_for(browser, org, code_challenge=digest.decode().rstrip("="))

        assert (await redeem(probe, code, code_verifier=verifier)).status == 200

    @pytest.mark.parametrize(
        ("verifier", "error"),
        [(None, "invalid_grant"), ("", "invalid_grant"), ("é" * 43, "invalid_request"),
         (VERIFIER + "x", "invalid_request"), (CHALLENGE, "invalid_request")],
    )  # fmt: skip
    async def test_is_refused_in_the_platforms_way(
        self, browser: Browser, org: InProcess, probe: Probe, verifier: str | None, error: str
    ) -> None:
        code = await code_for(browser, org, code_challenge=CHALLENGE)

        answer = await redeem(probe, code, code_verifier=verifier)

        assert refusal(answer) == (400, error, "invalid code verifier")

    async def test_that_was_never_announced_does_not_matter(
        self, browser: Browser, org: InProcess, probe: Probe
    ) -> None:
        answer = await redeem(probe, await code_for(browser, org), code_verifier=VERIFIER)

        assert answer.status == 200


class TestSelfAuthorization:
    async def test_once_given_lets_jwt_bearer_in_and_refused_before(
        self, browser: Browser, self_authorized: InProcess, probe: Probe
    ) -> None:
        user = self_authorized.instance.org.user
        admission = self_authorized.instance.authorization.state.admission
        app = self_authorized.instance.apps.get(self_authorized.client_id)
        assert app is not None
        assert admission.needs_consent(app, person(self_authorized), frozenset({"api"}))

        page = await log_in(browser, self_authorized)
        await redeem(probe, carried(await browser.submit(page, "allow"))["code"])

        assert admission.approved_user(app, user.username).user_id == user.id


def person(org: InProcess) -> Person:
    found = org.instance.directory.by_id(org.instance.org.user.id)
    assert found is not None
    return found


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


async def test_the_whole_way_over_sockets(over_sockets: Sender) -> None:
    send = over_sockets
    async with Emulator() as org:
        org.control.change_app(org.client_id, {"admin_approval": False, "require_pkce": True})
        browser = Browser(send)
        page = await log_in(browser, org, code_challenge=CHALLENGE, scope="api refresh_token")
        code = carried(await browser.submit(page, "allow"))["code"]
        form = {
            "grant_type": "authorization_code", "code": code, "client_id": org.client_id,
            "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
        }  # fmt: skip

        status, _, body = await send(
            "POST", f"{org.login_url}/services/oauth2/token",
            {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode(),
        )  # fmt: skip

    assert status == 200
    assert b'"refresh_token":"5Aep' in body
    assert parse_qs(urlsplit(page.url).query)["scope"] == ["api refresh_token"]
