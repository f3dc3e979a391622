"""``sfconnect auth revoke``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.auth.resolve import Resolved


@click.command("revoke")
@common_options
@click.pass_obj
def command(common: Common) -> None:
    """End the session of the login on the server, and forget its token.

    It ends the token that the login was given (access-token), the whole grant (refresh-token), or
    what a store keeps of it. It logs nobody in to have something to end. To end one that
    `sfconnect auth token` printed, give it to --auth access-token.
    """
    from sfconnect.auth.base import SupportsRevoke  # not for --help
    from sfconnect.cli.output import print_json
    from sfconnect.cli.running import run_async

    login, told = run_async(common, lambda: _revoke(common))
    able = isinstance(login.strategy, SupportsRevoke)
    if common.json:
        print_json({"login": login.name, "can_revoke": able, "revoked": told})
        return
    click.echo(_sentence(login.name, able=able, told=told))


async def _revoke(common: Common) -> tuple[Resolved, bool]:
    from sfconnect.cli.running import connect_to_any_by, find_login

    login = await find_login(common)
    async with connect_to_any_by(common, login) as connection:
        return login, await connection.revoke()


def _sentence(name: str, *, able: bool, told: bool) -> str:
    if told:
        return f"The session of {name} is ended on the server, and its token is forgotten."
    if able:
        return f"No token of {name} is kept here, so there was nothing to end."
    return (
        f"{name} has no way to end a session on the server; what was kept of it here is forgotten."
    )
