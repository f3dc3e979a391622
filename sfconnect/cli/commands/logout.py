"""``sfconnect logout``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.auth.resolve import Resolved


@click.command("logout")
@common_options
@click.pass_obj
def command(common: Common) -> None:
    """End a login that `sfconnect login` began, on the server and in the token store.

    Every program that uses the login is logged out with it.
    """
    from sfconnect.cli.output import print_json  # not for --help
    from sfconnect.cli.running import run_async

    name, told, kept = run_async(common, lambda: _log_out(common))
    if common.json:
        print_json({"login": name, "revoked": told, "was_kept": kept})
        return
    click.echo(_sentence(name, told=told, kept=kept))


async def _log_out(common: Common) -> tuple[str, bool, bool]:
    from sfconnect.auth.store import identity_key
    from sfconnect.cli.commands.login import find_personal_login

    login = await find_personal_login(common)
    key = identity_key(login.strategy)
    kept = login.store is not None and await login.store.get(key) is not None
    told = await _end(common, login)
    if login.store is not None:
        await login.store.delete(key)
    return login.name, told, kept


async def _end(common: Common, login: Resolved) -> bool:
    from sfconnect.cli.running import connector_by
    from sfconnect.errors import AuthError

    async with connector_by(common, login) as connection:
        try:
            return await connection.revoke()
        except AuthError as error:
            if error.docs_key != "no-revocation":
                raise
            return False


def _sentence(name: str, *, told: bool, kept: bool) -> str:
    if told:
        return f"{name} is logged out: the login is ended on the server and forgotten here."
    if kept:
        return f"The login of {name} is forgotten here; the server has no way to end it."
    return f"No login of {name} is kept here, so there was nothing to end."
