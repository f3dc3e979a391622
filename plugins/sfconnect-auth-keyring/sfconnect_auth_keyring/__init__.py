"""Keep the tokens of sfconnect in the keyring of the operating system."""

from sfconnect_auth_keyring.store import KeyringStore

__all__ = ["KeyringStore"]
