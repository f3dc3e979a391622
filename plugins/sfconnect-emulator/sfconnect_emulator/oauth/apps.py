"""Registered apps: who may ask for tokens, by which flows, and under which policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec
from msgspec import UNSET, UnsetType

CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant type, not a secret
PASSWORD = "password"  # noqa: S105 - the name of a grant type, not a secret
ALL_FLOWS = frozenset({CLIENT_CREDENTIALS, JWT_BEARER, REFRESH_TOKEN, PASSWORD})


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """One app with its policies; change a policy by replacing the value in the registry.

    ``approved_users`` are usernames whom an admin pre-authorized; None approves everybody.
    ``admin_approval`` tells which refusal the others meet: the admin policy's or the
    self-authorization policy's. ``max_assertion_s`` bounds how far ahead an assertion may expire;
    None lifts the bound.
    """

    client_id: str
    client_secret: str = field(repr=False)
    name: str = "sfconnect"
    certificate: str | None = field(default=None, repr=False)
    run_as: str | None = None
    scopes: tuple[str, ...] = ("api", "refresh_token", "web")
    flows: frozenset[str] = ALL_FLOWS
    approved_users: frozenset[str] | None = None
    admin_approval: bool = True
    rotate_refresh_tokens: bool = False
    require_secret_for_refresh: bool = False
    max_assertion_s: int | None = 86_400

    def approves(self, username: str) -> bool:
        """Whether this user may use the app without being asked."""
        return self.approved_users is None or username.lower() in self.approved_users


class AppRegistry:
    """The apps of one org, by consumer key."""

    def __init__(self, apps: tuple[ConnectedApp, ...] = ()) -> None:
        self._apps = {app.client_id: app for app in apps}

    def __iter__(self) -> Iterator[ConnectedApp]:
        return iter(self._apps.values())

    def get(self, client_id: str) -> ConnectedApp | None:
        """The app with this consumer key, if any."""
        return self._apps.get(client_id)

    def add(self, app: ConnectedApp) -> ConnectedApp:
        """Register an app, or put a new version in the place of an old one."""
        self._apps[app.client_id] = app
        return app

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
    admin_approval: bool | UnsetType = UNSET
    rotate_refresh_tokens: bool | UnsetType = UNSET
    require_secret_for_refresh: bool | UnsetType = UNSET
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
