"""The reference leaves nothing out: names, settings, options, errors, events, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from operator import attrgetter
from pathlib import Path
from typing import get_args

import click
import pytest

import sfconnect
from sfconnect import errors, instrumentation
from sfconnect.auth.oauth2 import PROVIDERS, ProviderProfile
from sfconnect.auth.options import options_of
from sfconnect.cli.app import root
from sfconnect.config import setting_names

DOCS = Path(__file__).parents[2] / "docs"
CONFIGURATION = (DOCS / "reference/configuration.md").read_text(encoding="utf-8")
COMMANDS = (DOCS / "reference/command-line.md").read_text(encoding="utf-8")
REFERENCE = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("reference/*.md"))


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_described(name: str) -> None:
    assert f"| `{name}` |" in CONFIGURATION


def test_no_setting_is_described_that_does_not_exist() -> None:
    table = CONFIGURATION.partition("## Settings")[2].partition("##")[0]

    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(setting_names())


LOGINS = [
    point
    for point in metadata.distribution("sfconnect").entry_points
    if point.group == "sfconnect.auth"
]


@pytest.mark.parametrize("point", LOGINS, ids=attrgetter("name"))
def test_every_login_and_its_required_options_are_described(point: metadata.EntryPoint) -> None:
    (row,) = [line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{point.name}` |")]

    for option in options_of(point.load()):
        assert f"`{option.name}`" in row or not option.required


def test_every_provider_and_every_member_of_one_is_described() -> None:
    page = (DOCS / "reference/providers.md").read_text(encoding="utf-8")
    known, members = page.partition("## Members")[::2]

    assert {spec.name for spec in options_of(ProviderProfile)} == set(
        re.findall(r"^\| `(\w+)` \|", members.partition("## How")[0], re.MULTILINE)
    )
    assert set(PROVIDERS) <= set(re.findall(r"`([\w-]+)`", known))


def commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    """The full names of all commands below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name


def test_every_command_is_described() -> None:
    described = set(re.findall(r"^\| `([a-z]+(?: [a-z]+)?)", COMMANDS, re.MULTILINE))

    assert set(commands(root)) == described


def test_every_error_and_event_is_on_a_page() -> None:
    assert f"automodule:: {errors.__name__}\n   :members:" in REFERENCE
    assert f"automodule:: {instrumentation.__name__}\n   :members:" in REFERENCE
    assert len(get_args(instrumentation.Event)) >= 6


@pytest.mark.parametrize("name", sfconnect.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """Either on a page by its own name, or by the module that defines it."""
    home = getattr(sfconnect, name).__module__

    assert f"sfconnect.{name}" in REFERENCE or any(
        f"automodule:: {module}\n" in REFERENCE for module in (home, home.rpartition(".")[0])
    )
