"""The options of a login that signs: a key as text or file, or a signer in its stead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from sfconnect._types import Secret
from sfconnect.auth.options import as_secret
from sfconnect.auth.signing import LocalSigner
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sfconnect.auth.base import Signer

# What `option(**…)` is told, so that all strategies ask for a key in the same words.
PRIVATE_KEY: Final[Mapping[str, Any]] = {
    "help": "RSA private key as PEM text.",
    "secret": True,
    "default": None,
}
PRIVATE_KEY_FILE: Final[Mapping[str, Any]] = {
    "help": "File with the RSA private key.",
    "default": None,
    "example": "server.key",
}
PASSPHRASE: Final[Mapping[str, Any]] = {
    "help": "Passphrase of an encrypted key.",
    "secret": True,
    "default": None,
}
SIGNER: Final[Mapping[str, Any]] = {
    "help": "Signs instead of a key here, for keys in an HSM or a key service.",
    "default": None,
}
_SOURCES: Final = ("private_key", "private_key_file", "signer")


class KeyOptions(Protocol):
    """A strategy that has these options."""

    @property
    def private_key(self) -> Secret | str | bytes | None:
        """The key as text."""
        ...

    @property
    def private_key_file(self) -> Path | str | None:
        """The file that holds the key."""
        ...

    @property
    def passphrase(self) -> Secret | str | None:
        """Decrypts the key."""
        ...

    @property
    def signer(self) -> Signer | None:
        """Signs in the key's stead."""
        ...


def wrap_key_bytes(strategy: KeyOptions) -> None:
    """Turn a key that was given as bytes into a secret; call it from ``__post_init__``."""
    if isinstance(strategy.private_key, bytes):
        text = strategy.private_key.decode("utf-8", "replace")
        object.__setattr__(strategy, "private_key", Secret(text))


def key_sources(strategy: KeyOptions) -> tuple[str, ...]:
    """The options that name a key, among those that are set."""
    return tuple(name for name in _SOURCES if getattr(strategy, name) is not None)


def check_one_key(strategy: KeyOptions, what: str) -> None:
    """Refuse a login that has no key, or more than one, or a passphrase of none.

    Raises:
        ConfigurationError: ``what`` begins the sentence.
    """
    given = key_sources(strategy)
    if len(given) == 1:
        refuse_unused_passphrase(strategy)
        return
    message = f"{what} needs exactly one of private_key, private_key_file and signer."
    hint = f"Leave all but one of these out: {', '.join(given)}." if given else None
    # A signer comes from code only, so it is meant.
    unused = given[:-1] if strategy.signer is not None else ()
    raise ConfigurationError(message, hint=hint, unused=unused)


def refuse_unused_passphrase(strategy: KeyOptions) -> None:
    """Refuse a passphrase where there is no key to decrypt.

    Raises:
        ConfigurationError: There is one.
    """
    if strategy.passphrase is None or {"private_key", "private_key_file"} & {
        *key_sources(strategy)
    }:
        return
    message = "passphrase is not used, since there is no private_key."
    raise ConfigurationError(message, hint="Leave it out.", unused=("passphrase",))


async def signer_of(strategy: KeyOptions, key_id: str | None = None) -> Signer:
    """Give the signer; a key is read anew each time, so that a replaced file is found.

    Raises:
        AuthConfigurationError: The key cannot be used.
    """
    if strategy.signer is not None:
        return strategy.signer
    passphrase = None if strategy.passphrase is None else as_secret(strategy.passphrase)
    if strategy.private_key_file is not None:
        signer = await LocalSigner.from_file(strategy.private_key_file, passphrase)
    else:
        key = strategy.private_key
        pem = as_secret(key) if isinstance(key, Secret | str) else Secret("")
        signer = await LocalSigner.from_pem(pem, passphrase)
    return replace(signer, key_id=key_id) if key_id else signer
