"""Log in a person in the browser, and keep the login alive without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from sfconnect._types import Secret
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
)
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import Client
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.errors import HostNotAllowedError
from sfconnect.salesforce.auth.facts import AUTHORIZE_PATH, login_facts
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
from sfconnect.salesforce.auth.token_endpoint import ask_for_token
from sfconnect.salesforce.hosts import host_of, is_shared_login, login_base, verify_instance_url

REDIRECT_URI: Final = "http://localhost:1717/OauthRedirect"
"""The address that the Salesforce CLI uses, so that many apps have it among their callbacks."""


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """Log in a person in the browser, by authorization code with PKCE.

    It is for programs on the person's own machine, and needs no secret. The refresh token that
    comes with it renews the login without the person; ``sfconnect login`` keeps it in a token
    store, where jobs of the same options find it.
    """

    identity_ignores: ClassVar[tuple[str, ...]] = IDENTITY_IGNORES

    login_url: str = option(**LOGIN_URL_OPTION)
    client_id: str = option(help="Consumer key of the app.")
    client_secret: Secret | str | None = option(**CLIENT_SECRET_OPTION)
    client_secret_next: Secret | str | None = option(**CLIENT_SECRET_NEXT)
    scope: str | None = option(**SCOPE_OPTION)
    redirect_uris: tuple[str, ...] = option(
        help="Callback URLs of the app, exactly as registered; the first whose port is free is "
        "used.",
        default=(REDIRECT_URI,),
        example=REDIRECT_URI,
    )
    login_hint: str | None = option(**LOGIN_HINT_OPTION)
    login_prompt: str | None = option(**LOGIN_PROMPT_OPTION)
    timeout_s: float = option(**TIMEOUT_OPTION)

    def __post_init__(self) -> None:
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        check_secrets(self)
        check_code_options(self.redirect_uris, self.timeout_s)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Send a person to the login page, and wait.

        Raises:
            CredentialUnavailableError: Nobody is there.
            AuthError: The person said no, or nothing in time; or the org refused.
        """

        async def redeem(code: Code) -> Credentials:
            client = Client(self.client_id, secret_of(self.client_secret))
            facts, following = code.facts(self._facts()), secret_of(self.client_secret_next)
            return await ask_for_token(
                context, facts, GRANT, code.fields, client, next_secret=following
            )

        return await log_in_by_code(context, self._request(), redeem)

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew without the person.

        Raises:
            ReauthorizationRequired: The app was given no refresh token, or it is dead.
        """
        return await renew_grant(self, context, credentials, self._facts())

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the grant: the refresh token, if there is one, and its sessions."""
        await end_grant(context, credentials, self._facts())

    def _request(self) -> CodeRequest:
        parameters = {
            "scope": self.scope or "",
            "login_hint": self.login_hint or "",
            "prompt": self.login_prompt or "",
        }
        return CodeRequest(
            self.login_url + AUTHORIZE_PATH,
            self.redirect_uris,
            self._facts(),
            parameters=parameters,
            is_issuer=self._is_org,
            rules=RULES,
            timeout_s=self.timeout_s,
        )

    def _is_org(self, issuer: str) -> bool:
        """Whether an issuer is the login host; one that all orgs share leads on to any of them."""
        try:
            named = host_of(verify_instance_url(issuer, self.login_url))
        except HostNotAllowedError:
            return False
        return is_shared_login(self.login_url) or named == host_of(self.login_url)

    def _facts(self) -> LoginFacts:
        return login_facts(
            self,
            GRANT,
            self.login_url,
            client_id=self.client_id,
            username=self.login_hint or "",
        )
