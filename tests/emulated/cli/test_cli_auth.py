"""What the commands around logging in print, against an org on a real socket."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from sfconnect.auth.process import read_credentials
from sfconnect_emulator.emulator import Announcement
from sfconnect_emulator.process import launch
from tests.emulated.cli.conftest import Command, control


def statistics(org: Announcement) -> dict[str, Any]:
    with urllib.request.urlopen(f"{org.control_url}/stats", timeout=10) as answer:
        counts: dict[str, Any] = json.loads(answer.read())
    return counts


def by_token(token: str, org: Announcement) -> dict[str, str]:
    """Variables that log in with a token."""
    return {
        "SFCONNECT_AUTH": "access-token",
        "SFCONNECT_INSTANCE_URL": org.instance_url,
        "SFCONNECT_ACCESS_TOKEN": token,
    }


def test_logins_are_listed_with_origin_and_options(here: Command) -> None:
    table = here("auth", "list").out.splitlines()
    known = {one["name"]: one for one in json.loads(here("auth", "list", "--json").out)}

    (row,) = [line for line in table if line.startswith("refresh-token ")]
    assert "built in, sfconnect" in row
    assert "login_url client_id refresh_token [client_secret]" in row
    options = {one["name"]: one for one in known["refresh-token"]["options"]}
    secret = options["refresh_token"]
    assert (secret["secret"], secret["required"], secret["default"]) == (True, True, None)
    assert secret["forms"] == ["refresh_token_file", "refresh_token_command"]
    assert known["soap-login"]["origin"] == "plugin"


def test_a_login_that_cannot_be_used_here_is_listed_with_the_reason(command: Command) -> None:
    known = {one["name"]: one for one in json.loads(command("auth", "list", "--json", PATH="").out)}

    assert known["jwt-bearer"]["available"]
    assert not known["sfcli"]["available"]
    assert known["sfcli"]["unavailable"].startswith("The Salesforce CLI (sf) is not there.")


@pytest.mark.parametrize("name", ["client-credentials", "sfconnect:jwt-bearer", "sfcli", "chain"])
def test_a_login_is_explained_to_people_and_to_machines(here: Command, name: str) -> None:
    text = here("auth", "explain", name)
    known = json.loads(here("auth", "explain", name, "--json").out)

    bare = name.rpartition(":")[2]
    assert (text.code, text.err, known["name"]) == (0, "", bare)
    assert text.out.startswith(f"{bare} (")
    assert all(f"\n  {option['name']} (" in text.out for option in known["options"])
    assert max(map(len, text.out.splitlines())) <= 100


def test_an_unknown_login_is_one_line_with_the_nearest_name(here: Command) -> None:
    done = here("auth", "explain", "jwt-barer")

    assert (done.code, done.out) == (2, "")
    assert done.error == "Error: There is no login 'jwt-barer'. Did you mean 'jwt-bearer'?"


def test_whoami_tells_user_profile_and_org(here: Command, org: Announcement) -> None:
    known = json.loads(here("whoami", "--json").out)
    table = here("whoami").out

    assert (known["username"], known["org_id"]) == (org.username, org.org_id)
    assert (known["profile"], known["user_license"]) == ("System Administrator", "Salesforce")
    assert (known["is_sandbox"], known["api_version"]) == (False, "68.0")
    assert "Developer Edition, production or developer org" in table
    assert org.instance_url in table


def test_whoami_of_another_user_is_that_user(command: Command, org: Announcement) -> None:
    users = command(
        "query", "SELECT Username, Profile.Name FROM User WHERE IsActive = true", "--json"
    )
    other = next(one for one in json.loads(users.out) if one["Username"] != org.username)

    done = command(
        *("whoami", "--json"),
        SFCONNECT_AUTH="jwt-bearer",
        SFCONNECT_USERNAME=other["Username"],
        SFCONNECT_PRIVATE_KEY_FILE=org.private_key_file,
        SFCONNECT_CLIENT_SECRET=None,
    )

    known = json.loads(done.out)
    assert (known["username"], known["profile"]) == (other["Username"], "Standard User")


def test_whoami_with_a_dead_token_is_one_line_and_an_authentication_error(
    command: Command, org: Announcement
) -> None:
    done = command("whoami", **by_token("00D000000000001!dead", org))

    assert (done.code, done.out) == (3, "")
    assert "is not accepted any more. Give a new one" in done.error


def test_a_token_is_printed_by_the_command_that_is_for_it(here: Command, org: Announcement) -> None:
    plain = here("auth", "token").out.strip()
    known = json.loads(here("auth", "token", "--json").out)

    assert plain.startswith(org.org_id[:15] + "!")
    assert known["instance_url"] == org.instance_url
    assert known["access_token"].startswith(org.org_id[:15] + "!")


def test_a_token_as_json_is_what_the_login_process_reads(here: Command, org: Announcement) -> None:
    printed = here("auth", "token", "--json").out.encode()

    credentials = read_credentials(printed, "sfconnect", now=0.0)

    assert credentials.instance_url == org.instance_url


def test_a_token_of_another_api_is_printed_too(command: Command, org: Announcement) -> None:
    other = {"SFCONNECT_AUTH": "oauth2-client-credentials", "SFCONNECT_ISSUER": org.login_url}

    done = command("auth", "token", SFCONNECT_BASE_URL=org.instance_url, **other)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(org.org_id[:15] + "!")


@pytest.mark.parametrize(
    "login",
    [
        {
            "SFCONNECT_AUTH": "oauth2-client-credentials",
            "SFCONNECT_ISSUER": "ORG",
        },
        {"SFCONNECT_AUTH": "basic", "SFCONNECT_USERNAME": "ada", "SFCONNECT_PASSWORD": "secret"},
    ],
    ids=["oauth2-client-credentials", "basic"],
)
def test_a_request_goes_to_the_api_whose_base_url_is_given(
    command: Command, org: Announcement, login: dict[str, str]
) -> None:
    filled = {name: org.login_url if text == "ORG" else text for name, text in login.items()}

    done = command(
        "request", "GET", "/services/data", SFCONNECT_BASE_URL=org.instance_url, **filled
    )

    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)[-1]["version"] == "68.0"


def test_a_printed_token_can_be_revoked(command: Command, org: Announcement) -> None:
    token = command("auth", "token").out.strip()
    as_token = by_token(token, org)
    assert command("whoami", **as_token).code == 0

    revoked = command("auth", "revoke", **as_token)

    assert (revoked.code, revoked.err) == (0, "")
    assert revoked.out == (
        "The session of access-token is ended on the server, and its token is forgotten.\n"
    )
    assert command("whoami", **as_token).code == 3


def test_a_grant_at_another_api_can_be_ended(command: Command) -> None:
    with launch() as server:  # an org of its own: the grant does not come back
        as_grant = {
            "SFCONNECT_AUTH": "oauth2-refresh-token",
            "SFCONNECT_ISSUER": server.announcement.login_url,
            "SFCONNECT_BASE_URL": server.announcement.instance_url,
            "SFCONNECT_CLIENT_ID": server.announcement.client_id,
            "SFCONNECT_REFRESH_TOKEN": server.announcement.refresh_token,
            "SFCONNECT_CLIENT_SECRET": None,
        }

        revoked = json.loads(command("auth", "revoke", "--json", **as_grant).out)
        after = command("request", "GET", "/services/oauth2/userinfo", **as_grant)

    assert revoked == {"login": "oauth2-refresh-token", "can_revoke": True, "revoked": True}
    assert after.code == 3


def test_revoking_a_refresh_token_ends_the_grant(command: Command) -> None:
    with launch() as server:  # an org of its own: the grant does not come back
        as_grant = {
            "SFCONNECT_AUTH": "refresh-token",
            "SFCONNECT_LOGIN_URL": server.announcement.login_url,
            "SFCONNECT_CLIENT_ID": server.announcement.client_id,
            "SFCONNECT_REFRESH_TOKEN": server.announcement.refresh_token,
            "SFCONNECT_CLIENT_SECRET": None,
        }

        revoked = json.loads(command("auth", "revoke", "--json", **as_grant).out)
        again = command("auth", "revoke", **as_grant)

    assert revoked == {"login": "refresh-token", "can_revoke": True, "revoked": True}
    assert again.code == 3
    assert "expired access/refresh token" in again.error


def test_revoking_logs_nobody_in_and_says_that_there_was_nothing(
    here: Command, org: Announcement
) -> None:
    control(org, "reset", {})

    done = here("auth", "revoke")

    assert done.out == "No token of client-credentials is kept here, so there was nothing to end.\n"
    assert statistics(org)["logins"] == {}


def test_a_login_that_cannot_revoke_says_so(command: Command) -> None:
    done = command("auth", "revoke", SFCONNECT_AUTH="process", SFCONNECT_COMMAND="true")

    assert done.code == 0
    assert done.out.startswith("process has no way to end a session on the server")
