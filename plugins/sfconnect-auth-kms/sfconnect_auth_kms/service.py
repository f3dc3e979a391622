"""Calls of AWS KMS; everything here blocks."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from sfconnect_auth_kms.failures import translated

_ALGORITHM: Final = "RSASSA_PKCS1_V1_5_SHA_256"
_LONGEST_MESSAGE: Final = 4096
"""What KMS takes for itself to hash (API reference, Sign)."""
_TRIES: Final = 3

# A session of botocore is shared, since it reads what AWS is like from large files; but two
# threads must not make clients of one at once.
_making_clients = threading.Lock()


@dataclass(frozen=True, slots=True)
class Service:
    """KMS of one region; None for the one that AWS's own settings name."""

    region: str | None
    endpoint_url: str | None
    timeout_s: float

    def sign(self, key: str, data: bytes) -> bytes:
        """Sign, whatever the length of the data.

        Raises:
            AuthError: KMS did not.
        """
        message, kind = data, "RAW"
        if len(data) > _LONGEST_MESSAGE:
            message, kind = hashlib.sha256(data).digest(), "DIGEST"
        answer = self._call(
            "sign", KeyId=key, Message=message, MessageType=kind, SigningAlgorithm=_ALGORITHM
        )
        return bytes(answer["Signature"])

    def public_key(self, key: str) -> bytes:
        """Fetch the public half of a key, as DER.

        Raises:
            AuthError: KMS did not give it.
        """
        return bytes(self._call("get_public_key", KeyId=key)["PublicKey"])

    def _call(self, operation: str, **parameters: object) -> Any:
        with translated(str(parameters["KeyId"]), self.region), closing(self._client()) as client:
            return getattr(client, operation)(**parameters)

    def _client(self) -> Any:
        config = import_module("botocore.config").Config(
            connect_timeout=self.timeout_s,
            read_timeout=self.timeout_s,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
        )
        with _making_clients:
            return _session(os.getpid()).create_client(
                "kms", region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )


@lru_cache(maxsize=1)
def _session(_process: int) -> Any:
    """One for the process; a fork gets its own."""
    # Imported on first use: it takes a fifth of a second, and listing plugins must not.
    return import_module("botocore.session").Session()
