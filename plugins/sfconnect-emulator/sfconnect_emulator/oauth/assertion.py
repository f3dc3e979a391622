"""Verification of a JWT bearer assertion, as the platform does it."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.errors import invalid_grant, unknown_client

ALGORITHM = "RS256"
CLOCK_BUFFER_S = 180
# A widely used client sends milliseconds where seconds belong, and orgs accept it. Read such a
# value as milliseconds instead of as a date in the far future.
_MILLISECONDS_FROM = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Assertion:
    """The claims that passed: which app speaks, for whom, and until when."""

    app: ConnectedApp
    username: str
    expires_at: float
    jwt_id: str | None


def verify_assertion(
    compact: str, apps: AppRegistry, audiences: Collection[str], now: float
) -> Assertion:
    """Check signature, algorithm, issuer, audience, expiry and subject of an assertion.

    The signature is judged before the claims other than the issuer, which names the key.

    Raises:
        OAuthError: with the platform's words for the first thing that is wrong.
    """
    signed, claims = _parse(compact)
    app = apps.get(str(claims.get("iss", "")))
    if app is None:
        raise unknown_client()
    if app.certificate is None or not _signed_by(signed, app.certificate):
        raise invalid_grant("invalid assertion")
    if not _names_one_of(claims.get("aud"), audiences):
        raise invalid_grant("audience is invalid")
    expires_at = _expiry(claims, app, now)
    subject = claims.get("prn") or claims.get("sub")
    if not isinstance(subject, str):
        raise invalid_grant("invalid assertion")
    jwt_id = claims.get("jti")
    return Assertion(app, subject, expires_at, jwt_id if isinstance(jwt_id, str) else None)


def _parse(compact: str) -> tuple[jws.CompactSignature, Mapping[str, object]]:
    try:
        signed = jws.extract_compact(compact.encode("ascii"))
        claims = json.loads(signed.payload or b"")
    except (JoseError, ValueError, TypeError, KeyError):
        raise invalid_grant("invalid assertion") from None
    if not isinstance(claims, dict):
        raise invalid_grant("invalid assertion")
    return signed, claims


def _signed_by(signed: jws.CompactSignature, certificate: str) -> bool:
    try:
        return jws.validate_compact(signed, _public_key(certificate), [ALGORITHM])
    except (JoseError, ValueError):
        return False


@lru_cache(maxsize=32)
def _public_key(certificate: str) -> RSAKey:
    return RSAKey.import_key(certificate)


def _names_one_of(audience: object, accepted: Collection[str]) -> bool:
    named = audience if isinstance(audience, list) else [audience]
    return any(isinstance(one, str) and one.rstrip("/") in accepted for one in named)


def _expiry(claims: Mapping[str, object], app: ConnectedApp, now: float) -> float:
    value = claims.get("exp")
    try:
        if not isinstance(value, int | float | str) or isinstance(value, bool):
            raise TypeError
        expires_at = float(value)
        if not math.isfinite(expires_at):
            raise ValueError
    except (TypeError, ValueError):
        raise invalid_grant("invalid assertion") from None
    if expires_at > _MILLISECONDS_FROM:
        expires_at /= 1000
    if expires_at + CLOCK_BUFFER_S <= now:
        raise invalid_grant("assertion expired")
    if app.max_assertion_s is not None and expires_at > now + app.max_assertion_s + CLOCK_BUFFER_S:
        raise invalid_grant("invalid assertion")
    return expires_at
