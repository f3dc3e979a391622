"""OAuth 2.0 for any API: profiles of providers, discovery, requests and answers, and the grants."""

from sfconnect.auth.oauth2.authorization_code import OAuth2AuthorizationCode
from sfconnect.auth.oauth2.client_credentials import OAuth2ClientCredentials
from sfconnect.auth.oauth2.device import OAuth2Device
from sfconnect.auth.oauth2.jwt_bearer import OAuth2JwtBearer
from sfconnect.auth.oauth2.provider import ProviderProfile
from sfconnect.auth.oauth2.provider_options import ProviderOptions
from sfconnect.auth.oauth2.providers import PROVIDERS
from sfconnect.auth.oauth2.refresh_token import OAuth2RefreshToken

__all__ = [
    "PROVIDERS",
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OAuth2Device",
    "OAuth2JwtBearer",
    "OAuth2RefreshToken",
    "ProviderOptions",
    "ProviderProfile",
]
