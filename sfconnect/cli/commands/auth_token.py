"""``sfconnect auth token``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.auth.base import Credentials


@click.command("token")
@common_options
@click.pass_obj
def command(common: Common) -> None:
    """Log in and print the access token.

    It opens the org to whoever has it; no other command prints one. --json adds the instance URL
    and when the token was issued and expires, as the login `process` of other programs reads it.
    """
    from sfconnect.auth.process import CONTRACT_VERSION  # not for --help
    from sfconnect.cli.output import print_json
    from sfconnect.cli.running import run_async

    credentials = run_async(common, lambda: _log_in(common))
    token = credentials.access_token.reveal()
    if not common.json:
        click.echo(token)
        return
    print_json(
        {
            "version": CONTRACT_VERSION,
            "access_token": token,
            "instance_url": credentials.instance_url,
            "token_type": credentials.token_type,
            "issued_at": credentials.issued_at,
            "expires_at": credentials.expires_at,
        }
    )


async def _log_in(common: Common) -> Credentials:
    from sfconnect.cli.running import connect_to_any

    async with await connect_to_any(common) as connection:
        return await connection.credentials()
