"""The JWT bearer grant for any OAuth 2.0 API (RFC 7523 §2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Final, Literal

from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.key_options import check_one_key, signer_of
from sfconnect.auth.oauth2.client_auth import WITH_SECRET, check_client_options
from sfconnect.auth.oauth2.discovery import required_endpoint
from sfconnect.auth.oauth2.provider import ProviderProfile
from sfconnect.auth.oauth2.provider_options import ProviderOptions
from sfconnect.auth.oauth2.refusals import Rule
from sfconnect.auth.oauth2.token_endpoint import Grant, ask_for_token
from sfconnect.auth.options import option
from sfconnect.auth.signing import sign_jwt
from sfconnect.errors import ConfigurationError, InvalidCredentialsError

if TYPE_CHECKING:
    from sfconnect._types import JsonValue

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_OWN_CLAIMS: Final = ("iss", "sub", "aud", "iat", "exp", "jti", "scope")
MAX_LIFETIME_S: Final = 3600
_REFUSED: Final = Rule(
    "invalid_grant",
    "",
    InvalidCredentialsError,
    "The server did not take the assertion: check that the key is the one it knows (key_id names "
    "it), client_id or assertion_issuer, subject, the audience {audience}, and the clock (the "
    "server's differs by {drift} s).",
    "invalid-assertion",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2JwtBearer(ProviderOptions):
    """Log in to an OAuth 2.0 API with an assertion that a private key signs.

    Service accounts of Google and its like do so: ``client_id`` is the account's e-mail, and the
    scopes go into the assertion (``scope_in="claim"``).
    """

    subject: str | None = option(
        help="Whom the token is to act as; left out, the assertion names nobody but its issuer.",
        default=None,
        example="ada@example.com",
    )
    assertion_issuer: str | None = option(
        help="Who signs the assertion; left out, client_id.", default=None
    )
    audience: str | None = option(
        help="Whom the assertion is for; left out, the token endpoint.", default=None
    )
    scope_in: Literal["parameter", "claim"] = option(
        help="Where the scopes are sent: beside the assertion, or as a claim of it.",
        default="parameter",
    )
    claims: tuple[str, ...] | dict[str, Any] = option(
        help="Further claims of the assertion, as name=value; a table may hold other types.",
        default=(),
    )
    assertion_lifetime_s: int = option(help="Seconds that the assertion lives.", default=300)

    def __post_init__(self) -> None:
        ProviderOptions.__post_init__(self)
        check_one_key(self, "oauth2-jwt-bearer")
        if not 0 < self.assertion_lifetime_s <= MAX_LIFETIME_S:
            message = (
                f"assertion_lifetime_s must be from 1 to {MAX_LIFETIME_S}, "
                f"not {self.assertion_lifetime_s}."
            )
            raise ConfigurationError(message)
        if self.scope_in not in {"parameter", "claim"}:
            message = f"scope_in must be 'parameter' or 'claim', not {self.scope_in!r}."
            raise ConfigurationError(message)
        for name in claims_of(self.claims):
            if name in _OWN_CLAIMS:
                message = f"claims must not hold {name}, which has its own place."
                raise ConfigurationError(message)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in."""
        profile = self.profile()
        audience = profile.audience or await required_endpoint(profile, context, "token_url")
        signer = await signer_of(self, self.key_id)
        assertion = await sign_jwt(signer, self._claims(profile, audience, context.clock.time()))
        grant = Grant(
            GRANT_TYPE,
            {"assertion": assertion},
            name="jwt-bearer",
            step="token" if self.scope_in == "parameter" else None,
            audience=audience,
            rules=(_REFUSED,),
            # The assertion alone tells who asks, unless the app has a proof of its own.
            anonymous=self.client_secret is None and profile.client_auth in WITH_SECRET,
        )
        return await ask_for_token(self, context, grant)

    def _claims(self, profile: ProviderProfile, audience: str, now: float) -> dict[str, JsonValue]:
        claims: dict[str, JsonValue] = {
            **claims_of(self.claims),
            "iss": self.assertion_issuer or self.client_id,
            "aud": audience,
            "iat": int(now),
            "exp": int(now) + self.assertion_lifetime_s,
            "jti": token_urlsafe(16),
        }
        if self.subject is not None:
            claims["sub"] = self.subject
        scope = profile.scope_for("token")
        return {**claims, "scope": scope} if scope and self.scope_in == "claim" else claims

    def _check_client(self, profile: ProviderProfile) -> None:
        check_client_options(self, profile.client_auth, needs_secret=False)


def claims_of(given: tuple[str, ...] | dict[str, Any]) -> dict[str, Any]:
    """Further claims by their names.

    Raises:
        ConfigurationError: One has no name.
    """
    if isinstance(given, dict):
        return given
    pairs = [pair.partition("=") for pair in given]
    if not all(name and mark for name, mark, _ in pairs):
        message = "claims must be a list of name=value, or a table."
        raise ConfigurationError(message, hint='Write it like ["tenant=acme"].')
    return {name: text for name, _, text in pairs}
