"""``login`` and ``logout``: a person at a terminal, with a browser and without one."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from socket import create_server

import pytest

#: Stands for a browser: logs in, presses a button, and goes where that leads.
VISITOR = """
import asyncio, sys
import urllib.request, urllib.error
from sfconnect_emulator.browsing import Browser

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay())

def ask(method, url, headers, body):
    request = urllib.request.Request(url, body or None, dict(headers), method=method)
    try:
        with opener.open(request, timeout=15) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, dict(answer.headers), answer.read()

async def send(method, url, headers, body):
    return await asyncio.to_thread(ask, method, url, headers, body)

async def main(username, password, button, follow, url):
    browser = Browser(send)
    page = await browser.login(await browser.open(url), username, password)
    page = page if page.location else await browser.submit(page, button)
    print(page.location, flush=True)
    if follow == "follow":
        back = await browser.open(page.location)
        await browser.open(back.url.partition("/Oauth")[0] + back.location)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def visitor(tmp_path: Path) -> Path:
    path = tmp_path / "visitor.py"
    path.write_text(VISITOR)
    return path


@pytest.fixture
def port() -> int:
    with closing(create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def callback(org, port, control_app) -> str:
    uri = f"http://localhost:{port}/OauthRedirect"
    control_app({"callbacks": [uri], "admin_approval": False})
    return uri


@pytest.fixture
def control_app(org) -> Callable[[dict[str, object]], None]:
    def change(changes: dict[str, object]) -> None:
        url = f"{org.control_url}/apps/{org.client_id}"
        request = urllib.request.Request(url, json.dumps(changes).encode(), method="PATCH")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    return change


@pytest.fixture
def person(environ, org, callback, visitor, tmp_path) -> dict[str, str]:
    """An environment of somebody with a profile and a browser."""
    (tmp_path / "sfconnect.toml").write_text(
        f'[profiles.me]\nauth = "authorization-code"\nlogin_url = "{org.login_url}"\n'
        f'client_id = "{org.client_id}"\nredirect_uris = ["{callback}"]\ntimeout_s = 12\n'
        f'token_store = "file"\nfile_store_dir = "{tmp_path / "tokens"}"\n'
    )
    own = {name: text for name, text in environ.items() if not name.startswith("SFCONNECT")}
    words = [sys.executable, str(visitor), org.username, org.password, "allow", "follow", "%s"]
    return own | {"BROWSER": " ".join(words)}


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sfconnect(person, tmp_path) -> Run:
    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sfconnect.cli", "--profile", "me", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=18,
            cwd=tmp_path,
            env=person | changes,
            stdin=subprocess.DEVNULL,
        )

    return run


def test_a_login_serves_other_commands_until_it_is_ended(org, sfconnect, tmp_path):
    first = sfconnect("login")
    then = sfconnect("whoami", "--json", BROWSER="")
    out = sfconnect("logout")
    after = sfconnect("whoami")

    assert first.returncode == 0, first.stderr
    assert f"Logged in as {org.username}" in first.stdout
    assert org.org_id in first.stdout
    assert "'file'" in first.stdout
    assert then.returncode == 0, then.stderr
    assert json.loads(then.stdout)["username"] == org.username
    assert out.returncode == 0, out.stderr
    assert "ended on the server" in out.stdout
    assert after.returncode == 3
    assert "sfconnect login" in after.stderr


def test_no_token_is_ever_printed(sfconnect, tmp_path):
    done = sfconnect("login", "--json", "--log-level", "debug")

    assert done.returncode == 0, done.stderr
    stored = "".join(path.read_text() for path in (tmp_path / "tokens").rglob("*.json"))
    tokens = re.findall(r"00D\w+![\w.]+|5Aep[\w.=-]+", stored)
    assert len(tokens) >= 2
    shown = done.stdout + done.stderr
    assert [token for token in tokens if token in shown] == []


def test_logging_in_again_replaces_the_login(sfconnect, tmp_path):
    sfconnect("login")
    (path,) = (tmp_path / "tokens").rglob("*.json")
    before = path.read_text()

    assert sfconnect("login").returncode == 0

    assert path.read_text() != before


def test_a_person_who_denies_gets_exit_code_3_and_a_reason(person, sfconnect):
    done = sfconnect("login", BROWSER=person["BROWSER"].replace(" allow ", " deny "))

    assert done.returncode == 3
    assert "access_denied" in done.stderr
    assert done.stderr.count("Traceback") == 0


def test_nobody_in_time_is_exit_code_3_with_what_to_look_for(sfconnect, callback):
    done = sfconnect("login", "--no-browser", SFCONNECT_TIMEOUT_S="0.3")

    assert done.returncode == 3
    assert "Open this page in a browser" in done.stderr
    assert "Nobody finished the login" in done.stderr
    assert f"redirect_uri_mismatch, add {callback}" in done.stderr


def test_logging_out_where_nobody_is_logged_in_is_nothing(sfconnect):
    done = sfconnect("logout", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "login": "authorization-code",
        "revoked": False,
        "was_kept": False,
    }


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_without_a_browser_the_address_is_pasted_at_the_terminal(
    org, person, visitor, tmp_path, terminal
):
    master, slave = terminal
    command = [sys.executable, "-m", "sfconnect.cli", "--profile", "me", "login", "--no-browser"]
    with subprocess.Popen(
        command,
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=person,
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        url = next(line.strip() for line in lines if "/services/oauth2/authorize?" in line)
        visit = [sys.executable, str(visitor), org.username, org.password, "allow", "stay", url]
        ended = subprocess.run(visit, capture_output=True, text=True, check=True).stdout.strip()
        os.write(master, f"{ended}\n".encode())
        out, err = process.communicate(timeout=15)

    assert process.returncode == 0, err
    assert f"Logged in as {org.username}" in out


def test_a_login_without_a_refresh_token_is_warned_of(sfconnect, control_app):
    control_app({"scopes": ["api", "openid"]})

    done = sfconnect("login")

    assert done.returncode == 0, done.stderr
    assert "Logged in as " in done.stdout
    assert "Warning: there is no refresh token, so this login ends with its session." in done.stderr
    assert "scope refresh_token" in done.stderr


def test_a_login_stands_where_the_api_does_not_tell_whose_it_is(org, sfconnect, control_app):
    control_app({"scopes": ["refresh_token"]})

    done = sfconnect("login", "--json")

    assert done.returncode == 0, done.stderr
    assert "Who you are could not be read: " in done.stderr
    assert json.loads(done.stdout.partition("\n")[2]) == {  # the browser's line goes before
        "login": "authorization-code",
        "instance_url": org.instance_url,
        "token_store": "file",
    }


@pytest.fixture
def elsewhere(org, person, callback, tmp_path) -> Callable[[str], None]:
    """Make the profile one of another provider's API, which is told by these lines."""

    def write(lines: str) -> None:
        (tmp_path / "sfconnect.toml").write_text(
            f'[profiles.me]\nauth = "oauth2-authorization-code"\nbase_url = "{org.instance_url}"\n'
            f'client_id = "{org.client_id}"\nredirect_uris = ["{callback}"]\ntimeout_s = 12\n'
            f'token_store = "file"\nfile_store_dir = "{tmp_path / "tokens"}"\n{lines}'
        )

    return write


def test_a_login_at_another_provider_is_kept_and_ended_likewise(org, sfconnect, elsewhere):
    elsewhere(f'issuer = "{org.login_url}"\n')

    first = sfconnect("login")
    then = sfconnect("request", "GET", "/services/oauth2/userinfo", BROWSER="")
    out = sfconnect("logout")

    assert first.returncode == 0, first.stderr
    assert f"\nLogged in to {org.instance_url}. " in first.stdout
    assert then.returncode == 0, then.stderr
    assert json.loads(then.stdout)["preferred_username"] == org.username
    assert out.returncode == 0, out.stderr
    assert "oauth2-authorization-code is logged out: the login is ended on the server" in out.stdout


def test_what_the_server_cannot_end_is_forgotten(org, sfconnect, elsewhere, tmp_path):
    oauth = f"{org.login_url}/services/oauth2"
    elsewhere(f'authorization_url = "{oauth}/authorize"\ntoken_url = "{oauth}/token"\n')
    assert sfconnect("login").returncode == 0
    kept = list((tmp_path / "tokens").rglob("*.json"))

    out = sfconnect("logout")
    again = sfconnect("logout")

    assert len(kept) == 1
    assert (out.returncode, out.stderr) == (0, "")
    assert out.stdout == (
        "The login of oauth2-authorization-code is forgotten here; "
        "the server has no way to end it.\n"
    )
    assert not kept[0].exists()
    assert again.stdout == (
        "No login of oauth2-authorization-code is kept here, so there was nothing to end.\n"
    )
