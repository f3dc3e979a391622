"""Registered apps: who may ask for tokens, by which flows, and under which policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import ip_network

import msgspec
from msgspec import UNSET, UnsetType

from sfconnect_emulator.oauth.errors import app_not_installed
from sfconnect_emulator.oauth.org_policies import OrgPolicies
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.tokens import RefreshGrant

CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH_TOKEN = "refresh_token"
PASSWORD = "password"
AUTHORIZATION_CODE = "authorization_code"
DEVICE = "device"
RFC_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
SAML_BEARER = "urn:ietf:params:oauth:grant-type:saml2-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ALL_FLOWS = frozenset(
    {
        *(AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE, JWT_BEARER, PASSWORD, REFRESH_TOKEN),
        *(SAML_BEARER, TOKEN_EXCHANGE),
    }
)
CALLBACK_PORTS = (1717, 1718, 1719, 1720, 1721, 3000, 5000, 8000, 8080, 8443)
CALLBACKS = tuple(
    f"http://{host}:{port}/OauthRedirect"
    for port in CALLBACK_PORTS
    for host in ("localhost", "127.0.0.1")
)


class IpRelaxation(StrEnum):
    """What becomes of IP ranges when this app logs in."""

    ENFORCE = "enforce"
    RELAX_FOR_REFRESH = "relax-for-refresh"
    RELAX = "relax"


_ALIASES = {"offline_access": "refresh_token"}


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """One app with its policies; change a policy by replacing the value in the registry.

    With ``admin_approval`` only ``approved_users`` may use the app, unasked, and those who have one
    of the ``profiles`` or ``permission_sets``, by name; None for the users and nothing for the
    others approves everybody. Without it users authorize the app themselves, on the consent page,
    and ``approved_users`` are those who have done so already. ``max_assertion_s`` bounds how far
    ahead an assertion may expire; None lifts the bound. ``require_secret`` is about the exchange of
    authorization codes. Refresh tokens end ``refresh_token_idle_s`` after their last use, or
    ``refresh_token_life_s`` after the approval; None means not at all, 0 at once. While a secret is
    rotated ``client_secret_next`` is good too. Callers outside ``ip_ranges`` get no tokens, unless
    there are no ranges; ``ip_relaxation`` relaxes these and the org's own. An app that is not
    ``propagated`` is not known yet.
    """

    client_id: str
    client_secret: str = field(repr=False)
    name: str = "sfconnect"
    certificate: str | None = field(default=None, repr=False)
    run_as: str | None = None
    scopes: tuple[str, ...] = ("api", "cdp_query_api", "openid", "refresh_token", "web")
    flows: frozenset[str] = ALL_FLOWS
    approved_users: frozenset[str] | None = None
    profiles: frozenset[str] = frozenset()
    permission_sets: frozenset[str] = frozenset()
    admin_approval: bool = True
    rotate_refresh_tokens: bool = False
    require_secret_for_refresh: bool = False
    require_secret_for_exchange: bool = False
    refresh_token_idle_s: int | None = None
    refresh_token_life_s: int | None = None
    max_assertion_s: int | None = 86_400
    callbacks: tuple[str, ...] = CALLBACKS
    require_pkce: bool = False
    require_secret: bool = False
    jwt_access_tokens: bool = False
    jwt_access_token_life_s: int = 1800
    client_secret_next: str | None = field(default=None, repr=False)
    ip_ranges: tuple[str, ...] = ()
    ip_relaxation: IpRelaxation = IpRelaxation.ENFORCE
    installed: bool = True
    propagated: bool = True
    introspects_all: bool = False

    def approves(self, user: Person, permission_sets: frozenset[str]) -> bool:
        """Whether an admin has let in this user, who is assigned to these permission sets."""
        if self.approved_users is None and not self.profiles and not self.permission_sets:
            return True
        return (
            self.names(user.username)
            or user.profile in self.profiles
            or not self.permission_sets.isdisjoint(permission_sets)
        )

    def names(self, username: str) -> bool:
        """Whether the user is one of those whom the policy names."""
        return self.approved_users is not None and username.lower() in self.approved_users

    def end_of(self, grant: RefreshGrant) -> float | None:
        """When a refresh token of the app ends if it is not used again; None means never."""
        ends = [
            since + seconds
            for since, seconds in (
                (grant.last_used, self.refresh_token_idle_s),
                (grant.approved_at, self.refresh_token_life_s),
            )
            if seconds is not None
        ]
        return min(ends, default=None)

    def granted_scope(self, asked: str | None) -> str | None:
        """What a user is asked to approve: all scopes of the app, or those that it wants now.

        None when the app must not have one of them; ``full`` covers every scope but
        ``refresh_token``.
        """
        if not asked:
            return " ".join(self.scopes)
        wanted = dict.fromkeys(_ALIASES.get(scope, scope) for scope in asked.split())
        allowed = {_ALIASES.get(scope, scope) for scope in self.scopes}
        open_to = wanted.keys() & {"refresh_token"} if "full" in allowed else wanted.keys()
        return " ".join(wanted) if open_to <= allowed else None


class AppRegistry:
    """The apps of one org, by consumer key."""

    def __init__(self, apps: tuple[ConnectedApp, ...] = ()) -> None:
        self.org = OrgPolicies()
        self._first = {app.client_id: app for app in apps}
        self._apps = dict(self._first)

    def __iter__(self) -> Iterator[ConnectedApp]:
        return iter(self._apps.values())

    def get(self, client_id: str) -> ConnectedApp | None:
        """The app with this consumer key as it works now, if any.

        Flows that the org blocks are off; an app that has not been propagated is not known yet.

        Raises:
            OAuthError: the app exists elsewhere and is not installed in this org.
        """
        app = self._apps.get(client_id)
        if app is None or not app.propagated:
            return None
        if not app.installed:
            raise app_not_installed()
        blocked = self.org.blocked_flows
        return replace(app, flows=app.flows - blocked) if blocked else app

    def add(self, app: ConnectedApp) -> ConnectedApp:
        """Register an app, or put a new version in the place of an old one."""
        self._apps[app.client_id] = app
        return app

    def reset(self) -> None:
        """Go back to the first apps as they were, and to the policies of a new org."""
        self.org = OrgPolicies()
        self._apps = dict(self._first)

    def change(self, client_id: str, changes: Mapping[str, object]) -> ConnectedApp:
        """Change policies of an app by name.

        Raises:
            KeyError: no such app.
            ValueError: a name that is no policy, or a value of the wrong kind.
        """
        app = self._apps[client_id]
        try:
            policies = msgspec.convert(dict(changes), _Policies)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        for one in policies.ip_ranges or ():
            ip_network(one, strict=False)
        return self.add(policies.applied_to(app))


class _Policies(msgspec.Struct, forbid_unknown_fields=True):
    """The members of an app that can be changed, with what they may hold."""

    name: str | UnsetType = UNSET
    client_secret: str | UnsetType = UNSET
    certificate: str | UnsetType | None = UNSET
    run_as: str | UnsetType | None = UNSET
    scopes: tuple[str, ...] | UnsetType = UNSET
    flows: frozenset[str] | UnsetType = UNSET
    approved_users: frozenset[str] | UnsetType | None = UNSET
    profiles: frozenset[str] | UnsetType = UNSET
    permission_sets: frozenset[str] | UnsetType = UNSET
    admin_approval: bool | UnsetType = UNSET
    rotate_refresh_tokens: bool | UnsetType = UNSET
    require_secret_for_refresh: bool | UnsetType = UNSET
    require_secret_for_exchange: bool | UnsetType = UNSET
    callbacks: tuple[str, ...] | UnsetType = UNSET
    require_pkce: bool | UnsetType = UNSET
    require_secret: bool | UnsetType = UNSET
    jwt_access_tokens: bool | UnsetType = UNSET
    jwt_access_token_life_s: int | UnsetType = UNSET
    client_secret_next: str | UnsetType | None = UNSET
    ip_ranges: tuple[str, ...] | UnsetType = UNSET
    ip_relaxation: IpRelaxation | UnsetType = UNSET
    installed: bool | UnsetType = UNSET
    propagated: bool | UnsetType = UNSET
    introspects_all: bool | UnsetType = UNSET
    refresh_token_idle_s: int | UnsetType | None = UNSET
    refresh_token_life_s: int | UnsetType | None = UNSET
    max_assertion_s: int | UnsetType | None = UNSET

    def applied_to(self, app: ConnectedApp) -> ConnectedApp:
        """The app with these policies in the place of its own."""
        changes = {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if value is not UNSET
        }
        users = changes.get("approved_users")
        if users is not None:
            changes["approved_users"] = frozenset(user.lower() for user in users)
        return replace(app, **changes)
