"""The refresh token flow: rotation, and what happens to tokens that are shown again.

authlib's refresh grant asks for less than the platform does: it knows neither rotation that
revokes on reuse, nor tokens that are being worked on, nor tokens that end.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sfconnect_emulator.oauth.admission import Granted
from sfconnect_emulator.oauth.apps import REFRESH_TOKEN, ConnectedApp
from sfconnect_emulator.oauth.errors import inactive_user, invalid_grant, invalid_request
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.token_request import TokenRequest, with_flow
from sfconnect_emulator.oauth.tokens import RefreshGrant


class RefreshFlow:
    """Give access tokens for refresh tokens."""

    def __init__(self, state: AuthorizationState) -> None:
        self._state = state

    def redeem(self, request: TokenRequest) -> Granted:
        """Give an access token, and a new refresh token where the app rotates them.

        Until the answer has left the org the token is being processed, and whoever shows it
        meanwhile is sent away without harm.

        Raises:
            OAuthError: the refusal, in the platform's words.
        """
        app = self._app(request)
        token = request.form.get("refresh_token", "")
        if self._state.tokens.is_processing(token):
            raise invalid_grant("token request is already being processed")
        grant = self._grant(app, token)
        user = self._user(grant)
        admission = self._state.admission
        granted = admission.open(app, user, grant.scope, family=grant.family, is_refresh=True)
        granted = admission.with_id_token(granted)
        fresh = self._state.tokens.rotate(grant) if app.rotate_refresh_tokens else None
        self._state.tokens.begin(token)
        finished = partial(self._state.tokens.finish, token)
        return replace(granted, refresh_token=fresh, finished=finished)

    def _app(self, request: TokenRequest) -> ConnectedApp:
        if request.client.client_id is None:
            raise invalid_request("missing required parameter: client_id")
        app = with_flow(request.client.app(self._state.apps), REFRESH_TOKEN)
        if app.require_secret_for_refresh:
            request.client.proven_app(self._state.apps)
        return app

    def _grant(self, app: ConnectedApp, token: str) -> RefreshGrant:
        grant = self._state.tokens.refresh_grant(token)
        ends_at = None if grant is None else app.end_of(grant)
        now = self._state.clock.time()
        has_ended = ends_at is not None and ends_at <= now
        if grant is None or grant.client_id != app.client_id or has_ended:
            raise invalid_grant("expired access/refresh token")
        return grant

    def _user(self, grant: RefreshGrant) -> Person:
        user = self._state.directory.by_id(grant.user_id)
        if user is None or not user.may_log_in:
            raise inactive_user()
        return user
