"""Verification of a JWT bearer assertion, as the platform does it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.errors import invalid_grant, unknown_client
from sfconnect_emulator.oauth.replays import CLOCK_BUFFER_S
from sfconnect_emulator.oauth.signed_claims import SignedClaims


@dataclass(frozen=True, slots=True)
class Assertion:
    """The claims that passed: which app speaks, for whom, and until when."""

    app: ConnectedApp
    username: str
    expires_at: float
    jwt_id: str | None


def verify_assertion(
    compact: str, apps: AppRegistry, audiences: Collection[str], now: float
) -> Assertion:
    """Check signature, algorithm, issuer, audience, expiry and subject of an assertion.

    The signature is judged before the claims other than the issuer, which names the key.

    Raises:
        OAuthError: with the platform's words for the first thing that is wrong.
    """
    try:
        read = SignedClaims.read(compact)
    except ValueError:
        raise invalid_grant("invalid assertion") from None
    app = apps.get(read.text("iss") or "")
    if app is None:
        raise unknown_client()
    if app.certificate is None or not read.signed_by(app.certificate):
        raise invalid_grant("invalid assertion")
    if not read.is_for(audiences):
        raise invalid_grant("audience is invalid")
    expires_at = _expiry(read, app, now)
    subject = read.claims.get("prn") or read.claims.get("sub")
    if not isinstance(subject, str):
        raise invalid_grant("invalid assertion")
    return Assertion(app, subject, expires_at, read.text("jti"))


def _expiry(read: SignedClaims, app: ConnectedApp, now: float) -> float:
    try:
        expires_at = read.expires_at()
    except ValueError:
        raise invalid_grant("invalid assertion") from None
    if expires_at + CLOCK_BUFFER_S <= now:
        raise invalid_grant("assertion expired")
    if app.max_assertion_s is not None and expires_at > now + app.max_assertion_s + CLOCK_BUFFER_S:
        raise invalid_grant("invalid assertion")
    return expires_at
