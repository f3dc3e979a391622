"""Tokens of other identity providers in exchange for tokens of the org."""

from __future__ import annotations

import json
from functools import cache
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect_emulator import Emulator
from sfconnect_emulator.browsing import Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.oauth.trusted_issuers import TrustedIssuer
from sfconnect_emulator.probe import Answer, Probe

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"


@cache
def other_pair() -> KeyPair:
    return KeyPair.generate()


def subject(
    org: InProcess | Emulator, key: str | None = None, alg: str = "RS256", **changes: object
) -> str:
    whole = {
        "iss": "https://idp.example.com",
        "sub": org.username,
        "exp": int(org.instance.clock.time()) + 300,
        **changes,
    }
    claims = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode({"alg": alg}, claims, RSAKey.import_key(key or org.private_key), [alg])


async def exchange(probe: Probe, token: str, **changes: str | None) -> Answer:
    form = {
        "grant_type": GRANT,
        "client_id": probe.org.client_id,
        "subject_token": token,
        "subject_token_type": TYPES + "jwt",
        **changes,
    }
    return await probe.token(None, **{n: value for n, value in form.items() if value is not None})


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


class TestExchange:
    async def test_opens_a_session_of_the_named_user(self, probe: Probe) -> None:
        other = probe.org.instance.org.users[1]

        answer = await exchange(probe, subject(probe.org, sub=other.username))

        body = answer.json()
        probe.access_token = body["access_token"]
        assert answer.status == 200
        assert body["id"].endswith(other.id)
        assert body["issued_token_type"] == TYPES + "access_token"
        assert body["token_type"] == "Bearer"
        assert "refresh_token" not in body
        assert (await probe.get("/limits")).status == 200
        assert probe.org.control.statistics()["logins"] == {"token-exchange": 1}

    @pytest.mark.parametrize("kind", ["access_token", "id_token", "jwt", "JWT"])
    async def test_takes_signed_tokens_under_any_name(self, probe: Probe, kind: str) -> None:
        answer = await exchange(probe, subject(probe.org), subject_token_type=TYPES + kind)

        assert answer.status == 200

    async def test_takes_a_file_that_the_announcement_names_as_the_providers_key(
        self, probe: Probe
    ) -> None:
        key = probe.org.private_key_file.read_text()

        assert (await exchange(probe, subject(probe.org, key))).status == 200

    async def test_gives_the_scopes_asked_for(self, probe: Probe) -> None:
        every = await exchange(probe, subject(probe.org))
        some = await exchange(probe, subject(probe.org), scope="api refresh_token")

        assert every.json()["scope"] == "api cdp_query_api openid web"
        assert some.json()["scope"] == "api"

    async def test_over_sockets(self, over_sockets: Sender) -> None:
        async with Emulator() as org:
            form = {"grant_type": GRANT, "client_id": org.client_id, "subject_token": subject(org),
                    "subject_token_type": TYPES + "id_token"}  # fmt: skip
            status, _, body = await over_sockets(
                "POST", f"{org.login_url}/services/oauth2/token",
                {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode(),
            )  # fmt: skip

        assert status == 200
        assert json.loads(body)["issued_token_type"] == TYPES + "access_token"


class TestHandlers:
    async def test_are_found_by_name_in_any_case_of_letters(self, probe: Probe) -> None:
        answer = await exchange(probe, subject(probe.org), token_handler="emulatedtokenhandler")

        assert answer.status == 200

    async def test_unknown_are_refused(self, probe: Probe) -> None:
        answer = await exchange(probe, subject(probe.org), token_handler="Nobody")

        assert refusal(answer) == (400, "invalid_request", "token exchange handler not found")

    async def test_need_not_be_named_while_there_is_one(self, probe: Probe) -> None:
        probe.org.control.distrust_issuer("EmulatedTokenHandler")

        assert refusal(await exchange(probe, subject(probe.org)))[1] == "invalid_request"

    async def test_know_their_own_keys_audiences_and_claims(self, probe: Probe) -> None:
        issuer = TrustedIssuer(
            "Github", "https://ci.example", other_pair().certificate, "https://acme.example", "user"
        )
        probe.org.control.trust_issuer(issuer)

        def token(**changes: object) -> str:
            claims = {"iss": issuer.issuer, "aud": issuer.audience, "user": probe.org.username,
                      "sub": "repo:acme/etl", **changes}  # fmt: skip
            return subject(probe.org, other_pair().private_key, "RS256", **claims)

        good = await exchange(probe, token(), token_handler="Github")
        elsewhere = await exchange(probe, token(aud="https://other"), token_handler="Github")
        by_default = await exchange(probe, token())

        assert good.status == 200
        assert (
            refusal(elsewhere)
            == refusal(by_default)
            == (*(400, "invalid_grant", "invalid subject token"),)
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"iss": "https://evil.example"}, "invalid subject token"),
            ({"iss": None}, "invalid subject token"),
            ({"exp": None}, "invalid subject token"),
            ({"exp": 1}, "subject token expired"),
            ({"sub": "nobody@example.com"}, "user not found"),
            ({"sub": None}, "user not found"),
        ],
        ids=str,
    )
    async def test_of_claims(self, probe: Probe, changes: dict[str, object], words: str) -> None:
        answer = await exchange(probe, subject(probe.org, None, "RS256", **changes))

        assert refusal(answer) == (400, "invalid_grant", words)

    @pytest.mark.parametrize("token", ["opaque", "a.b.c"])
    async def test_of_what_is_no_signed_token(self, probe: Probe, token: str) -> None:
        assert refusal(await exchange(probe, token))[2] == "invalid subject token"

    async def test_of_another_key(self, probe: Probe) -> None:
        answer = await exchange(probe, subject(probe.org, other_pair().private_key))

        assert refusal(answer)[2] == "invalid subject token"

    async def test_of_an_expired_token_by_the_orgs_clock(self, probe: Probe, clock: Clock) -> None:
        token = subject(probe.org)
        clock.advance(481)

        assert refusal(await exchange(probe, token))[2] == "subject token expired"

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"subject_token": None}, "invalid_request"),
            ({"subject_token_type": None}, "invalid_request"),
            ({"subject_token_type": TYPES + "refresh_token"}, "invalid_request"),
            ({"client_id": None}, "invalid_request"),
            ({"client_id": "unknown"}, "invalid_client_id"),
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"scope": "api pardot_api"}, "invalid_scope"),
        ],
        ids=str,
    )
    async def test_of_requests(
        self, probe: Probe, changes: dict[str, str | None], error: str
    ) -> None:
        assert refusal(await exchange(probe, subject(probe.org), **changes))[1] == error

    async def test_where_the_secret_is_needed(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"require_secret_for_exchange": True})

        without = await exchange(probe, subject(probe.org))
        proven = await exchange(probe, subject(probe.org), client_secret=probe.org.client_secret)

        assert refusal(without)[1] == "invalid_client"
        assert proven.status == 200

    async def test_where_the_flow_is_off(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"flows": ["client_credentials"]})

        assert refusal(await exchange(probe, subject(probe.org)))[1] == "unsupported_grant_type"

    async def test_of_users_who_are_not_approved(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"approved_users": []})

        assert refusal(await exchange(probe, subject(probe.org)))[1] == "invalid_app_access"

    async def test_of_inactive_users(self, probe: Probe) -> None:
        gone = next(user for user in probe.org.instance.org.users if not user.is_active)

        answer = await exchange(probe, subject(probe.org, sub=gone.username))

        assert refusal(answer)[1] == "inactive_user"

    async def test_at_the_shared_login_hosts(self, probe: Probe) -> None:
        form = {
            "grant_type": GRANT, "client_id": probe.org.client_id,
            "subject_token": subject(probe.org), "subject_token_type": TYPES + "jwt",
        }  # fmt: skip

        answer = await probe.token({"Host": "login.salesforce.com"}, **form)

        assert refusal(answer)[2] == "request not supported on this domain"


class TestControl:
    async def control(self, probe: Probe, method: str, path: str, content: object = None) -> Answer:
        body = b"" if content is None else json.dumps(content).encode()
        return await probe.send(method, f"/__control__{path}", {"Host": "127.0.0.1"}, body)

    async def test_shows_the_default(self, probe: Probe) -> None:
        (issuer,) = (await self.control(probe, "GET", "/token-issuers")).json()

        assert issuer["handler"] == "EmulatedTokenHandler"
        assert issuer["issuer"] == "https://idp.example.com"
        assert issuer["key"].startswith("-----BEGIN CERTIFICATE-----")

    async def test_trusts_and_distrusts(self, probe: Probe) -> None:
        asked = {"handler": "CI", "issuer": "https://ci.example", "key": other_pair().certificate}
        trusted = await self.control(probe, "POST", "/token-issuers", asked)
        token = subject(probe.org, other_pair().private_key, iss="https://ci.example")
        before = await exchange(probe, token, token_handler="CI")
        gone = await self.control(probe, "DELETE", "/token-issuers/ci")

        assert trusted.status == gone.status == before.status == 200
        assert (await exchange(probe, token, token_handler="CI")).status == 400
        assert (await self.control(probe, "DELETE", "/token-issuers/ci")).status == 404

    async def test_wants_all_that_it_needs(self, probe: Probe) -> None:
        answer = await self.control(probe, "POST", "/token-issuers", {"handler": "x"})

        assert answer.status == 400
