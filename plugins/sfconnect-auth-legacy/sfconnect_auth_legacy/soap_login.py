"""The login of the SOAP API: a session for a username and a password, without any app."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from sfconnect import ConfigurationError, Secret
from sfconnect.auth import (
    AuthContext,
    Credentials,
    Retirement,
    coerce_secrets,
    option,
    warn_of_retirement,
)
from sfconnect.errors import AuthConfigurationError
from sfconnect_auth_legacy.hosts import host_of, login_base
from sfconnect_auth_legacy.passwords import (
    LOGIN_URL_OPTION,
    SECURITY_TOKEN_OPTION,
    USERNAME_OPTION,
    secrets_of,
    sent_password,
)
from sfconnect_auth_legacy.refusals import Attempt
from sfconnect_auth_legacy.retirement import SOAP_LOGIN
from sfconnect_auth_legacy.soap import (
    Scope,
    check_logged_out,
    login_request,
    logout_request,
    read_login,
)
from sfconnect_auth_legacy.xml import XmlError

OLDEST: Final = 31
NEWEST: Final = 64


@dataclass(frozen=True, slots=True)
class SoapLogin:
    """Log in with a username and a password (SOAP login); retired in Summer '27."""

    plugin_api: ClassVar[int] = 1
    retirement: ClassVar[Retirement] = SOAP_LOGIN

    login_url: str = option(**LOGIN_URL_OPTION)
    username: str = option(**USERNAME_OPTION)
    password: Secret | str = option(help="Password of the user.", secret=True)
    security_token: Secret | str | None = option(**SECURITY_TOKEN_OPTION)
    soap_version: str = option(
        help="API version of the login, from 31.0 to 64.0; later ones have none.", default="64.0"
    )
    organization_id: str | None = option(
        help="Id of the org, for users of portals and sites.", default=None
    )
    portal_id: str | None = option(help="Id of the portal, for its users.", default=None)

    def __post_init__(self) -> None:
        warn_of_retirement(SOAP_LOGIN)
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        _check_version(self.soap_version)
        if self.portal_id and not self.organization_id:
            message = "portal_id needs organization_id."
            raise ConfigurationError(message, hint="Give both.", unused=("portal_id",))

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in; the session tells how long it lives.

        Raises:
            AuthError: The login was refused, or the password has expired.
            HostNotAllowedError: The answer names an API address that is not Salesforce's.
        """
        password = sent_password(self)
        scope = Scope(self.organization_id, self.portal_id)
        try:
            request = login_request(self._url(self.login_url), self.username, password, scope)
        except XmlError as error:
            name = str(error).removeprefix("u:")
            message = f"{name} holds a character that XML cannot express."
            raise AuthConfigurationError(message, docs_key="not-xml") from None
        response = await context.send(request)
        return read_login(
            response, self._attempt(), login_url=self.login_url, now=context.clock.time()
        )

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session. Salesforce may have given the same one to others for this user.

        Raises:
            AuthError: The server refused.
        """
        session_id = credentials.access_token.reveal()
        request = logout_request(self._url(credentials.instance_url), session_id)
        response = await context.send(request)
        check_logged_out(response, self._attempt(session_id))

    def _url(self, base: str) -> str:
        return f"{base}/services/Soap/u/{self.soap_version}"

    def _attempt(self, *more: str) -> Attempt:
        secrets = (*secrets_of(self), *more)
        return Attempt("SOAP", host_of(self.login_url), self.username, secrets)


def _check_version(version: str) -> None:
    number = version.removesuffix(".0")
    if re.fullmatch(r"\d\d\.0", version) and OLDEST <= int(number) <= NEWEST:
        return
    message = f"soap_version must be one from {OLDEST}.0 to {NEWEST}.0, not {version!r}."
    hint = "SOAP login() is not in later versions; that of all other calls is api_version."
    raise ConfigurationError(message, hint=hint)
