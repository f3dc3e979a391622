"""Sign the assertions of sfconnect with a key that never leaves AWS KMS."""

from sfconnect_auth_kms.certificate import self_signed
from sfconnect_auth_kms.signer import KmsSigner, fingerprint_of

__all__ = ["KmsSigner", "fingerprint_of", "self_signed"]
