"""Log in as any user that the app is approved for, by a signed assertion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sfconnect._types import JsonValue, Secret
from sfconnect.auth.base import AuthContext, Credentials, Signer
from sfconnect.auth.oauth2.client_credentials import as_secret
from sfconnect.auth.oauth2.exchange import clock_drift
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.signing import LocalSigner, sign_jwt
from sfconnect.auth.store import secrets_of
from sfconnect.errors import AuthError, ClockSkewError, ConfigurationError
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth.hints import JWT_GRANT_TYPE
from sfconnect.salesforce.auth.token_endpoint import ask_for_token, revoke_token
from sfconnect.salesforce.hosts import derive_audience, login_base, other_audience

LIFETIME_S: Final = 120
"""Well under the 180 s that Salesforce allows, so that a slow clock does not exceed it."""
DRIFT_S: Final = 60.0
"""A difference of the clocks that can explain a refused assertion."""
_CLOCK_ERRORS: Final = frozenset({"assertion-expired", "wrong-key"})


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """Log in as a user with an assertion that the app's private key signs."""

    login_url: str = option(
        help="My Domain of the org, or login or test.salesforce.com.",
        example="https://acme.my.salesforce.com",
    )
    client_id: str = option(help="Consumer key of the app.")
    username: str = option(help="Login name of the user to act as.", example="ada@example.com")
    private_key: Secret | str | bytes | None = option(
        help="RSA private key as PEM text.", secret=True, default=None
    )
    private_key_file: Path | str | None = option(
        help="File with the RSA private key.", default=None, example="server.key"
    )
    passphrase: Secret | str | None = option(
        help="Passphrase of an encrypted key.", secret=True, default=None
    )
    audience: str | None = option(
        help="Audience of the assertion; derived from login_url.",
        default=None,
        env="SF_AUDIENCE_URL",
    )
    signer: Signer | None = option(
        help="Signs instead of a key here, for keys in an HSM or a key service.", default=None
    )

    def __post_init__(self) -> None:
        if isinstance(self.private_key, bytes):
            text = self.private_key.decode("utf-8", "replace")
            object.__setattr__(self, "private_key", Secret(text))
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        sources = (self.private_key, self.private_key_file, self.signer)
        if sum(source is not None for source in sources) != 1:
            message = "jwt-bearer needs exactly one of private_key, private_key_file and signer."
            raise ConfigurationError(message)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in; if the clocks' difference made it fail, once more by the server's clock.

        Raises:
            ClockSkewError: The server's own time did not help either.
        """
        signer = await self._signer()
        watch = _DriftWatch(context)
        try:
            return await self._exchange(watch.context, signer, 0.0)
        except AuthError as error:
            if error.docs_key not in _CLOCK_ERRORS or abs(watch.drift_s) <= DRIFT_S:
                raise
        context.log.warning("auth.clock_differs", drift_s=round(watch.drift_s))
        try:
            return await self._exchange(context, signer, watch.drift_s)
        except AuthError as error:
            if error.docs_key != "assertion-expired":
                raise
            raise _skewed(watch.drift_s, error) from error

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session. Salesforce may have given the same one to others for this user."""
        await revoke_token(context, self._facts(), credentials.access_token)

    async def _exchange(self, context: AuthContext, signer: Signer, drift_s: float) -> Credentials:
        facts = self._facts()
        claims: dict[str, JsonValue] = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": facts.audience,
            "exp": context.clock.time() + drift_s + LIFETIME_S,
        }
        assertion = await sign_jwt(signer, claims)
        facts = replace(facts, secrets=(assertion, *facts.secrets))
        return await ask_for_token(context, facts, JWT_GRANT_TYPE, {"assertion": assertion})

    def _facts(self) -> LoginFacts:
        audience = self.audience or derive_audience(self.login_url)
        return LoginFacts(
            "jwt-bearer",
            self.login_url,
            client_id=self.client_id,
            username=self.username,
            audience=audience,
            other_audience=other_audience(audience),
            secrets=tuple(secrets_of(self)),
        )

    async def _signer(self) -> Signer:
        # The key is read for each login, so a replaced file is found without a restart.
        passphrase = None if self.passphrase is None else as_secret(self.passphrase)
        if self.signer is not None:
            return self.signer
        if self.private_key_file is not None:
            return await LocalSigner.from_file(self.private_key_file, passphrase)
        return await LocalSigner.from_pem(_text(self.private_key), passphrase)


def _text(private_key: Secret | str | bytes | None) -> Secret:
    return private_key if isinstance(private_key, Secret) else Secret("")


class _DriftWatch:
    """Notes how far the server's clock is from ours while a login is sent."""

    def __init__(self, context: AuthContext) -> None:
        self._inner = context
        self.context = replace(context, send=self._send)
        self.drift_s = 0.0

    async def _send(self, request: Request) -> Response:
        response = await self._inner.send(request)
        self.drift_s = clock_drift(response, self._inner.clock) or 0.0
        return response


def _skewed(drift_s: float, error: AuthError) -> ClockSkewError:
    direction = "behind" if drift_s > 0 else "ahead of"
    message = f"This machine's clock is {abs(drift_s):.0f} s {direction} the login server's."
    return ClockSkewError(
        message,
        hint="Set it by NTP.",
        code=error.code,
        status=error.status,
        request_id=error.request_id,
        docs_key="clock-skew",
    )
