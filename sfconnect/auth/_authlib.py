"""The one home of authlib: its pure parts for parameters, as typed functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7009 import prepare_revoke_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def token_body(grant_type: str, fields: Mapping[str, str]) -> str:
    """Encode the form of a token request; empty fields are left out (RFC 6749 §3.2)."""
    body: str = prepare_token_request(grant_type, **fields)
    return body


def revoke_body(token: str, token_type_hint: str | None = None) -> str:
    """Encode the form of a revocation request (RFC 7009 §2.1)."""
    body, _ = prepare_revoke_token_request(token, token_type_hint)
    return str(body)


def authorize_url(endpoint: str, parameters: Mapping[str, str | Sequence[str]]) -> str:
    """Encode an authorization request for a code (RFC 6749 §4.1.1); ``client_id`` is required."""
    url: str = prepare_grant_uri(endpoint, response_type="code", **parameters)
    return url


def s256_challenge(verifier: str) -> str:
    """Derive the challenge of a code verifier (RFC 7636 §4.2)."""
    challenge: str = create_s256_code_challenge(verifier)
    return challenge
