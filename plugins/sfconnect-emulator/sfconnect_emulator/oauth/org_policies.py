"""What the org as a whole lets apps and users do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from ipaddress import ip_address, ip_network

import msgspec

LOGINS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class OrgPolicies:
    """Policies of the org; change one by putting a new value in the place of the old.

    ``blocked_flows`` are off for every app. ``users_without_api`` lack the permission API Enabled,
    ``users_without_any_api_auth`` Use Any API Auth, which SOAP login needs. ``expired_passwords``
    are the users whose SOAP login says so; ``frozen_users`` cannot log in. ``permission_sets``
    tells who is assigned to which. With ``api_access_control`` only apps that admins have approved
    are let in, and others for ``users_with_any_api_client``. All callers are on loopback, so
    ``caller_address`` is where they are taken to call from; logins from outside
    ``login_ip_ranges`` are refused where there are any, and those from ``trusted_ip_ranges`` need
    no security token.
    """

    active: bool = True
    api_enabled: bool = True
    blocked_flows: frozenset[str] = frozenset()
    users_without_api: frozenset[str] = frozenset()
    users_without_any_api_auth: frozenset[str] = frozenset()
    frozen_users: frozenset[str] = frozenset()
    permission_sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    api_access_control: bool = False
    users_with_any_api_client: frozenset[str] = frozenset()
    login_ip_ranges: tuple[str, ...] = ()
    trusted_ip_ranges: tuple[str, ...] = ()
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
        for one in (*whole.login_ip_ranges, *whole.trusted_ip_ranges):
            ip_network(one, strict=False)
        sets = {name: _lowered(users) for name, users in whole.permission_sets.items()}
        return replace(
            whole,
            users_without_api=_lowered(whole.users_without_api),
            users_without_any_api_auth=_lowered(whole.users_without_any_api_auth),
            users_with_any_api_client=_lowered(whole.users_with_any_api_client),
            frozen_users=_lowered(whole.frozen_users),
            expired_passwords=_lowered(whole.expired_passwords),
            permission_sets=sets,
        )

    def permission_sets_of(self, username: str) -> frozenset[str]:
        """The permission sets that a user is assigned to."""
        wanted = username.lower()
        return frozenset(name for name, users in self.permission_sets.items() if wanted in users)

    def is_called_from(self, ranges: Iterable[str]) -> bool:
        """Whether the callers' address lies in one of these networks."""
        address = ip_address(self.caller_address)
        return any(address in ip_network(one, strict=False) for one in ranges)


def _lowered(users: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str.lower, users))
