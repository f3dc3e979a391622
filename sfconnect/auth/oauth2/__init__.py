"""OAuth 2.0 for any API: requests and answers, what refusals mean, client credentials."""

from sfconnect.auth.oauth2.client_credentials import OAuth2ClientCredentials

__all__ = ["OAuth2ClientCredentials"]
