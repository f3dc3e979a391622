"""``sfconnect plugins list``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from sfconnect.cli import exit_codes
from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.auth.registry import PluginReport, Registry


@click.command("list")
@click.option("--check", is_flag=True, help="Import every plugin and say whether it works.")
@common_options
@click.pass_obj
def command(common: Common, *, check: bool) -> int:
    """Show what plugins are installed, and which distribution brought each.

    Without --check none of them is imported. With it, the exit code is 1 if one does not work; one
    that is slow to import is told of as well.
    """
    from sfconnect.cli.output import print_records  # not for --help

    if not check:
        found = [_record(one.group, plugin) for one in _registries() for plugin in one.entries()]
        print_records(common, found)
        return exit_codes.DONE
    reports = [report for registry in _registries() for report in registry.check()]
    print_records(common, [{**_record(r.group, r), "check": _verdict(r)} for r in reports])
    return exit_codes.DONE if all(report.ok for report in reports) else exit_codes.FAILED


def _registries() -> Iterable[Registry[Any]]:
    from sfconnect.auth import registry  # not for --help

    return (
        registry.STRATEGIES,
        registry.TOKEN_STORES,
        registry.LIMITERS,
        registry.SIGNERS,
        registry.SECRETS,
    )


def _verdict(report: PluginReport) -> str:
    from sfconnect.cli.failures import sentence  # not for --help

    if report.error is not None:
        return sentence(report.error)
    if report.slow:
        return (
            f"works, but its import takes {report.import_s:.1f} s: its author should import heavy "
            "packages where they are used"
        )
    return "ok"


def _record(group: str, plugin: Any) -> dict[str, Any]:
    return {
        "group": group,
        "name": plugin.name,
        "from": f"{plugin.distribution} {plugin.version}".strip(),
        "object": plugin.value,
    }
