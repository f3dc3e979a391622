"""How a client proves which app it is: secret, HTTP Basic or assertion, never two of them."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.client_assertion import ASSERTION_TYPE, ClientAssertions
from sfconnect_emulator.oauth.errors import invalid_request, unknown_client, wrong_secret
from sfconnect_emulator.wire import Request


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What the client said about itself; every part may be missing.

    ``signed_by`` is the app whose assertion came with the request and has been verified.
    """

    client_id: str | None
    client_secret: str | None = field(repr=False)
    signed_by: ConnectedApp | None = None

    @classmethod
    def read(
        cls, request: Request, form: Mapping[str, str], assertions: ClientAssertions, own_url: str
    ) -> ClientCredentials:
        """Take the credentials from the body or from the Authorization header.

        Raises:
            OAuthError: ``invalid_request`` when both places hold some, ``invalid_client`` for a
                header that cannot be read and for an assertion that is no good.
        """
        header = request.headers.get("authorization", "")
        scheme, _, encoded = header.partition(" ")
        basic = scheme.lower() == "basic"
        if sum([basic, bool(form.get("client_secret")), "client_assertion" in form]) > 1:
            raise invalid_request("multiple client credentials provided")
        client_id = form.get("client_id")
        if "client_assertion" in form:
            return cls._signed(form, assertions, own_url)
        if not basic:
            return cls(client_id, form.get("client_secret"))
        named, secret = _basic(encoded)
        if client_id not in {None, named}:
            raise invalid_request("multiple client credentials provided")
        return cls(named, secret)

    @classmethod
    def _signed(
        cls, form: Mapping[str, str], assertions: ClientAssertions, own_url: str
    ) -> ClientCredentials:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise invalid_request("client assertion type not supported")
        audiences = {own_url, f"{own_url}/services/oauth2/token"}
        app = assertions.app(form["client_assertion"], form.get("client_id"), audiences)
        return cls(app.client_id, None, app)

    def app(self, apps: AppRegistry) -> ConnectedApp:
        """Find the app by its key; a secret that was sent must be right, needed or not."""
        app = apps.get(self.client_id or "")
        if app is None:
            raise unknown_client()
        if self.client_secret is not None and not _is_secret_of(app, self.client_secret):
            raise wrong_secret()
        return app

    def proven_app(self, apps: AppRegistry) -> ConnectedApp:
        """Find the app and insist on a proof that it is the one."""
        app = self.app(apps)
        if self.client_secret is None and self.signed_by is None:
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


def _is_secret_of(app: ConnectedApp, given: str) -> bool:
    wanted = (app.client_secret, app.client_secret_next)
    return any(secret is not None and _same(given, secret) for secret in wanted)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
