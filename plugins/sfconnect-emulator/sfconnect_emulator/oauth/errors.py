"""What the token endpoint answers when it says no."""

from __future__ import annotations

from urllib.parse import urlencode


class OAuthError(Exception):
    """A refusal with the two members that clients read: ``error`` and ``error_description``.

    ``error_uri`` is a page that tells more, which only refusals of SAML assertions have.
    """

    error_uri: str | None = None

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status

    def body(self) -> dict[str, str]:
        """The JSON object of the answer."""
        body = {"error": self.error, "error_description": self.description}
        return body if self.error_uri is None else {**body, "error_uri": self.error_uri}


class RedirectedError(OAuthError):
    """A refusal of which the app hears: the browser carries it to the app's callback."""

    def __init__(self, error: str, description: str, redirect_uri: str, state: str | None) -> None:
        super().__init__(error, description)
        self.redirect_uri = redirect_uri
        self.state = state

    @property
    def location(self) -> str:
        """Where the browser is to go."""
        told = {**self.body(), **({} if self.state is None else {"state": self.state})}
        mark = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{mark}{urlencode(told)}"


def invalid_grant(description: str) -> OAuthError:
    """The grant itself is no good: assertion, password, refresh token, domain or user."""
    return OAuthError("invalid_grant", description)


def invalid_request(description: str) -> OAuthError:
    """The request contradicts itself or lacks a parameter."""
    return OAuthError("invalid_request", description)


def invalid_scope() -> OAuthError:
    """The app asks for something that it must not have."""
    return OAuthError("invalid_scope", "the requested scope is not allowed")


def unknown_client() -> OAuthError:
    """No app has this consumer key."""
    return OAuthError("invalid_client_id", "client identifier invalid")


def wrong_secret() -> OAuthError:
    """The consumer key is known, its secret is another one."""
    return OAuthError("invalid_client", "invalid client credentials")


def unsupported_grant() -> OAuthError:
    """The grant type is unknown, absent, or switched off for this app."""
    return OAuthError("unsupported_grant_type", "grant type not supported")


def access_denied() -> OAuthError:
    """The app admits only users whom an admin has approved, and this one is not."""
    return OAuthError("invalid_app_access", "user is not admin approved to access this app")


def app_not_installed() -> OAuthError:
    """The app is one of another org, and nobody has installed it here."""
    words = "External client app is not installed in this org"
    return OAuthError("OAUTH_EC_APP_NOT_FOUND", words)


def ip_restricted() -> OAuthError:
    """The caller is outside the ranges of the app or of the user's profile."""
    return invalid_grant("ip restricted")


def inactive_org() -> OAuthError:
    """The org is locked, or a scratch org that has ended."""
    return OAuthError("inactive_org", "inactive organization")


def inactive_user() -> OAuthError:
    """The user exists but is frozen or deactivated."""
    return OAuthError("inactive_user", "inactive user")
