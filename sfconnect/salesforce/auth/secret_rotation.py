"""An app's two secrets while Salesforce has both: the current one, and the next.

The next one is tried once where the current one is refused. Which of them worked is not
remembered, since a strategy keeps nothing: it costs each login one request more, until the secrets
are moved up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from sfconnect.auth.options import as_secret
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect._types import Secret
    from sfconnect.auth.oauth2.wire import Client
    from sfconnect.errors import AuthError

CLIENT_SECRET_NEXT: Final[Mapping[str, Any]] = {
    "help": "Secret that client_secret is being rotated to; tried where that one is refused.",
    "secret": True,
    "default": None,
}
"""What ``option(**…)`` is told."""
_REFUSED: Final = frozenset({"invalid_client"})


class SecretOptions(Protocol):
    """A strategy that has these options."""

    @property
    def client_secret(self) -> Secret | str | None:
        """The current secret."""
        ...

    @property
    def client_secret_next(self) -> Secret | str | None:
        """The next one."""
        ...


def check_secrets(strategy: SecretOptions) -> None:
    """Refuse a next secret that follows none; call it from ``__post_init__``.

    Raises:
        ConfigurationError: There is one.
    """
    if strategy.client_secret_next is not None and strategy.client_secret is None:
        message = "client_secret_next is given, and client_secret is not."
        hint = "A secret that is the only one is client_secret."
        raise ConfigurationError(message, hint=hint, unused=("client_secret_next",))


def secret_of(value: Secret | str | None) -> Secret | None:
    """Narrow the type of a secret option that may be left out."""
    return None if value is None else as_secret(value)


def with_next_secret(
    client: Client | None, error: AuthError, next_secret: Secret | None
) -> Client | None:
    """The client with the next secret, if the error says that the current one is wrong."""
    if client is None or next_secret is None or client.client_secret in {None, next_secret}:
        return None
    refused = (error.code or "").lower() in _REFUSED
    return replace(client, client_secret=next_secret) if refused else None
