"""What both logins with a password have in common: their options, and what is secret of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from sfconnect import Secret

LOGIN_URL_OPTION: Final[Mapping[str, Any]] = {
    "help": "My Domain of the org, or login or test.salesforce.com.",
    "example": "https://acme.my.salesforce.com",
}
USERNAME_OPTION: Final[Mapping[str, Any]] = {
    "help": "Login name of the user to act as.",
    "example": "ada@example.com",
}
SECURITY_TOKEN_OPTION: Final[Mapping[str, Any]] = {
    "help": "Security token of the user; none is needed from a trusted IP range.",
    "secret": True,
    "default": None,
}
"""What ``option(**…)`` is told."""


class PasswordOptions(Protocol):
    """A strategy that has these options."""

    @property
    def password(self) -> Secret | str:
        """Of the user."""
        ...

    @property
    def security_token(self) -> Secret | str | None:
        """What Salesforce wants behind the password."""
        ...


def reveal(value: Secret | str | None) -> str:
    """The text of a secret option, which ``coerce_secrets`` has wrapped; empty for None."""
    return value.reveal() if isinstance(value, Secret) else value or ""


def sent_password(strategy: PasswordOptions) -> str:
    """What a login sends as the password: the security token stands right behind it."""
    return reveal(strategy.password) + reveal(strategy.security_token)


def secrets_of(strategy: PasswordOptions) -> tuple[str, str, str]:
    """What must not stand in an error, the longest first."""
    return sent_password(strategy), reveal(strategy.password), reveal(strategy.security_token)
