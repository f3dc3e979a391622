"""``sfconnect whoami``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.salesforce.identity import WhoAmI


@click.command("whoami")
@common_options
@click.pass_obj
def command(common: Common) -> None:
    """Show which user the calls run as, and in which org.

    Sharing, field access and limits are that user's. What the user may not read is left empty.
    """
    from dataclasses import asdict  # not for --help

    from sfconnect.cli.output import print_records
    from sfconnect.cli.running import run_async

    who = run_async(common, lambda: _ask(common))
    records = [{"what": name, "value": value} for name, value in facts(who).items()]
    print_records(common, records, whole=asdict(who))


async def _ask(common: Common) -> WhoAmI:
    from sfconnect.cli.running import connect

    async with connect(common) as sf:
        return await sf.whoami()


def facts(who: WhoAmI) -> dict[str, Any]:
    """What a person wants to know, in words."""
    return {
        "username": who.username,
        "name": who.name,
        "profile": who.profile,
        "user licence": who.user_license,
        "user id": who.user_id,
        "org": who.org_name,
        "org id": who.org_id,
        "org type": _org_type(who),
        "instance": who.instance,
        "instance URL": who.instance_url,
        "API version": who.api_version,
    }


def _org_type(who: WhoAmI) -> str | None:
    kinds = {True: "sandbox", False: "production or developer org", None: None}
    known = [who.org_type, kinds[who.is_sandbox]]
    if who.trial_ends:
        known.append(f"expires {who.trial_ends[:10]}")
    return ", ".join(filter(None, known)) or None
