"""What a person has granted: renewed without the person, and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from sfconnect.auth.oauth2.browser_login import renewal_token
from sfconnect.salesforce.auth.refresh_token import RefreshToken
from sfconnect.salesforce.auth.secret_rotation import SecretOptions
from sfconnect.salesforce.auth.token_endpoint import revoke_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.auth.base import AuthContext, Credentials
    from sfconnect.auth.oauth2.refusals import LoginFacts

SCOPE: Final = "refresh_token"
LOGIN_URL_OPTION: Final[Mapping[str, Any]] = {
    "help": "Where the person logs in: My Domain, a site, or login or test.salesforce.com.",
    "example": "https://acme.my.salesforce.com",
}
CLIENT_SECRET_OPTION: Final[Mapping[str, Any]] = {
    "help": "Consumer secret, where the app requires it for this flow.",
    "secret": True,
    "default": None,
}
SCOPE_OPTION: Final[Mapping[str, Any]] = {
    "help": "Scopes to ask for, separated by spaces; left out, all that the app has.",
    "default": None,
    "example": "api refresh_token",
}
"""What ``option(**…)`` is told, in each of the ways that a person logs in."""


class GrantOptions(SecretOptions, Protocol):
    """A strategy that has these options."""

    @property
    def login_url(self) -> str:
        """Where the grant was given."""
        ...

    @property
    def client_id(self) -> str:
        """The app that it was given to."""
        ...


async def renew_grant(
    strategy: GrantOptions, context: AuthContext, credentials: Credentials, facts: LoginFacts
) -> Credentials:
    """Log in with the refresh token.

    Raises:
        ReauthorizationRequired: There is none, or it is dead.
        AuthError: The org refused.
    """
    token = renewal_token(credentials, facts, SCOPE)
    renewal = RefreshToken(
        strategy.login_url,
        strategy.client_id,
        token,
        strategy.client_secret,
        strategy.client_secret_next,
    )
    return await renewal.refresh(context, credentials)


async def end_grant(context: AuthContext, credentials: Credentials, facts: LoginFacts) -> None:
    """Revoke the refresh token with all that was made of it, or else the session alone.

    Raises:
        AuthError: The org refused.
    """
    await revoke_token(context, facts, credentials.refresh_token or credentials.access_token)
