"""The codes that come out of the authorization endpoint, and what redeems them."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sfconnect_emulator import Emulator
from sfconnect_emulator.authorizing import (
    CALLBACK,
    CHALLENGE,
    VERIFIER,
    carried,
    code_for,
    log_in,
    redeem,
)
from sfconnect_emulator.browsing import Browser, Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.probe import Answer, Probe


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


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
