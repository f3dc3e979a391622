"""The commands that play the others at a login, against an org in a process of its own."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from sfconnect_emulator import cli
from sfconnect_emulator.emulator import Announcement
from sfconnect_emulator.players import PlayError, decide, saml_assertion, subject_token
from sfconnect_emulator.process import launch

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture(scope="module")
def org() -> Iterator[Announcement]:
    with launch() as server:
        yield server.announcement


@pytest.fixture
def callback(org: Announcement) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """An app's listener: its address, and the queries that came."""
    with listening() as (url, seen):
        change_app(org, {"callbacks": [url]})
        yield url, seen


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    seen: list[dict[str, list[str]]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(parse_qs(urlsplit(self.path).query))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/OauthRedirect", seen
        finally:
            server.shutdown()
            thread.join()


def change_app(org: Announcement, changes: dict[str, object]) -> None:
    url = f"{org.control_url}/apps/{org.client_id}"
    with urlopen(Request(url, json.dumps(changes).encode(), method="PATCH"), timeout=10):
        pass


def authorization_url(org: Announcement, callback: str) -> str:
    query = {"response_type": "code", "client_id": org.client_id, "redirect_uri": callback}
    return f"{org.login_url}/services/oauth2/authorize?{urlencode(query)}"


def post(url: str, **form: str) -> dict[str, Any]:
    with urlopen(url, urlencode(form).encode(), timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def device(org: Announcement) -> dict[str, Any]:
    return post(f"{org.login_url}/services/oauth2/device_authorization", client_id=org.client_id)


def decisions(org: Announcement) -> dict[str, bool | None]:
    with urlopen(f"{org.control_url}/devices", timeout=10) as answer:
        return {one["user_code"]: one["allowed"] for one in json.load(answer)}


class TestAllow:
    def test_goes_to_the_app_with_a_code(self, org, callback) -> None:
        url, seen = callback

        code = cli.main(["allow", authorization_url(org, url)])

        assert code == 0
        assert list(seen[0]) == ["code"]

    def test_goes_there_with_an_error_after_the_other_button(self, org, callback) -> None:
        url, seen = callback

        cli.main(["allow", "--deny", authorization_url(org, url)])

        assert seen[0]["error"] == ["access_denied"]

    def test_says_what_a_person_would_have_seen(self, org, capsys) -> None:
        url = authorization_url(org, "http://localhost:1/not-registered")

        code = cli.main(["allow", url])

        assert code == 1
        said = capsys.readouterr().err
        assert said.startswith("sfconnect-emulator: redirect_uri_mismatch: ")

    @pytest.mark.parametrize("button", [[], ["--deny"]])
    def test_decides_about_the_device_whose_code_is_in_the_address(self, org, button) -> None:
        started, other = device(org), device(org)

        cli.main(["allow", *button, started["verification_uri_complete"]])

        found = decisions(org)
        assert found[started["user_code"]] is (not button)
        assert found[other["user_code"]] is None
        cli.main(["allow", other["verification_uri_complete"]])

    def test_waits_for_the_device_and_takes_its_code(self, org) -> None:
        started: list[dict[str, Any]] = []

        def sleep(_pause_s: float) -> None:
            started.append(device(org))

        decide(f"{org.login_url}/setup/connect", allow=True, wait_s=5, sleep=sleep)

        assert decisions(org)[started[0]["user_code"]] is True

    def test_does_not_wait_for_ever(self, org) -> None:
        moments = iter(range(100))

        with pytest.raises(PlayError, match="no device waited within 3 s"):
            decide(
                f"{org.login_url}/setup/connect",
                allow=True,
                wait_s=3,
                clock=lambda: next(moments),
                sleep=lambda _: None,
            )

    def test_does_not_guess_among_several_devices(self, org, capsys) -> None:
        waiting = [device(org), device(org)]

        code = cli.main(["allow", f"{org.login_url}/setup/connect"])

        assert code == 1
        assert "several devices wait" in capsys.readouterr().err
        for one in waiting:
            cli.main(["allow", one["verification_uri_complete"]])

    def test_stays_on_this_machine(self, capsys) -> None:
        assert cli.main(["allow", "https://login.example.com/setup/connect"]) == 1
        assert "is not a loopback address" in capsys.readouterr().err

    def test_says_that_a_server_is_no_org(self) -> None:
        with listening() as (url, _), pytest.raises(PlayError, match="not its control API's"):
            decide(url, allow=True, wait_s=0)


class TestSubjectToken:
    def test_can_be_exchanged(self, org, tmp_path: Path, capsys) -> None:
        file = tmp_path / "org.json"
        facts = {"private_key_file": org.private_key_file, "username": org.username}
        file.write_text(json.dumps(facts))

        code = cli.main(["subject-token", str(file)])

        answer = post(
            f"{org.login_url}/services/oauth2/token",
            grant_type=EXCHANGE,
            client_id=org.client_id,
            subject_token=capsys.readouterr().out.strip(),
            subject_token_type=JWT,
        )
        assert code == 0
        assert answer["access_token"]

    @pytest.mark.parametrize("text", ["", "{}", "[]", "no JSON"])
    def test_needs_the_line_of_an_org(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "org.json"
        file.write_text(text)

        with pytest.raises(ValueError, match="does not hold the line that serve prints"):
            subject_token(file, now=0)


class TestSamlAssertion:
    def test_is_a_login(self, org, tmp_path: Path, capsys) -> None:
        file = tmp_path / "org.json"
        file.write_text(json.dumps({"control_url": org.control_url}))

        code = cli.main(["saml-assertion", str(file)])

        assertion = capsys.readouterr().out.strip().encode()
        answer = post(
            f"{org.login_url}/services/oauth2/token",
            grant_type="urn:ietf:params:oauth:grant-type:saml2-bearer",
            assertion=base64.urlsafe_b64encode(assertion).decode(),
        )
        assert code == 0
        assert answer["access_token"]

    def test_is_asked_for_on_this_machine_only(self, tmp_path: Path) -> None:
        file = tmp_path / "org.json"
        file.write_text(json.dumps({"control_url": "https://example.com/__control__"}))

        with pytest.raises(ValueError, match="is not a loopback address"):
            saml_assertion(file)
