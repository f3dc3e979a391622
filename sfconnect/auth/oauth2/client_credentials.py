"""The client credentials grant for any OAuth 2.0 API (RFC 6749 §4.4)."""

from __future__ import annotations

from dataclasses import dataclass

from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.provider_options import ProviderOptions
from sfconnect.auth.oauth2.token_endpoint import Grant, ask_for_token


@dataclass(frozen=True, slots=True)
class OAuth2ClientCredentials(ProviderOptions):
    """Log in to an OAuth 2.0 API as an app, with its secret, its key or its certificate."""

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in."""
        return await ask_for_token(self, context, Grant("client_credentials"))
