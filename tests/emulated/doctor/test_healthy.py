"""The doctor finds nothing wrong with what works, and says what it has not tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfconnect.cli.app import run
from sfconnect_emulator import Emulator
from sfconnect_emulator.keys import process_key_pair
from tests.emulated.doctor.conftest import (
    Doctor,
    by_key,
    by_secret,
    named,
    results,
    the_warning,
    was_asked_for_a_login,
)

NAMES = [
    *("options", "dns", "tcp", "tls", "discovery", "clock", "key", "certificate"),
    *("certificate_expiry", "flow", "login", "scopes", "user", "api", "org", "limits"),
    "environment",
]
AFTER_LOGIN = ["scopes", "user", "api", "org", "limits"]


async def test_a_login_by_secret_passes_from_options_to_limits(
    doctor: Doctor, org: Emulator
) -> None:
    done = await doctor(**by_secret(org))

    assert [check.name for check in done.checks] == NAMES
    skipped = {name for name, result in results(done).items() if result == "skip"}
    assert skipped == {"tls", "key", "certificate", "certificate_expiry"}
    assert set(results(done).values()) == {"pass", "skip"}
    assert done.exit_code == 0


async def test_a_login_by_key_is_told_of_key_and_certificate(
    doctor: Doctor, org: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "server.crt").write_text(process_key_pair().certificate)

    done = await doctor(**by_key(org), certificate_file="server.crt")

    assert {name for name, result in results(done).items() if result == "skip"} == {"tls"}
    assert named(done, "key").message == "an RSA key of 2048 bits"
    assert "belongs to the key; compare in the app: SHA-256 " in named(done, "certificate").message
    assert "more days" in named(done, "certificate_expiry").message


async def test_what_was_found_is_told(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(**by_secret(org))

    assert f"client-credentials at {org.login_url}" in named(done, "options").message
    assert org.username in named(done, "user").message
    assert org.instance.org.org_id in named(done, "org").message
    assert "profile System Administrator" in named(done, "org").message
    assert named(done, "scopes").message == "granted: api cdp_query_api openid"
    assert named(done, "limits").message.endswith("of 5,000,000 calls within 24 hours are left")
    assert named(done, "environment").message == "the org is a production or developer org"


async def test_without_being_asked_to_nobody_is_logged_in(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(login=False, **by_secret(org))

    assert not was_asked_for_a_login(org)
    for name in ("login", *AFTER_LOGIN):
        assert named(done, name).message == "not tried: --login"
    assert (results(done)["clock"], done.exit_code) == ("pass", 0)


async def test_no_secret_is_told(doctor: Doctor, org: Emulator) -> None:
    everything = await doctor(**by_secret(org))

    told = " ".join(f"{check.message} {check.fix}" for check in everything.checks)
    assert org.client_secret not in told
    assert "!" not in told  # as in a token


async def test_a_renewed_token_is_kept_where_programs_look_for_it(
    doctor: Doctor, org: Emulator
) -> None:
    org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})
    options = {
        "auth": "refresh-token",
        "login_url": org.login_url,
        "client_id": org.client_id,
        "refresh_token": org.refresh_token,
        "token_store": "file",
    }

    first = await doctor(**options)
    second = await doctor(**options)

    assert "got a token" in named(first, "login").message
    assert "the token that the store 'file' has is used" in named(second, "login").message
    assert (first.exit_code, second.exit_code) == (0, 0)


async def test_a_login_that_is_about_to_end_is_to_be_looked_at(
    doctor: Doctor, org: Emulator
) -> None:
    done = await doctor(
        login=False,
        auth="device",
        login_url=org.login_url,
        client_id=org.client_id,
        accept_restricted="true",
    )

    found = the_warning(done)
    assert found.name == "flow"
    assert "ends on 30 November 2026" in found.message
    assert "authorization-code" in (found.fix or "")


async def test_a_login_without_an_address_is_tried_all_the_same(doctor: Doctor) -> None:
    done = await doctor(login=False, auth="process", command="nothing --of-the-kind")

    for name in ("dns", "tcp", "tls", "discovery", "clock", "environment"):
        assert named(done, name).result == "skip"
    assert named(done, "login").message == "not tried: --login"


async def test_another_api_is_checked_by_the_same_checks(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(
        auth="oauth2-client-credentials",
        issuer=org.login_url,
        base_url=org.login_url,
        client_id=org.client_id,
        client_secret=org.client_secret,
        path="/services/data/v60.0/limits",
    )

    assert set(results(done)) == set(NAMES) - {"user", "org", "limits", "environment"}
    assert named(done, "discovery").message.endswith("/services/oauth2/token")
    assert results(done)["clock"] == "pass"
    assert named(done, "api").message == "/services/data/v60.0/limits can be read"


async def test_another_api_without_issuer_and_path_says_what_could_be_given(
    doctor: Doctor, org: Emulator
) -> None:
    done = await doctor(
        auth="oauth2-client-credentials",
        token_url=f"{org.login_url}/services/oauth2/token",
        base_url=org.login_url,
        client_id=org.client_id,
        client_secret=org.client_secret,
    )

    assert (results(done)["discovery"], results(done)["clock"]) == ("skip", "pass")
    assert named(done, "api").fix == "Name one that the login may read: --path /…"


async def test_a_tenant_of_data_360_is_no_org(
    doctor: Doctor, org: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "server.crt").write_text(process_key_pair().certificate)
    given = {**by_key(org), "auth": "data360", "base": "jwt-bearer"}

    done = await doctor(**given, certificate_file="server.crt")

    assert set(results(done)) == set(NAMES) - {"scopes", "user", "org", "limits"}
    assert [results(done)[name] for name in ("key", "certificate", "login")] == ["pass"] * 3
    assert (results(done)["api"], done.exit_code) == ("skip", 0)


def test_the_command_prints_lines_or_an_array(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SFCONNECT_AUTH", "basic")

    code = run(["auth", "doctor"])
    text = capsys.readouterr().out
    code_json = run(["auth", "doctor", "--json"])
    known = json.loads(capsys.readouterr().out)

    assert (code, code_json) == (1, 1)
    assert text.startswith("FAIL  options             'basic' lacks what it needs: username, ")
    assert text.endswith("1 failed, 16 skipped.\n")
    assert max(map(len, text.splitlines())) <= 80
    assert [one["name"] for one in known] == NAMES
    assert [one["result"] for one in known] == ["fail", *["skip"] * 16]
    assert known[1]["message"] == "not tried: options failed"
    assert set(known[0]) == {"name", "result", "message", "fix"}
