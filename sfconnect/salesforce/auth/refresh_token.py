"""Log in with a refresh token that a user has granted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import Client
from sfconnect.auth.options import as_secret, coerce_secrets, option
from sfconnect.salesforce.auth.facts import login_facts
from sfconnect.salesforce.auth.secret_rotation import (
    CLIENT_SECRET_NEXT,
    check_secrets,
    secret_of,
)
from sfconnect.salesforce.auth.token_endpoint import ask_for_token, revoke_token
from sfconnect.salesforce.hosts import login_base


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Log in with a refresh token; where the app rotates them, the newest is used.

    A rotated token lives in the credentials. Without a token store it is gone with the process,
    and the one configured here is then dead.
    """

    identity_secrets: ClassVar[tuple[str, ...]] = ("refresh_token",)

    login_url: str = option(
        help="Host that issued the token: My Domain, or login or test.salesforce.com.",
        example="https://acme.my.salesforce.com",
    )
    client_id: str = option(help="Consumer key of the app that the token was granted to.")
    refresh_token: Secret | str = option(help="The refresh token.", secret=True)
    client_secret: Secret | str | None = option(
        help="Consumer secret, where the app requires it for this flow.", secret=True, default=None
    )
    client_secret_next: Secret | str | None = option(**CLIENT_SECRET_NEXT)

    def __post_init__(self) -> None:
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        check_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in with the configured token."""
        return await self._exchange(context, as_secret(self.refresh_token))

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew with the newest token; a rotated one must never be used a second time."""
        newest = credentials.refresh_token or as_secret(self.refresh_token)
        return await self._exchange(context, newest)

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the grant: the refresh token and every session made of it."""
        newest = credentials.refresh_token or as_secret(self.refresh_token)
        await revoke_token(context, self._facts(newest), newest)

    async def _exchange(self, context: AuthContext, token: Secret) -> Credentials:
        client = Client(self.client_id, secret_of(self.client_secret))
        fields = {"refresh_token": token.reveal()}
        facts, following = self._facts(token), secret_of(self.client_secret_next)
        return await ask_for_token(
            context, facts, "refresh_token", fields, client, next_secret=following
        )

    def _facts(self, token: Secret) -> LoginFacts:
        return login_facts(
            self,
            "refresh_token",
            self.login_url,
            client_id=self.client_id,
            secrets=(token.reveal(),),
        )
