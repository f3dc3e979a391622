"""Bad input: one clear line on stderr, the right exit code, nothing half-written."""

from __future__ import annotations

import re
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sfconnect_emulator.emulator import Announcement
from sfconnect_emulator.keys import KeyPair
from tests.emulated.cli.conftest import Command


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["extract", "Account", "Contcat", "--to", "out"],
            "Error: There is no object 'Contcat', or this user may not see it."
            " Did you mean 'Contact'?",
        ),
        (
            ["extract", "Account", "--to", "out", "--fields", "Id,Nmae"],
            "Error: Account has no field 'Nmae'. Did you mean 'Name'?",
        ),
        (
            ["describe", "akkount"],
            "Error: There is no object 'akkount', or this user may not see it."
            " Did you mean 'Account'?",
        ),
        (
            ["extract", "Account", "--to", "/proc/nowhere"],
            "Error: Cannot write to /proc/nowhere: No such file or directory.",
        ),
        (
            ["query", "SELECT Id FROM Account", "--to", "/proc/nowhere", "--format", "csv"],
            "Error: Cannot write to /proc: No such file or directory.",
        ),
        (
            ["--profile", "prdo", "limits"],
            "Error: There is no profile 'prdo': no sfconnect.toml was found. Put sfconnect.toml"
            " into the project's folder or the user's config folder, or name a file by"
            " SFCONNECT_CONFIG.",
        ),
        (
            ["--auth", "jwt-baerer", "limits"],
            "Error: There is no plugin 'jwt-baerer' in the group sfconnect.auth."
            " Did you mean 'jwt-bearer'?",
        ),
    ],
    ids=["object", "field", "describe", "folder", "file", "profile", "login"],
)
def test_what_is_unknown_or_unwritable_is_one_line(
    command: Command, tmp_path: Path, arguments: list[str], line: str
) -> None:
    done = command(*arguments)

    assert done.error == line
    assert (done.code, done.out) == (2, "")
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("soql", "lines"),
    [
        (
            "SELECT Nmae FROM Account",
            ["Error: No such column 'Nmae' on entity 'Account'. Did you mean 'Name'? (INVALID_",
             "SELECT Nmae FROM Account",
             "       ^"],
        ),
        (
            "SELECT Id FROM Akkount",
            ["Error: sObject type 'Akkount' is not supported. Did you mean 'Account'? (INVALID_",
             "SELECT Id FROM Akkount",
             "               ^"],
        ),
        (
            "SELECT Id FROM Account WHERE Name = 'x",
            ["Error: SOQL line 1, column 37: ",
             "SELECT Id FROM Account WHERE Name = 'x",
             "                                    ^"],
        ),
        (
            "SELECT Id\nFROM Account\nWHHERE Name = 'x'",
            ["Error: SOQL line 3, column 1: ",
             "WHHERE Name = 'x'",
             "^"],
        ),
        (
            "SELECT Id,\n  Nmae\nFROM Account",
            ["Error: No such column 'Nmae' on entity 'Account'. Did you mean 'Name'? (INVALID_",
             "  Nmae",
             "  ^"],
        ),
    ],
    ids=["field", "object", "open string", "several lines", "second line"],
)  # fmt: skip
def test_a_slip_in_a_query_has_a_caret_under_it(
    command: Command, soql: str, lines: list[str]
) -> None:
    done = command("query", soql)

    shown = done.err.splitlines()
    assert shown[0].startswith(lines[0])
    assert shown[1:] == lines[1:]
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize("options", [["--json"], ["--format", "csv"], ["--format", "parquet"]])
def test_nothing_is_printed_of_a_query_that_the_org_refuses(
    here: Command, options: list[str]
) -> None:
    done = here("query", "SELECT Nmae FROM Account", *options)

    assert (done.code, done.out) == (2, "")


def test_a_slip_in_a_condition_has_a_caret_under_it(command: Command, tmp_path: Path) -> None:
    done = command("extract", "Account", "--to", "out", "--where", "Name == 'x'")

    first, query, caret = done.err.splitlines()
    assert first.startswith("Error: SOQL line 1")
    assert query[caret.index("^")] == "="
    assert (done.code, files(tmp_path)) == (2, [])


@pytest.fixture
def jwt(org: Announcement) -> dict[str, str | None]:
    return {
        "SFCONNECT_AUTH": "jwt-bearer",
        "SFCONNECT_USERNAME": org.username,
        "SFCONNECT_CLIENT_SECRET": None,
    }


def test_a_missing_key_file_is_wrong_configuration(
    command: Command, jwt: dict[str, str | None]
) -> None:
    done = command("limits", **jwt, SFCONNECT_PRIVATE_KEY_FILE="nowhere.pem")

    assert done.code == 2
    assert "nowhere.pem" in done.error


def test_a_file_that_is_no_key_is_wrong_configuration(
    command: Command, jwt: dict[str, str | None], tmp_path: Path
) -> None:
    (tmp_path / "not-a-key.pem").write_text("hello")

    done = command("limits", **jwt, SFCONNECT_PRIVATE_KEY_FILE="not-a-key.pem")

    assert done.code == 2
    assert "hello" not in done.error


def test_a_key_that_the_app_does_not_know_is_a_failed_login(
    command: Command, jwt: dict[str, str | None], tmp_path: Path
) -> None:
    (tmp_path / "other.pem").write_text(KeyPair.generate().private_key)

    done = command("limits", **jwt, SFCONNECT_PRIVATE_KEY_FILE="other.pem")

    assert done.code == 3
    assert "certificate" in done.error


def test_a_wrong_secret_is_a_failed_login_and_is_not_shown(command: Command) -> None:
    done = command("limits", SFCONNECT_CLIENT_SECRET="wrong-and-private")

    assert done.code == 3
    assert "wrong-and-private" not in done.error


def test_an_unknown_option_in_a_profile_is_named_with_the_nearest(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "sfconnect.toml").write_text(
        '[profiles.p]\nauth = "client-credentials"\nclient_idd = "x"\n'
    )

    done = command("--profile", "p", "limits", SFCONNECT_AUTH=None)

    assert done.code == 2
    assert "has no option 'client_idd'" in done.error
    assert done.error.endswith("Did you mean 'client_id'?")


def test_nothing_to_log_in_with_says_how_to(command: Command) -> None:
    done = command("limits", SFCONNECT_AUTH=None)

    assert done.code == 2
    assert "Nothing says how to log in." in done.error


def test_a_refused_connection_says_that_it_is_tried_again_and_how_often_it_was(
    command: Command,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        done = command("--login-url", f"http://{place}", "limits", SFCONNECT_MAX_ATTEMPTS="4")

    assert (done.code, done.out) == (1, "")
    waiting, error, history = done.err.splitlines()
    what = f"No connection to {place}/services/oauth2/token: Connection refused"
    assert re.fullmatch(re.escape(what) + r"; trying again in [\d.]+ s \(attempt [34]\)", waiting)
    assert error.startswith(f"Error: {what}. Check")
    assert re.fullmatch(
        r"Tried 4 times within [\d.]+ s, always ConnectError; "
        r"not tried again: the policy allows 4 attempts\.",
        history,
    )


def test_an_error_that_is_not_tried_again_is_one_line(command: Command) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = command("--login-url", url, "limits", SFCONNECT_MAX_ATTEMPTS="1")

    assert done.error.startswith("Error: No connection to 127.0.0.1")


def test_a_wrong_host_is_one_line(command: Command) -> None:
    attempts = {"SFCONNECT_MAX_ATTEMPTS": "1"}
    done = command("--login-url", "https://no-such-org.invalid", "limits", **attempts)

    assert done.code == 1
    assert "no-such-org.invalid" in done.error


class Shop(BaseHTTPRequestHandler):
    """A web site that has never heard of OAuth."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html><title>Shop</title><p>Buy now</p></html>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_host_that_is_no_salesforce_is_one_line(command: Command) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        Thread(target=server.serve_forever).start()
        done = command("--login-url", f"http://127.0.0.1:{server.server_port}", "limits")
        server.shutdown()

    assert done.code == 3
    assert "with a web page" in done.error


def test_a_body_that_is_no_json_is_wrong_usage(command: Command, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text("{nope")

    done = command("request", "POST", "sobjects/Account", "--body", "body.json")

    assert done.code == 2
    assert done.error.startswith("Error: body.json is not JSON")


def test_a_format_of_rows_is_none_of_an_answer(command: Command) -> None:
    done = command("request", "GET", "limits", "--format", "csv")

    assert done.code == 2
    assert "--format is for rows" in done.error


def test_a_resource_that_is_not_there_is_one_line(command: Command) -> None:
    done = command("request", "GET", "nothing/here")

    assert done.code == 1
    assert "NOT_FOUND" in done.error


def test_debug_shows_where_it_went_wrong(command: Command) -> None:
    done = command("describe", "Nothing", "--log-level", "debug")

    assert "Traceback (most recent call last)" in done.err
    assert done.err.splitlines()[-1].startswith("Error: There is no object 'Nothing'")
