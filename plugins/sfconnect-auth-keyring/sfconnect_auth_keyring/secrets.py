"""Read the secrets that options name as ``keyring://service/username``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from typing import ClassVar
from urllib.parse import unquote

import keyring

from sfconnect import Secret
from sfconnect.errors import ConfigurationError, TokenStoreError
from sfconnect_auth_keyring.vault import translated


@dataclass(frozen=True, slots=True)
class KeyringSecrets:
    """Give any secret option from the keyring: ``keyring://service/username``.

    Both parts may be percent-encoded; the first slash parts them.
    """

    plugin_api: ClassVar[int] = 1

    def resolve(self, reference: str) -> Secret:
        """Ask the keyring; this blocks, and the keyring may ask its user for leave.

        Raises:
            ConfigurationError: It has no such entry, or cannot be read.
        """
        service, username = _parts(reference)
        try:
            text = translated(partial(keyring.get_password, service, username), "read")
        except TokenStoreError as error:
            raise ConfigurationError(error.message, hint=error.hint) from error
        if text:
            return Secret(text)
        message = f"The keyring has no entry of {username!r} for the service {service!r}."
        command = shlex.join(["python", "-m", "keyring", "set", service, username])
        raise ConfigurationError(message, hint=f"Make it: {command}")


def _parts(reference: str) -> tuple[str, str]:
    service, _, username = reference.partition("://")[2].partition("/")
    if service and username:
        return unquote(service), unquote(username)
    message = "The reference to the keyring lacks the service or the user name."
    raise ConfigurationError(message, hint="Write keyring://SERVICE/USERNAME.")
