"""The checks there are, in their order, and what each of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sfconnect.cli.doctor import keys, logins, network, options, orgs, server
from sfconnect.cli.doctor.checks import Check, Examination, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfconnect.cli.doctor.case import Case

_OPTIONS: Final = (Step("options", options.options),)
_ON_THE_WAY: Final = (
    Step("dns", network.dns, ("options",)),
    Step("tcp", network.tcp, ("dns",)),
    Step("tls", network.tls, ("tcp",)),
)
_HERE: Final = (
    Step("clock", server.clock, ("discovery",)),
    Step("key", keys.key, ("options",), is_authentication=True),
    Step("certificate", keys.certificate, ("key",), is_authentication=True),
    Step("certificate_expiry", keys.certificate_expiry, ("certificate",), is_authentication=True),
    Step("flow", options.flow, ("options",)),
    Step("login", logins.login, ("discovery", "certificate"), is_authentication=True),
)
OF_AN_ORG: Final = (
    *_ON_THE_WAY,
    Step("discovery", orgs.discovery, ("tls",)),
    *_HERE,
    Step("scopes", orgs.scopes, ("login",), is_authentication=True),
    Step("user", orgs.user, ("login",), is_authentication=True),
    Step("api", orgs.api, ("scopes", "user")),
    Step("org", orgs.org, ("api",)),
    Step("limits", orgs.limits, ("api",)),
    Step("environment", orgs.environment, ("options",)),
)
OF_A_TENANT: Final = (
    *_ON_THE_WAY,
    Step("discovery", orgs.discovery, ("tls",)),
    *_HERE,
    Step("api", logins.resource, ("login",)),
    Step("environment", orgs.environment, ("options",)),
)
OF_ANOTHER_API: Final = (
    *_ON_THE_WAY,
    Step("discovery", server.discovery, ("tls",)),
    *_HERE,
    Step("scopes", logins.granted, ("login",)),
    Step("api", logins.resource, ("login",)),
)


def _rest(case: Case) -> tuple[Step, ...]:
    if not case.is_salesforce:
        return OF_ANOTHER_API
    return OF_A_TENANT if case.is_of_a_tenant else OF_AN_ORG


async def examine(case: Case, tell: Callable[[Check], None]) -> Examination:
    """Make all checks of a case; it never raises for what a server does."""
    examination = Examination(case, tell)
    try:
        await examination.make(_OPTIONS)
        await examination.make(_rest(case))
    finally:
        await case.aclose()
    return examination
