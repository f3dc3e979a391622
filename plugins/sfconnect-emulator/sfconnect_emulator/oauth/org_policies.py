"""What the org as a whole lets apps and users do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address, ip_network

import msgspec

LOGINS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class OrgPolicies:
    """Policies of the org; change one by putting a new value in the place of the old.

    ``blocked_flows`` are off for every app. ``users_without_api`` lack the permission API Enabled.
    ``expired_passwords`` are the users whose SOAP login says so. All callers are on loopback, so
    ``caller_address`` is where they are taken to call from.
    """

    active: bool = True
    api_enabled: bool = True
    blocked_flows: frozenset[str] = frozenset()
    users_without_api: frozenset[str] = frozenset()
    expired_passwords: frozenset[str] = frozenset()
    caller_address: str = "127.0.0.1"
    logins_per_hour: int = LOGINS_PER_HOUR

    def changed(self, changes: Mapping[str, object]) -> OrgPolicies:
        """The policies with some of them changed, by name.

        Raises:
            ValueError: a name that is no policy, or a value of the wrong kind.
        """
        unknown = changes.keys() - asdict(self).keys()
        if unknown:
            raise ValueError(f"no such policy: {', '.join(sorted(unknown))}")
        try:
            whole = msgspec.convert({**asdict(self), **changes}, OrgPolicies)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        ip_address(whole.caller_address)
        return replace(
            whole,
            users_without_api=frozenset(map(str.lower, whole.users_without_api)),
            expired_passwords=frozenset(map(str.lower, whole.expired_passwords)),
        )

    def is_called_from(self, ranges: Iterable[str]) -> bool:
        """Whether the callers' address lies in one of these networks."""
        address = ip_address(self.caller_address)
        return any(address in ip_network(one, strict=False) for one in ranges)
