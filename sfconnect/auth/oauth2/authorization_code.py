"""Log in a person in the browser, at any OAuth 2.0 server (RFC 6749 §4.1, RFC 7636, RFC 8252)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import urlsplit

from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.browser_login import (
    GRANT,
    IDENTITY_IGNORES,
    LOGIN_HINT_OPTION,
    LOGIN_PROMPT_OPTION,
    TIMEOUT_OPTION,
    Code,
    CodeRequest,
    check_code_options,
    log_in_by_code,
    refuse_nobody,
    renewal_token,
)
from sfconnect.auth.oauth2.discovery import required_endpoint
from sfconnect.auth.oauth2.provider import ProviderProfile, name_value_pairs, token_parameters
from sfconnect.auth.oauth2.provider_options import ProviderOptions, member_option
from sfconnect.auth.oauth2.refresh_token import check_public_client, renew
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.token_endpoint import Grant, ask_for_token
from sfconnect.auth.options import option
from sfconnect.auth.store import secrets_of
from sfconnect.errors import ConfigurationError

OFFLINE: Final = "offline_access"
"""The scope by which most servers give a refresh token."""
_GUARDED: Final = frozenset(
    {"client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type"}
    | {"state", "scope", "audience", "resource", "prompt", "login_hint"}
    | {"uri"}  # what authlib's function calls the endpoint
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2AuthorizationCode(ProviderOptions):
    """Log in a person in the browser to an OAuth 2.0 API, by authorization code with PKCE.

    The refresh token that comes with it renews the login without the person; ``sfconnect login``
    keeps it in a token store, where jobs of the same options find it.
    """

    identity_ignores: ClassVar[tuple[str, ...]] = IDENTITY_IGNORES

    authorization_url: str | None = option(**member_option("authorization_url"))
    authorize_params: tuple[str, ...] = option(
        help="Further parameters for the browser, each as name=value; no secrets.",
        default=(),
        example="access_type=offline",
    )
    redirect_uris: tuple[str, ...] = option(
        help="Addresses that the browser may come back to, as registered; the first whose port "
        "is free is used. Port 0 is any, for servers that do not compare it.",
        default=("http://127.0.0.1:0/callback",),
        example="http://localhost:8400/callback",
    )
    login_hint: str | None = option(**LOGIN_HINT_OPTION)
    login_prompt: str | None = option(**LOGIN_PROMPT_OPTION)
    timeout_s: float = option(**TIMEOUT_OPTION)

    def __post_init__(self) -> None:
        ProviderOptions.__post_init__(self)
        check_code_options(self.redirect_uris, self.timeout_s)
        for pair in self.authorize_params:
            if (name := pair.partition("=")[0]) in _GUARDED:
                message = f"authorize_params must not hold {name}, which has its own place."
                raise ConfigurationError(message)
        name_value_pairs(self.authorize_params)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Send a person to the login page, and wait.

        Raises:
            CredentialUnavailableError: Nobody is there.
            AuthError: The person said no, or nothing in time; or the server refused.
        """
        refuse_nobody(context)
        url = await required_endpoint(self.profile(), context, "authorization_url")

        async def redeem(code: Code) -> Credentials:
            # Scopes were asked for in the browser; asking again is refused here and there.
            return await ask_for_token(self, context, Grant(GRANT, code.fields, step=None))

        return await log_in_by_code(context, self._request(url), redeem)

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew without the person.

        Raises:
            ReauthorizationRequired: The app was given no refresh token, or it is dead.
        """
        url = await required_endpoint(self.profile(), context, "token_url")
        return await renew(self, context, renewal_token(credentials, self._facts(url), OFFLINE))

    def _request(self, url: str) -> CodeRequest:
        profile = self.profile()
        parameters: dict[str, str | tuple[str, ...]] = {
            **token_parameters(self.authorize_params),
            "scope": profile.scope_for("authorize"),
            "audience": profile.audience or "",
            "resource": profile.resource,
            "login_hint": self.login_hint or "",
            "prompt": self.login_prompt or "",
        }
        return CodeRequest(
            url,
            self.redirect_uris,
            self._facts(url),
            parameters=parameters,
            is_issuer=lambda issuer: _is_of(issuer, profile, url),
            timeout_s=self.timeout_s,
        )

    def _facts(self, url: str) -> LoginFacts:
        secrets = tuple(secrets_of(self))
        return LoginFacts(GRANT, url, client_id=self.client_id, secrets=secrets)

    def _check_client(self, profile: ProviderProfile) -> None:
        check_public_client(self, profile)


def _is_of(issuer: str, profile: ProviderProfile, url: str) -> bool:
    """Whether an answer's issuer is the provider's (RFC 9207 §2.4).

    Where the provider's is not known, it has to be at home where the person was sent.
    """
    if profile.issuer is not None:
        return issuer == profile.issuer
    return urlsplit(issuer)[:2] == urlsplit(url)[:2]
