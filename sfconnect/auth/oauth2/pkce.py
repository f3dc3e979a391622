"""Proof that whoever redeems a code is whoever asked for it (RFC 7636)."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Final

from sfconnect._types import Secret
from sfconnect.auth._authlib import s256_challenge

METHOD: Final = "S256"
"""The only method: ``plain`` would send the proof itself through the browser."""
_RANDOM_BYTES: Final = 64
"""86 characters; the RFC allows 43 to 128."""


@dataclass(frozen=True, slots=True)
class Pkce:
    """The proof of one login: the browser carries a hash of it, the token request the proof."""

    verifier: Secret

    @classmethod
    def new(cls) -> Pkce:
        """Draw a proof that nobody can guess."""
        return cls(Secret(token_urlsafe(_RANDOM_BYTES)))

    @property
    def challenge(self) -> str:
        """What the browser may carry."""
        return s256_challenge(self.verifier.reveal())
