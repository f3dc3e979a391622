"""Secrets that a value names instead of holding: ``keyring://service/username`` and its like.

What stands before ``://`` is the name of a plugin in the group ``sfconnect.secret``. A text with
any other scheme is a secret as it stands: addresses of databases and the auth URLs of the
Salesforce CLI look alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeGuard

from sfconnect._types import Secret
from sfconnect.errors import ConfigurationError, PluginError

if TYPE_CHECKING:
    from sfconnect.auth.base import SecretResolver
    from sfconnect.auth.registry import Registry

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://")
KNOWN_PLUGINS: Final = {"keyring": "sfconnect-auth-keyring"}
"""Who reads a scheme, to be named where it is not installed."""


def is_reference(value: object) -> TypeGuard[str]:
    """Whether a plain value names a secret; a ``Secret`` object is always the secret itself."""
    if not isinstance(value, str) or (scheme := _scheme(value)) is None:
        return False
    return scheme in KNOWN_PLUGINS or scheme in _resolvers().names()


def refuse_reference(option: str, value: object) -> None:
    """Refuse a reference where nothing reads it: a strategy that is made does no I/O.

    Only schemes of known plugins are told; finding others would be I/O.

    Raises:
        ConfigurationError: The value is one.
    """
    if isinstance(value, str) and _scheme(value) in KNOWN_PLUGINS:
        message = f"Option {option} holds a reference to a secret where the secret belongs."
        hint = "References are read by connect('NAME', …), in profiles and in the environment."
        raise ConfigurationError(message, hint=hint)


def read_reference(reference: str) -> str:
    """Ask the plugin for the secret; this may block.

    Raises:
        ConfigurationError: There is no such secret, or it cannot be read.
        PluginError: The plugin is not installed or broken, or does not keep to the contract.
    """
    scheme = _scheme(reference) or ""
    resolver = _resolver(scheme)
    try:
        secret: object = resolver.resolve(reference)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001  # the border to plugins; named, and not chained:
        problem = f"raised {type(error).__name__}"  # its text may quote what it has read
    else:
        if isinstance(secret, Secret) and secret:
            return secret.reveal()
        problem = "gave no Secret, or an empty one"
    message = f"The plugin that reads {scheme}:// references {problem}."
    raise PluginError(message, hint="See `sfconnect plugins list --check`.")


def _resolver(scheme: str) -> SecretResolver:
    resolvers = _resolvers()
    if scheme not in resolvers.names():
        message = f"Nothing that is installed reads {scheme}:// references."
        raise PluginError(message, hint=f"Install it: pip install {KNOWN_PLUGINS[scheme]}")
    made: SecretResolver = resolvers.load(scheme)()
    return made


def _resolvers() -> Registry[SecretResolver]:
    from sfconnect.auth.registry import SECRETS  # it reads options, which read secrets

    return SECRETS


def _scheme(text: str) -> str | None:
    found = _SCHEME.match(text)
    return found and found[1]
