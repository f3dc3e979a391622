"""Logins that are no login: an API key, and user name with password, sent with each request."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import ClassVar, Final

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.urls import split_endpoint
from sfconnect.errors import ConfigurationError
from sfconnect.messages import Request

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_FRAMING: Final = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Headers that say where a request goes and where it ends."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Send a key in a header of each request."""

    identity_secrets: ClassVar[tuple[str, ...]] = ("key",)

    key: Secret | str = option(help="The key.", secret=True)
    base_url: str = option(help="Base URL of the API.", example="https://api.example.com/v1")
    header: str = option(help="Header that carries the key.", default="X-API-Key")
    prefix: str = option(
        help="What stands before the key, its space included.", default="", example="Token "
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        _normalise_base_url(self)
        if _HEADER_NAME.fullmatch(self.header) is None or self.header.lower() in _FRAMING:
            message = f"header {self.header!r} cannot carry a key."
            raise ConfigurationError(message, hint="Name one such as X-API-Key or Authorization.")
        key = _text(self.key)
        if not key.strip():
            raise ConfigurationError("key is empty.")
        if not (key.isascii() and key.isprintable() and key == key.strip()):
            message = "key holds characters that no key has, such as a line break or a space."
            raise ConfigurationError(message, hint="Copy it again; look at both ends.")
        if not (self.prefix.isascii() and (self.prefix + "x").isprintable()):
            raise ConfigurationError("prefix holds characters that no header may hold.")

    @property
    def names_base_url(self) -> bool:
        """A connector takes the address of the API from here."""
        return True

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Hand the key over; nothing is sent.

        A refused key is handed over again, so the API's own refusal is what the caller gets.
        """
        return Credentials(Secret(_text(self.key)), self.base_url, token_type="ApiKey")

    def authorize(self, request: Request, credentials: Credentials) -> Request:
        """Put the key into its header."""
        value = f"{self.prefix}{credentials.access_token.reveal()}"
        return request.with_headers({self.header: value})


@dataclass(frozen=True, slots=True)
class Basic:
    """Send user name and password with each request (RFC 7617)."""

    username: str = option(help="User name; it cannot hold a colon.")
    password: Secret | str = option(help="Password.", secret=True)
    base_url: str = option(help="Base URL of the API.", example="https://api.example.com/v1")

    def __post_init__(self) -> None:
        coerce_secrets(self)
        _normalise_base_url(self)
        if ":" in self.username:
            message = "username holds a colon, where Basic authentication ends the name."
            raise ConfigurationError(message, hint="Give the password as an option of its own.")
        for name, text in (("username", self.username), ("password", _text(self.password))):
            # RFC 7617 §2: no control characters; half a character has no UTF-8 form.
            if _CONTROL.search(text) or any("\ud800" <= one <= "\udfff" for one in text):
                message = f"{name} holds characters that Basic authentication does not allow."
                raise ConfigurationError(message, hint="A line break at the end is a common one.")

    @property
    def names_base_url(self) -> bool:
        """A connector takes the address of the API from here."""
        return True

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Encode both as UTF-8; nothing is sent.

        Refused ones are handed over again, so the API's own refusal is what the caller gets.
        """
        pair = f"{self.username}:{_text(self.password)}".encode()
        token = base64.b64encode(pair).decode("ascii")
        return Credentials(Secret(token), self.base_url, token_type="Basic")


def _text(value: Secret | str) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _normalise_base_url(strategy: ApiKey | Basic) -> None:
    split_endpoint(strategy.base_url, "base_url")
    object.__setattr__(strategy, "base_url", strategy.base_url.strip().rstrip("/"))
