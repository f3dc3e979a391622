"""``sfconnect login``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sfconnect.auth.base import Credentials
    from sfconnect.auth.resolve import Resolved

DEFAULT_LOGIN: Final = "authorization-code"
DEFAULT_STORE: Final = "file"
_NAMES: Final = ("SFCONNECT_PROFILE", "SFCONNECT_AUTH")


@click.command("login")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@common_options
@click.pass_obj
def command(common: Common, *, no_browser: bool) -> None:
    """Log in as a person, and keep the login for other commands and programs.

    Without --auth, --profile or their variables it is authorization-code. The tokens go to the
    token store of the profile, or else to the store `file`. Where no browser can be opened, open
    the address anywhere, and paste the one that it ends at.
    """
    from sfconnect.cli.output import print_json  # not for --help
    from sfconnect.cli.running import run_async

    facts = run_async(common, lambda: _log_in(common, no_browser=no_browser))
    if common.json:
        print_json(facts)
        return
    click.echo(_sentence(facts))


async def find_personal_login(common: Common) -> Resolved:
    """Find the login to begin or to end, and a store for it.

    Raises:
        ConfigurationError: An option is unknown, missing or wrong.
    """
    from sfconnect.cli.running import find_login

    if not (common.auth or common.profile or any(os.environ.get(name) for name in _NAMES)):
        common.auth = DEFAULT_LOGIN
    login = await find_login(common)
    return login if login.store else await find_login(common, token_store=DEFAULT_STORE)


async def _log_in(common: Common, *, no_browser: bool) -> dict[str, Any]:
    from sfconnect.auth.keeping import keep
    from sfconnect.auth.store import MemoryStore
    from sfconnect.cli.person import Screen
    from sfconnect.cli.running import connector_by

    login = await find_personal_login(common)
    store = login.store or MemoryStore()
    people = {"browser": Screen(opens=not no_browser).show, "prompt": _prompt(login)}
    # Not by way of the store: what it holds would be taken, and nobody asked.
    async with connector_by(common, login, store=MemoryStore(), **people) as connection:
        credentials = await connection.credentials()
    await keep(store, login.strategy, credentials)
    _warn_of_short_life(credentials)
    return {**await _who(common, login, credentials), "token_store": login.settings.token_store}


def _prompt(login: Resolved) -> Callable[[str], Awaitable[str]] | None:
    """How to ask; who has to enter a code elsewhere need only be told, and a log will do."""
    from sfconnect.auth.oauth2 import OAuth2Device
    from sfconnect.cli.person import ask, can_ask, tell
    from sfconnect.salesforce.auth import Device

    if can_ask():
        return ask
    return tell if isinstance(login.strategy, Device | OAuth2Device) else None


async def _who(common: Common, login: Resolved, credentials: Credentials) -> dict[str, Any]:
    """Whom the login acts as; it stands also where the API does not tell."""
    from sfconnect.cli.running import connector_by
    from sfconnect.errors import SfConnectError
    from sfconnect.salesforce.client import Salesforce

    connection = connector_by(common, login)
    known = {"login": login.name, "instance_url": credentials.instance_url}
    if not isinstance(connection, Salesforce):
        return known
    try:
        async with connection as sf:
            who = await sf.whoami()
    except SfConnectError as error:
        click.echo(f"Who you are could not be read: {error.message}", err=True)
        return known
    names = {"username": who.username, "user_id": who.user_id, "profile": who.profile}
    return {**known, **names, "org_id": who.org_id, "org_name": who.org_name}


def _warn_of_short_life(credentials: Credentials) -> None:
    if credentials.refresh_token is None:
        text = (
            "Warning: there is no refresh token, so this login ends with its session. Allow the "
            "app the scope refresh_token (elsewhere: offline_access), and log in again."
        )
        click.echo(text, err=True)


def _sentence(facts: dict[str, Any]) -> str:
    name, org = facts.get("username"), facts.get("org_name")
    who = f" as {name}" if name else ""
    where = f"{org} ({facts['org_id']}), " if org else ""
    return (
        f"Logged in{who} to {where}{facts['instance_url']}. "
        f"The tokens are in the token store {facts['token_store']!r}."
    )
