"""Common options may stand before or after the command; the later place wins."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from sfconnect.cli.common import Common, common_options


@click.group()
@common_options
def group() -> None:
    """Hold a command."""


@group.command()
@common_options
@click.pass_obj
def show(common: Common) -> None:
    click.echo(repr(common))


def given(*arguments: str) -> Common:
    common = Common()
    result = CliRunner().invoke(group, list(arguments), obj=common)
    assert result.exit_code == 0, result.output
    return common


def test_nothing_given_is_nothing_set() -> None:
    assert given("show") == Common()


@pytest.mark.parametrize("before", [True, False])
def test_options_count_on_either_side_of_the_command(*, before: bool) -> None:
    options = ["--profile", "prod", "--json", "--log-level", "debug", "--log-json"]
    options += ["--auth", "jwt-bearer", "--login-url", "https://x", "--format", "csv"]

    common = given(*options, "show") if before else given("show", *options)

    assert common == Common(
        profile="prod",
        auth="jwt-bearer",
        login_url="https://x",
        format="csv",
        json=True,
        log_level="debug",
        log_json=True,
    )
    assert common.debug


def test_the_option_of_the_command_wins() -> None:
    assert given("--profile", "a", "show", "--profile", "b").profile == "b"


def test_an_option_before_the_command_is_not_undone_by_its_absence_after() -> None:
    assert given("--json", "show").json is True
