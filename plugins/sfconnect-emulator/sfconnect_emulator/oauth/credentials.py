"""How a client proves which app it is: secret in the body, or HTTP Basic, never both."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.errors import invalid_request, unknown_client, wrong_secret
from sfconnect_emulator.wire import Request


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What the client said about itself; either part may be missing."""

    client_id: str | None
    client_secret: str | None = field(repr=False)

    @classmethod
    def read(cls, request: Request, form: dict[str, str]) -> ClientCredentials:
        """Take the credentials from the body or from the Authorization header.

        Raises:
            OAuthError: ``invalid_request`` when both places hold some, ``invalid_client`` for a
                header that cannot be read.
        """
        header = request.headers.get("authorization", "")
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return cls(form.get("client_id"), form.get("client_secret"))
        if form.get("client_secret"):
            raise invalid_request("multiple client credentials provided")
        client_id, secret = _basic(encoded)
        if form.get("client_id", client_id) != client_id:
            raise invalid_request("multiple client credentials provided")
        return cls(client_id, secret)

    def app(self, apps: AppRegistry) -> ConnectedApp:
        """Find the app by its key; a secret that was sent must be right, needed or not."""
        app = apps.get(self.client_id or "")
        if app is None:
            raise unknown_client()
        if self.client_secret is not None and not _same(self.client_secret, app.client_secret):
            raise wrong_secret()
        return app

    def proven_app(self, apps: AppRegistry) -> ConnectedApp:
        """Find the app and insist on its secret."""
        app = self.app(apps)
        if self.client_secret is None:
            raise wrong_secret()
        return app


def _basic(encoded: str) -> tuple[str, str]:
    # RFC 6749 2.3.1: both parts are form-encoded before they are joined.
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise wrong_secret() from None
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise wrong_secret()
    return unquote_plus(client_id), unquote_plus(secret)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
