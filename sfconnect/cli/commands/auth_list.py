"""``sfconnect auth list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.auth.options import OptionSpec
    from sfconnect.auth.registry import PluginReport


@click.command("list")
@common_options
@click.pass_obj
def command(common: Common) -> None:
    """Show the logins there are, and their options.

    An option NAME is set in a profile, or in the environment as SFCONNECT_NAME; in brackets,
    it may be left out. --json tells everything about each option.
    """
    from sfconnect.auth.registry import STRATEGIES  # not for --help
    from sfconnect.cli.output import print_records

    reports = STRATEGIES.check()
    records = [_record(report, _options(report)) for report in reports]
    whole = [_known(report, _options(report)) for report in reports]
    print_records(common, records, whole=whole)


def _options(report: PluginReport) -> tuple[OptionSpec, ...]:
    from sfconnect.auth.options import options_of
    from sfconnect.auth.registry import STRATEGIES

    if not report.ok:
        return ()
    return options_of(STRATEGIES.load(f"{report.distribution}:{report.name}"))


def _record(report: PluginReport, options: tuple[OptionSpec, ...]) -> dict[str, Any]:
    names = (option.name if option.required else f"[{option.name}]" for option in options)
    about = report.summary if report.error is None else f"broken: {report.error.message}"
    return {
        "login": report.name,
        "from": f"{report.distribution} {report.version}".strip(),
        "options": " ".join(names),
        "about": about,
    }


def _known(report: PluginReport, options: tuple[OptionSpec, ...]) -> dict[str, Any]:
    return {
        "name": report.name,
        "distribution": report.distribution,
        "version": report.version,
        "summary": report.summary,
        "error": str(report.error) if report.error else None,
        "options": [_option(option) for option in options],
    }


def _option(option: OptionSpec) -> dict[str, Any]:
    default = None if option.required or option.secret else option.default
    return {
        "name": option.name,
        "help": option.help,
        "required": option.required,
        "secret": option.secret,
        "default": default if default is None else str(default),
        "environment": list(option.env),
        "wanted": option.wanted,
    }
