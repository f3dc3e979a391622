"""Whether the options make a login, and whether that login has a future."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from sfconnect.auth.base import SupportsAvailability
from sfconnect.auth.retirement import Retirement, RetirementWarning
from sfconnect.auth.urls import shown
from sfconnect.cli.doctor.checks import Finding, failed, passed, warned
from sfconnect.cli.running import find_login

if TYPE_CHECKING:
    from sfconnect.cli.doctor.case import Case


async def options(case: Case) -> Finding:
    """Find the login, as every command does; nothing is sent."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        login = await find_login(case.common)
    case.admit(login)
    strategy = type(login.strategy)
    reason = strategy.availability() if issubclass(strategy, SupportsAvailability) else None
    if reason is not None:
        return failed(f"{login.name} cannot be used here.", reason)
    # A retirement has a line of its own.
    slips = [str(one.message) for one in told if not issubclass(one.category, RetirementWarning)]
    if slips:
        return warned(" ".join(slips), "Correct it, or take it away.")
    where = f" at {shown(case.target.url)}" if case.target else ""
    return passed(f"complete: {login.name}{where}, chosen by {login.origin}")


async def flow(case: Case) -> Finding:
    """Look for the date at which the way to log in ends."""
    strategy = case.strategy
    for one in (strategy, case.proving):
        retirement = getattr(type(one), "retirement", None)
        if isinstance(retirement, Retirement):
            ends = f"{retirement.flow} ends {retirement.when}. {retirement.already}".strip()
            return warned(ends, retirement.instead)
    return passed(f"no end of {case.resolved.name} is known")
