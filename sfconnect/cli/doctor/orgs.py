"""What is peculiar to Salesforce: its login host, scopes, user, org, API and limits."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from sfconnect.cli.commands.whoami import facts
from sfconnect.cli.doctor.checks import Finding, failed, passed, skipped, warned
from sfconnect.cli.doctor.server import ask, document_problem, redirect_of
from sfconnect.errors import AccessDeniedError
from sfconnect.messages import Request
from sfconnect.salesforce.hosts import (
    PRODUCTION_AUDIENCE,
    SANDBOX_AUDIENCE,
    derive_audience,
    host_of,
    sandbox_name,
)

if TYPE_CHECKING:
    from sfconnect.cli.doctor.case import Case

_DISCOVERY: Final = "/.well-known/openid-configuration"
_MY_DOMAIN: Final = (
    "Set {option} to the org's My Domain (Setup → My Domain), such as "
    "https://acme.my.salesforce.com. A proxy or firewall that wants a person to log in answers "
    "with a page too."
)
_ENOUGH: Final = frozenset({"api", "full"})
_NO_API_SCOPE: Final = (
    "Add 'Manage user data via APIs (api)' to the app's OAuth scopes (Setup → External Client App "
    "Manager → the app → Settings → OAuth Settings); where a user had consented, let the user log "
    "in anew."
)
_LITTLE: Final = 0.1
_KINDS: Final = {
    SANDBOX_AUDIENCE: "a sandbox or scratch org",
    PRODUCTION_AUDIENCE: "a production or developer org",
}


async def discovery(case: Case) -> Finding:
    """Ask the login host for the document that every Salesforce login host has."""
    target = case.target
    if target is None:
        return skipped("the login names no address to look for")
    url = f"{target.url}{_DISCOVERY}"
    response = await ask(case, Request("GET", url, surface="auth"))
    if (other := redirect_of(response)) is not None:
        message = f"{target.host} sends on to {other}; a login does not follow."
        return failed(message, f"Set {target.option} to {other}.")
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{target.host} has a fault (status {response.status})."
        return failed(message, "Try again in a while; status.salesforce.com tells of troubles.")
    problem = document_problem(response)
    if problem is not None:
        message = f"{target.host} is no login host of Salesforce: it answers with {problem}."
        return failed(message, _MY_DOMAIN.format(option=target.option))
    return passed(f"{target.host} is a login host of Salesforce")


async def scopes(case: Case) -> Finding:
    """See whether the token may call the API at all."""
    given = case.credentials.scopes
    if not given:
        return skipped("the org does not tell what it has granted")
    listed = " ".join(sorted(given))
    if not given & _ENOUGH:
        return failed(f"The token may not call the API: its scopes are {listed}.", _NO_API_SCOPE)
    return passed(f"granted: {listed}")


async def user(case: Case) -> Finding:
    """Ask whom the calls run as."""
    try:
        identity = await case.org.identity()
    except AccessDeniedError as error:  # calls of the API may do without
        return warned(error.message, error.hint or _NO_API_SCOPE)
    name = f" ({identity.name})" if identity.name else ""
    if not identity.is_active:
        message = f"The user {identity.username}{name} is not active."
        return failed(message, "Activate or unfreeze the user (Setup → Users).")
    return passed(f"calls run as {identity.username}{name}, {identity.user_id}")


async def api(case: Case) -> Finding:
    """Make one call of the REST API, which any user with API access may make."""
    sf = case.org
    resources = await sf.request("GET", f"/services/data/v{sf.api_version}")
    if not isinstance(resources, dict) or "sobjects" not in resources:
        message = "The answer is not the list of resources that the REST API gives."
        return failed(message, "Something between here and the org answers in its place: a proxy?")
    return passed(f"REST calls of v{sf.api_version} are answered")


async def org(case: Case) -> Finding:
    """Read which org it is, and the user's profile."""
    who = case.who = await case.org.whoami()
    told = facts(who)
    parts = [told["org"], told["org id"], told["org type"]]
    profile = f"; profile {who.profile}" if who.profile else ""
    return passed(", ".join(filter(None, parts)) + profile)


async def limits(case: Case) -> Finding:
    """See how many calls are left of the org's daily allowance; the answers so far have told."""
    quota = case.quotas.get("api-usage")
    if quota is None or not quota.maximum:
        return skipped("the org does not tell its limits")
    left = max(0, quota.maximum - quota.used)
    message = f"{left:,} of {quota.maximum:,} calls within 24 hours are left"
    if left < quota.maximum * _LITTLE:
        fix = (
            "At none left, calls are refused (REQUEST_LIMIT_EXCEEDED). See who makes them (Setup → "
            "Company Information, and API usage reports); fetch many records by the Bulk API."
        )
        return warned(message, fix)
    return passed(message)


async def environment(case: Case) -> Finding:
    """Look for production that is taken for a sandbox, or the other way round."""
    if case.target is None:
        return skipped("the login names no address to compare with")
    url = case.target.url
    audience, username = getattr(case.proving, "audience", None), _username(case)
    wanted = derive_audience(url)
    if audience in _KINDS and wanted in _KINDS and audience != wanted:
        here, there = _KINDS[wanted], _KINDS[audience]
        message = f"audience is that of {there}, and {case.target.option} that of {here}."
        return warned(message, "Leave audience out: it is derived. Or correct the address.")
    name = sandbox_name(url)
    if name and username and not username.lower().endswith(f".{name}"):
        message = f"The username does not end in .{name}, as those of that sandbox do."
        return warned(message, f"Check username: it is likely {username}.{name}.")
    return _compared(case, wanted, host_of(url))


def _username(case: Case) -> str | None:
    name = getattr(case.proving, "username", None)
    return name if isinstance(name, str) else None


def _compared(case: Case, wanted: str, host: str) -> Finding:
    """Compare the address with what the org says of itself."""
    by_address = _KINDS[wanted] if host.endswith(".salesforce.com") and wanted in _KINDS else None
    if case.who is None or case.who.is_sandbox is None:
        if by_address is None:
            return skipped("the address does not show what kind of org it is")
        return passed(f"the address is that of {by_address}")
    is_sandbox = case.who.is_sandbox
    found = _KINDS[SANDBOX_AUDIENCE if is_sandbox else PRODUCTION_AUDIENCE]
    if by_address is not None and by_address != found:
        message = f"The org says that it is {found}, and the address is that of {by_address}."
        return warned(message, "Set login_url to the org's My Domain, so that no other is met.")
    return passed(f"the org is {found}")
