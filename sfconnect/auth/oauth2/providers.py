"""The profiles that come with sfconnect, by name."""

# Addresses of token endpoints are no passwords.

from __future__ import annotations

from typing import Final

from sfconnect.auth.oauth2.provider import ProviderProfile
from sfconnect.config import did_you_mean
from sfconnect.errors import ConfigurationError

MARKETING_CLOUD: Final = ProviderProfile(
    name="mce",
    token_url="https://{subdomain}.auth.marketingcloudapis.com/v2/token",
    authorization_url="https://{subdomain}.auth.marketingcloudapis.com/v2/authorize",
    client_auth="body",
    body_encoding="json",
    pass_params=("account_id",),
    base_url_member="rest_instance_url",
    base_url_hosts=(".marketingcloudapis.com",),
    # "Nominal life 20 min": 1,079 s are told at times, and a silent answer is no longer one.
    default_lifetime_s=1079.0,
    rotates_refresh_token=True,
)
"""Marketing Cloud Engagement: JSON in and out; the answer names the tenant's REST address."""

SHOPPER_LOGIN: Final = ProviderProfile(
    name="slas",
    token_url="https://{short_code}.api.commercecloud.salesforce.com/shopper/auth/v1/"
    "organizations/{organization}/oauth2/token",
    authorization_url="https://{short_code}.api.commercecloud.salesforce.com/shopper/auth/v1/"
    "organizations/{organization}/oauth2/authorize",
    base_url="https://{short_code}.api.commercecloud.salesforce.com",
    client_auth="basic",
    token_params=("channel_id={channel_id}",),
    default_lifetime_s=1800.0,
)
"""Commerce Cloud's shopper login (SLAS) with a private client: a guest per login."""

ACCOUNT_MANAGER: Final = ProviderProfile(
    name="account-manager",
    token_url="https://account.demandware.com/dwsso/oauth2/access_token",
    authorization_url="https://account.demandware.com/dwsso/oauth2/authorize",
    client_auth="basic",
    default_lifetime_s=1800.0,
)
"""Commerce Cloud's Account Manager: Basic, or ``client_auth="private_key_jwt"``."""


def _anypoint(name: str, host: str) -> ProviderProfile:
    return ProviderProfile(
        name=name,
        token_url=f"https://{host}/accounts/api/v2/oauth2/token",
        base_url=f"https://{host}",
        client_auth="body",
        default_lifetime_s=3600.0,
    )


PROVIDERS: Final = {
    profile.name: profile
    for profile in (
        MARKETING_CLOUD,
        SHOPPER_LOGIN,
        ACCOUNT_MANAGER,
        _anypoint("anypoint", "anypoint.mulesoft.com"),
        _anypoint("anypoint-eu1", "eu1.anypoint.mulesoft.com"),
        _anypoint("anypoint-gov", "gov.anypoint.mulesoft.com"),
    )
}


def provider_named(name: str) -> ProviderProfile:
    """Look a profile up.

    Raises:
        ConfigurationError: There is none of this name.
    """
    try:
        return PROVIDERS[name]
    except KeyError:
        hint = did_you_mean(name, PROVIDERS, kind="providers")
    raise ConfigurationError(f"There is no provider {name!r}.", hint=hint)
