"""Clock, quotas, keys, request log, ledger: the parts that everything else leans on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

import sfconnect_emulator
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.emulator import Emulator
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.keys import KeyPair, process_key_pair
from sfconnect_emulator.ledger import Ledger
from sfconnect_emulator.limits import ApiUsage, limits_document
from sfconnect_emulator.probe import Probe
from sfconnect_emulator.settings import Registration, Settings

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Noting(Clock):
    """A clock that sleeps in no time, and notes for how long."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class TestClock:
    def test_runs_with_real_time(self) -> None:
        before = datetime.now(UTC)

        assert before <= Clock().now() <= datetime.now(UTC)

    def test_stands_where_it_was_started(self) -> None:
        assert Clock(NOON).now() == NOON

    @given(st.lists(st.floats(-1e6, 1e6), max_size=8))
    def test_moves_by_the_sum_of_its_advances(self, steps: list[float]) -> None:
        clock = Clock(NOON)

        for step in steps:
            clock.advance(step)

        assert clock.time() == pytest.approx(NOON.timestamp() + sum(steps), abs=1e-3)

    def test_freezes_where_it_stands_after_having_been_moved(self) -> None:
        clock = Clock()
        clock.advance(3600)

        frozen = clock.freeze()

        assert frozen == clock.now()
        assert frozen > datetime.now(UTC) + timedelta(minutes=59)

    def test_goes_back_to_real_time(self) -> None:
        clock = Clock(NOON)
        clock.advance(5)

        clock.reset()

        assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)

    def test_formats_dates_for_http_and_notices_each_new_second(self) -> None:
        clock = Clock(NOON)
        first, same = clock.http_date(), clock.http_date()
        clock.advance(1)

        assert first == same == "Mon, 23 Nov 2026 12:00:00 GMT"
        assert parsedate_to_datetime(clock.http_date()) == NOON + timedelta(seconds=1)

    async def test_of_a_tests_own_decides_how_the_latency_of_answers_passes(self) -> None:
        clock = Noting()

        with InProcess(clock=clock) as org:
            await org.handle("GET", f"{org.instance_url}/services/data", {})
            org.control.set_latency(60_000)
            await org.handle("GET", f"{org.instance_url}/services/data", {})
        async with (
            Emulator(clock=clock, latency_ms=30_000) as emulator,
            aiohttp.ClientSession() as http,
            http.get(f"{emulator.instance_url}/services/data") as answer,
        ):
            assert answer.status == 200

        assert clock.slept == [60.0, 30.0]


class TestApiUsage:
    def test_refuses_beyond_its_maximum_without_counting(self) -> None:
        usage = ApiUsage(Clock(NOON), maximum=2)

        assert [usage.count() for _ in range(4)] == [True, True, False, False]
        assert usage.used == 2
        assert usage.header() == "api-usage=2/2"

    @given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=30))
    def test_counts_what_happened_in_the_last_24_hours(self, hours: list[tuple[int, int]]) -> None:
        clock = Clock(NOON)
        usage = ApiUsage(clock)
        calls: list[float] = []

        for pause, count in hours:
            clock.advance(pause * 3600)
            for _ in range(count):
                usage.count()
                calls.append(clock.time())

        recent = [at for at in calls if at > clock.time() - 24 * 3600]
        assert usage.used == len(recent)

    def test_shows_nothing_left_rather_than_less(self) -> None:
        usage = ApiUsage(Clock(NOON), maximum=5)
        for _ in range(5):
            usage.count()
        usage.maximum = 3

        assert limits_document(usage, 68)["DailyApiRequests"] == {"Max": 3, "Remaining": 0}

    def test_lists_limits_in_alphabetical_order(self) -> None:
        names = list(limits_document(ApiUsage(Clock(NOON)), 68))

        assert names == sorted(names)
        assert len(names) > 35


class TestKeys:
    def test_certificate_belongs_to_the_private_key(self) -> None:
        pair = process_key_pair()

        key = serialization.load_pem_private_key(pair.private_key.encode(), password=None)
        certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
        assert isinstance(key, rsa.RSAPrivateKey)
        assert certificate.public_key() == key.public_key()
        assert len(pair.certificate) < 4096

    def test_are_made_once_per_process_unless_asked_for(self) -> None:
        assert process_key_pair() is process_key_pair()
        assert KeyPair.generate().private_key != process_key_pair().private_key

    def test_do_not_show_in_representations(self) -> None:
        pair = process_key_pair()

        assert "PRIVATE" not in repr(pair)
        assert "PRIVATE" not in repr(Registration.from_seed(7, pair))


class TestRequestLog:
    async def test_has_one_line_per_request_without_secrets(self, tmp_path: Path) -> None:
        file = tmp_path / "log.jsonl"
        with InProcess(request_log=file, clock=Clock(NOON)) as org:
            probe = Probe(org)
            await probe.call("POST", "/sobjects/Account", {"Name": "Canary"})
            org.control.add_faults({"name": "down", "action": {"type": "respond", "status": 503}})
            await probe.get("/limits?a=1")
            secrets = [org.client_secret, probe.access_token, "Canary"]

        text = file.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        assert [(line["method"], line["status"]) for line in lines] == [
            ("POST", 200), ("POST", 201), ("GET", 503),
        ]  # fmt: skip
        assert lines[1]["at"] == NOON.isoformat()
        assert lines[1]["request_bytes"] == len(b'{"Name":"Canary"}')
        assert (lines[2]["query"], lines[2]["fault"]) == ("a=1", "down")
        assert len({line["request_id"] for line in lines}) == 3
        assert not [secret for secret in secrets if secret in text]

    async def test_is_appended_to(self, tmp_path: Path) -> None:
        file = tmp_path / "log.jsonl"
        for _ in range(2):
            with InProcess(request_log=file) as org:
                await Probe(org).send("GET", "/services/data")

        assert len(file.read_text(encoding="utf-8").splitlines()) == 2

    async def test_leaves_control_requests_out(self, tmp_path: Path) -> None:
        file = tmp_path / "log.jsonl"
        with InProcess(request_log=file) as org:
            await Probe(org).send("GET", "/__control__/stats")

        assert file.read_text(encoding="utf-8") == ""


def test_ledger_numbers_writes_from_one_and_keeps_a_bounded_many() -> None:
    ledger = Ledger(kept=3)
    for number in range(5):
        ledger.add(
            at="now", request_id=str(number), method="POST", path="/", action="created",
            sobject="Account", record_id="001",
        )  # fmt: skip

    assert ledger.count == 5
    assert [write.number for write in ledger.writes] == [3, 4, 5]
    ledger.clear()
    assert (ledger.count, ledger.writes) == (0, ())


class TestSettings:
    def test_have_the_defaults_of_the_command(self) -> None:
        settings = Settings.from_options({})

        assert (settings.seed, settings.token_ttl_s, settings.bulk_page_rows) == (7, 7200, 50_000)

    def test_take_faults_as_values_of_json(self) -> None:
        settings = Settings.from_options({"faults": [{"action": {"type": "reset"}}]})

        assert [rule.label for rule in settings.faults] == ["reset"]

    def test_refuse_options_that_do_not_exist(self) -> None:
        with pytest.raises(TypeError, match="latency"):
            Settings.from_options({"latency": 5})  # type: ignore[typeddict-unknown-key] # the point


class TestPackage:
    def test_exports_what_it_says(self) -> None:
        for name in sfconnect_emulator.__all__:
            assert getattr(sfconnect_emulator, name).__name__ == name

    def test_has_nothing_else(self) -> None:
        with pytest.raises(AttributeError, match="Nothing"):
            getattr(sfconnect_emulator, "Nothing")  # noqa: B009 - mypy would object to a plain one


async def test_every_user_of_the_org_can_be_found_by_login_name_and_id(org: InProcess) -> None:
    directory = org.instance.directory

    for user in org.instance.org.users:
        by_name, by_id = directory.by_username(user.username.upper()), directory.by_id(user.id[:15])
        assert by_name == by_id
        assert by_name is not None
        assert (by_name.name, by_name.is_active) == (user.name, user.is_active)
    assert directory.by_username("") is None
    assert directory.by_id("005") is None


async def test_a_user_created_over_rest_can_log_in_at_once(probe: Probe) -> None:
    profile = (await probe.get("/query?q=SELECT+Id+FROM+Profile+LIMIT+1")).json()["records"][0]
    created = await probe.call(
        "POST",
        "/sobjects/User",
        {
            "Username": "new@example.com", "LastName": "New", "Email": "new@example.com",
            "CommunityNickname": "new", "Alias": "new", "IsActive": True,
            "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US",
            "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "ProfileId": profile["Id"],
        },
    )  # fmt: skip
    assert created.status == 201
    probe.org.control.change_app(probe.org.client_id, {"run_as": "new@example.com"})

    await probe.login()

    assert (
        next(
            session.user_id
            for session in probe.org.instance.tokens.live()
            if session.token == probe.access_token
        )
        == created.json()["id"]
    )


@pytest.mark.parametrize(
    "options",
    [
        {"latency_ms": float("inf")}, {"latency_ms": float("nan")}, {"latency_ms": -1},
        {"token_ttl_s": float("inf")}, {"bulk_seconds": -0.1}, {"bulk_page_rows": 0},
    ],
    ids=str,
)  # fmt: skip
def test_settings_refuse_senseless_numbers(options: dict[str, float]) -> None:
    (name,) = options

    with pytest.raises(ValueError, match=name):
        Settings(**options)  # type: ignore[arg-type] # what is wrong with them is the value
