"""What the CLI says, as values and as errors that tell what to do. Pure, without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from sfconnect import Secret
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    CredentialUnavailableError,
    ReauthorizationRequired,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect_auth_sfcli.process import Answer

_REDACTED: Final = "[REDACTED]"
_CONNECTED: Final = frozenset({"connected", "unknown"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_WORDS_SHOWN: Final = 300
_SECRETS: Final = re.compile(r"00D\w{12,15}![\w.]+|force://\S+|5Aep\S+|eyJ[\w-]+\.[\w-]+\.[\w-]+")
_UNKNOWN_COMMAND: Final = re.compile(
    r"is not an? sfd?x? ?command|command \S+ not found", re.IGNORECASE
)

_LOGIN: Final = "Log in: sf org login web --alias {org}; on a server, sf org login jwt."
_UPDATE: Final = "Update the CLI: npm install --global @salesforce/cli@latest"
# The CLI's error names, with its messages where names have changed between its versions.
_NOT_LOGGED_IN: Final = re.compile(
    r"No\w*(Org|Env|Username|Auth)\w*Found|NotFound\b|NotFoundError|No\w*Default\w*|NoTarget\w*"
    r"|no authorization information|no default (environment|org)|no target.?org",
    re.IGNORECASE,
)
_EXPIRED: Final = re.compile(
    r"RefreshToken\w*|expired access/refresh token|INVALID_SESSION_ID|session expired"
    r"|inactive user|JwtAuth\w*|AuthCodeExchange\w*",
    re.IGNORECASE,
)
_GONE: Final = re.compile(
    r"scratch.?org\w* .*(expired|deleted)|data not available|DomainNotFound|org .*expired",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Org:
    """An org that the CLI knows; ``access_token`` is None where the CLI keeps it to itself."""

    instance_url: str
    username: str
    org_id: str
    access_token: Secret | None


def read_org(answer: Answer, asked_for: str | None) -> Org:
    """Read what ``sf org display --json`` printed.

    Raises:
        AuthError: The CLI refused, or what it printed cannot be used.
    """
    name = asked_for or "its default org"
    result = _result(answer, name)
    status = _text(result, "connectedStatus")
    if status and status.lower() not in _CONNECTED:
        raise _refusal(name, status, status)
    token = _usable(_text(result, "accessToken"))
    username = _text(result, "username") or asked_for
    if not username:
        message = "The Salesforce CLI does not tell whose its default org is."
        raise AuthError(message, hint="Set target_org.", docs_key="cli-no-username")
    return Org(_instance_url(result), username, _text(result, "id"), token)


def read_token(answer: Answer, username: str) -> Secret:
    """Read what ``sf org auth show-access-token --json`` printed.

    Raises:
        AuthError: The CLI refused, or shows no token.
    """
    token = _usable(_text(_result(answer, username), "accessToken"))
    if token is not None:
        return token
    message = f"The Salesforce CLI shows a placeholder instead of the token for {username}."
    raise AuthConfigurationError(message, hint=_UPDATE, docs_key="cli-redacted")


def explain_unknown_command(answer: Answer) -> None:
    """Tell that the CLI is of the few versions that hide tokens and cannot show them.

    Raises:
        AuthConfigurationError: It does not know the command that it was given.
    """
    if answer.code and _UNKNOWN_COMMAND.search(answer.output):
        message = "This Salesforce CLI hides tokens and has no command that shows one."
        raise AuthConfigurationError(message, hint=_UPDATE, docs_key="cli-too-old")


def _usable(token: str) -> Secret | None:
    return Secret(token) if token and not token.startswith(_REDACTED) else None


def _result(answer: Answer, org: str) -> Mapping[str, Any]:
    document = _json(answer.output)
    if document is None:
        raise _unreadable(answer, org)
    result = document.get("result")
    if answer.code == 0 and isinstance(result, dict):
        return result
    name, said = _text(document, "name"), _text(document, "message")
    raise _refusal(org, name, said)


def _json(output: str) -> dict[str, Any] | None:
    """Decode the object in an output; plugins of the CLI print lines around it."""
    start, end = output.find("{"), output.rfind("}")
    try:
        document = msgspec.json.decode(output[start : end + 1].encode())
    except (msgspec.DecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value.strip() if isinstance(value, str) else ""


def _instance_url(result: Mapping[str, Any]) -> str:
    url = _text(result, "instanceUrl").rstrip("/")
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if is_safe and parts.hostname:
        return url
    message = "The Salesforce CLI names no address of the org that a token may be sent to."
    raise AuthError(message, hint="See `sf org display`.", docs_key="cli-no-instance-url")


def _unreadable(answer: Answer, org: str) -> AuthError:
    """Explain an output that is not JSON; it is not quoted, since it could hold anything."""
    if answer.code and _NOT_LOGGED_IN.search(answer.output):
        return _refusal(org, "NoOrgFound", "")
    size = len(answer.output)
    message = (
        f"The Salesforce CLI ended with code {answer.code} and printed {size} characters that "
        "are not the JSON it was asked for."
    )
    hint = "Run `sf org display --json` by hand; if that looks right, look at `command`."
    return AuthError(message, hint=hint, docs_key="cli-not-json")


def _refusal(org: str, name: str, said: str) -> AuthError:
    words = _SECRETS.sub("…", said)[:_WORDS_SHOWN].rstrip(".")
    kind, hint, key = _meaning(f"{name} {said}")
    message = (
        f"The Salesforce CLI has no token for {org}: {words or name or 'it does not say why'}."
    )
    return kind(message, code=name[:80] or None, hint=hint.format(org=org), docs_key=key)


def _meaning(text: str) -> tuple[type[AuthError], str, str]:
    if _GONE.search(text):
        hint = "The org is deleted or expired; make or choose another."
        return AuthConfigurationError, hint, "org-gone"
    if _EXPIRED.search(text):
        return ReauthorizationRequired, "The CLI's login has ended. " + _LOGIN, "cli-login-ended"
    if _NOT_LOGGED_IN.search(text):
        return CredentialUnavailableError, _LOGIN, "cli-not-logged-in"
    return AuthError, "Run `sf org display --target-org {org}` by hand.", "cli-failed"
