"""``sfconnect plugins list``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from sfconnect.cli import exit_codes
from sfconnect.cli.common import Common, common_options


@click.command("list")
@click.option("--check", is_flag=True, help="Import every plugin and say whether it works.")
@common_options
@click.pass_obj
def command(common: Common, *, check: bool) -> int:
    """Show what plugins are installed, and which distribution brought each.

    Without --check none of them is imported. With it, the exit code is 1 if one does not work.
    """
    from sfconnect.cli.output import print_records  # not for --help

    records = list(_checked() if check else _listed())
    print_records(common, records)
    broken = any(record.get("check", "ok") != "ok" for record in records)
    return exit_codes.FAILED if broken else exit_codes.DONE


def _listed() -> Iterator[dict[str, Any]]:
    from sfconnect.auth.registry import SIGNERS, STRATEGIES, TOKEN_STORES

    for registry in (STRATEGIES, TOKEN_STORES, SIGNERS):
        for entry in registry.entries():
            yield _record(registry.group, entry)


def _checked() -> Iterator[dict[str, Any]]:
    from sfconnect.auth.registry import SIGNERS, STRATEGIES, TOKEN_STORES
    from sfconnect.cli.failures import sentence

    for registry in (STRATEGIES, TOKEN_STORES, SIGNERS):
        for report in registry.check():
            verdict = "ok" if report.error is None else sentence(report.error)
            yield {**_record(report.group, report), "check": verdict}


def _record(group: str, plugin: Any) -> dict[str, Any]:
    return {
        "group": group,
        "name": plugin.name,
        "from": f"{plugin.distribution} {plugin.version}".strip(),
        "object": plugin.value,
    }
