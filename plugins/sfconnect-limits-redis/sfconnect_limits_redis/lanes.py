"""Lanes as people write them: ``bulk<=5`` bounds a lane, ``query>=2`` keeps slots free for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sfconnect.errors import ConfigurationError
from sfconnect.limits import Lane

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OTHERS: Final = "*"
"""The lane of all calls whose surface has none of its own."""
_SURFACES: Final = {"interactive": ("rest", "query", "identity"), "bulk": ("extract",)}
"""What goes by a lane beside its own name, as for the limiter ``adaptive`` of sfconnect."""
_RULE: Final = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(<=|>=)\s*(\d{1,9})\s*")
_HINT: Final = "Write lanes like bulk<=5 (five at most) and query>=2 (two kept free for it)."
_LOGIN: Final = "login"
_LOGIN_HINT: Final = "Leave it out; in each process logins have a lane of their own."


def read_lanes(rules: Iterable[str], budget: int) -> dict[str, Lane]:
    """Read rules, such as ``bulk<=5`` and ``bulk>=1``, two of which may be about one lane.

    Raises:
        ConfigurationError: One cannot be read, or they do not fit the budget.
    """
    bounds: dict[str, dict[str, int]] = {}
    for rule in rules:
        found = _RULE.fullmatch(rule)
        if found is None:
            raise ConfigurationError(f"{rule!r} is no rule of a lane.", hint=_HINT)
        name, sign, slots = found.groups()
        if name == _LOGIN:
            message = f"{rule!r} is about logins, which take no slots of calls."
            raise ConfigurationError(message, hint=_LOGIN_HINT)
        bound = "limit" if sign == "<=" else "reserve"
        if bounds.setdefault(name, {}).setdefault(bound, int(slots)) != int(slots):
            raise ConfigurationError(f"Lane {name!r} has two rules with {sign}.", hint=_HINT)
    lanes = {
        name: Lane(found.get("reserve", 0), found.get("limit"), _SURFACES.get(name, ()))
        for name, found in bounds.items()
    }
    reserved = sum(lane.reserve for lane in lanes.values())
    if reserved >= budget:
        message = f"The lanes keep {reserved} of {budget} slots, so others get none."
        raise ConfigurationError(message, hint="Keep fewer, or raise the budget.")
    return lanes


def lanes_of_surfaces(lanes: Mapping[str, Lane]) -> dict[str, str]:
    """Which lane the calls of a surface go by; a lane of its own name wins."""
    shared = {surface: name for name, lane in lanes.items() for surface in lane.surfaces}
    return {**shared, **{name: name for name in lanes}}


def local_caps(
    budget: int, lanes: Mapping[str, Lane], *, holders: int, limit: int | None = None
) -> dict[str, int]:
    """Divide what one process may use on its own, while the others cannot be asked.

    That is its part of the budget as the number of holders was last known, or ``limit``. A lane
    of its own gets its part of its reserve, all others share the rest; each has at least one.
    """
    alone = max(1, budget // max(1, holders)) if limit is None else limit
    caps = {name: max(1, lane.reserve // max(1, holders)) for name, lane in lanes.items()}
    return {**caps, OTHERS: max(1, alone - sum(caps.values()))}
