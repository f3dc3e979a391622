"""Tokens that the org signs: ID tokens, access tokens in JWT format, tokens for Data 360."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import RSAKey

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.oauth.identity import identity_url
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.signed_claims import ALGORITHM

ID_TOKEN_LIFE_S = 120
# Heads of access tokens have members (tnk, tty) that no RFC knows.
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)


class OrgSigner:
    """The org's own key, and the tokens that it makes. ``issuer`` is the org's URL."""

    def __init__(self, org_id: str, clock: Clock) -> None:
        self.issuer = ""
        self._org_id = org_id
        self._clock = clock

    def key_set(self) -> dict[str, object]:
        """The public key, as ``/id/keys`` shows it."""
        key = _process_key()
        public = key.as_dict(private=False)
        return {"keys": [{**public, "kid": key.kid, "alg": ALGORITHM, "use": "sig"}]}

    def sign(self, claims: Mapping[str, object], **header: str) -> str:
        """Make a token of claims; issuer, issue date and a number of its own are added."""
        key = _process_key()
        whole: dict[str, Any] = {
            "iss": self.issuer,
            "iat": int(self._clock.time()),
            "jti": secrets.token_urlsafe(16),
            **claims,
        }
        head = {"alg": ALGORITHM, "kid": str(key.kid), "typ": "JWT", **header}
        return jwt.encode(head, whole, key, registry=_REGISTRY)

    def access_token(self, app: ConnectedApp, user: Person, scope: str, life_s: int) -> str:
        """Make an access token in JWT format."""
        now = int(self._clock.time())
        claims = {
            "sub": f"uid:{user.user_id}",
            "aud": [self.issuer],
            "scp": scope,
            "client_id": app.client_id,
            "exp": now + life_s,
            "nbf": now,
            "mty": "oauth",
            "roles": [],
        }
        return self.sign(claims, tty="sfdc-core-token", tnk=f"core/prod/{self._org_id}")

    def id_token(self, client_id: str, user_id: str, access_token: str, nonce: str | None) -> str:
        """Make an ID token that belongs to an access token."""
        digest = hashlib.sha256(access_token.encode()).digest()
        half = urlsafe_b64encode(digest[: len(digest) // 2]).decode("ascii").rstrip("=")
        claims = {
            "sub": identity_url(self.issuer, self._org_id, user_id),
            "aud": client_id,
            "exp": int(self._clock.time()) + ID_TOKEN_LIFE_S,
            "at_hash": half,
            **({} if nonce is None else {"nonce": nonce}),
        }
        return self.sign(claims)


@lru_cache(maxsize=1)
def _process_key() -> RSAKey:
    """One key per process, made when it is first needed: making one takes a while."""
    key = RSAKey.import_key(KeyPair.generate("sfconnect emulator signing").private_key)
    key.ensure_kid()
    return key
