from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.oauth.assertion import verify_assertion
from sfconnect_emulator.oauth.errors import OAuthError
from sfconnect_emulator.probe import Answer, Probe

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN = "https://login.salesforce.com"


@cache
def foreign_key() -> str:
    return KeyPair.generate().private_key


def claims(org: InProcess, **changes: object) -> dict[str, object]:
    """The claims of a good assertion, with changes; None takes a claim away."""
    whole = {
        "iss": org.client_id,
        "sub": org.username,
        "aud": LOGIN,
        "exp": int(org.instance.clock.time()) + 120,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def signed(org: InProcess, key: str | None = None, alg: str = "RS256", **changes: object) -> str:
    pem = RSAKey.import_key(key or org.private_key)
    return jwt.encode({"alg": alg}, claims(org, **changes), pem, algorithms=[alg])


async def ask(probe: Probe, assertion: str, **more: str) -> Answer:
    return await probe.token(None, grant_type=JWT_BEARER, assertion=assertion, **more)


async def refusal(probe: Probe, assertion: str) -> tuple[int, str, str]:
    answer = await ask(probe, assertion)
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


INVALID = (400, "invalid_grant", "invalid assertion")


class TestGoodAssertion:
    async def test_gives_a_session_of_its_subject(self, probe: Probe) -> None:
        answer = await ask(probe, signed(probe.org))

        assert answer.status == 200
        probe.access_token = answer.json()["access_token"]
        info = await probe.send(
            "GET", "/services/oauth2/userinfo", {"Authorization": f"Bearer {probe.access_token}"}
        )
        assert info.json()["preferred_username"] == probe.org.username

    async def test_gives_the_scopes_of_the_app_and_no_refresh_token(self, probe: Probe) -> None:
        body = (await ask(probe, signed(probe.org))).json()

        assert body["scope"] == "api cdp_query_api openid refresh_token web"
        assert "refresh_token" not in body

    @pytest.mark.parametrize("audience", [LOGIN, "https://test.salesforce.com", "own", "own/"])
    async def test_may_be_meant_for_any_of_three_audiences(
        self, probe: Probe, audience: str
    ) -> None:
        meant_for = audience.replace("own", probe.org.login_url)

        assert (await ask(probe, signed(probe.org, aud=meant_for))).status == 200

    async def test_may_name_its_user_as_prn_which_wins_over_sub(self, probe: Probe) -> None:
        other = probe.org.instance.org.users[1].username

        body = (await ask(probe, signed(probe.org, prn=other))).json()

        assert body["id"].endswith(probe.org.instance.org.users[1].id)

    async def test_may_come_with_a_client_id(self, probe: Probe) -> None:
        answer = await ask(probe, signed(probe.org), client_id=probe.org.client_id)

        assert answer.status == 200

    async def test_names_its_user_in_any_case_of_letters(self, probe: Probe) -> None:
        assert (await ask(probe, signed(probe.org, sub=probe.org.username.upper()))).status == 200

    @pytest.mark.parametrize("lifetime_s", [-179, 0, 180, 300, 3600])
    async def test_may_expire_within_the_clock_buffer_and_the_bound(
        self, probe: Probe, clock: Clock, lifetime_s: int
    ) -> None:
        clock.freeze()

        answer = await ask(probe, signed(probe.org, exp=int(clock.time()) + lifetime_s))

        assert answer.status == 200

    async def test_may_state_its_expiry_as_text_or_in_milliseconds(
        self, probe: Probe, clock: Clock
    ) -> None:
        soon = int(clock.time()) + 120

        as_text = await ask(probe, signed(probe.org, exp=str(soon)))
        in_milliseconds = await ask(probe, signed(probe.org, exp=soon * 1000))

        assert as_text.status == in_milliseconds.status == 200

    async def test_may_live_longer_where_the_app_sets_no_bound(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"max_assertion_s": None})

        answer = await ask(probe, signed(probe.org, exp=int(time.time()) + 10_000_000))

        assert answer.status == 200


class TestBadAssertion:
    async def test_signed_with_another_key(self, probe: Probe) -> None:
        assert await refusal(probe, signed(probe.org, foreign_key())) == INVALID

    async def test_with_claims_changed_after_signing(self, probe: Probe) -> None:
        head, _, tail = signed(probe.org).split(".")
        forged = json.dumps(claims(probe.org, sub="user2@example.com")).encode()
        body = urlsafe_b64encode(forged).rstrip(b"=").decode()

        assert await refusal(probe, f"{head}.{body}.{tail}") == INVALID

    @pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256"])
    async def test_with_another_algorithm(self, probe: Probe, alg: str) -> None:
        assert await refusal(probe, signed(probe.org, alg=alg)) == INVALID

    async def test_with_no_algorithm(self, probe: Probe) -> None:
        def part(value: object) -> str:
            return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        unsigned = f"{part({'alg': 'none'})}.{part(claims(probe.org))}."

        assert await refusal(probe, unsigned) == INVALID

    async def test_signed_with_the_certificate_as_a_shared_secret(self, probe: Probe) -> None:
        certificate = probe.org.instance.registration.keys.certificate
        key = OctKey.import_key(urlsafe_b64encode(certificate.encode()))
        confused = jwt.encode({"alg": "HS256"}, claims(probe.org), key)

        assert await refusal(probe, confused) == INVALID

    async def test_from_an_app_without_certificate(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"certificate": None})

        assert await refusal(probe, signed(probe.org)) == INVALID

    @pytest.mark.parametrize("assertion", ["", "a.b", "a.b.c", "é.é.é", "....", "e30.e30.e30"])
    async def test_that_is_no_assertion(self, probe: Probe, assertion: str) -> None:
        assert await refusal(probe, assertion) == INVALID

    async def test_from_an_unknown_issuer(self, probe: Probe) -> None:
        seen = await refusal(probe, signed(probe.org, iss="3MVG9nobody"))

        assert seen == (400, "invalid_client_id", "client identifier invalid")

    @pytest.mark.parametrize(
        "audience", [None, "https://login.salesforce.com.evil.example", "http://127.0.0.1:1", 5, []]
    )
    async def test_meant_for_somebody_else(self, probe: Probe, audience: object) -> None:
        seen = await refusal(probe, signed(probe.org, aud=audience))

        assert seen == (400, "invalid_grant", "audience is invalid")

    async def test_expired_beyond_the_clock_buffer(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()

        seen = await refusal(probe, signed(probe.org, exp=int(clock.time()) - 181))

        assert seen == (400, "invalid_grant", "assertion expired")

    async def test_kept_until_it_expired(self, probe: Probe, clock: Clock) -> None:
        assertion = signed(probe.org)
        clock.advance(301)

        seen = await refusal(probe, assertion)

        assert seen == (400, "invalid_grant", "assertion expired")

    @pytest.mark.parametrize("expiry", [None, "soon", True, [], {}, "nan", "inf"])
    async def test_whose_expiry_is_no_number(self, probe: Probe, expiry: object) -> None:
        assert await refusal(probe, signed(probe.org, exp=expiry)) == INVALID

    async def test_that_lives_too_long(self, probe: Probe) -> None:
        too_far = int(time.time()) + 10 * 86_400

        assert await refusal(probe, signed(probe.org, exp=too_far)) == INVALID

    async def test_used_twice(self, probe: Probe) -> None:
        assertion = signed(probe.org, jti="once")

        first = await ask(probe, assertion)

        assert first.status == 200
        assert await refusal(probe, assertion) == INVALID

    async def test_ids_are_remembered_no_longer_than_their_assertions_live(
        self, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        for number in range(5):
            await ask(probe, signed(probe.org, jti=f"old-{number}"))
        clock.advance(301)

        await ask(probe, signed(probe.org, jti="new"))

        assert len(probe.org.instance.authorization.state.replays) == 1

    async def test_without_subject(self, probe: Probe) -> None:
        assert await refusal(probe, signed(probe.org, sub=None)) == INVALID

    async def test_for_an_unknown_user(self, probe: Probe) -> None:
        seen = await refusal(probe, signed(probe.org, sub="nobody@example.com"))

        assert seen == (400, "invalid_grant", "user hasn't approved this consumer")

    async def test_for_an_inactive_user(self, probe: Probe) -> None:
        gone = next(user for user in probe.org.instance.org.users if not user.is_active)

        seen = await refusal(probe, signed(probe.org, sub=gone.username))

        assert seen == (400, "inactive_user", "inactive user")

    @pytest.mark.parametrize(
        ("admin_approval", "error"),
        [
            (True, ("invalid_app_access", "user is not admin approved to access this app")),
            (False, ("invalid_grant", "user hasn't approved this consumer")),
        ],
        ids=["admin policy", "self-authorization"],
    )
    async def test_for_a_user_who_is_not_approved(
        self, probe: Probe, admin_approval: bool, error: tuple[str, str]
    ) -> None:
        policy = {"approved_users": ["someone@example.com"], "admin_approval": admin_approval}
        probe.org.control.change_app(probe.org.client_id, policy)

        assert await refusal(probe, signed(probe.org)) == (400, *error)

    async def test_when_the_flow_is_switched_off(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"flows": ["client_credentials"]})

        seen = await refusal(probe, signed(probe.org))

        assert seen == (400, "unsupported_grant_type", "grant type not supported")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(position=st.integers(min_value=0), replacement=st.sampled_from("AZaz09-_."))
def test_no_single_changed_character_of_claims_or_head_passes(
    org: InProcess, position: int, replacement: str
) -> None:
    good = signed(org)
    signature_at = good.rindex(".")
    position %= signature_at
    changed = good[:position] + replacement + good[position + 1 :]
    apps, now = org.instance.apps, org.instance.clock.time()

    if changed == good:
        assert verify_assertion(changed, apps, {LOGIN}, now).username == org.username
    else:
        with pytest.raises(OAuthError):
            verify_assertion(changed, apps, {LOGIN}, now)
