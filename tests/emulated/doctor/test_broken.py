"""Each broken org has one failing line, and the fix for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import trustme

from sfconnect.auth.key_pairs import make_key_pair
from sfconnect_emulator import Emulator
from tests.emulated.doctor.conftest import (
    Doctor,
    by_key,
    by_secret,
    free_port,
    front,
    named,
    results,
    server_side,
    the_failure,
    the_warning,
    was_asked_for_a_login,
)

JSON = "application/json"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Acme proxies")


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def port_of(org: Emulator) -> int:
    return int(org.login_url.rpartition(":")[2])


def new_pair(folder: Path, *, days: int = 365, age_days: int = 0) -> dict[str, object]:
    """Make a pair of files, as options."""
    now = dt.datetime.now(dt.UTC).timestamp() - age_days * 86_400
    pair = make_key_pair(bits=2048, days=days, common_name="app", now=now)
    (folder / "server.key").write_text(pair.private_pem.reveal())
    (folder / "server.crt").write_text(pair.certificate_pem)
    return {"private_key_file": "server.key", "certificate_file": "server.crt"}


# The way there


async def test_a_host_that_does_not_exist(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(**{**by_secret(org), "login_url": "https://acme.invalid"})

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("dns", 1)
    assert "The name of the host acme.invalid cannot be resolved" in found.message
    assert "Setup → My Domain" in (found.fix or "")
    assert named(done, "limits").message == "not tried: dns failed"


async def test_a_host_name_that_no_host_can_have(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(**{**by_secret(org), "login_url": f"https://{'a' * 64}.example"})

    assert the_failure(done).name == "dns"


async def test_a_port_where_nothing_listens(doctor: Doctor, org: Emulator) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    done = await doctor(**{**by_secret(org), "login_url": url})

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("tcp", 1)
    assert found.message.endswith("connection refused.")
    assert "Check host and port of login_url" in (found.fix or "")
    assert named(done, "login").message == "not tried: tcp failed"


async def test_a_certificate_that_a_ca_of_the_organisation_issued(
    doctor: Doctor, org: Emulator, authority: trustme.CA, ca_file: Path
) -> None:
    async with front(port_of(org), server_side(authority.issue_cert("localhost"))) as (port, _):
        url = f"https://localhost:{port}"
        refused = await doctor(**{**by_secret(org), "login_url": url})
        trusted = await doctor(**{**by_secret(org), "login_url": url}, ca_file=ca_file)

    found = the_failure(refused)
    assert (found.name, refused.exit_code) == ("tls", 1)
    assert "is not trusted: it is issued by 'Acme proxies'" in found.message
    assert "set ca_file (SFCONNECT_CA_FILE) to it" in (found.fix or "")
    assert named(trusted, "tls").message.startswith("trusted, and good until ")
    assert trusted.exit_code == 0


async def test_a_ca_file_without_the_issuer(
    doctor: Doctor, org: Emulator, authority: trustme.CA, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    async with front(port_of(org), server_side(authority.issue_cert("localhost"))) as (port, _):
        url = f"https://localhost:{port}"
        done = await doctor(**{**by_secret(org), "login_url": url}, ca_file="other.pem")

    assert (the_failure(done).fix or "").endswith("does not hold that issuer: add it there.")


async def test_a_certificate_that_has_expired(
    doctor: Doctor, org: Emulator, authority: trustme.CA, ca_file: Path
) -> None:
    old = authority.issue_cert("localhost", not_after=dt.datetime(2024, 5, 1, tzinfo=dt.UTC))
    async with front(port_of(org), server_side(old)) as (port, _):
        url = f"https://localhost:{port}"
        done = await doctor(**{**by_secret(org), "login_url": url}, ca_file=ca_file)

    found = the_failure(done)
    assert found.name == "tls"
    assert found.message.endswith("to 2024-05-01.")
    assert "Check this machine's clock" in (found.fix or "")


async def test_a_certificate_that_is_about_to_expire(
    doctor: Doctor, org: Emulator, authority: trustme.CA, ca_file: Path
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
    certificate = authority.issue_cert("localhost", not_after=soon)
    async with front(port_of(org), server_side(certificate)) as (port, _):
        url = f"https://localhost:{port}"
        done = await doctor(**{**by_secret(org), "login_url": url}, ca_file=ca_file)

    assert the_warning(done).name == "tls"


async def test_a_certificate_of_another_host(
    doctor: Doctor, org: Emulator, authority: trustme.CA, ca_file: Path
) -> None:
    other = server_side(authority.issue_cert("login.example", "www.example"))
    async with front(port_of(org), other) as (port, _):
        url = f"https://localhost:{port}"
        done = await doctor(**{**by_secret(org), "login_url": url}, ca_file=ca_file)

    found = the_failure(done)
    assert found.message == (
        "The certificate is for login.example, www.example, and not for localhost."
    )
    assert "a proxy answers in its place" in (found.fix or "")


async def test_a_port_that_does_not_speak_tls(doctor: Doctor, org: Emulator) -> None:
    url = org.login_url.replace("http://127.0.0.1", "https://localhost")

    done = await doctor(**{**by_secret(org), "login_url": url})

    found = the_failure(done)
    assert found.name == "tls"
    assert "names a port that speaks TLS" in (found.fix or "")


async def test_a_proxy_is_asked_for_a_way_through(
    doctor: Doctor,
    org: Emulator,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = server_side(authority.issue_cert("acme.my.salesforce.com"))
    async with (
        front(port_of(org), context) as (behind, _),
        front(behind, None, greeting=True) as (port, heads),
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:l%40velace@127.0.0.1:{port}")
        done = await doctor(
            login=False,
            **{**by_secret(org), "login_url": "https://acme.my.salesforce.com"},
            ca_file=ca_file,
        )

    assert named(done, "tcp").message == (
        f"acme.my.salesforce.com:443 takes connections through the proxy 127.0.0.1:{port}"
    )
    assert [results(done)[name] for name in ("dns", "tls", "discovery")] == ["pass"] * 3
    assert all(head.startswith(b"CONNECT acme.my.salesforce.com:443 ") for head in heads)
    assert b"Proxy-Authorization: Basic YWRhOmxAdmVsYWNl" in heads[0]
    assert "velace" not in str(done.checks)


@pytest.mark.parametrize("answer", ["web page", "nothing"])
async def test_a_proxy_that_lets_nobody_through(
    doctor: Doctor, org: Emulator, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    if answer == "nothing":
        org.control.add_faults([{"action": {"type": "reset"}}])
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port_of(org)}")

    done = await doctor(**{**by_secret(org), "login_url": "https://acme.my.salesforce.com"})

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("tcp", 1)
    assert "does not let this machine through" in found.message or "reset" in found.message
    assert "NO_PROXY" in (found.fix or "")


@pytest.mark.parametrize(
    ("proxy", "name"), [("http://proxy.invalid:3128", "dns"), ("http://127.0.0.1:{port}", "tcp")]
)
async def test_a_proxy_that_is_not_there(
    doctor: Doctor, org: Emulator, monkeypatch: pytest.MonkeyPatch, proxy: str, name: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(port=free_port()))

    done = await doctor(**{**by_secret(org), "login_url": "https://acme.my.salesforce.com"})

    found = the_failure(done)
    assert found.name == name
    assert "the proxy" in found.message
    assert found.fix == "Check HTTPS_PROXY, or add the login's host to NO_PROXY."


# The server


@pytest.mark.parametrize(
    ("action", "message", "fix"),
    [
        ({"status": 200, "html": "<html>Please log in"}, "with a web page (status 200)", "proxy"),
        ({"status": 404, "json": {}}, "with status 404", "My Domain"),
        (
            {"status": 200, "json": {"issuer": "x"}},
            "JSON that names no token_endpoint",
            "My Domain",
        ),
        ({"status": 200, "json": [1]}, "JSON that names no token_endpoint", "My Domain"),
        ({"status": 200, "text": "hello"}, "something that is not JSON", "My Domain"),
        ({"status": 503, "text": "down"}, "has a fault (status 503)", "Try again in a while"),
        (
            {"status": 302, "headers": {"Location": "https://u:p@other.example/x?y"}},
            "sends on to https://other.example; a login does not follow",
            "Set login_url to https://other.example.",
        ),
        ({"status": 302}, "with status 302", "My Domain"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_server_that_is_no_salesforce_is_sent_no_secret(
    doctor: Doctor, org: Emulator, action: dict[str, object], message: str, fix: str
) -> None:
    rule = {"match": {"path": "well-known"}, "action": {"type": "respond", **action}}
    org.control.add_faults([rule])

    done = await doctor(**by_secret(org))

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("discovery", 1)
    assert message in found.message
    assert fix in (found.fix or "")
    assert named(done, "login").message == "not tried: discovery failed"
    assert not was_asked_for_a_login(org)


@pytest.mark.parametrize(("ahead_s", "word"), [(600, "behind"), (-600, "ahead of")])
async def test_a_clock_that_is_off_fails_a_login_that_signs(
    doctor: Doctor, org: Emulator, ahead_s: float, word: str
) -> None:
    org.control.advance_clock(ahead_s)

    done = await doctor(login=False, **by_key(org))

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("clock", 1)
    assert f"s {word} the server's." in found.message
    assert found.fix == "Set this machine's clock by NTP, such as: timedatectl set-ntp true"


async def test_a_clock_that_is_off_is_to_be_looked_at_where_nothing_is_signed(
    doctor: Doctor, org: Emulator
) -> None:
    org.control.advance_clock(600)

    assert the_warning(await doctor(**by_secret(org))).name == "clock"


async def test_a_clock_that_is_a_little_off_passes_with_a_number(
    doctor: Doctor, org: Emulator
) -> None:
    org.control.advance_clock(30)

    done = await doctor(login=False, **by_key(org))

    assert named(done, "clock").result == "pass"
    assert "s behind the server's." in named(done, "clock").message


async def test_a_server_that_tells_no_time_is_passed_over(doctor: Doctor, org: Emulator) -> None:
    odd = {"status": 200, "json": {"token_endpoint": "x"}, "headers": {"Date": "soon"}}
    rule = {"match": {"path": "well-known"}, "action": {"type": "respond", **odd}}
    org.control.add_faults([rule])

    assert results(await doctor(**by_secret(org)))["clock"] == "skip"


# What is here


async def test_a_key_of_another_certificate(doctor: Doctor, org: Emulator, tmp_path: Path) -> None:
    new_pair(tmp_path)

    done = await doctor(**by_key(org), certificate_file="server.crt")

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("certificate", 3)
    assert "The key that signs does not belong to the certificate" in found.message
    assert "made together" in (found.fix or "")
    assert named(done, "login").message == "not tried: certificate failed"


async def test_a_key_that_cannot_be_read(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(**{**by_key(org), "private_key_file": "nowhere.key"})

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("key", 3)
    assert "nowhere.key cannot be read" in found.message
    assert named(done, "login").message == "not tried: key failed"


@pytest.mark.parametrize(("days", "age", "result"), [(1, 10, "fail"), (20, 0, "warn")])
async def test_a_certificate_that_has_to_be_renewed(  # noqa: PLR0917  # three of them are fixtures
    doctor: Doctor, org: Emulator, tmp_path: Path, days: int, age: int, result: str
) -> None:
    pair = new_pair(tmp_path, days=days, age_days=age)
    certificate = (tmp_path / "server.crt").read_text()
    org.control.change_app(org.client_id, {"certificate": certificate})

    done = await doctor(**{**by_key(org), **pair})

    found = the_failure(done) if result == "fail" else the_warning(done)
    assert (found.name, done.exit_code) == ("certificate_expiry", 3 if result == "fail" else 0)
    assert "sfconnect auth keygen" in (found.fix or "")
    assert results(done)["login"] == "pass"


async def test_options_that_make_no_login(doctor: Doctor) -> None:
    done = await doctor(auth="client-credentials", login_url="https://acme.my.salesforce.com")

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("options", 1)
    assert "lacks what it needs: client_id." in found.message
    assert "SFCONNECT_CLIENT_ID" in (found.fix or "")


async def test_a_slip_in_a_variable_is_to_be_looked_at(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(**by_secret(org), client_aut="body")

    found = the_warning(done)
    assert found.name == "options"
    assert "did you mean SFCONNECT_CLIENT_AUTH?" in found.message


async def test_a_login_that_cannot_be_used_here_says_what_is_missing(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    found = the_failure(await doctor(auth="sfcli", target_org="dev"))

    assert found.name == "options"
    assert found.message == "sfcli cannot be used here."
    assert "The Salesforce CLI (sf) is not there." in (found.fix or "")


# The login, and what it may do


async def test_an_app_that_is_not_known(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(**{**by_secret(org), "client_id": "3MVG9wrong"})

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("login", 3)
    assert "No app with this consumer key is known here." in found.message
    assert "Check client_id" in (found.fix or "")


async def test_a_user_for_whom_no_admin_has_approved_the_app(doctor: Doctor, org: Emulator) -> None:
    org.control.change_app(org.client_id, {"approved_users": ["somebody@else.example"]})

    done = await doctor(**by_key(org))

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("login", 3)
    assert "permission set or profile" in (found.fix or "")
    assert named(done, "api").message == "not tried: login failed"


async def test_a_token_that_is_dead(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(auth="access-token", instance_url=org.login_url, access_token="00D!dead")

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("user", 3)
    assert "client-credentials or jwt-bearer" in (found.fix or "")
    assert "00D!dead" not in str(done.checks)
    assert named(done, "api").message == "not tried: user failed"


async def test_a_person_whose_login_is_not_there(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(auth="authorization-code", login_url=org.login_url, client_id=org.client_id)

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("login", 3)
    assert "sfconnect login" in (found.fix or "")


async def test_a_resource_of_another_api_that_is_not_there(doctor: Doctor, org: Emulator) -> None:
    done = await doctor(
        auth="oauth2-client-credentials",
        token_url=f"{org.login_url}/services/oauth2/token",
        base_url=org.login_url,
        client_id=org.client_id,
        client_secret=org.client_secret,
        path="/services/data/v60.0/nothing?q=1",
    )

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("api", 1)
    assert found.fix == "Check the path, and that the login may read it."


async def test_an_issuer_that_gives_no_tokens(doctor: Doctor, org: Emulator) -> None:
    document = {"issuer": org.login_url, "authorization_endpoint": f"{org.login_url}/a"}
    action = {"type": "respond", "status": 200, "json": document}
    org.control.add_faults([{"match": {"path": "well-known"}, "action": action}])

    done = await doctor(
        auth="oauth2-client-credentials",
        issuer=org.login_url,
        base_url=org.login_url,
        client_id=org.client_id,
        client_secret=org.client_secret,
    )

    found = the_failure(done)
    assert (found.name, found.fix) == ("discovery", "Give token_url.")


async def test_a_user_without_api_access(doctor: Doctor, org: Emulator) -> None:
    org.control.change_org({"users_without_api": [org.username]})

    done = await doctor(**by_secret(org))

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("api", 1)
    assert "API Enabled" in (found.fix or "")
    assert results(done)["user"] == "pass"
    assert named(done, "org").message == "not tried: api failed"


async def test_an_app_without_the_scope_of_the_api(doctor: Doctor, org: Emulator) -> None:
    org.control.change_app(org.client_id, {"scopes": ["openid", "refresh_token"]})

    done = await doctor(**by_key(org))

    found = the_failure(done)
    assert (found.name, done.exit_code) == ("scopes", 3)
    assert found.message == ("The token may not call the API: its scopes are openid refresh_token.")
    assert "Manage user data via APIs (api)" in (found.fix or "")
    assert results(done)["user"] == "pass"


async def test_a_daily_limit_that_is_nearly_used_up(doctor: Doctor, org: Emulator) -> None:
    org.control.set_daily_api_requests(3)

    found = the_warning(await doctor(**by_secret(org)))

    assert found.name == "limits"
    assert "0 of 3 calls within 24 hours are left" in found.message
    assert "REQUEST_LIMIT_EXCEEDED" in (found.fix or "")


async def test_a_daily_limit_that_is_used_up(doctor: Doctor, org: Emulator) -> None:
    org.control.set_daily_api_requests(0)

    found = the_failure(await doctor(**by_secret(org)))

    assert found.name == "api"
    assert "REQUEST_LIMIT_EXCEEDED" in found.message


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("well-known", "discovery"),
        ("oauth2/token", "login"),
        ("oauth2/userinfo", "user"),
        ("data/v68.0/?$", "api"),
        ("data/v68.0/query", "org"),
    ],
)
@pytest.mark.parametrize(
    "action",
    [
        {"type": "respond", "status": 200, "text": "\x00 odd"},
        {"type": "respond", "status": 200, "json": [[]]},
        {"type": "respond", "status": 200, "json": {"records": 7, "access_token": 3}},
        {"type": "respond", "status": 418, "html": "<h1>teapot</h1>"},
        {"type": "reset"},
        {"type": "cut", "after_bytes": 3},
    ],
    ids=lambda value: str(value)[:60],
)
async def test_an_odd_answer_is_a_finding(
    doctor: Doctor, org: Emulator, path: str, name: str, action: dict[str, object]
) -> None:
    org.control.add_faults([{"match": {"path": path}, "action": action}])

    done = await doctor(**by_secret(org))

    failures = [check for check in done.checks if check.result == "fail"]
    assert [check.name for check in failures] == [name]
    assert "Unexpected" not in failures[0].message
    assert org.client_secret not in str(done.checks)
