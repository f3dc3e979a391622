"""Whether a user may use an app, and the session that he gets if so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.approvals import Approvals
from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp, IpRelaxation
from sfconnect_emulator.oauth.errors import (
    access_denied,
    inactive_org,
    inactive_user,
    invalid_grant,
    ip_restricted,
)
from sfconnect_emulator.oauth.people import Directory, Person
from sfconnect_emulator.oauth.signing import OrgSigner
from sfconnect_emulator.oauth.tokens import Session, SignedToken, TokenBook

LOGIN_WINDOW_S = 3600


@dataclass(frozen=True, slots=True)
class Granted:
    """A successful grant. ``finished`` wants to know when the answer has left the org."""

    session: Session
    app: ConnectedApp
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    issued_token_type: str | None = None
    finished: Callable[[], None] | None = None


class Admission:
    """Policies between a user who is known and the session that an app opens for him."""

    def __init__(
        self,
        tokens: TokenBook,
        directory: Directory,
        clock: Clock,
        signer: OrgSigner,
        apps: AppRegistry,
    ) -> None:
        self.approvals = Approvals()
        self._tokens = tokens
        self._directory = directory
        self._clock = clock
        self._signer = signer
        self._apps = apps
        self._logins: dict[str, deque[float]] = {}

    def approved_user(self, app: ConnectedApp, username: str) -> Person:
        """The user for whom an app may act although nobody is there to be asked.

        Raises:
            OAuthError: no such user, an inactive one, or nobody has approved the app for him.
        """
        user = self._directory.by_username(username)
        if user is None:
            raise invalid_grant("user hasn't approved this consumer")
        self.check_pre_authorized(app, user)
        if not app.admin_approval and not self._has_approved(app, user):
            raise invalid_grant("user hasn't approved this consumer")
        return user

    def check_pre_authorized(self, app: ConnectedApp, user: Person) -> None:
        """Insist on an active user whom the app's policy lets in.

        Raises:
            OAuthError: an inactive user, or one whom no admin has approved where this is needed.
        """
        if not user.may_log_in:
            raise inactive_user()
        held = self._apps.org.permission_sets_of(user.username)
        if app.admin_approval and not app.approves(user, held):
            raise access_denied()

    def needs_consent(self, app: ConnectedApp, user: Person, scopes: frozenset[str]) -> bool:
        """Whether the user has to be asked before the app may do this."""
        if app.admin_approval or app.names(user.username):
            return False
        approved = self.approvals.scopes(app.client_id, user.user_id)
        return not scopes <= approved

    def open(
        self,
        app: ConnectedApp,
        user: Person,
        scope: str,
        family: str | None = None,
        refresh_token: str | None = None,
        *,
        is_refresh: bool = False,
    ) -> Granted:
        """Open a session; this is a login of the user and counts as one.

        Raises:
            OAuthError: the org is inactive or lets in approved apps only, the caller is outside the
                ranges, or the user has logged in too often within an hour.
        """
        org = self._apps.org
        if not org.active:
            raise inactive_org()
        any_client = user.username.lower() in org.users_with_any_api_client
        if org.api_access_control and not app.admin_approval and not any_client:
            raise access_denied()
        self._check_address(app, is_refresh=is_refresh)
        self._count_login(user)
        session = self._tokens.open(
            *(app.client_id, user.user_id, user.username, scope, family),
            signed=self._signed(app, user, scope),
        )
        return Granted(session, app, refresh_token)

    def revoke(self, token: str) -> bool:
        """Revoke a token; with the last refresh token of a user for an app goes his consent."""
        grant = self._tokens.grant_of(token)
        revoked = self._tokens.revoke(token)
        if grant is not None and not self._tokens.has_approval(grant.client_id, grant.user_id):
            self.approvals.forget(grant.client_id, grant.user_id)
        return revoked

    def revoke_everything(self) -> int:
        """Revoke all tokens and with them all consents; returns how many sessions were alive."""
        self.approvals.clear()
        return self._tokens.revoke_everything()

    def reset(self) -> None:
        """Forget who has consented to what, and how often users have logged in."""
        self.approvals.clear()
        self._logins.clear()

    def open_without_app(self, user: Person, scope: str) -> Session:
        """Open a session for a login that no app stands behind.

        Raises:
            OAuthError: the org is inactive, the caller is outside its ranges, or the user has
                logged in too often within an hour.
        """
        org = self._apps.org
        if not org.active:
            raise inactive_org()
        if org.login_ip_ranges and not org.is_called_from(org.login_ip_ranges):
            raise ip_restricted()
        self._count_login(user)
        return self._tokens.open("", user.user_id, user.username, scope)

    def open_renewable(
        self, app: ConnectedApp, user: Person, scope: str, nonce: str | None = None
    ) -> Granted:
        """Open a session after a user's consent, with a refresh token if the scope has it."""
        self.approvals.record(app.client_id, user.user_id, scope.split())
        if "refresh_token" in scope.split():
            grant = self._tokens.approve(app.client_id, user.user_id, user.username, scope)
            granted = self.open(app, user, scope, grant.family, grant.current)
        else:
            granted = self.open(app, user, scope)
        return self.with_id_token(granted, nonce)

    def with_id_token(self, granted: Granted, nonce: str | None = None) -> Granted:
        """Add an ID token to a grant of a user who was there, if its scope wants one."""
        session = granted.session
        if "openid" not in session.scope.split():
            return granted
        made = self._signer.id_token(session.client_id, session.user_id, session.token, nonce)
        return replace(granted, id_token=made)

    def _check_address(self, app: ConnectedApp, *, is_refresh: bool) -> None:
        relaxed = {IpRelaxation.RELAX, *([IpRelaxation.RELAX_FOR_REFRESH] if is_refresh else [])}
        org = self._apps.org
        ranges = () if app.ip_relaxation in relaxed else (app.ip_ranges, org.login_ip_ranges)
        if any(one and not org.is_called_from(one) for one in ranges):
            raise ip_restricted()

    def _has_approved(self, app: ConnectedApp, user: Person) -> bool:
        return app.names(user.username) or self.approvals.exists(app.client_id, user.user_id)

    def _signed(self, app: ConnectedApp, user: Person, scope: str) -> SignedToken | None:
        """A token in JWT format where the app has them; it ends whether it is used or not."""
        life_s = app.jwt_access_token_life_s
        if not app.jwt_access_tokens:
            return None
        token = self._signer.access_token(app, user, scope, life_s)
        return SignedToken(token, self._clock.time() + life_s)

    def _count_login(self, user: Person) -> None:
        now = self._clock.time()
        logins = self._logins.setdefault(user.user_id, deque())
        while logins and logins[0] <= now - LOGIN_WINDOW_S:
            logins.popleft()
        if len(logins) >= self._apps.org.logins_per_hour:
            raise invalid_grant("login rate exceeded")
        logins.append(now)
