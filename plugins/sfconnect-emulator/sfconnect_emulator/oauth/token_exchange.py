"""The token exchange flow (RFC 8693): tokens of other identity providers for tokens of the org.

On the platform an Apex handler judges the foreign token and finds the user; here a trusted issuer
stands in for it. authlib has no grant for this. The words of the refusals are made up: what the
platform says depends on the handler.
"""

from __future__ import annotations

from dataclasses import replace

from sfconnect_emulator.oauth.admission import Granted
from sfconnect_emulator.oauth.apps import TOKEN_EXCHANGE, ConnectedApp
from sfconnect_emulator.oauth.errors import invalid_grant, invalid_request, invalid_scope
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.replays import CLOCK_BUFFER_S
from sfconnect_emulator.oauth.signed_claims import SignedClaims
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.token_request import TokenRequest, check_own_domain, with_flow
from sfconnect_emulator.oauth.trusted_issuers import TrustedIssuer

_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN = f"{_TYPE}access_token"
# What a handler can verify here; refresh tokens and SAML assertions are not among it.
_JWT_TYPES = frozenset({ACCESS_TOKEN, f"{_TYPE}id_token", f"{_TYPE}jwt"})
# Nobody is there to consent to being represented for ever.
_LEFT_OUT = frozenset({"refresh_token", "offline_access"})


class TokenExchange:
    """Give access tokens for tokens of trusted issuers."""

    def __init__(self, state: AuthorizationState) -> None:
        self._state = state

    def redeem(self, request: TokenRequest) -> Granted:
        """Judge a foreign token, and open a session for the user whom it names.

        Raises:
            OAuthError: the refusal.
        """
        check_own_domain(request)
        app = self._app(request)
        issuer = self._state.issuers.get(request.form.get("token_handler"))
        if issuer is None:
            raise invalid_request("token exchange handler not found")
        user = self._user(issuer, self._subject(request))
        self._state.admission.check_pre_authorized(app, user)
        granted = self._state.admission.open(app, user, _scope(app, request.form.get("scope")))
        return replace(granted, issued_token_type=ACCESS_TOKEN)

    def _app(self, request: TokenRequest) -> ConnectedApp:
        if request.client.client_id is None:
            raise invalid_request("missing required parameter: client_id")
        app = with_flow(request.client.app(self._state.apps), TOKEN_EXCHANGE)
        if app.require_secret_for_exchange:
            request.client.proven_app(self._state.apps)
        return app

    def _subject(self, request: TokenRequest) -> SignedClaims:
        token, kind = request.form.get("subject_token"), request.form.get("subject_token_type", "")
        if not token or not kind:
            raise invalid_request("missing required parameter: subject_token, subject_token_type")
        if kind.lower() not in _JWT_TYPES:
            raise invalid_request("subject token type not supported")
        try:
            return SignedClaims.read(token)
        except ValueError:
            raise invalid_grant("invalid subject token") from None

    def _user(self, issuer: TrustedIssuer, subject: SignedClaims) -> Person:
        if subject.text("iss") != issuer.issuer or not subject.signed_by(issuer.key):
            raise invalid_grant("invalid subject token")
        if issuer.audience is not None and not subject.is_for({issuer.audience.rstrip("/")}):
            raise invalid_grant("invalid subject token")
        try:
            expired = subject.expires_at() + CLOCK_BUFFER_S <= self._state.clock.time()
        except ValueError:
            raise invalid_grant("invalid subject token") from None
        if expired:
            raise invalid_grant("subject token expired")
        user = self._state.directory.by_username(subject.text(issuer.user_claim) or "")
        if user is None:
            raise invalid_grant("user not found")
        return user


def _scope(app: ConnectedApp, asked: str | None) -> str:
    granted = app.granted_scope(asked)
    if granted is None:
        raise invalid_scope()
    return " ".join(scope for scope in granted.split() if scope not in _LEFT_OUT)
