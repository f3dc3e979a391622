"""Log in as an app that acts as its Run As user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.client_credentials import as_secret, check_client_auth
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import Client
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.store import secrets_of
from sfconnect.errors import AuthConfigurationError
from sfconnect.salesforce.auth.hints import MY_DOMAIN
from sfconnect.salesforce.auth.token_endpoint import ask_for_token, revoke_token
from sfconnect.salesforce.hosts import is_shared_login, login_base


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Log in with an app's consumer key and secret; calls act as the app's Run As user."""

    login_url: str = option(
        help="My Domain of the org; login.salesforce.com does not offer this flow.",
        example="https://acme.my.salesforce.com",
    )
    client_id: str = option(help="Consumer key of the app.")
    client_secret: Secret | str = option(help="Consumer secret of the app.", secret=True)
    client_auth: Literal["body", "basic"] = option(
        help="Where the secret is sent: in the body, or in the Authorization header.",
        default="body",
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        check_client_auth(self.client_auth)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in; a login URL that cannot work is refused before the secret is sent."""
        facts = self._facts()
        if is_shared_login(self.login_url):
            message = f"Client credentials cannot log in at {facts.host}."
            hint = MY_DOMAIN.format(host=facts.host)
            raise AuthConfigurationError(message, hint=hint, docs_key="needs-my-domain")
        client = Client(self.client_id, as_secret(self.client_secret), self.client_auth)
        return await ask_for_token(context, facts, "client_credentials", {}, client)

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session, also for other programs that were given the same token."""
        await revoke_token(context, self._facts(), credentials.access_token)

    def _facts(self) -> LoginFacts:
        return LoginFacts(
            "client_credentials",
            self.login_url,
            client_id=self.client_id,
            secrets=tuple(secrets_of(self)),
        )
