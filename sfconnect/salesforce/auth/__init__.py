"""Ways to log in to Salesforce."""

from sfconnect.salesforce.auth.access_token import AccessToken
from sfconnect.salesforce.auth.authorization_code import AuthorizationCode
from sfconnect.salesforce.auth.client_credentials import ClientCredentials
from sfconnect.salesforce.auth.data360 import Data360
from sfconnect.salesforce.auth.device import Device
from sfconnect.salesforce.auth.jwt_bearer import JwtBearer
from sfconnect.salesforce.auth.refresh_token import RefreshToken
from sfconnect.salesforce.auth.saml_bearer import SamlBearer
from sfconnect.salesforce.auth.token_exchange import TokenExchange

__all__ = [
    "AccessToken",
    "AuthorizationCode",
    "ClientCredentials",
    "Data360",
    "Device",
    "JwtBearer",
    "RefreshToken",
    "SamlBearer",
    "TokenExchange",
]
