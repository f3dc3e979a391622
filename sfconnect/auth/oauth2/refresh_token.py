"""The refresh token grant for any OAuth 2.0 API (RFC 6749 §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.client_auth import (
    ClientOptions,
    check_client_options,
    refuse_unused_key,
)
from sfconnect.auth.oauth2.provider import ProviderProfile
from sfconnect.auth.oauth2.provider_options import ProviderOptions
from sfconnect.auth.oauth2.refusals import REFRESH, Rule
from sfconnect.auth.oauth2.token_endpoint import (
    Grant,
    ProviderLogin,
    ask_for_token,
    revoke_token,
)
from sfconnect.auth.options import as_secret, option
from sfconnect.errors import ReauthorizationRequired

_ROTATED: Final = Rule(
    "invalid_grant",
    "",
    ReauthorizationRequired,
    "This server gives a refresh token once only: another process has used it, or it was renewed "
    "and not kept. Authorise the app again, and share a token store.",
    "refresh-token-used",
    REFRESH,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2RefreshToken(ProviderOptions):
    """Log in to an OAuth 2.0 API with a refresh token; where it is rotated, the newest is used.

    A rotated token lives in the credentials. Without a token store it is gone with the process,
    and the one configured here is then dead.
    """

    identity_secrets: ClassVar[tuple[str, ...]] = ("refresh_token",)

    refresh_token: Secret | str = option(help="The refresh token.", secret=True)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in with the configured token."""
        return await renew(self, context, as_secret(self.refresh_token))

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew with the newest token; a rotated one must never be used a second time."""
        newest = credentials.refresh_token or as_secret(self.refresh_token)
        return await renew(self, context, newest)

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the grant: the newest refresh token, and what was made of it."""
        newest = credentials.refresh_token or as_secret(self.refresh_token)
        await revoke_token(self, context, newest, "refresh_token")

    def _check_client(self, profile: ProviderProfile) -> None:
        check_public_client(self, profile)


async def renew(strategy: ProviderLogin, context: AuthContext, token: Secret) -> Credentials:
    """Log in with a refresh token.

    Raises:
        ReauthorizationRequired: It is dead.
        AuthError: The server refused otherwise.
    """
    rules = (_ROTATED,) if strategy.profile().rotates_refresh_token else ()
    fields = {"refresh_token": token.reveal()}
    grant = Grant("refresh_token", fields, step="refresh", rules=rules)
    return await ask_for_token(strategy, context, grant)


def check_public_client(strategy: ClientOptions, profile: ProviderProfile) -> None:
    """Check the app's proof where there need be none: one on a phone, say, has no secret.

    Raises:
        ConfigurationError: The options do not fit together.
    """
    check_client_options(strategy, profile.client_auth, needs_secret=False)
    refuse_unused_key(strategy, profile.client_auth)
