"""Use a token that somebody else has got."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.wire import jwt_expiry
from sfconnect.auth.options import as_secret, coerce_secrets, option
from sfconnect.errors import ConfigurationError, PluginError, ReauthorizationRequired
from sfconnect.salesforce.auth.facts import login_facts
from sfconnect.salesforce.auth.token_endpoint import revoke_token
from sfconnect.salesforce.hosts import login_base

_CLI_PLACEHOLDER = "[REDACTED]"


Renewal: TypeAlias = Callable[[], Awaitable[Secret | str | Credentials]]
"""Gives a new token for the same org, or credentials where the address changed too."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Use an existing access token or session id; it is renewed only by a callback of yours."""

    identity_secrets: ClassVar[tuple[str, ...]] = ("access_token",)

    instance_url: str = option(
        help="Address of the org that the token is for.",
        example="https://acme.my.salesforce.com",
        env="SF_ORG_INSTANCE_URL",
    )
    access_token: Secret | str = option(help="The token.", secret=True, env="SF_ACCESS_TOKEN")
    renew: Renewal | None = option(
        help="Coroutine function that gives a new token when this one is refused.", default=None
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        object.__setattr__(self, "instance_url", login_base(self.instance_url))
        _refuse_placeholder(as_secret(self.access_token))

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Hand the token over; nothing is sent."""
        return self._credentials(as_secret(self.access_token))

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Ask the callback for a new token.

        Raises:
            ReauthorizationRequired: There is no callback: who gave the token has to give a new one.
            PluginError: The callback gave something else.
        """
        if self.renew is not None:
            return self._renewed(await self.renew())
        message = f"The access token for {self.instance_url} is not accepted any more."
        hint = "Give a new one; or log in with client-credentials or jwt-bearer, which renew."
        raise ReauthorizationRequired(message, hint=hint, docs_key="token-not-renewable")

    def _renewed(self, given: object) -> Credentials:
        if isinstance(given, Credentials):
            return given
        if isinstance(given, Secret | str) and (token := as_secret(given)):
            _refuse_placeholder(token)
            return self._credentials(token)
        message = f"The renewal of an access token gave {type(given).__name__}, or nothing."
        raise PluginError(message, hint="It gives a token as Secret or text, or Credentials.")

    def _credentials(self, token: Secret) -> Credentials:
        return Credentials(token, self.instance_url, expires_at=jwt_expiry(token.reveal()))

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session that the token stands for."""
        facts = login_facts(self, "access_token", self.instance_url)
        await revoke_token(context, facts, credentials.access_token)


def _refuse_placeholder(token: Secret) -> None:
    if token.reveal().startswith(_CLI_PLACEHOLDER):
        message = "access_token is the placeholder that the Salesforce CLI shows, no token."
        hint = "Take it from `sf org auth show-access-token --json`."
        raise ConfigurationError(message, hint=hint)
