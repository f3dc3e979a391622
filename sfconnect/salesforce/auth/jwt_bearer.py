"""Log in as any user that the app is approved for, by a signed assertion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sfconnect._types import JsonValue, Secret
from sfconnect.auth.base import AuthContext, Credentials, Signer
from sfconnect.auth.key_options import (
    PASSPHRASE,
    PRIVATE_KEY,
    PRIVATE_KEY_FILE,
    SIGNER,
    check_one_key,
    signer_of,
    wrap_key_bytes,
)
from sfconnect.auth.oauth2.exchange import clock_drift
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.signing import sign_jwt
from sfconnect.auth.store import secrets_of
from sfconnect.errors import AuthError, ClockSkewError
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
    private_key: Secret | str | bytes | None = option(**PRIVATE_KEY)
    private_key_file: Path | str | None = option(**PRIVATE_KEY_FILE)
    passphrase: Secret | str | None = option(**PASSPHRASE)
    audience: str | None = option(
        help="Audience of the assertion; derived from login_url.",
        default=None,
        env="SF_AUDIENCE_URL",
    )
    signer: Signer | None = option(**SIGNER)

    def __post_init__(self) -> None:
        wrap_key_bytes(self)
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        check_one_key(self, "jwt-bearer")

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in; if the clocks' difference made it fail, once more by the server's clock.

        Raises:
            ClockSkewError: The server's own time did not help either.
        """
        signer = await signer_of(self)
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
