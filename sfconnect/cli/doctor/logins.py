"""The login itself, when it is asked for, and what it may do at any API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfconnect.auth.urls import shown
from sfconnect.cli.doctor.checks import Finding, failed, not_tried, passed, skipped, warned
from sfconnect.cli.running import own_hooks
from sfconnect.connector import Connector
from sfconnect.errors import ApiError
from sfconnect.policy import NO_RETRY

if TYPE_CHECKING:
    from sfconnect.cli.doctor.case import Case


async def login(case: Case) -> Finding:
    """Log in as programs do: by way of the token store, which keeps what is renewed."""
    if not case.wants_login:
        return not_tried("--login")
    connection = await _connected(case)
    credentials = case.credentials = await connection.credentials()
    place = shown(credentials.instance_url)
    if case.logins:
        return passed(f"got a token; the API is at {place}")
    store = case.resolved.settings.token_store
    kept = f"the token that the store '{store}' has" if store else "a token that is there"
    return passed(f"not needed: {kept} is used, at {place}")


async def _connected(case: Case) -> Connector:
    from sfconnect.salesforce.client import Salesforce

    kind = Salesforce if case.is_salesforce else Connector
    resolved = case.resolved
    connection = kind(
        lambda: resolved,
        transport=case.pool,
        retry=NO_RETRY,
        hooks=[case.hear, *own_hooks(case.common)],
        clock=case.clock,
    )
    case.keep(connection)
    await connection.open()
    return connection


async def granted(case: Case) -> Finding:
    """Compare the scopes that were asked for with those that were granted."""
    profile = getattr(case.strategy, "profile", None)
    asked = frozenset(((profile().scope if profile else None) or "").split())
    given = case.credentials.scopes
    if not given:
        return skipped("the server does not tell what it has granted")
    if missing := asked - given:
        message = f"Not granted: {' '.join(sorted(missing))}; granted: {' '.join(sorted(given))}."
        return warned(message, "Allow the app these scopes at the provider, or ask for fewer.")
    return passed(f"granted: {' '.join(sorted(given))}")


async def resource(case: Case) -> Finding:
    """Read a resource of the API, if one is named."""
    if case.path is None:
        return skipped("no resource is named", "Name one that the login may read: --path /…")
    try:
        await case.connection.get(case.path)
    except ApiError as error:
        hint = error.hint or "Check the path, and that the login may read it."
        return failed(error.message, hint)
    return passed(f"{case.path.partition('?')[0]} can be read")
