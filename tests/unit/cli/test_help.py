"""Help is quick: it imports no client, and works without the command's own libraries loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sfconnect.cli.app import run

COMMANDS = [
    ["login"],
    ["logout"],
    ["demo"],
    ["query"],
    ["extract"],
    ["describe"],
    ["limits"],
    ["whoami"],
    ["request"],
    ["auth"],
    ["auth", "list"],
    ["auth", "explain"],
    ["auth", "doctor"],
    ["auth", "keygen"],
    ["auth", "revoke"],
    ["auth", "token"],
    ["plugins"],
    ["plugins", "list"],
]


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def sfconnect(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("import sys, sfconnect.cli; sys.exit(sfconnect.cli.main())", *arguments)


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_help_imports_no_client(command: list[str]) -> None:
    done = python(
        "import json, sys, sfconnect.cli\n"
        "code = sfconnect.cli.main()\n"
        "heavy = {'aiohttp', 'anyio', 'asyncio', 'pyarrow', 'rich.console', 'structlog',\n"
        "    'authlib', 'sfconnect.salesforce', 'sfconnect.connector', 'sfconnect.soql'}\n"
        "print(json.dumps([code, sorted(heavy & set(sys.modules))]), file=sys.stderr)",
        *command,
        "--help",
    )

    assert json.loads(done.stderr) == [0, []]
    assert done.stdout.startswith(" ".join(["Usage: sfconnect", *command]))


@pytest.mark.parametrize("group", [[], ["auth"], ["plugins"]], ids=" ".join)
def test_a_group_without_a_command_shows_its_help(group: list[str]) -> None:
    done = sfconnect(*group)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == sfconnect(*group, "--help").stdout


def test_help_lists_every_command_with_a_line_of_help() -> None:
    lines = sfconnect("--help").stdout.split("Commands:\n")[1].splitlines()

    listed = [line.split()[0] for line in lines[: lines.index("")]]
    assert listed == list(dict.fromkeys(command[0] for command in COMMANDS))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_takes_the_common_options(command: list[str]) -> None:
    if command in (["auth"], ["plugins"]):
        return
    shown = sfconnect(*command, "--help").stdout

    for option in ("--profile", "--auth", "--login-url", "--format", "--json", "--log-level"):
        assert option in shown


def test_the_version_is_told() -> None:
    from sfconnect._version import VERSION

    assert sfconnect("--version").stdout == f"sfconnect {VERSION}\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_library_is_one_line_with_the_command_that_installs_it(missing: str) -> None:
    done = python(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import sfconnect.cli; sys.exit(sfconnect.cli.main())",
        *("auth", "list"),
    )

    assert done.returncode == 2
    assert done.stderr == (
        f"sfconnect: the command line needs {missing}: pip install 'sfconnect[cli]'\n"
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["exttract"],
            "Error: No such command 'exttract'. Did you mean 'extract'? See: sfconnect --help",
        ),
        (
            ["auth", "lst"],
            "Error: No such command 'lst'. Did you mean 'list'? See: sfconnect auth --help",
        ),
        (["query"], "Error: Missing argument 'SOQL'. See: sfconnect query --help"),
        (
            ["query", "--formt", "csv", "x"],
            "Error: No such option '--formt'. Did you mean '--format'? See: sfconnect query --help",
        ),
        (
            ["extract", "Account"],
            "Error: Missing option '--to'. See: sfconnect extract --help",
        ),
        (
            ["extract", "Account", "--to", "x", "--concurrency", "0"],
            "Error: Invalid value for '--concurrency': 0 is not in the range x>=1."
            " See: sfconnect extract --help",
        ),
        (
            ["extract", "Account", "--to", "x", "--format", "table"],
            "Error: A table is no file format; use jsonl, csv, parquet or arrow."
            " See: sfconnect extract --help",
        ),
        (
            ["request", "GET", "limits", "--param", "novalue"],
            "Error: --param takes NAME=VALUE, not 'novalue'. See: sfconnect request --help",
        ),
        (
            ["auth", "list", "--format", "parquet"],
            "Error: --format parquet is for rows of the org. See: sfconnect auth list --help",
        ),
        (
            ["query", "SELECT Id FROM Account", "--json", "--format", "csv"],
            "Error: --json and --format csv exclude each other. See: sfconnect query --help",
        ),
        (
            ["query", "SELECT Id FROM Account", "--to", "x", "--format", "table"],
            "Error: A table goes to the terminal; use another --format with --to."
            " See: sfconnect query --help",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], line: str) -> None:
    done = sfconnect(*arguments)

    assert done.stderr.splitlines() == [line]
    assert (done.returncode, done.stdout) == (2, "")


def test_no_option_of_any_command_takes_a_secret() -> None:
    for command in COMMANDS:
        shown = sfconnect(*command, "--help").stdout
        options = {word for word in shown.split() if word.startswith("--")}
        assert not options & {"--client-secret", "--password", "--token", "--private-key"}


@pytest.mark.parametrize("command", [[], ["auth"], ["plugins"]], ids=" ".join)
def test_help_ends_with_exit_code_0(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_a_slip_in_a_command_ends_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", "lisst"]) == 2
    assert "Did you mean 'list'?" in capsys.readouterr().err
