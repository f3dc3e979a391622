"""JSON web tokens from outside: read before they are believed, then checked piece by piece.

joserfc parses and verifies. authlib's own checks of assertions ask the machine's clock, and an
org has a clock of its own, so the claims are judged here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"
# A widely used client sends milliseconds where seconds belong, and orgs accept it. Read such a
# value as milliseconds instead of as a date in the far future.
_MILLISECONDS_FROM = 100_000_000_000


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """What a token claims, and the means to see whether it is true."""

    claims: Mapping[str, object]
    _signed: jws.CompactSignature

    @classmethod
    def read(cls, compact: str) -> SignedClaims:
        """Take a token apart; nothing of it is verified yet.

        Raises:
            ValueError: it is no signed token, or its payload no object.
        """
        try:
            signed = jws.extract_compact(compact.encode("ascii"))
            claims = json.loads(signed.payload or b"")
        except (JoseError, ValueError, TypeError, KeyError):
            raise ValueError("not a signed token") from None
        if not isinstance(claims, dict):
            raise ValueError("not an object")  # noqa: TRY004 - what was sent is wrong, not its type here
        return cls(claims, signed)

    def signed_by(self, certificate: str) -> bool:
        """Whether the key of this certificate, or this public key, has signed it."""
        try:
            return jws.validate_compact(self._signed, _public_key(certificate), [ALGORITHM])
        except (JoseError, ValueError):
            return False

    def text(self, name: str) -> str | None:
        """A claim that has to be a text; None when it is not."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else None

    def is_for(self, audiences: Collection[str]) -> bool:
        """Whether the token names one of these audiences; trailing slashes do not count."""
        audience = self.claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        return any(isinstance(one, str) and one.rstrip("/") in audiences for one in named)

    def expires_at(self) -> float:
        """When the token ends, in seconds since the epoch; texts and milliseconds are understood.

        Raises:
            ValueError: there is no such claim, or it is no number.
        """
        value = self.claims.get("exp")
        if not isinstance(value, int | float | str) or isinstance(value, bool):
            raise ValueError("no expiry")  # noqa: TRY004 - what was sent is wrong, not its type here
        expires_at = float(value)
        if not math.isfinite(expires_at):
            raise ValueError("no expiry")
        return expires_at / 1000 if expires_at > _MILLISECONDS_FROM else expires_at


@lru_cache(maxsize=32)
def _public_key(certificate: str) -> RSAKey:
    return RSAKey.import_key(certificate)
