"""Turn a refused login into an error that says what to change: rules as data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from sfconnect.auth.options import without_secrets
from sfconnect.auth.urls import shown
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    TransientAuthError,
)
from sfconnect.instrumentation import redact_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sfconnect.auth.oauth2.wire import Refusal

_ID_SHOWN: Final = 6
_TEXT_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class LoginFacts:
    """What was tried, for the error's text and for the placeholders of hints."""

    grant: str
    url: str
    client_id: str = ""
    client_auth: str = ""
    """How the app proved itself, where it did."""
    username: str = ""
    audience: str = ""
    other_audience: str = ""
    drift_s: float | None = None
    """Server's clock minus this machine's, where the answer told."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Further words that hints of this login's own rules ask for."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Taken out of the server's words, in case it repeats what it was sent."""

    @property
    def host(self) -> str:
        """Scheme-less address of the login server."""
        return shown(self.url).partition("://")[2].partition("/")[0]

    def scrub(self, text: str) -> str:
        """Remove secrets from a text of the server, and shorten it."""
        spellings = [spell(one) for one in self.secrets for spell in (str, quote_plus, quote)]
        text = without_secrets(text, spellings)
        # Shortened last: half a secret would not be found.
        return redact_text(text)[:_TEXT_SHOWN]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: which refusals it is about, and what they mean.

    ``error`` is OAuth's code; empty matches all. ``pattern`` is searched in the description,
    without regard to case. ``grants`` and ``client_auth`` limit the rule; empty means all.
    ``cause`` is a sentence, and may be empty where the server's own words say as much. ``hint``
    says what to change; both may name facts of the login in braces, such as ``{host}``.
    """

    error: str
    pattern: str
    kind: type[AuthError]
    hint: str
    key: str
    grants: frozenset[str] = frozenset()
    client_auth: str = ""
    cause: str = ""

    def matches(self, refusal: Refusal, facts: LoginFacts) -> bool:
        """Whether the rule is about this refusal."""
        if self.error and self.error != refusal.error.lower():
            return False
        if self.grants and facts.grant not in self.grants:
            return False
        if self.client_auth and self.client_auth != facts.client_auth:
            return False
        return re.search(self.pattern, refusal.description, re.IGNORECASE) is not None


REFRESH: Final = frozenset({"refresh_token"})

ASSERTION_RULE: Final = Rule(
    "invalid_client",
    "",
    InvalidCredentialsError,
    "Check client_id, that the key belongs to the certificate or public key that the app has "
    "there, that the clock is right (the server's differs by {drift} s), and that the app may "
    "prove itself by private_key_jwt.",
    "wrong-client-key",
    client_auth="private_key_jwt",
    cause="The server does not take the app's signed proof of who it is.",
)
CERTIFICATE_RULE: Final = Rule(
    "invalid_client",
    "",
    InvalidCredentialsError,
    "Set client_cert_file and client_key_file to the certificate that the app has at the server, "
    "and check client_id.",
    "wrong-client-certificate",
    client_auth="tls_client_auth",
    cause="The app came without its certificate, or with another one.",
)

OAUTH_RULES: Final = (
    ASSERTION_RULE,
    CERTIFICATE_RULE,
    Rule(
        "invalid_client",
        "",
        InvalidCredentialsError,
        "Check client_id and client_secret, and whether the server wants the secret in the body "
        "or as Basic (client_auth).",
        "invalid-client",
        cause="The server does not know the app, or its secret is wrong.",
    ),
    Rule(
        "invalid_grant",
        "",
        ReauthorizationRequired,
        "Authorise the app again.",
        "refresh-token-dead",
        REFRESH,
        cause="The refresh token is revoked, expired or used up.",
    ),
    Rule(
        "invalid_grant",
        "",
        InvalidCredentialsError,
        "Check what the login sends: user, assertion or token, and the clock.",
        "invalid-grant",
        cause="The server does not take what the login is made of.",
    ),
    Rule(
        "unauthorized_client",
        "",
        AuthConfigurationError,
        "Allow this grant type for the app.",
        "grant-not-allowed",
        cause="The app may not use this flow.",
    ),
    Rule(
        "unsupported_grant_type",
        "",
        AuthConfigurationError,
        "Check the token URL, and that the server knows this grant type.",
        "grant-not-supported",
        cause="The server does not have this flow.",
    ),
    Rule(
        "invalid_scope",
        "",
        AuthConfigurationError,
        "Ask for scopes that the app has, or leave scope out.",
        "invalid-scope",
        cause="The app lacks a scope that is asked for.",
    ),
    Rule(
        "access_denied",
        "",
        AppAccessDenied,
        "Let the user, or an admin, allow the app.",
        "access-denied",
        cause="Somebody said no to the app.",
    ),
    *(
        Rule(code, "", TransientAuthError, "", "server-fault", cause="It should pass soon.")
        for code in ("temporarily_unavailable", "server_error")
    ),
    *(
        Rule(
            code,
            "",
            LoginRateLimited,
            "Share one connection, or a token store, instead of logging in for each job.",
            "rate-limited",
            cause="Too many logins are sent.",
        )
        for code in ("slow_down", "rate_limit_exceeded")
    ),
    Rule("", "", AuthConfigurationError, "", "refused"),
)
"""What the codes of RFC 6749 §5.2 and §4.1.2.1 mean wherever nothing better is known."""
PROVIDER_RULES: Final = (
    Rule(
        "invalid_client",
        r"^It asks for .*\bbasic\b",
        InvalidCredentialsError,
        "Set client_auth='basic'.",
        "client-auth-basic",
        client_auth="body",
        cause="The server wants the secret as Basic.",
    ),
    Rule(
        "invalid_request",
        "",
        AuthConfigurationError,
        "Compare its documentation with scope, audience, resource, token_params and body_encoding.",
        "invalid-request",
        cause="The server misses a parameter, does not know one, or reads another form of body.",
    ),
    Rule(
        "invalid_target",
        "",
        AuthConfigurationError,
        "Check resource and audience.",
        "invalid-target",
        cause="The server knows no such API.",
    ),
)
"""Asked beside them for providers whose ways are options (the last code is of RFC 8707 §2)."""


def explain(refusal: Refusal, facts: LoginFacts, rules: Iterable[Rule] = ()) -> AuthError:
    """Make the typed error of a refusal; the first rule that matches decides."""
    refusal = replace(
        refusal,
        error=facts.scrub(refusal.error),
        description=facts.scrub(refusal.description),
    )
    if (fault := _fault_of_server(refusal, facts)) is not None:
        return fault
    if refusal.shape != "oauth":
        return _not_oauth(refusal, facts)
    rule = next(r for r in (*rules, *OAUTH_RULES) if r.matches(refusal, facts))
    words = f"{refusal.error}: {refusal.description}" if refusal.description else refusal.error
    message = f"{facts.host} refused the {facts.grant} login: {words}{_who(facts)}."
    cause, hint = (_filled(text, refusal, facts) for text in (rule.cause, rule.hint))
    return _error(rule.kind, f"{message} {cause}".strip(), refusal, hint=hint, key=rule.key)


def _fault_of_server(refusal: Refusal, facts: LoginFacts) -> AuthError | None:
    status = refusal.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{facts.host} gets too many login requests (status 429)."
        return _error(LoginRateLimited, message, refusal, key="rate-limited")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        title = f", a page titled {refusal.description!r}" if refusal.shape == "html" else ""
        message = f"{facts.host} could not answer the login (status {status}{title})."
        return _error(TransientAuthError, message, refusal, key="server-fault")
    return None


def _not_oauth(refusal: Refusal, facts: LoginFacts) -> AuthError:
    said = refusal.description
    what = {
        "html": f"a web page titled {said!r}" if said else "a web page",
        "redirect": f"a redirect to {said or 'another place'}, which is not followed",
        "empty": "an empty body",
    }.get(refusal.shape, f"something else: {said}")
    message = (
        f"{facts.host} did not answer the {facts.grant} login as an OAuth server does: "
        f"status {refusal.status} with {what.rstrip('.')}{_who(facts)}."
    )
    hint = (
        f"Check the address {shown(facts.url)}; a proxy or a maintenance page in between also "
        "answers like this."
    )
    return _error(AuthConfigurationError, message, refusal, hint=hint, key="not-oauth")


def _who(facts: LoginFacts) -> str:
    named = {
        "client_id": f"{facts.client_id[:_ID_SHOWN]}…" if facts.client_id else "",
        "username": facts.username,
        "audience": facts.audience,
    }
    text = ", ".join(f"{name} {value}" for name, value in named.items() if value)
    return f" ({text})" if text else ""


class _Words(dict[str, str]):
    """Words for the braces of a text; what is not known has a word too."""

    def __missing__(self, name: str) -> str:
        return "…"


def _filled(text: str, refusal: Refusal, facts: LoginFacts) -> str:
    drift = "an unknown number of" if facts.drift_s is None else f"{round(facts.drift_s)}"
    words = _Words(
        facts.details,
        error_uri=refusal.error_uri or facts.details.get("error_uri", "the server's own page"),
        host=facts.host,
        username=facts.username or "the user",
        audience=facts.audience,
        other_audience=facts.other_audience,
        drift=drift,
    )
    return text.format_map(words)


def _error(
    kind: type[AuthError], message: str, refusal: Refusal, *, hint: str = "", key: str
) -> AuthError:
    error = kind(
        message,
        code=refusal.error or None,
        hint=hint or None,
        request_id=refusal.request_id,
        status=refusal.status,
        docs_key=key,
    )
    error.retry_after = refusal.retry_after
    return error
