"""What the CLI is asked, and what comes of its answers; with a real executable."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from sfconnect import ConfigurationError, Secret
from sfconnect.auth import STRATEGIES, AuthContext, Credentials, options_of, resolve
from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    CredentialUnavailableError,
    ReauthorizationRequired,
)
from sfconnect.testing import FakeClock, ScriptedSender
from sfconnect_auth_sfcli import SfCli

TOKEN = "00D000000000001!canary.token_of_the_cli"


@pytest.fixture
def context() -> AuthContext:
    async def no_child(_strategy: object) -> Credentials:
        raise AssertionError("the CLI needs no other login")

    return AuthContext(send=ScriptedSender(), child=no_child, log=None, clock=FakeClock(wall=5e9))


async def test_the_token_and_the_address_are_those_of_the_named_org(cli, context) -> None:
    credentials = await SfCli("uat", command=cli.command).authenticate(context)

    assert credentials == Credentials(
        Secret(TOKEN),
        "https://acme.my.salesforce.com",
        issued_at=5e9,
        extra={"username": "ada@example.com", "org_id": "00D000000000001EAA"},
    )


async def test_the_cli_is_asked_for_machines_and_without_prompts(cli, context) -> None:
    await SfCli("uat", command=cli.command).authenticate(context)

    token_words = ["org", "auth", "show-access-token", "--no-prompt"]
    assert cli.argv == [
        ["org", "display", "--target-org", "uat", "--json"],
        [*token_words, "--target-org", "ada@example.com", "--json"],
    ]


async def test_without_an_org_the_clis_default_is_taken_and_then_held_on_to(cli, context) -> None:
    """The token is asked for by username, so it is of the org whose address was told."""
    await SfCli(command=cli.command).authenticate(context)

    assert cli.argv[0] == ["org", "display", "--json"]
    assert cli.argv[1][-3:] == ["--target-org", "ada@example.com", "--json"]


async def test_a_cli_that_still_shows_tokens_is_asked_once(cli, context) -> None:
    cli.displays(accessToken="00D000000000001!of.old")

    credentials = await SfCli(command=cli.command).authenticate(context)

    assert credentials.access_token == Secret("00D000000000001!of.old")
    assert len(cli.calls) == 1


@pytest.mark.parametrize("shown", [None, "", "[REDACTED] in other words", 7])
async def test_a_hidden_or_missing_token_is_asked_for_by_the_command_that_shows_it(
    cli, context, shown
) -> None:
    cli.displays(accessToken=shown)

    credentials = await SfCli(command=cli.command).authenticate(context)

    assert credentials.access_token == Secret(TOKEN)


async def test_the_cli_gets_no_colours_no_telemetry_and_no_input(cli, context, monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    await SfCli(command=cli.command).authenticate(context)

    environment = cli.calls[0]["env"]
    assert environment["SF_DISABLE_TELEMETRY"] == "true"
    assert environment["NO_COLOR"] == "1"
    assert "FORCE_COLOR" not in environment
    assert environment["PATH"] == os.environ["PATH"]


async def test_lines_around_the_json_do_no_harm(cli, context) -> None:
    import json

    body = json.dumps({"status": 0, "result": {"accessToken": TOKEN}}, indent=2)
    cli.says(
        "show-access-token", stdout=f"Warning: update available\n{body}\nbye\n", stderr="(node) x"
    )

    credentials = await SfCli(command=cli.command).authenticate(context)

    assert credentials.access_token == Secret(TOKEN)


async def test_each_refused_token_asks_the_cli_again(cli) -> None:
    manager = CredentialManager(SfCli(command=cli.command), send=ScriptedSender())
    first = await manager.get()
    cli.answers("show-access-token", {"accessToken": "00D000000000001!fresh"})

    second = await manager.replace(first)
    same = await manager.get()
    await manager.aclose()

    assert second.access_token == same.access_token == Secret("00D000000000001!fresh")
    assert len(cli.calls) == 4


async def test_a_placeholder_is_never_taken_for_a_token(cli, context) -> None:
    cli.answers("show-access-token", {"accessToken": "[REDACTED] Use something else"})

    with pytest.raises(AuthConfigurationError, match="placeholder") as caught:
        await SfCli(command=cli.command).authenticate(context)

    assert caught.value.docs_key == "cli-redacted"
    assert "@salesforce/cli@latest" in (caught.value.hint or "")


async def test_a_cli_that_hides_tokens_and_cannot_show_them_has_to_be_updated(cli, context) -> None:
    text = "Warning: org auth show-access-token is not a sf command.\n"
    cli.says("show-access-token", stderr=text, code=127)

    with pytest.raises(AuthConfigurationError) as caught:
        await SfCli(command=cli.command).authenticate(context)

    assert caught.value.docs_key == "cli-too-old"


async def test_no_cli_is_something_that_a_chain_can_go_on_from(tmp_path, context) -> None:
    with pytest.raises(CredentialUnavailableError, match="is not there") as caught:
        await SfCli(command=str(tmp_path / "nowhere")).authenticate(context)

    assert caught.value.docs_key == "cli-missing"


async def test_a_command_that_is_no_program_is_told_apart(cli, context) -> None:
    cli.is_broken()

    with pytest.raises(CredentialUnavailableError, match="cannot be run"):
        await SfCli(command=cli.command).authenticate(context)


async def test_the_command_is_looked_up_in_the_path_and_in_the_home_folder(
    cli, context, monkeypatch
) -> None:
    monkeypatch.setenv("PATH", f"{cli.home}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(cli.home))

    for command in ("sf", "~/sf"):
        assert (await SfCli(command=command).authenticate(context)).access_token == Secret(TOKEN)


async def test_a_command_in_nobodys_home_is_not_there(context) -> None:
    with pytest.raises(CredentialUnavailableError):
        await SfCli(command="~nobody-of-that-name/sf").authenticate(context)


async def test_an_argument_reaches_the_cli_as_it_is(cli, context) -> None:
    """There is no shell in between that would act on it."""
    await SfCli("ada+etl@example.com*", command=cli.command).authenticate(context)

    assert cli.argv[0][3] == "ada+etl@example.com*"


async def test_a_cli_that_hangs_is_ended_with_what_it_started(cli, context) -> None:
    cli.says("org display", sleep_s=60, child=True)

    with pytest.raises(AuthError, match="did not end within") as caught:
        await SfCli(command=cli.command, timeout_s=0.5).authenticate(context)

    assert caught.value.docs_key == "cli-timeout"
    assert not caught.value.hopeless
    await all_ended(cli)


async def test_cancelling_the_login_ends_the_cli_with_what_it_started(cli, context) -> None:
    cli.says("org display", sleep_s=60, child=True)
    login = asyncio.create_task(SfCli(command=cli.command).authenticate(context))
    await appears(cli.home / "pid")

    login.cancel()
    await asyncio.wait({login})

    assert login.cancelled()
    await all_ended(cli)


async def test_where_there_are_no_process_groups_the_cli_itself_is_ended(
    cli, context, monkeypatch
) -> None:
    monkeypatch.delattr(os, "killpg")
    cli.says("org display", sleep_s=60)

    with pytest.raises(AuthError, match="did not end"):
        await SfCli(command=cli.command, timeout_s=0.5).authenticate(context)

    await all_ended(cli)


async def test_a_cli_that_ends_while_it_is_being_ended_is_no_error(
    cli, context, monkeypatch
) -> None:
    kill = os.killpg

    def kill_twice(group: int, number: int) -> None:
        kill(group, number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", kill_twice)
    cli.says("org display", sleep_s=60)

    with pytest.raises(AuthError, match="did not end"):
        await SfCli(command=cli.command, timeout_s=0.5).authenticate(context)


async def appears(path: Path) -> None:
    while not path.exists():  # noqa: ASYNC110, ASYNC240  # another process makes it
        await asyncio.sleep(0.01)


async def all_ended(cli: object) -> None:
    """Wait for the CLI and its child to be gone; both would otherwise live for a minute."""
    home: Path = cli.home  # type: ignore[attr-defined]  # conftest's FakeCli has no importable name
    pids = [int(file.read_text()) for file in (home / "pid", home / "child") if file.exists()]
    deadline = time.monotonic() + 5
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {pids}"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("name", "message", "meaning"),
    [
        (
            "NamedOrgNotFoundError",
            "No authorization information found for uat.",
            (CredentialUnavailableError, "cli-not-logged-in"),
        ),
        (
            "NoOrgFound",
            "No org configuration found",
            (CredentialUnavailableError, "cli-not-logged-in"),
        ),
        (
            "NoDefaultEnvError",
            "No default environment found. Use -o or --target-org.",
            (CredentialUnavailableError, "cli-not-logged-in"),
        ),
        (
            "RefreshTokenAuthError",
            "Error authenticating with the refresh token due to: expired access/refresh token",
            (ReauthorizationRequired, "cli-login-ended"),
        ),
        (
            "JwtAuthError",
            "inactive user",
            (ReauthorizationRequired, "cli-login-ended"),
        ),
        (
            "DomainNotFoundError",
            "The org cannot be found",
            (AuthConfigurationError, "org-gone"),
        ),
        (
            "Error",
            "The scratch org with alias x is expired",
            (AuthConfigurationError, "org-gone"),
        ),
        (
            "SomethingNew",
            "of tomorrow",
            (AuthError, "cli-failed"),
        ),
        (
            "",
            "",
            (AuthError, "cli-failed"),
        ),
    ],
)
async def test_what_the_cli_refuses_is_explained(cli, context, name, message, meaning) -> None:
    kind, key = meaning
    cli.refuses("org display", name, message)

    with pytest.raises(AuthError) as caught:
        await SfCli("uat", command=cli.command).authenticate(context)

    assert type(caught.value) is kind
    assert (caught.value.code or "") == name
    assert caught.value.docs_key == key
    assert message.rstrip(".") in caught.value.message
    assert caught.value.hint


async def test_a_status_other_than_connected_is_an_ended_login(cli, context) -> None:
    """`org display` succeeds also where the CLI could not renew its token."""
    cli.displays(connectedStatus="RefreshTokenAuthError", accessToken="00D000000000001!dead")

    with pytest.raises(ReauthorizationRequired):
        await SfCli(command=cli.command).authenticate(context)


@pytest.mark.parametrize("status", ["Connected", "Unknown", None])
async def test_scratch_orgs_show_no_status_of_their_connection(cli, context, status) -> None:
    cli.displays(connectedStatus=status)

    credentials = await SfCli(command=cli.command).authenticate(context)

    assert credentials.access_token == Secret(TOKEN)


@pytest.mark.parametrize(
    "stdout", ["", "Segmentation fault", "{", "[1]", '{"status": 0}', '{"status":0,"result":[]}']
)
async def test_garbage_is_no_login_and_is_not_quoted(cli, context, stdout) -> None:
    cli.says("org display", stdout=f"{stdout}", stderr="canary" if not stdout else "")

    with pytest.raises(AuthError) as caught:
        await SfCli(command=cli.command).authenticate(context)

    assert caught.value.docs_key in {"cli-not-json", "cli-failed"}
    assert "canary" not in str(caught.value)
    assert "Segmentation" not in str(caught.value)


async def test_an_old_cli_that_refuses_in_words_is_understood_too(cli, context) -> None:
    cli.says("org display", stderr="Error: No default environment found", code=1)

    with pytest.raises(CredentialUnavailableError):
        await SfCli(command=cli.command).authenticate(context)


async def test_tokens_in_the_clis_own_words_are_not_shown(cli, context) -> None:
    secrets = [TOKEN, "force://PlatformCLI::5Aep861canary@acme.my.salesforce.com", "5Aep861canary"]
    cli.refuses("show-access-token", "Odd", " and ".join(secrets))

    with pytest.raises(AuthError) as caught:
        await SfCli(command=cli.command).authenticate(context)

    assert "canary" not in str(caught.value)
    assert "… and … and …" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "acme.my.salesforce.com",
        "http://acme.my.salesforce.com",
        "https://",
        "https://[",
        "ftp://a",
    ],
)
async def test_a_token_goes_to_no_odd_address(cli, context, url) -> None:
    cli.displays(instanceUrl=url)

    with pytest.raises(AuthError, match="no address") as caught:
        await SfCli(command=cli.command).authenticate(context)

    assert caught.value.docs_key == "cli-no-instance-url"


async def test_an_org_on_loopback_may_be_plain_http(cli, context) -> None:
    cli.displays(instanceUrl="http://127.0.0.1:8080/")

    credentials = await SfCli(command=cli.command).authenticate(context)

    assert credentials.instance_url == "http://127.0.0.1:8080"


async def test_a_default_org_without_a_username_is_not_asked_for_a_token(cli, context) -> None:
    cli.displays(username=None)

    with pytest.raises(AuthError, match="does not tell whose") as caught:
        await SfCli(command=cli.command).authenticate(context)

    assert caught.value.hint == "Set target_org."


@pytest.mark.parametrize(
    "name", ["", "-u", "--json", "a b", "a\n", "a&calc", "a|b", 'a"', "%PATH%", "$(id)", "a;b"]
)
def test_an_org_that_could_be_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="neither an alias nor a username"):
        SfCli(name)


@pytest.mark.parametrize("options", [{"command": " "}, {"timeout_s": 0.0}, {"timeout_s": -1.0}])
def test_options_that_cannot_work_are_refused(options) -> None:
    with pytest.raises(ConfigurationError):
        SfCli(**options)


def test_it_is_found_by_its_name_and_takes_the_clis_own_variable(tmp_path) -> None:
    made = resolve(
        "sfcli",
        environ={"SF_TARGET_ORG": "uat", "SFCONNECT_TIMEOUT_S": "5"},
        cwd=tmp_path,
        registry=STRATEGIES,
    )

    assert made.strategy == SfCli("uat", timeout_s=5.0)
    assert made.origins["target_org"] == "environment variable SF_TARGET_ORG"


def test_it_has_no_secrets_of_its_own() -> None:
    assert [spec.name for spec in options_of(SfCli) if spec.secret] == []


def test_it_is_available_where_the_cli_is_in_the_path(cli, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(cli.home))

    assert SfCli.availability() is None
    assert cli.calls == []


def test_without_the_cli_it_tells_how_to_install_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert SfCli.availability() == (
        "The Salesforce CLI (sf) is not there. Install it (npm install --global @salesforce/cli), "
        "or set command to its path."
    )
