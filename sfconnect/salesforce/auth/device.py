"""Log in a person by a code that is entered on another device, in Salesforce's own dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.device_login import (
    DeviceCode,
    ask_for_code,
    check_can_show,
    device_request,
    log_in_by_device,
)
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import Client
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.retirement import Retirement, warn_of_retirement
from sfconnect.errors import ConfigurationError
from sfconnect.salesforce.auth.facts import login_facts
from sfconnect.salesforce.auth.hints import RULES
from sfconnect.salesforce.auth.persons_grant import (
    CLIENT_SECRET_OPTION,
    LOGIN_URL_OPTION,
    SCOPE_OPTION,
    end_grant,
    renew_grant,
)
from sfconnect.salesforce.auth.secret_rotation import (
    CLIENT_SECRET_NEXT,
    check_secrets,
    secret_of,
)
from sfconnect.salesforce.auth.token_endpoint import TOKEN_PATH, ask_for_token
from sfconnect.salesforce.hosts import login_base

GRANT: Final = "device"
RETIREMENT: Final = Retirement(
    "Salesforce's device flow, but for local External Client Apps with a localhost callback,",
    "on 30 November 2026",
    "Log in with authorization-code, which works without a browser here as well.",
    already="Apps that are not installed in the org do not have it any more.",
)


@dataclass(frozen=True, slots=True)
class Device:
    """Log in a person who enters a code in a browser, on this machine or on any other.

    Salesforce has restricted this flow, so it has to be asked for: ``accept_restricted``. Where
    there is a choice, ``authorization-code`` serves as well: without a browser at hand it takes
    the address that another machine's browser ended at.
    """

    identity_ignores: ClassVar[tuple[str, ...]] = ("accept_restricted",)
    retirement: ClassVar[Retirement] = RETIREMENT

    login_url: str = option(**LOGIN_URL_OPTION)
    client_id: str = option(help="Consumer key of the app.")
    client_secret: Secret | str | None = option(**CLIENT_SECRET_OPTION)
    client_secret_next: Secret | str | None = option(**CLIENT_SECRET_NEXT)
    scope: str | None = option(**SCOPE_OPTION)
    accept_restricted: bool = option(
        help="Whether you know that Salesforce lets few apps use this flow, and yours is one.",
        default=False,
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        check_secrets(self)
        if not self.accept_restricted:
            message = "The device flow is off, since Salesforce lets few apps use it."
            hint = (
                "Use authorization-code. If the app is a local External Client App with a "
                "localhost callback, set accept_restricted to true."
            )
            raise ConfigurationError(message, hint=hint)
        warn_of_retirement(RETIREMENT)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Show a person a code, and wait until it was entered.

        Raises:
            CredentialUnavailableError: Nobody is there.
            AuthError: The person said no, or nothing in time; or the org refused.
        """
        check_can_show(context)
        facts = self._facts()
        fields = {"response_type": "device_code", "scope": self.scope or ""}
        # Salesforce has no endpoint of its own for this, and wants no secret here.
        request = device_request(self.login_url + TOKEN_PATH, fields, Client(self.client_id))
        device = await ask_for_code(context, request, facts, RULES)

        async def redeem() -> Credentials:
            return await self._redeem(context, device)

        return await log_in_by_device(context, device, redeem, facts.host)

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew without the person.

        Raises:
            ReauthorizationRequired: The app was given no refresh token, or it is dead.
        """
        return await renew_grant(self, context, credentials, self._facts())

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the grant: the refresh token, if there is one, and its sessions."""
        await end_grant(context, credentials, self._facts())

    async def _redeem(self, context: AuthContext, device: DeviceCode) -> Credentials:
        code, following = device.device_code.reveal(), secret_of(self.client_secret_next)
        client = Client(self.client_id, secret_of(self.client_secret))
        facts = self._facts(code)
        return await ask_for_token(
            context, facts, GRANT, {"code": code}, client, next_secret=following
        )

    def _facts(self, *secrets: str) -> LoginFacts:
        return login_facts(self, GRANT, self.login_url, client_id=self.client_id, secrets=secrets)
