"""The options that every login to an OAuth 2.0 API has, whatever its grant."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from sfconnect._types import UNSET, Secret
from sfconnect.auth.base import AuthContext, Credentials, Signer
from sfconnect.auth.key_options import (
    PASSPHRASE,
    PRIVATE_KEY,
    PRIVATE_KEY_FILE,
    SIGNER,
    wrap_key_bytes,
)
from sfconnect.auth.oauth2.client_auth import check_client_options, refuse_unused_key
from sfconnect.auth.oauth2.provider import (
    PARAMETERS,
    ProviderProfile,
    Step,
    name_value_pairs,
    token_parameters,
)
from sfconnect.auth.oauth2.providers import PROVIDERS, provider_named
from sfconnect.auth.oauth2.token_endpoint import revoke_token
from sfconnect.auth.oauth2.wire import BodyEncoding, ClientAuthName
from sfconnect.auth.options import coerce_secrets, option, options_of
from sfconnect.errors import ConfigurationError

_MISSING: Final[tuple[object, ...]] = (UNSET, None, "")
_HELP: Final = {spec.name: spec for spec in options_of(ProviderProfile)}


def member_option(name: str) -> dict[str, Any]:
    """What `option()` is told of a member of a profile: its words, and that it may be left out."""
    spec = _HELP[name]
    return {"help": spec.help, "default": None, "example": spec.example, "choices": spec.choices}


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """Base of the generic strategies: a provider by name, and every member of it as an option.

    A subclass adds the options of its grant and ``authenticate``. Options that are left out are
    as the provider has them; without ``provider`` they are those of the standard.
    """

    token_url: str | None = option(**member_option("token_url"))
    client_id: str = option(help="Id of the app.", default=UNSET)
    client_secret: Secret | str | None = option(
        help="Secret of the app.", secret=True, default=None
    )
    _: KW_ONLY
    provider: str | ProviderProfile | None = option(
        help=f"A provider whose ways are known: {', '.join(PROVIDERS)}; code may give a profile.",
        default=None,
    )
    issuer: str | None = option(**member_option("issuer"))
    revocation_url: str | None = option(**member_option("revocation_url"))
    base_url: str | None = option(**member_option("base_url"))
    client_auth: ClientAuthName | None = option(**member_option("client_auth"))
    private_key: Secret | str | bytes | None = option(**PRIVATE_KEY)
    private_key_file: Path | str | None = option(**PRIVATE_KEY_FILE)
    passphrase: Secret | str | None = option(**PASSPHRASE)
    signer: Signer | None = option(**SIGNER)
    key_id: str | None = option(
        help="Name of the key in the header of what it signs (kid).", default=None
    )
    assertion_audience: str | None = option(**member_option("assertion_audience"))
    body_encoding: BodyEncoding | None = option(**member_option("body_encoding"))
    scope: str | None = option(**member_option("scope"))
    scope_on: tuple[Step, ...] | None = option(**member_option("scope_on"))
    audience: str | None = option(**member_option("audience"))
    resource: tuple[str, ...] | None = option(**member_option("resource"))
    token_params: tuple[str, ...] | dict[str, str] | None = option(**member_option("token_params"))
    access_token_member: str | None = option(**member_option("access_token_member"))
    refresh_token_member: str | None = option(**member_option("refresh_token_member"))
    expires_in_member: str | None = option(**member_option("expires_in_member"))
    expires_at_member: str | None = option(**member_option("expires_at_member"))
    base_url_member: str | None = option(**member_option("base_url_member"))
    base_url_hosts: tuple[str, ...] | None = option(**member_option("base_url_hosts"))
    default_lifetime_s: float | None = option(**member_option("default_lifetime_s"))
    rotates_refresh_token: bool | None = option(**member_option("rotates_refresh_token"))
    subdomain: str | None = option(
        help="Of the tenant, for providers that have one host for each (mce).", default=None
    )
    account_id: str | None = option(help="Business unit to log in to, its MID (mce).", default=None)
    short_code: str | None = option(help="Short code of the realm (slas).", default=None)
    organization: str | None = option(
        help="Organization id (slas).", default=None, example="f_ecom_zzrf_001"
    )
    channel_id: str | None = option(help="Site that shoppers are on (slas).", default=None)

    def __post_init__(self) -> None:
        wrap_key_bytes(self)
        coerce_secrets(self)
        if self.client_id in _MISSING:
            raise ConfigurationError("client_id is missing.", hint="It is the id of the app.")
        if self.token_params is not None:
            object.__setattr__(self, "token_params", name_value_pairs(self.token_params))
        self._check_client(self.profile())

    def profile(self) -> ProviderProfile:
        """The provider as the options make it, with nothing left open.

        Raises:
            ConfigurationError: The options do not make a provider.
        """
        given = self.provider
        known = provider_named(given) if isinstance(given, str) else given or ProviderProfile()
        # Also of a subclass, which may have options for further endpoints.
        names = [item.name for item in fields(self) if item.name in _HELP and item.name != "name"]
        own = {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.token_params is not None:
            own["token_params"] = known.token_parameters | token_parameters(self.token_params)
        made = replace(known, **own)
        # A member may have been put in the place of the one that a parameter was for.
        idle = set(known.takes) - set(made.takes)
        filling = (name for name in PARAMETERS if name not in idle)
        return made.filled({name: text for name in filling if (text := getattr(self, name))})

    @property
    def names_base_url(self) -> bool:
        """Whether the credentials tell where the API is."""
        profile = self.profile()
        return profile.base_url is not None or profile.base_url_member is not None

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the grant by its refresh token, or else the access token (RFC 7009).

        Raises:
            AuthConfigurationError: No revocation endpoint is known.
            AuthError: The server refused.
        """
        if credentials.refresh_token is not None:
            await revoke_token(self, context, credentials.refresh_token, "refresh_token")
        else:
            await revoke_token(self, context, credentials.access_token, "access_token")

    def _check_client(self, profile: ProviderProfile) -> None:
        """Refuse a proof that does not fit; grants that ask for less override it."""
        check_client_options(self, profile.client_auth)
        refuse_unused_key(self, profile.client_auth)
