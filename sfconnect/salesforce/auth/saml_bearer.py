"""Log in with a SAML assertion that an identity provider has signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.supplied import Source, Supply
from sfconnect.errors import ConfigurationError
from sfconnect.salesforce.auth.facts import login_facts
from sfconnect.salesforce.auth.hints import SAML
from sfconnect.salesforce.auth.saml_assertion import SamlAssertion, read_assertion
from sfconnect.salesforce.auth.token_endpoint import TOKEN_PATH, ask_for_token, revoke_token
from sfconnect.salesforce.hosts import derive_audience, login_base

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:saml2-bearer"


@dataclass(frozen=True, slots=True)
class SamlBearer:
    """Log in with a SAML 2.0 assertion (RFC 7522) that others make: sfconnect signs none.

    The app in the org has the certificate of whoever signs; Issuer is its consumer key. What a
    login depends on is checked before anything is sent.
    """

    identity_secrets: ClassVar[tuple[str, ...]] = ("assertion",)

    login_url: str = option(
        help="My Domain of the org, a site, or login or test.salesforce.com.",
        example="https://acme.my.salesforce.com",
    )
    assertion: Secret | str | None = option(
        help="Signed assertion, as XML or that in base64.", secret=True, default=None
    )
    assertion_file: Path | str | None = option(
        help="File that holds it; read for each login.", default=None
    )
    assertion_command: str | tuple[str, ...] | None = option(
        help="Command that prints it; run for each login, by no shell.", default=None
    )
    assertion_source: Source | None = option(help="Coroutine function that gives it.", default=None)
    username: str | None = option(
        help="User that it has to be about (NameID); needed with assertion_source.", default=None
    )
    audience: str | None = option(
        help="Audience that it has to be for; derived from login_url.",
        default=None,
        env="SF_AUDIENCE_URL",
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        self._supply().check()
        if self.assertion_source is not None and not self.username:
            message = "assertion_source needs username."
            hint = "Name whom its assertions are about: a token store keeps other users apart."
            raise ConfigurationError(message, hint=hint)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Send the newest assertion.

        Raises:
            CredentialUnavailableError: The file or command that gives it is not there.
            ReauthorizationRequired: It has ended.
            AuthError: It cannot be right, or was refused.
        """
        given = await self._supply().read() or Secret("")
        assertion = read_assertion(given)
        self._check(assertion, context.clock.time())
        facts = self._facts(assertion, given)
        return await ask_for_token(context, facts, GRANT_TYPE, {"assertion": assertion.encoded})

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session in the org; the identity provider's goes on."""
        facts = login_facts(self, SAML, self.login_url)
        await revoke_token(context, facts, credentials.access_token)

    def _check(self, assertion: SamlAssertion, now: float) -> None:
        derived = derive_audience(self.login_url)
        assertion.check_name(self.username)
        # Orgs differ over whether their own address is an audience, so it may be one.
        assertion.check_audience([self.audience] if self.audience else [derived, self.login_url])
        assertion.check_recipient([host + TOKEN_PATH for host in (self.login_url, derived)])
        assertion.check_time(now)

    def _supply(self) -> Supply:
        return Supply(
            "assertion",
            self.assertion,
            self.assertion_file,
            self.assertion_command,
            self.assertion_source,
        )

    def _facts(self, assertion: SamlAssertion, given: Secret) -> LoginFacts:
        return login_facts(
            self,
            SAML,
            self.login_url,
            client_id=assertion.issuer,
            username=assertion.name_id,
            audience=next(iter(assertion.audiences), ""),
            secrets=(given.reveal(), assertion.encoded),
        )
