"""The grant types of the token endpoint, each as one method that finds who may act as whom."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth import apps as flows
from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.assertion import verify_assertion
from sfconnect_emulator.oauth.credentials import ClientCredentials
from sfconnect_emulator.oauth.errors import (
    access_denied,
    inactive_user,
    invalid_grant,
    invalid_request,
    unsupported_grant,
)
from sfconnect_emulator.oauth.people import Directory, Person
from sfconnect_emulator.oauth.tokens import Session, TokenBook

LOGIN_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
LOGIN_WINDOW_S = 3600
LOGINS_PER_HOUR = 3600
# Scopes that need a user present; the client credentials flow silently drops them.
_USER_SCOPES = frozenset({"full", "web", "refresh_token", "offline_access"})
_NAMES = {flows.JWT_BEARER: "jwt-bearer"}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a grant needs to see of a request to the token endpoint."""

    form: Mapping[str, str] = field(repr=False)
    client: ClientCredentials
    host: str
    own_url: str


@dataclass(frozen=True, slots=True)
class Granted:
    """A successful grant."""

    session: Session
    app: ConnectedApp
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """Password and security token of a user, for the legacy password grant."""

    password: str = field(repr=False)
    security_token: str = field(default="", repr=False)


def grant_name(grant_type: str) -> str:
    """The short name under which a grant type is counted."""
    return _NAMES.get(grant_type, grant_type)


class Grants:
    """Decide token requests and open sessions for those that may have one."""

    def __init__(
        self, apps: AppRegistry, tokens: TokenBook, directory: Directory, clock: Clock
    ) -> None:
        self.logins_per_hour = LOGINS_PER_HOUR
        self.accounts: dict[str, Account] = {}
        self._apps = apps
        self._tokens = tokens
        self._directory = directory
        self._clock = clock
        self._logins: dict[str, deque[float]] = {}
        self._seen_jwt_ids: dict[tuple[str, str], float] = {}
        self._methods: dict[str, Callable[[TokenRequest], Granted]] = {
            flows.CLIENT_CREDENTIALS: self._client_credentials,
            flows.JWT_BEARER: self._jwt_bearer,
            flows.REFRESH_TOKEN: self._refresh_token,
            flows.PASSWORD: self._password,
        }

    def grant(self, request: TokenRequest) -> Granted:
        """Decide one token request.

        Raises:
            OAuthError: the refusal, in the platform's words.
        """
        method = self._methods.get(request.form.get("grant_type", ""))
        if method is None:
            raise unsupported_grant()
        if "scope" in request.form:
            raise invalid_request("scope parameter not supported")
        return method(request)

    def _client_credentials(self, request: TokenRequest) -> Granted:
        if request.host.lower().startswith(("login.", "test.")):
            raise invalid_grant("request not supported on this domain")
        app = _with_flow(request.client.proven_app(self._apps), flows.CLIENT_CREDENTIALS)
        user = self._directory.by_username(app.run_as or "")
        if user is None or not user.is_active:
            raise invalid_grant("no client credentials user enabled")
        scopes = [scope for scope in app.scopes if scope not in _USER_SCOPES]
        if not scopes:
            raise invalid_grant("no valid scopes defined")
        return self._open(app, user, " ".join(scopes))

    def _jwt_bearer(self, request: TokenRequest) -> Granted:
        now = self._clock.time()
        accepted = {*LOGIN_AUDIENCES, request.own_url.rstrip("/")}
        assertion = verify_assertion(request.form.get("assertion", ""), self._apps, accepted, now)
        app = _with_flow(assertion.app, flows.JWT_BEARER)
        user = self._approved_user(app, assertion.username)
        if assertion.jwt_id is not None:
            self._refuse_replay(app.client_id, assertion.jwt_id, assertion.expires_at)
        return self._open(app, user, " ".join(app.scopes))

    def _refresh_token(self, request: TokenRequest) -> Granted:
        if request.client.client_id is None:
            raise invalid_request("missing required parameter: client_id")
        app = _with_flow(request.client.app(self._apps), flows.REFRESH_TOKEN)
        if app.require_secret_for_refresh:
            request.client.proven_app(self._apps)
        grant = self._tokens.refresh_grant(request.form.get("refresh_token", ""))
        if grant is None or grant.client_id != app.client_id:
            raise invalid_grant("expired access/refresh token")
        user = self._directory.by_id(grant.user_id)
        if user is None or not user.is_active:
            raise inactive_user()
        granted = self._open(app, user, grant.scope, family=grant.family)
        fresh = self._tokens.rotate(grant) if app.rotate_refresh_tokens else None
        return Granted(granted.session, app, fresh)

    def _password(self, request: TokenRequest) -> Granted:
        app = _with_flow(request.client.proven_app(self._apps), flows.PASSWORD)
        username = request.form.get("username", "")
        account = self.accounts.get(username.lower())
        user = self._directory.by_username(username)
        if account is None or user is None or not user.is_active:
            raise invalid_grant("authentication failure")
        wanted = f"{account.password}{account.security_token}"
        if not hmac.compare_digest(request.form.get("password", "").encode(), wanted.encode()):
            raise invalid_grant("authentication failure")
        return self._open(app, self._approved_user(app, username), " ".join(app.scopes))

    def _approved_user(self, app: ConnectedApp, username: str) -> Person:
        user = self._directory.by_username(username)
        if user is None:
            raise invalid_grant("user hasn't approved this consumer")
        if not user.is_active:
            raise inactive_user()
        if not app.approves(user.username):
            if app.admin_approval:
                raise access_denied()
            raise invalid_grant("user hasn't approved this consumer")
        return user

    def _open(
        self, app: ConnectedApp, user: Person, scope: str, family: str | None = None
    ) -> Granted:
        self._count_login(user)
        session = self._tokens.open(app.client_id, user.user_id, user.username, scope, family)
        return Granted(session, app)

    def _count_login(self, user: Person) -> None:
        now = self._clock.time()
        logins = self._logins.setdefault(user.user_id, deque())
        while logins and logins[0] <= now - LOGIN_WINDOW_S:
            logins.popleft()
        if len(logins) >= self.logins_per_hour:
            raise invalid_grant("login rate exceeded")
        logins.append(now)

    def _refuse_replay(self, client_id: str, jwt_id: str, expires_at: float) -> None:
        now = self._clock.time()
        seen = self._seen_jwt_ids
        for key in [key for key, until in seen.items() if until + 180 <= now]:
            del seen[key]
        if (client_id, jwt_id) in seen:
            raise invalid_grant("invalid assertion")
        seen[client_id, jwt_id] = expires_at


def _with_flow(app: ConnectedApp, flow: str) -> ConnectedApp:
    if flow not in app.flows:
        raise unsupported_grant()
    return app
