"""The OAuth flow that sends a user's password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sfconnect import Secret
from sfconnect.auth import (
    AuthContext,
    Credentials,
    Retirement,
    coerce_secrets,
    option,
    warn_of_retirement,
)
from sfconnect_auth_legacy.hosts import host_of, login_base
from sfconnect_auth_legacy.oauth import check_revoked, form_request, read_token
from sfconnect_auth_legacy.passwords import (
    LOGIN_URL_OPTION,
    SECURITY_TOKEN_OPTION,
    USERNAME_OPTION,
    reveal,
    secrets_of,
    sent_password,
)
from sfconnect_auth_legacy.refusals import Attempt
from sfconnect_auth_legacy.retirement import OAUTH_FLOW


@dataclass(frozen=True, slots=True)
class UsernamePassword:
    """Log in with a username and a password (OAuth); retired on 20 February 2027."""

    plugin_api: ClassVar[int] = 1
    retirement: ClassVar[Retirement] = OAUTH_FLOW

    login_url: str = option(**LOGIN_URL_OPTION)
    client_id: str = option(help="Consumer key of the connected app.")
    username: str = option(**USERNAME_OPTION)
    password: Secret | str = option(help="Password of the user.", secret=True)
    client_secret: Secret | str | None = option(
        help="Consumer secret of the connected app, where it requires one.",
        secret=True,
        default=None,
    )
    security_token: Secret | str | None = option(**SECURITY_TOKEN_OPTION)

    def __post_init__(self) -> None:
        warn_of_retirement(OAUTH_FLOW)
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in. The answer has no refresh token: each renewal is a login of its own.

        Raises:
            AuthError: The login was refused, with what to change.
            HostNotAllowedError: The answer names an API address that is not Salesforce's.
        """
        fields = {
            "grant_type": "password",
            "client_id": self.client_id,
            "client_secret": reveal(self.client_secret),
            "username": self.username,
            "password": sent_password(self),
        }
        response = await context.send(form_request(self._url("token"), fields))
        return read_token(
            response, self._attempt(), login_url=self.login_url, now=context.clock.time()
        )

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session.

        Raises:
            AuthError: The server refused.
        """
        token = credentials.access_token.reveal()
        response = await context.send(form_request(self._url("revoke"), {"token": token}))
        check_revoked(response, self._attempt(token))

    def _url(self, endpoint: str) -> str:
        return f"{self.login_url}/services/oauth2/{endpoint}"

    def _attempt(self, *more: str) -> Attempt:
        secrets = (*secrets_of(self), reveal(self.client_secret), *more)
        return Attempt("username-password", host_of(self.login_url), self.username, secrets)
