"""Refresh tokens over their life: rotated, shown twice, shown at once, ended by policy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from sfconnect_emulator import Emulator
from sfconnect_emulator.browsing import Sender
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Answer, Probe

EXPIRED = (400, "invalid_grant", "expired access/refresh token")
PROCESSING = (400, "invalid_grant", "token request is already being processed")


async def refresh(probe: Probe, token: str) -> Answer:
    return await probe.token(
        None, grant_type="refresh_token", client_id=probe.org.client_id, refresh_token=token
    )


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


@pytest.fixture
def rotating(org: InProcess) -> InProcess:
    org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})
    return org


class TestAtOnce:
    async def test_one_of_several_is_answered_and_nobody_is_locked_out(
        self, rotating: InProcess, probe: Probe
    ) -> None:
        rotating.control.set_latency(5)

        answers = await asyncio.gather(*(refresh(probe, rotating.refresh_token) for _ in range(4)))

        granted = [answer.json() for answer in answers if answer.status == 200]
        refused = {refusal(answer) for answer in answers if answer.status != 200}
        assert len(granted) == 1
        assert refused == {PROCESSING}
        assert (await refresh(probe, granted[0]["refresh_token"])).status == 200

    async def test_holds_without_rotation_too(self, org: InProcess, probe: Probe) -> None:
        org.control.set_latency(5)

        answers = await asyncio.gather(*(refresh(probe, org.refresh_token) for _ in range(2)))

        assert sorted(answer.status for answer in answers) == [200, 400]
        assert (await refresh(probe, org.refresh_token)).status == 200

    async def test_ends_when_the_answer_is_lost(self, org: InProcess, probe: Probe) -> None:
        org.control.add_faults({"match": {"times": 1}, "action": {"type": "act-then-reset"}})
        with pytest.raises(ConnectionResetError):
            await refresh(probe, org.refresh_token)

        assert (await refresh(probe, org.refresh_token)).status == 200

    async def test_ends_when_the_client_goes_away(self, org: InProcess, probe: Probe) -> None:
        org.control.set_latency(10_000)
        asking = asyncio.create_task(refresh(probe, org.refresh_token))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        org.control.set_latency(0)

        assert (await refresh(probe, org.refresh_token)).status == 200

    async def test_after_the_other_is_reuse_and_revokes(
        self, rotating: InProcess, probe: Probe
    ) -> None:
        first = (await refresh(probe, rotating.refresh_token)).json()
        probe.access_token = first["access_token"]

        again = await refresh(probe, rotating.refresh_token)

        assert refusal(again) == EXPIRED
        assert refusal(await refresh(probe, first["refresh_token"])) == EXPIRED
        assert (await probe.get("/limits")).status == 401

    async def test_over_sockets(self, over_sockets: Sender) -> None:
        async def ask(org: Emulator) -> tuple[int, dict[str, str]]:
            form = {
                "grant_type": "refresh_token", "client_id": org.client_id,
                "refresh_token": org.refresh_token,
            }  # fmt: skip
            headers: Mapping[str, str] = {"Content-Type": "application/x-www-form-urlencoded"}
            url = f"{org.login_url}/services/oauth2/token"
            status, _, body = await over_sockets("POST", url, headers, urlencode(form).encode())
            return status, json.loads(body)

        async with Emulator(latency_ms=100) as org:
            org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})

            answers = await asyncio.gather(ask(org), ask(org))

        assert sorted(status for status, _ in answers) == [200, 400]
        refused = next(body for status, body in answers if status == 400)
        assert refused["error_description"] == PROCESSING[2]


class TestPolicies:
    async def test_an_idle_token_ends_and_use_extends_it(
        self, org: InProcess, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        org.control.change_app(org.client_id, {"refresh_token_idle_s": 3600})
        seen = []
        for pause in (3599, 3599, 3600):
            clock.advance(pause)
            seen.append((await refresh(probe, org.refresh_token)).status)

        assert seen == [200, 200, 400]

    async def test_a_token_for_a_fixed_time_ends_however_it_is_used(
        self, org: InProcess, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        org.control.change_app(org.client_id, {"refresh_token_life_s": 7200})
        clock.advance(3600)
        before = await refresh(probe, org.refresh_token)
        clock.advance(3600)

        after = await refresh(probe, org.refresh_token)

        assert before.status == 200
        assert refusal(after) == EXPIRED

    async def test_rotation_does_not_lengthen_a_fixed_time(
        self, rotating: InProcess, probe: Probe, clock: Clock
    ) -> None:
        clock.freeze()
        rotating.control.change_app(rotating.client_id, {"refresh_token_life_s": 100})
        clock.advance(60)
        fresh = (await refresh(probe, rotating.refresh_token)).json()["refresh_token"]
        clock.advance(60)

        assert refusal(await refresh(probe, fresh)) == EXPIRED

    async def test_a_token_can_be_worthless_at_once(self, org: InProcess, probe: Probe) -> None:
        org.control.change_app(org.client_id, {"refresh_token_life_s": 0})

        assert refusal(await refresh(probe, org.refresh_token)) == EXPIRED

    async def test_tokens_stay_without_a_policy(
        self, org: InProcess, probe: Probe, clock: Clock
    ) -> None:
        clock.advance(10 * 365 * 86400)

        assert (await refresh(probe, org.refresh_token)).status == 200

    def test_the_sixth_approval_of_a_user_ends_his_oldest(self, org: InProcess) -> None:
        tokens = org.instance.tokens

        def approve(user_id: str) -> str:
            grant = tokens.approve(org.client_id, user_id, "who@example.com", "api")
            assert grant.current is not None
            return grant.current

        other = approve("005another")
        issued = [approve("005somebody") for _ in range(6)]

        assert tokens.refresh_grant(issued[0]) is None
        assert all(tokens.refresh_grant(token) for token in [other, *issued[1:]])
