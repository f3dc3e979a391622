"""Introspection (RFC 7662): what an app may know of a token."""

from __future__ import annotations

from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.oauth.identity import identity_url
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.tokens import RefreshGrant, Session

INACTIVE: dict[str, object] = {"active": False}


def introspected(state: AuthorizationState, app: ConnectedApp, token: str) -> dict[str, object]:
    """Tell about a token without using it; nothing about those that are dead or not the app's."""
    session, grant = state.tokens.peek(token), state.tokens.grant_of(token)
    if session is not None and _may_ask(app, session.client_id):
        return _of_session(state, session)
    if grant is not None and _may_ask(app, grant.client_id):
        return _of_grant(state, grant)
    return INACTIVE


def _may_ask(app: ConnectedApp, client_id: str) -> bool:
    return app.introspects_all or client_id == app.client_id


def _of_session(state: AuthorizationState, session: Session) -> dict[str, object]:
    return {
        **_about(state, session),
        "token_type": "access_token",
        "exp": state.tokens.expires_at(session),
        "iat": int(session.issued_at),
        "nbf": int(session.issued_at),
    }


def _of_grant(state: AuthorizationState, grant: RefreshGrant) -> dict[str, object]:
    """A refresh token has an end only where a policy of its app gives it one."""
    owner = state.apps.get(grant.client_id)
    ends_at = None if owner is None else owner.end_of(grant)
    if owner is None or (ends_at is not None and ends_at <= state.clock.time()):
        return INACTIVE
    return {
        **_about(state, grant),
        "token_type": "refresh_token",
        **({} if ends_at is None else {"exp": int(ends_at)}),
        "iat": int(grant.approved_at),
        "nbf": int(grant.approved_at),
    }


def _about(state: AuthorizationState, one: Session | RefreshGrant) -> dict[str, object]:
    return {
        "active": True,
        "scope": one.scope,
        "client_id": one.client_id,
        "username": one.username,
        "sub": identity_url(state.base_url, state.directory.org_id, one.user_id),
    }
