"""``sfconnect limits``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from sfconnect.cli.common import Common, common_options


@click.command("limits")
@common_options
@click.pass_obj
def command(common: Common) -> None:
    """Show the org's limits, and what is left of them."""
    from sfconnect.cli.output import print_records  # not for --help
    from sfconnect.cli.running import run_async

    limits = run_async(common, lambda: _ask(common))
    records = [_record(name, limit) for name, limit in sorted(limits.items())]
    print_records(common, records, whole=limits)


async def _ask(common: Common) -> Mapping[str, Any]:
    from sfconnect.cli.running import connect

    async with connect(common) as sf:
        return await sf.limits()


def _record(name: str, limit: Mapping[str, Any]) -> dict[str, Any]:
    most, left = limit.get("Max"), limit.get("Remaining")
    used = f"{(most - left) / most:.0%}" if most and left is not None else None
    return {"limit": name, "max": most, "remaining": left, "used": used}
