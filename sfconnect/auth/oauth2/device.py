"""Log in a person by a code that is entered on another device, at any server (RFC 8628)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.authorization_code import OFFLINE
from sfconnect.auth.oauth2.browser_login import renewal_token
from sfconnect.auth.oauth2.device_login import (
    DeviceCode,
    ask_for_code,
    check_can_show,
    device_request,
    log_in_by_device,
)
from sfconnect.auth.oauth2.discovery import required_endpoint
from sfconnect.auth.oauth2.provider import ProviderProfile
from sfconnect.auth.oauth2.provider_options import ProviderOptions, member_option
from sfconnect.auth.oauth2.refresh_token import check_public_client, renew
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.token_endpoint import Grant, ask_for_token, client_of
from sfconnect.auth.options import option
from sfconnect.auth.store import secrets_of

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:device_code"
GRANT: Final = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Device(ProviderOptions):
    """Log in a person who enters a code in a browser, on this machine or on any other.

    For machines without a browser, and without anybody who could paste an address.
    """

    device_authorization_url: str | None = option(**member_option("device_authorization_url"))

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Show a person a code, and wait until it was entered.

        Raises:
            CredentialUnavailableError: Nobody is there.
            AuthError: The person said no, or nothing in time; or the server refused.
        """
        check_can_show(context)
        device = await self._begin(context)

        async def redeem() -> Credentials:
            fields = {"device_code": device.device_code.reveal()}
            return await ask_for_token(
                self, context, Grant(GRANT_TYPE, fields, name=GRANT, step=None)
            )

        return await log_in_by_device(context, device, redeem, await self._host(context))

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew without the person.

        Raises:
            ReauthorizationRequired: The app was given no refresh token, or it is dead.
        """
        url = await required_endpoint(self.profile(), context, "token_url")
        return await renew(self, context, renewal_token(credentials, self._facts(url), OFFLINE))

    async def _begin(self, context: AuthContext) -> DeviceCode:
        profile = self.profile()
        url = await required_endpoint(profile, context, "device_authorization_url")
        # An assertion is for the token endpoint here too: it stands for the server.
        token_url = await required_endpoint(profile, context, "token_url")
        client = await client_of(self, context, profile, token_url)
        fields = {"scope": profile.scope_for("authorize"), "audience": profile.audience or ""}
        request = device_request(url, fields, client)
        return await ask_for_code(context, request, self._facts(url, *client.secrets))

    async def _host(self, context: AuthContext) -> str:
        url = await required_endpoint(self.profile(), context, "device_authorization_url")
        return self._facts(url).host

    def _facts(self, url: str, *secrets: str) -> LoginFacts:
        kept = (*secrets, *secrets_of(self))
        return LoginFacts(GRANT, url, client_id=self.client_id, secrets=kept)

    def _check_client(self, profile: ProviderProfile) -> None:
        check_public_client(self, profile)
