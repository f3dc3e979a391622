"""How an app proves itself at a token endpoint: from a strategy's options to a ``Client``.

Each way is a row of RFC 6749 §2.3, RFC 7523 §2.2 or RFC 8705 §2. A strategy has the options of
:class:`ClientOptions`, calls :func:`check_client_options` when it is made, and
:func:`authenticated_client` for each request::

    client = await authenticated_client(self, context, audience=token_url)
    request = token_request(token_url, "client_credentials", {}, client)
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final, Protocol

from sfconnect._types import Secret
from sfconnect.auth.key_options import (
    KeyOptions,
    check_one_key,
    key_sources,
    refuse_unused_passphrase,
    signer_of,
)
from sfconnect.auth.oauth2.wire import CLIENT_METHODS, Client, client_method
from sfconnect.auth.options import as_secret
from sfconnect.auth.signing import sign_jwt
from sfconnect.config import did_you_mean, one_of
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sfconnect._types import JsonValue
    from sfconnect.auth.base import AuthContext, Signer

METHODS: Final = tuple(dict.fromkeys(CLIENT_METHODS.values()))
ASSERTION_LIFETIME_S: Final = 60
"""Long enough for a request and a clock that is a little off; a stolen one is soon worthless."""
WITH_SECRET: Final = frozenset({"body", "basic"})
"""The ways that need ``client_secret``; the others must not have one."""


class ClientOptions(KeyOptions, Protocol):
    """A strategy that has these options, and those of a key beside them."""

    @property
    def client_id(self) -> str:
        """Names the app."""
        ...

    @property
    def client_secret(self) -> Secret | str | None:
        """What the app knows."""
        ...

    @property
    def client_auth(self) -> str | None:
        """How the app proves itself."""
        ...


def check_client_options(
    strategy: ClientOptions,
    method: str,
    *,
    allowed: Collection[str] = METHODS,
    needs_secret: bool = True,
) -> None:
    """Refuse options that do not fit the method, before a secret can go to the wrong place.

    Args:
        strategy: Its options are checked.
        method: The method in effect, where ``client_auth`` may be left out.
        allowed: The methods that the server knows.
        needs_secret: Whether ``body`` and ``basic`` insist on a secret; some grants take the
            client's name alone.

    Raises:
        ConfigurationError: The method is unknown, lacks what it needs, or would leave unused what
            is given.
    """
    if method not in allowed:
        message = f"client_auth must be {one_of(tuple(allowed))}, not {method!r}."
        raise ConfigurationError(message, hint=did_you_mean(method, allowed, kind="methods"))
    has_secret = strategy.client_secret is not None
    if method in WITH_SECRET and needs_secret and not has_secret:
        hint = "Give it; or prove the app by a key: client_auth='private_key_jwt'."
        raise ConfigurationError(f"client_auth={method!r} needs client_secret.", hint=hint)
    if method not in WITH_SECRET and has_secret:
        message = f"client_secret is not used with client_auth={method!r}."
        unused = ("client_secret", "client_auth")
        raise ConfigurationError(message, hint="Leave one of the two out.", unused=unused)
    if method == "private_key_jwt":
        check_one_key(strategy, "client_auth='private_key_jwt'")


def refuse_unused_key(strategy: ClientOptions, method: str) -> None:
    """Refuse a key that nothing would sign with; not for grants that sign with it themselves.

    Raises:
        ConfigurationError: There is one.
    """
    if method == "private_key_jwt":
        return
    if given := key_sources(strategy):
        message = f"{given[0]} is not used with client_auth={method!r}."
        hint = "Did you mean client_auth='private_key_jwt'?"
        raise ConfigurationError(message, hint=hint, unused=given)
    refuse_unused_passphrase(strategy)


async def authenticated_client(
    strategy: ClientOptions,
    context: AuthContext,
    *,
    audience: str,
    method: str | None = None,
    key_id: str | None = None,
) -> Client:
    """Make the client of one request; an assertion is signed anew, since it is good for once.

    Args:
        strategy: Its options are used.
        context: Tells the time.
        audience: Whom an assertion is for: the token endpoint, or the server's issuer.
        method: The method in effect; None for the strategy's ``client_auth``.
        key_id: Names the key to the server.

    Raises:
        AuthConfigurationError: The key cannot be used.
    """
    named = client_method(method or strategy.client_auth or "body")
    if named == "private_key_jwt":
        signer = await signer_of(strategy, key_id)
        assertion = await client_assertion(
            signer, strategy.client_id, audience=audience, now=context.clock.time()
        )
        return Client(strategy.client_id, method=named, assertion=Secret(assertion))
    secret = None if strategy.client_secret is None else as_secret(strategy.client_secret)
    return Client(strategy.client_id, secret, named)


async def client_assertion(signer: Signer, client_id: str, *, audience: str, now: float) -> str:
    """Sign the assertion by which an app names itself (RFC 7523 §3)."""
    claims: dict[str, JsonValue] = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "exp": int(now) + ASSERTION_LIFETIME_S,
        "jti": token_urlsafe(16),
    }
    return await sign_jwt(signer, claims)
