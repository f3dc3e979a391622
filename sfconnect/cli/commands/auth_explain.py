"""``sfconnect auth explain``."""

from __future__ import annotations

import click

from sfconnect.cli.common import Common, common_options


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
    from sfconnect.cli.paragraphs import text_width

    guide = guide_to(name)
    if common.json:
        print_json(known(guide))
        return
    click.echo(text_of(guide, width=text_width()), nl=False)
