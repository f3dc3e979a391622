"""Secrets that were changed where they are kept: read again when a login refuses the old ones."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread

from sfconnect.auth.base import AuthStrategy
from sfconnect.auth.secret_sources import SourcedSecret
from sfconnect.errors import (
    AuthError,
    ConfigurationError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    TransientAuthError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfconnect._types import Secret
    from sfconnect.errors import SfConnectError

_REFUSED: Final = frozenset({"invalid_client", "invalid_grant", "invalid_login"})
"""Codes of OAuth and SOAP that a secret of yesterday gets, among other causes."""
_NEVER: Final = frozenset({"refresh_token"})
"""The newest of these is with the credentials; the one of the options may be long used up."""


@dataclass(frozen=True, slots=True)
class Reread:
    """A strategy with the secrets as they are now."""

    strategy: AuthStrategy
    starts_over: bool
    """Whether the user's own token is among them, so that older credentials are none to renew."""


def may_be_outdated(error: SfConnectError) -> bool:
    """Whether a login may have failed because a secret was changed since it was read."""
    if isinstance(error, InvalidCredentialsError | ReauthorizationRequired):
        return True
    if not isinstance(error, AuthError) or isinstance(error, LoginRateLimited | TransientAuthError):
        return False
    return (error.code or "").lower() in _REFUSED


async def read_again(strategy: AuthStrategy) -> Reread | None:
    """Read each secret that came from a file, a command or a reference once more.

    None if they are the same, or cannot be read any more: the refusal itself says more then.
    """
    if not any(_sourced(strategy)):
        return None
    return await to_thread.run_sync(partial(_read_again, strategy))


def _sourced(strategy: object) -> Iterator[tuple[str, SourcedSecret]]:
    """The secrets that can be read again, also those of a chain's logins."""
    for name, value in _options(strategy):
        if isinstance(value, SourcedSecret) and name not in _NEVER:
            yield name, value
        for member in value if isinstance(value, tuple) else ():
            yield from _sourced(member) if isinstance(member, AuthStrategy) else ()


def _read_again(strategy: Any) -> Reread | None:
    changed: dict[str, Any] = {}
    starts_over = False
    for name, value in _options(strategy):
        if isinstance(value, tuple):
            members = {at: made for at, one in enumerate(value) if (made := _of_member(one))}
            if members:
                changed[name] = tuple(
                    members[at].strategy if at in members else one for at, one in enumerate(value)
                )
                starts_over |= any(made.starts_over for made in members.values())
        elif isinstance(value, SourcedSecret) and (fresh := _changed(name, value)):
            changed[name] = fresh
            starts_over |= name in getattr(type(strategy), "identity_secrets", ())
    if not changed:
        return None
    try:
        return Reread(replace(strategy, **changed), starts_over)
    except ConfigurationError:
        return None  # no secret for this strategy any more: half a file, say


def _of_member(value: object) -> Reread | None:
    return _read_again(value) if isinstance(value, AuthStrategy) else None


def _changed(name: str, secret: SourcedSecret) -> Secret | None:
    if name in _NEVER:
        return None
    try:
        fresh = secret.read_again()
    except ConfigurationError:
        return None
    return None if fresh == secret else fresh


def _options(strategy: object) -> Iterator[tuple[str, object]]:
    for option in fields(strategy) if is_dataclass(strategy) else ():
        yield option.name, getattr(strategy, option.name)
