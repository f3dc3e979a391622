"""Turn a refused login into an error that says what to change: rules as data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from sfconnect.auth.options import without_secrets
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    InvalidCredentialsError,
    LoginRateLimited,
    TransientAuthError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sfconnect.messages import Response

_WORDS_SHOWN: Final = 300
_TOKENS: Final = re.compile(r"00D\w{12,15}![\w.]+|5Aep[\w.]+|eyJ[\w-]+\.[\w-]+\.[\w-]+")
_TOO_MANY, _SERVER_FAULT = 429, 500


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried, for the error's text."""

    flow: str
    host: str
    username: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Taken out of the server's words, in case it repeats what it was sent."""

    def scrub(self, text: str) -> str:
        """Remove secrets from a text of the server, and shorten it."""
        ways = (str, quote_plus, quote, escape)
        text = without_secrets(text, [spell(one) for one in self.secrets for spell in ways])
        # Shortened last: half a secret would not be found.
        return _TOKENS.sub("…", text)[:_WORDS_SHOWN]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the code and the words that it is about, and what they mean.

    Both are searched without regard to case. ``hint`` may name ``{username}`` and ``{host}``.
    """

    code: str
    words: str
    kind: type[AuthError]
    hint: str
    key: str

    def matches(self, code: str, words: str) -> bool:
        """Whether the rule is about this refusal."""
        found = re.fullmatch(self.code or ".*", code, re.IGNORECASE | re.DOTALL)
        return bool(found) and re.search(self.words, words, re.IGNORECASE) is not None


_MAYBE_BLOCKED: Final = (
    "Salesforce says no more of a wrong password, a missing or old security token, a locked user, "
    "login hours, IP ranges, and an org that blocks the flow. Look at the Login History of "
    "{username} in Setup. Sandboxes log in at test.salesforce.com or their My Domain."
)
_ACTIVATE: Final = "Activate or unfreeze {username} (Setup → Users)."
_UNTRUSTED: Final = (
    "Set security_token to the one that Salesforce mailed at the last change of password (Settings "
    "→ Reset My Security Token), or log in from a trusted IP range (Setup → Network Access)."
)
_SOAP_OFF: Final = (
    "Give {username} the permission 'Use Any API Auth', and allow SOAP API login() in Setup → User "
    "Interface; better, log in with client-credentials or jwt-bearer."
)
_FLOW_OFF: Final = (
    "Allow it in Setup → OAuth and OpenID Connect Settings where the org still has it; it is "
    "retired on 20 February 2027. Log in with client-credentials or jwt-bearer."
)
_APPROVE: Final = (
    "Add the app to a permission set or profile of {username} (Setup → Connected Apps → Manage)."
)

RULES: Final = (
    Rule("", "login rate exceeded", LoginRateLimited, "Share one connection.", "login-rate"),
    Rule("LOGIN_RATE_EXCEEDED", "", LoginRateLimited, "Share one connection.", "login-rate"),
    Rule("REQUEST_LIMIT_EXCEEDED", "", LoginRateLimited, "", "rate-limited"),
    Rule(
        ".*inactive_user",
        "",
        AuthConfigurationError,
        _ACTIVATE,
        "inactive-user",
    ),
    Rule(
        "",
        "inactive.?user|user is (inactive|frozen)",
        AuthConfigurationError,
        _ACTIVATE,
        "inactive-user",
    ),
    Rule(
        "inactive_org|ORG_LOCKED|TRIAL_EXPIRED",
        "",
        AuthConfigurationError,
        "The org is locked or expired.",
        "inactive-org",
    ),
    Rule(
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "",
        AuthConfigurationError,
        "Add this machine's address to the login IP ranges of the profile of {username}.",
        "ip-restricted",
    ),
    Rule("", "ip restricted", AuthConfigurationError, "Relax the IP ranges.", "ip-restricted"),
    Rule(
        "LOGIN_DURING_RESTRICTED_TIME",
        "",
        AuthConfigurationError,
        "The profile of {username} has login hours.",
        "login-hours",
    ),
    # The OAuth flow.
    Rule("invalid_client_id", "", AuthConfigurationError, "Check client_id.", "unknown-client-id"),
    Rule(
        "invalid_client", "", InvalidCredentialsError, "Check client_secret.", "wrong-client-secret"
    ),
    Rule("unsupported_grant_type", "", AuthConfigurationError, _FLOW_OFF, "flow-retired"),
    Rule(
        "",
        "grant type not supported|flow .*(blocked|disabled|not enabled)",
        AuthConfigurationError,
        _FLOW_OFF,
        "flow-retired",
    ),
    Rule(
        "invalid_app_access|oauth_app_access_denied",
        "",
        AppAccessDenied,
        _APPROVE,
        "user-not-approved",
    ),
    Rule("", "not admin approved|hasn.?t approved", AppAccessDenied, _APPROVE, "user-not-approved"),
    Rule("invalid_grant", "", InvalidCredentialsError, _MAYBE_BLOCKED, "authentication-failure"),
    # SOAP.
    Rule(
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "",
        InvalidCredentialsError,
        _UNTRUSTED,
        "security-token",
    ),
    Rule(
        "",
        r"login\(\) is disabled|any api auth",
        AuthConfigurationError,
        _SOAP_OFF,
        "soap-login-off",
    ),
    Rule(
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "",
        InvalidCredentialsError,
        "Set a new password for {username} in the browser.",
        "password-expired",
    ),
    Rule(
        "PASSWORD_LOCKOUT",
        "",
        InvalidCredentialsError,
        "Unlock {username} (Setup → Users), and then correct the password here.",
        "locked-out",
    ),
    Rule("INVALID_LOGIN", "", InvalidCredentialsError, _MAYBE_BLOCKED, "authentication-failure"),
    Rule(
        "API_DISABLED_FOR_ORG|API_CURRENTLY_DISABLED",
        "",
        AuthConfigurationError,
        "Give {username} the permission 'API Enabled'; some editions have no API.",
        "api-disabled",
    ),
    Rule(
        "UNSUPPORTED_API_VERSION|INVALID_VERSION",
        "",
        AuthConfigurationError,
        "Set soap_version to one from 31.0 to 64.0, or leave it out.",
        "soap-login-off",
    ),
    Rule("SERVER_UNAVAILABLE|UNKNOWN_EXCEPTION|Server", "", TransientAuthError, "", "server-fault"),
    Rule("temporarily_unavailable|server_error", "", TransientAuthError, "", "server-fault"),
    Rule("", "", AuthConfigurationError, "", "refused"),
)
"""The first row that matches decides."""


def explain(
    attempt: Attempt, response: Response, code: str, words: str, rules: Iterable[Rule] = RULES
) -> AuthError:
    """Make the error of a refusal that named its reason."""
    code, words = attempt.scrub(code), attempt.scrub(words)
    rule = next(rule for rule in rules if rule.matches(code, words))
    said = f"{code}: {words}" if words and words != code else code
    message = f"{attempt.host} refused the {attempt.flow} login of {attempt.username}: {said}."
    hint = rule.hint.format(username=attempt.username, host=attempt.host)
    return _error(rule.kind, message, response, code=code, hint=hint, key=rule.key)


def explain_silence(attempt: Attempt, response: Response) -> AuthError:
    """Make the error of an answer that is neither a token nor a reason."""
    status, host = response.status, attempt.host
    if status == _TOO_MANY:
        message = f"{host} gets too many login requests (status 429)."
        return _error(LoginRateLimited, message, response, key="rate-limited")
    if status >= _SERVER_FAULT:
        message = f"{host} could not answer the login (status {status})."
        return _error(TransientAuthError, message, response, key="server-fault")
    message = (
        f"{host} did not answer the {attempt.flow} login of {attempt.username} as Salesforce does: "
        f"status {status} with {_shape(response)}."
    )
    hint = f"Check login_url; a proxy or a maintenance page in front of {host} answers so as well."
    return _error(AuthConfigurationError, message, response, hint=hint, key="not-salesforce")


def _shape(response: Response) -> str:
    if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
        return "a redirect, which is not followed"
    if not response.content.strip():
        return "an empty body"
    if response.content_type.endswith("html"):
        return "a web page"
    # Nothing of the body is shown: it could echo what was sent.
    kind = response.content_type or "no content type"
    return f"{len(response.content)} bytes of {kind[:100]}"


def _error(
    kind: type[AuthError],
    message: str,
    response: Response,
    *,
    code: str = "",
    hint: str = "",
    key: str,
) -> AuthError:
    error = kind(
        message,
        code=code or None,
        hint=hint or None,
        request_id=response.request_id,
        status=response.status,
        docs_key=key,
    )
    seconds = response.headers.get("Retry-After", "").strip()
    if seconds.isascii() and seconds.isdecimal():
        error.retry_after = float(seconds[:9])
    return error
