"""``sfconnect auth list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.cli.logins import Known


@click.command("list")
@common_options
@click.pass_obj
def command(common: Common) -> None:
    """Show the logins there are, where they come from, and their options.

    An option NAME is set in a profile, or in the environment as SFCONNECT_NAME; in brackets,
    it may be left out. A login that cannot be used here tells why. --json tells everything.
    """
    from sfconnect.cli.logins import known_logins  # not for --help
    from sfconnect.cli.output import print_records

    logins = known_logins()
    print_records(common, list(map(_record, logins)), whole=list(map(_known, logins)))


def _record(login: Known) -> dict[str, Any]:
    names = (option.name if option.required else f"[{option.name}]" for option in login.options)
    return {
        "login": login.name,
        "from": login.home,
        "can be used": _verdict(login),
        "options": " ".join(names),
        "about": login.summary,
    }


def _verdict(login: Known) -> str:
    if login.broken is not None:
        return f"no, broken: {login.broken}"
    return "yes" if login.unavailable is None else f"no: {login.unavailable}"


def _known(login: Known) -> dict[str, Any]:
    from sfconnect.cli.guide import known_option  # not for --help

    return {
        "name": login.name,
        "origin": login.origin,
        "distribution": login.distribution,
        "version": login.version or None,
        "summary": login.summary,
        "available": login.broken is None and login.unavailable is None,
        "unavailable": login.unavailable,
        "error": login.broken,
        "options": [known_option(option, login.options) for option in login.options],
    }
