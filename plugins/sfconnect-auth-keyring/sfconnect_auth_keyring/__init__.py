"""Keep the tokens of sfconnect in the keyring of the operating system, and read secrets from it."""

from sfconnect_auth_keyring.secrets import KeyringSecrets
from sfconnect_auth_keyring.store import KeyringStore

__all__ = ["KeyringSecrets", "KeyringStore"]
