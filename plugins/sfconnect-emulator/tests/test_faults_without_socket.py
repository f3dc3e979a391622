from __future__ import annotations

import gzip
import zlib

import pytest

from sfconnect_emulator.probe import Probe


async def create(probe: Probe) -> int:
    return (await probe.call("POST", "/sobjects/Account", {"Name": "Acme"})).status


class TestAnswersOfOnesOwn:
    async def test_replace_what_the_org_would_do(self, probe: Probe) -> None:
        await probe.login()
        probe.org.control.add_faults(
            {"match": {"nth": 1}, "action": {"type": "respond", "status": 503, "html": "<h1>Down"}}
        )

        first, second = await create(probe), await create(probe)

        assert (first, second) == (503, 201)
        assert probe.org.instance.store.count("Account") == 1

    @pytest.mark.parametrize(
        ("body", "kind", "bytes_"),
        [
            ({"json": [{"errorCode": "X"}]}, "application/json", b'[{"errorCode":"X"}]'),
            ({"json": None}, "application/json", b"null"),
            ({"html": "<p>ä"}, "text/html", "<p>ä".encode()),
            ({"text": "plain"}, "text/plain", b"plain"),
        ],
        ids=["json", "null", "html", "text"],
    )
    async def test_have_the_body_that_was_set(
        self, probe: Probe, body: dict[str, object], kind: str, bytes_: bytes
    ) -> None:
        await probe.login()
        action = {"type": "respond", "status": 500, "headers": {"Retry-After": "3"}, **body}
        probe.org.control.add_faults({"action": action})

        answer = await probe.get("/limits")

        assert (answer.status, answer.body) == (500, bytes_)
        assert answer.headers["Content-Type"].startswith(kind)
        assert answer.headers["Retry-After"] == "3"

    async def test_can_be_empty(self, probe: Probe) -> None:
        await probe.login()
        probe.org.control.add_faults({"action": {"type": "respond", "status": 502}})

        answer = await probe.get("/limits")

        assert (answer.status, answer.body) == (502, b"")

    async def test_can_hit_the_token_endpoint(self, probe: Probe) -> None:
        probe.org.control.add_faults(
            {"match": {"path": "/token$"}, "action": {"type": "respond", "status": 503}}
        )

        assert (await probe.token()).status == 503


class TestSessions:
    async def test_unauthorized_says_401_once_and_the_token_stays_good(self, probe: Probe) -> None:
        await probe.login()
        probe.org.control.add_faults({"match": {"nth": 1}, "action": {"type": "unauthorized"}})

        first, second = await probe.get("/limits"), await probe.get("/limits")

        assert (first.status, second.status) == (401, 200)
        assert first.json()[0]["errorCode"] == "INVALID_SESSION_ID"
        assert "Sforce-Limit-Info" not in first.headers

    async def test_expire_session_kills_the_token_of_the_request_only(self, probe: Probe) -> None:
        other, own = await probe.login(), await probe.login()
        probe.org.control.add_faults({"match": {"nth": 1}, "action": {"type": "expire-session"}})

        statuses = [(await probe.get("/limits")).status for _ in range(2)]
        probe.access_token = other

        assert own != other
        assert statuses == [401, 401]
        assert (await probe.get("/limits")).status == 200

    async def test_revoke_tokens_kills_all_and_can_include_refresh_tokens(
        self, probe: Probe
    ) -> None:
        await probe.login()
        action = {"type": "revoke-tokens", "refresh_tokens": True}
        probe.org.control.add_faults({"match": {"nth": 1}, "action": action})

        answer = await probe.get("/limits")
        refreshed = await probe.token(
            grant_type="refresh_token",
            client_id=probe.org.client_id,
            refresh_token=probe.org.refresh_token,
        )

        assert answer.status == 401
        assert refreshed.json()["error_description"] == "expired access/refresh token"


class TestConnections:
    async def test_reset_happens_before_the_org_acts(self, probe: Probe) -> None:
        await probe.login()
        probe.org.control.add_faults({"action": {"type": "reset"}})

        with pytest.raises(ConnectionResetError):
            await create(probe)

        assert probe.org.instance.store.count("Account") == 0

    async def test_act_then_reset_happens_after(self, probe: Probe) -> None:
        await probe.login()
        probe.org.control.add_faults({"action": {"type": "act-then-reset"}})

        with pytest.raises(ConnectionResetError):
            await create(probe)

        assert probe.org.instance.store.count("Account") == 1
        assert [write.action for write in probe.org.control.ledger()] == ["created"]

    async def test_cut_answers_are_errors(self, probe: Probe) -> None:
        await probe.login()
        probe.org.control.add_faults({"action": {"type": "cut", "after_bytes": 3}})

        with pytest.raises(ConnectionResetError, match="3 bytes"):
            await probe.get("/limits")

    async def test_delay_and_drip_answer_in_the_end(self, probe: Probe) -> None:
        await probe.login()
        probe.org.control.add_faults(
            [
                {"match": {"nth": 1}, "action": {"type": "delay", "delay_ms": 1}},
                {
                    "match": {"nth": 2},
                    "action": {"type": "drip", "piece_bytes": 500, "pause_ms": 1},
                },
            ]
        )
        probe.org.control.set_latency(1)

        assert [(await probe.get("/limits")).status for _ in range(2)] == [200, 200]

    @pytest.mark.parametrize("accept", ["gzip", "identity"])
    async def test_corrupt_gzip_does_not_decompress(self, probe: Probe, accept: str) -> None:
        await probe.login()
        probe.org.control.add_faults({"action": {"type": "corrupt-gzip"}})

        answer = await probe.get("/limits", headers={"Accept-Encoding": accept})

        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
        with pytest.raises(zlib.error):
            gzip.decompress(answer.body)


async def test_faults_are_counted_by_name_and_can_be_cleared(probe: Probe) -> None:
    await probe.login()
    respond = {"type": "respond", "status": 503}
    probe.org.control.add_faults([{"name": "outage", "action": respond}])
    await probe.get("/limits")
    probe.org.control.clear_faults()

    assert (await probe.get("/limits")).status == 200
    assert probe.org.control.statistics()["faults"] == {"outage": 1}
    assert probe.org.control.faults() == ()
