"""Apps that prove themselves with a signed token instead of a secret (``private_key_jwt``)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.errors import unknown_client, wrong_secret
from sfconnect_emulator.oauth.replays import CLOCK_BUFFER_S, Replays
from sfconnect_emulator.oauth.signed_claims import SignedClaims

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class ClientAssertions:
    """Judge client assertions (RFC 7523 §2.2); each is good for one request."""

    apps: AppRegistry
    replays: Replays
    clock: Clock

    def app(self, compact: str, client_id: str | None, audiences: Collection[str]) -> ConnectedApp:
        """The app that has signed an assertion about itself.

        Raises:
            OAuthError: an unknown app, or anything at all that is wrong with the assertion.
        """
        try:
            read = SignedClaims.read(compact)
            expires_at = read.expires_at()
        except ValueError:
            raise wrong_secret() from None
        issuer, jwt_id = read.text("iss") or "", read.text("jti")
        app = self.apps.get(issuer)
        if app is None:
            raise unknown_client()
        if read.text("sub") != issuer or client_id not in {None, issuer}:
            raise wrong_secret()
        if app.certificate is None or not read.signed_by(app.certificate):
            raise wrong_secret()
        if not read.is_for(audiences) or expires_at + CLOCK_BUFFER_S <= self.clock.time():
            raise wrong_secret()
        if jwt_id is None or not self.replays.first_use(("client", issuer, jwt_id), expires_at):
            raise wrong_secret()
        return app
