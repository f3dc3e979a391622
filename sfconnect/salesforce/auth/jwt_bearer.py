"""Log in as any user that the app is approved for, by a signed assertion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from sfconnect._types import JsonValue, Secret
from sfconnect.auth.base import AuthContext, Credentials, Signer
from sfconnect.auth.certificates import AppCertificate, load_certificate
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
from sfconnect.errors import AuthError, ClockSkewError, ConfigurationError
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth.facts import login_facts, with_secrets
from sfconnect.salesforce.auth.hints import JWT_GRANT_TYPE
from sfconnect.salesforce.auth.token_endpoint import ask_for_token, revoke_token
from sfconnect.salesforce.hosts import (
    PRODUCTION_AUDIENCE,
    SANDBOX_AUDIENCE,
    derive_audience,
    login_base,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

LIFETIME_S: Final = 120
"""Well under the 180 s that Salesforce allows, so that a slow clock does not exceed it."""
DRIFT_S: Final = 60.0
"""A difference of the clocks that can explain a refused assertion."""
_Sign: TypeAlias = "Callable[[Mapping[str, JsonValue]], Awaitable[str]]"
_WRONG_AUDIENCE: Final = "wrong-audience"
_BOTH_REFUSED: Final = (
    "The audience of the other kind of org was tried, and refused as well. For an Experience Cloud "
    "site set audience to the site's URL; else check that login_url is the org's own address."
)
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
    certificate: str | None = option(
        help="Certificate of the app as PEM text; the key is checked against it before a login.",
        default=None,
    )
    certificate_file: Path | str | None = option(
        help="File with that certificate.", default=None, example="server.crt"
    )
    user_claim: Literal["sub", "prn"] = option(
        help="Claim that names the user; prn is its name in old apps.", default="sub"
    )
    try_other_audience: bool = option(
        help="If the audience is refused, log in once more with that of the other kind of org.",
        default=False,
    )

    def __post_init__(self) -> None:
        wrap_key_bytes(self)
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        check_one_key(self, "jwt-bearer")
        if self.certificate is not None and self.certificate_file is not None:
            raise ConfigurationError("certificate and certificate_file are given: one is enough.")
        if self.user_claim not in {"sub", "prn"}:
            raise ConfigurationError(f"user_claim is sub or prn, not {self.user_claim!r}.")

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in; with ``try_other_audience`` once more if the audience is refused.

        If the clocks' difference made it fail, it is sent once more by the server's clock.

        Raises:
            ClockSkewError: The server's own time did not help either.
        """
        sign = await self._notary(context)
        facts = self._facts()
        try:
            return await self._by_either_clock(context, sign, facts)
        except AuthError as error:
            if not self._may_try_other(error, facts):
                raise
            refused = error
        other = replace(facts, audience=facts.other_audience, other_audience=facts.audience)
        try:
            credentials = await self._by_either_clock(context, sign, other)
        except AuthError as error:
            if error.docs_key != _WRONG_AUDIENCE:
                raise
            # The one that was meant is the one to talk about.
            refused.hint = _BOTH_REFUSED
            raise refused from error
        context.log.warning("auth.other_audience", audience=other.audience)
        return credentials

    def _may_try_other(self, error: AuthError, facts: LoginFacts) -> bool:
        is_shared = facts.audience in {PRODUCTION_AUDIENCE, SANDBOX_AUDIENCE}
        return self.try_other_audience and is_shared and error.docs_key == _WRONG_AUDIENCE

    async def _by_either_clock(
        self, context: AuthContext, sign: _Sign, facts: LoginFacts
    ) -> Credentials:
        watch = _DriftWatch(context)
        try:
            return await self._exchange(watch.context, sign, facts, 0.0)
        except AuthError as error:
            if error.docs_key not in _CLOCK_ERRORS or abs(watch.drift_s) <= DRIFT_S:
                raise
        context.log.warning("auth.clock_differs", drift_s=round(watch.drift_s))
        try:
            return await self._exchange(context, sign, facts, watch.drift_s)
        except AuthError as error:
            if error.docs_key != "assertion-expired":
                raise
            raise _skewed(watch.drift_s, error) from error

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session. Salesforce may have given the same one to others for this user."""
        await revoke_token(context, self._facts(), credentials.access_token)

    async def _notary(self, context: AuthContext) -> _Sign:
        """Give what signs claims, and checks the signature by the certificate if there is one.

        Key and certificate are read for each login, so that replaced files are found.
        """
        signer = await signer_of(self)
        certificate = await self._certificate()
        if certificate is not None and (problem := certificate.time_problem(context.clock.time())):
            context.log.warning(
                "auth.certificate_out_of_date", problem=problem, sha256=certificate.fingerprint
            )

        async def sign(claims: Mapping[str, JsonValue]) -> str:
            assertion = await sign_jwt(signer, claims)
            if certificate is not None:
                certificate.check(signer, assertion)
            return assertion

        return sign

    async def _certificate(self) -> AppCertificate | None:
        if self.certificate_file is not None:
            return await AppCertificate.from_file(self.certificate_file)
        return None if self.certificate is None else load_certificate(self.certificate)

    async def _exchange(
        self, context: AuthContext, sign: _Sign, facts: LoginFacts, drift_s: float
    ) -> Credentials:
        claims: dict[str, JsonValue] = {
            "iss": self.client_id,
            self.user_claim: self.username,
            "aud": facts.audience,
            "exp": context.clock.time() + drift_s + LIFETIME_S,
        }
        assertion = await sign(claims)
        facts = with_secrets(facts, assertion)
        return await ask_for_token(context, facts, JWT_GRANT_TYPE, {"assertion": assertion})

    def _facts(self) -> LoginFacts:
        return login_facts(
            self,
            "jwt-bearer",
            self.login_url,
            client_id=self.client_id,
            username=self.username,
            audience=self.audience or derive_audience(self.login_url),
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
