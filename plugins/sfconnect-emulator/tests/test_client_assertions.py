"""Apps that prove themselves by a signed assertion instead of a secret."""

from __future__ import annotations

import json
from functools import cache
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from sfconnect_emulator import Emulator
from sfconnect_emulator.browsing import Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.probe import Answer, Probe

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REFUSED = (400, "invalid_client", "invalid client credentials")


@cache
def foreign_key() -> str:
    return KeyPair.generate().private_key


def assertion(
    org: InProcess | Emulator, key: str | None = None, alg: str = "RS256", **changes: object
) -> str:
    whole = {
        "iss": org.client_id,
        "sub": org.client_id,
        "aud": f"{org.login_url}/services/oauth2/token",
        "exp": int(org.instance.clock.time()) + 60,
        "jti": "number one",
        **changes,
    }
    claims = {name: value for name, value in whole.items() if value is not None}
    signer = RSAKey.import_key(key or org.private_key)
    return jwt.encode({"alg": alg}, claims, signer, algorithms=[alg])


async def ask(probe: Probe, signed: str, **more: str) -> Answer:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": signed,
        **more,
    }
    return await probe.token(None, **form)


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


class TestGoodAssertion:
    @pytest.mark.parametrize("audience", ["token endpoint", "org", "org with slash", "list"])
    async def test_is_as_good_as_a_secret(self, probe: Probe, audience: str) -> None:
        url = probe.org.login_url
        meant = {
            "token endpoint": f"{url}/services/oauth2/token",
            "org": url,
            "org with slash": f"{url}/",
            "list": ["https://elsewhere.example", url],
        }[audience]

        assert (await ask(probe, assertion(probe.org, aud=meant))).status == 200

    async def test_may_come_with_the_name_that_it_proves(self, probe: Probe) -> None:
        answer = await ask(probe, assertion(probe.org), client_id=probe.org.client_id)

        assert answer.status == 200

    async def test_brings_tokens_for_codes_and_refresh_tokens_that_need_a_proof(
        self, probe: Probe
    ) -> None:
        org = probe.org
        org.control.change_app(
            org.client_id, {"require_secret": True, "require_secret_for_refresh": True}
        )
        callback = "http://localhost:1717/OauthRedirect"
        query = urlencode({"response_type": "code", "client_id": org.client_id,
                           "redirect_uri": callback})  # fmt: skip
        location = org.control.authorize(f"{org.login_url}/services/oauth2/authorize?{query}")
        code = location.partition("code=")[2].replace("%3D", "=")

        granted = await ask(
            *(probe, assertion(org, jti="1")),
            grant_type="authorization_code", code=code, redirect_uri=callback,
        )  # fmt: skip
        renewed = await ask(
            *(probe, assertion(org, jti="2")),
            grant_type="refresh_token", refresh_token=granted.json()["refresh_token"],
        )  # fmt: skip

        assert (granted.status, renewed.status) == (200, 200)

    async def test_opens_introspection(self, probe: Probe) -> None:
        token = await probe.login()

        answer = await probe.post_form(
            "/services/oauth2/introspect", token=token,
            client_assertion_type=TYPE, client_assertion=assertion(probe.org),
        )  # fmt: skip

        assert answer.json()["active"] is True

    async def test_over_sockets(self, over_sockets: Sender) -> None:
        async with Emulator() as org:
            form = {"grant_type": "client_credentials", "client_assertion_type": TYPE,
                    "client_assertion": assertion(org)}  # fmt: skip
            status, _, body = await over_sockets(
                "POST", f"{org.login_url}/services/oauth2/token",
                {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode(),
            )  # fmt: skip

        assert status == 200
        assert json.loads(body)["token_type"] == "Bearer"


class TestRefusals:
    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "https://login.salesforce.com"},
            {"aud": None},
            {"exp": None},
            {"exp": "soon"},
            {"exp": 1},
            {"jti": None},
            {"sub": "somebody else"},
            {"sub": None},
        ],
        ids=str,
    )
    async def test_of_claims_that_are_not_right(
        self, probe: Probe, changes: dict[str, object]
    ) -> None:
        assert refusal(await ask(probe, assertion(probe.org, None, "RS256", **changes))) == REFUSED

    async def test_of_an_unknown_app(self, probe: Probe) -> None:
        answer = await ask(probe, assertion(probe.org, iss="unknown", sub="unknown"))

        assert refusal(answer)[1] == "invalid_client_id"

    async def test_of_another_key(self, probe: Probe) -> None:
        assert refusal(await ask(probe, assertion(probe.org, foreign_key()))) == REFUSED

    async def test_of_other_algorithms(self, probe: Probe) -> None:
        assert refusal(await ask(probe, assertion(probe.org, alg="RS512"))) == REFUSED

    async def test_of_a_secret_shared_with_everybody(self, probe: Probe) -> None:
        name = probe.org.client_id
        claims = {"iss": name, "sub": name, "jti": "1", "exp": 2**33,
                  "aud": probe.org.login_url}  # fmt: skip
        signed = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(probe.org.client_secret))

        assert refusal(await ask(probe, signed)) == REFUSED

    async def test_of_an_app_without_certificate(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"certificate": None})

        assert refusal(await ask(probe, assertion(probe.org))) == REFUSED

    @pytest.mark.parametrize("signed", ["", "a.b.c", "é.é.é"])
    async def test_of_what_is_no_assertion(self, probe: Probe, signed: str) -> None:
        assert refusal(await ask(probe, signed)) == REFUSED

    async def test_of_another_name_beside_it(self, probe: Probe) -> None:
        probe.org.control.add_app(ConnectedApp("another", "secret"))

        answer = await ask(probe, assertion(probe.org), client_id="another")

        assert refusal(answer) == REFUSED

    async def test_of_a_second_use(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        signed = assertion(probe.org)
        first = await ask(probe, signed)
        clock.advance(60)

        assert first.status == 200
        assert refusal(await ask(probe, signed)) == REFUSED

    async def test_of_one_that_has_ended_three_minutes_ago(
        self, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        early, late = assertion(probe.org, jti="1"), assertion(probe.org, jti="2")
        clock.advance(60 + 179)
        in_time = await ask(probe, early)
        clock.advance(1)

        assert in_time.status == 200
        assert refusal(await ask(probe, late)) == REFUSED

    async def test_of_another_type(self, probe: Probe) -> None:
        answer = await ask(probe, assertion(probe.org), client_assertion_type="saml")

        assert refusal(answer)[1] == "invalid_request"

    async def test_of_a_secret_beside_it(self, probe: Probe) -> None:
        secret = probe.org.client_secret

        answer = await ask(probe, assertion(probe.org), client_secret=secret)

        assert refusal(answer)[1:] == ("invalid_request", "multiple client credentials provided")
