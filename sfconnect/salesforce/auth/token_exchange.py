"""Log in with a token of another identity provider, which a handler in the org maps to a user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import Client
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.supplied import Source, Supply
from sfconnect.config import did_you_mean
from sfconnect.errors import AuthConfigurationError, ConfigurationError
from sfconnect.salesforce.auth.facts import login_facts, with_secrets
from sfconnect.salesforce.auth.hints import TOKEN_EXCHANGE
from sfconnect.salesforce.auth.secret_rotation import (
    CLIENT_SECRET_NEXT,
    check_secrets,
    secret_of,
)
from sfconnect.salesforce.auth.token_endpoint import (
    ask_for_token,
    refuse_shared_login,
    revoke_token,
)
from sfconnect.salesforce.hosts import login_base

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_PREFIX: Final = "urn:ietf:params:oauth:token-type:"
TOKEN_TYPES: Final = ("access_token", "refresh_token", "id_token", "jwt", "saml1", "saml2")
"""Short names of RFC 8693 §3; others are written out as URNs."""
_NO_ACCESS_TOKENS: Final = frozenset({"refresh_token", "id_token", "saml1", "saml2"})


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """Exchange a token of an identity provider for one of the org (RFC 8693).

    It suits the identity that a platform gives a workload, such as a job of GitHub Actions or a
    pod of Kubernetes: no secret is kept. The org needs a token exchange handler, an Apex class.
    """

    identity_secrets: ClassVar[tuple[str, ...]] = ("subject_token",)

    login_url: str = option(
        help="My Domain or site; login.salesforce.com does not offer this flow.",
        example="https://acme.my.salesforce.com",
    )
    client_id: str = option(help="Consumer key of the app.")
    subject_token: Secret | str | None = option(
        help="Token of the identity provider.", secret=True, default=None
    )
    subject_token_file: Path | str | None = option(
        help="File that holds that token; read for each login.",
        default=None,
        example="/var/run/secrets/tokens/salesforce",
    )
    subject_token_command: str | tuple[str, ...] | None = option(
        help="Command that prints that token; run for each login, by no shell.", default=None
    )
    subject_token_source: Source | None = option(
        help="Coroutine function that gives that token.", default=None
    )
    subject_token_type: str = option(
        help="Kind of that token: access_token, refresh_token, id_token, jwt, saml1, saml2, or a "
        "URN.",
        default="jwt",
    )
    subject: str | None = option(
        help="Whose token it is; needed with subject_token_source, to tell users apart.",
        default=None,
    )
    token_handler: str | None = option(
        help="Name of the org's token exchange handler, where it has no default.", default=None
    )
    actor_token: Secret | str | None = option(
        help="Token of whoever acts for the subject.", secret=True, default=None
    )
    actor_token_file: Path | str | None = option(
        help="File that holds that token; read for each login.", default=None
    )
    actor_token_command: str | tuple[str, ...] | None = option(
        help="Command that prints that token; run for each login.", default=None
    )
    actor_token_type: str = option(help="Kind of the actor's token.", default="jwt")
    client_secret: Secret | str | None = option(
        help="Consumer secret, where the app requires it for this flow.", secret=True, default=None
    )
    client_secret_next: Secret | str | None = option(**CLIENT_SECRET_NEXT)
    scope: str | None = option(
        help="Scopes to ask for, separated by spaces; left out, those of the app.", default=None
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        self._subject().check()
        self._actor().check(required=False)
        check_secrets(self)
        for name in ("subject_token_type", "actor_token_type"):
            object.__setattr__(self, name, _urn(name, getattr(self, name)))
        if self.subject_token_source is not None and not self.subject:
            message = "subject_token_source needs subject."
            hint = "Name whose token it gives: a token store keeps those of other users apart."
            raise ConfigurationError(message, hint=hint)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Exchange the newest token.

        Raises:
            CredentialUnavailableError: The file or command that gives it is not there.
            AuthError: The exchange was refused, or gave something else than an access token.
        """
        facts = self._facts()
        refuse_shared_login(facts, "Token exchange")
        subject, actor = await self._subject().read(), await self._actor().read()
        tokens = tuple(token.reveal() for token in (subject, actor) if token)
        credentials = await ask_for_token(
            context,
            with_secrets(facts, *tokens),
            GRANT_TYPE,
            self._fields(subject, actor),
            Client(self.client_id, secret_of(self.client_secret)),
            next_secret=secret_of(self.client_secret_next),
        )
        _refuse_other_kind(credentials, facts)
        return credentials

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session in the org; the identity provider's goes on."""
        await revoke_token(context, self._facts(), credentials.access_token)

    def _fields(self, subject: Secret | None, actor: Secret | None) -> dict[str, str]:
        fields = {
            "subject_token": subject.reveal() if subject else "",
            "subject_token_type": self.subject_token_type,
            "actor_token": actor.reveal() if actor else "",
            "actor_token_type": self.actor_token_type if actor else "",
            "token_handler": self.token_handler or "",
            "scope": self.scope or "",
        }
        return {name: value for name, value in fields.items() if value}

    def _subject(self) -> Supply:
        return Supply(
            "subject_token",
            self.subject_token,
            self.subject_token_file,
            self.subject_token_command,
            self.subject_token_source,
        )

    def _actor(self) -> Supply:
        return Supply(
            "actor_token", self.actor_token, self.actor_token_file, self.actor_token_command
        )

    def _facts(self) -> LoginFacts:
        return login_facts(self, TOKEN_EXCHANGE, self.login_url, client_id=self.client_id)


def _urn(option_name: str, kind: str) -> str:
    """Write a kind of token in full; what is a URN already stays as it is."""
    if kind in TOKEN_TYPES:
        return _PREFIX + kind
    if kind.startswith("urn:"):
        return kind
    message = f"{option_name} {kind!r} is no kind of token."
    raise ConfigurationError(message, hint=did_you_mean(kind, TOKEN_TYPES, kind="kinds"))


def _refuse_other_kind(credentials: Credentials, facts: LoginFacts) -> None:
    """A server may issue tokens that open no API (RFC 8693 §2.2.1)."""
    issued = str(credentials.extra.get("issued_token_type") or "")
    kind = issued.removeprefix(_PREFIX).lower()
    if kind in _NO_ACCESS_TOKENS or credentials.token_type.upper() == "N_A":
        message = f"{facts.host} issued a token of the kind {kind or 'N_A'}, which opens no API."
        hint = "Let the org's token exchange handler issue access tokens."
        raise AuthConfigurationError(message, hint=hint, docs_key="no-access-token")
