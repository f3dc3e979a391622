"""The client credentials grant for any OAuth 2.0 API (RFC 6749 §4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.exchange import exchange
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import Client, credentials_from, token_request
from sfconnect.auth.options import as_secret, coerce_secrets, option
from sfconnect.auth.store import secrets_of
from sfconnect.auth.urls import split_endpoint
from sfconnect.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class OAuth2ClientCredentials:
    """Log in to an OAuth 2.0 API as an app, with its id and secret."""

    token_url: str = option(help="Token endpoint.", example="https://auth.example.com/token")
    client_id: str = option(help="Id of the app.")
    client_secret: Secret | str = option(help="Secret of the app.", secret=True)
    client_auth: Literal["basic", "body"] = option(
        help="Where the secret is sent: in the Authorization header, or in the body.",
        default="basic",
    )
    scope: str | None = option(
        help="Scopes to ask for, separated by spaces; left out, the server decides.", default=None
    )
    audience: str | None = option(
        help="The API that the token is for, where the server wants to know.", default=None
    )
    base_url: str | None = option(
        help="Base URL of the API; left out, the token endpoint's host.", default=None
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        split_endpoint(self.token_url, "token_url")
        if self.base_url is not None:
            split_endpoint(self.base_url, "base_url")
        check_client_auth(self.client_auth)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in."""
        secret = as_secret(self.client_secret)
        fields = {"scope": self.scope or "", "audience": self.audience or ""}
        client = Client(self.client_id, secret, self.client_auth)
        request = token_request(self.token_url, "client_credentials", fields, client)
        facts = LoginFacts(
            "client_credentials",
            self.token_url,
            client_id=self.client_id,
            secrets=tuple(secrets_of(self)),
        )
        answer = await exchange(context, request, facts)
        return credentials_from(answer, base_url=self._base_url(), now=context.clock.time())

    def _base_url(self) -> str:
        if self.base_url is not None:
            return self.base_url.rstrip("/")
        parts = split_endpoint(self.token_url, "token_url")
        return f"{parts.scheme}://{parts.netloc}"


def check_client_auth(client_auth: str) -> None:
    """Refuse a spelling that would otherwise send the secret in an unexpected place.

    Raises:
        ConfigurationError: It is neither ``body`` nor ``basic``.
    """
    if client_auth not in {"body", "basic"}:
        message = f"client_auth must be 'body' or 'basic', not {client_auth!r}."
        raise ConfigurationError(message)
