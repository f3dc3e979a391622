"""Ways to log in to Salesforce without a user at the screen."""

from sfconnect.salesforce.auth.access_token import AccessToken
from sfconnect.salesforce.auth.client_credentials import ClientCredentials
from sfconnect.salesforce.auth.data360 import Data360
from sfconnect.salesforce.auth.jwt_bearer import JwtBearer
from sfconnect.salesforce.auth.refresh_token import RefreshToken
from sfconnect.salesforce.auth.saml_bearer import SamlBearer
from sfconnect.salesforce.auth.token_exchange import TokenExchange

__all__ = [
    "AccessToken",
    "ClientCredentials",
    "Data360",
    "JwtBearer",
    "RefreshToken",
    "SamlBearer",
    "TokenExchange",
]
