"""``sfconnect auth explain``."""

from __future__ import annotations

import shutil
import sys

import click

from sfconnect.cli.common import Common, common_options

_WIDEST = 100


@click.command("explain")
@click.argument("name")
@common_options
@click.pass_obj
def command(common: Common, name: str) -> None:
    """Say what a login is for, how to set it up, and what its options are.

    NAME is one of: sfconnect auth list. It ends with a profile and variables to copy. --json tells
    the same to machines.
    """
    from sfconnect.cli.guide import known, text_of  # not for --help
    from sfconnect.cli.logins import guide_to
    from sfconnect.cli.output import print_json

    guide = guide_to(name)
    if common.json:
        print_json(known(guide))
        return
    click.echo(text_of(guide, width=_width()), nl=False)


def _width() -> int:
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDEST
    return max(40, min(columns, _WIDEST))
