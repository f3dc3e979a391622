"""Data 360: a token of the org for a token of its data tenant, and a place to show that."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from sfconnect_emulator.oauth.errors import (
    OAuthError,
    invalid_grant,
    invalid_request,
    unsupported_grant,
)
from sfconnect_emulator.oauth.signed_claims import SignedClaims
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.token_exchange import ACCESS_TOKEN
from sfconnect_emulator.oauth.tokens import Session

GRANT_TYPE = "urn:salesforce:grant-type:external:cdp"
_SCOPES = frozenset({"cdp_api", "cdp_ingest_api", "cdp_profile_api", "cdp_query_api", "full"})
_DEFAULT_DATASPACE = "default"


class Data360:
    """Issue tokens for the data tenant, and recognise them."""

    def __init__(self, state: AuthorizationState) -> None:
        self._state = state
        self._issued: dict[str, float] = {}

    @property
    def tenant_host(self) -> str:
        """Where the tenant answers; a bare host, as the platform gives it, here with its port."""
        return urlsplit(self._state.base_url).netloc

    def exchange(self, form: dict[str, str]) -> dict[str, object]:
        """Issue a token of the tenant.

        Raises:
            OAuthError: the refusal, in the platform's words where they are known.
        """
        if form.get("grant_type") != GRANT_TYPE:
            raise unsupported_grant()
        if form.get("subject_token_type") != ACCESS_TOKEN:
            raise invalid_request("subject token type not supported")
        session = self._state.tokens.use(form.get("subject_token", ""))
        if session is None:
            raise invalid_grant("invalid or expired subject token")
        if not _SCOPES & frozenset(session.scope.split()):
            raise OAuthError("invalid_scope", "the token has no scope of Data 360 (cdp_query_api)")
        life_s = self._state.data360_token_life_s
        expires_at = int(self._state.clock.time()) + life_s
        token = self._token(session, expires_at, form.get("dataspace") or _DEFAULT_DATASPACE)
        self._issued[token] = expires_at
        return {
            "access_token": token,
            "instance_url": self.tenant_host,
            "token_type": "Bearer",
            "issued_token_type": ACCESS_TOKEN,
            "expires_in": life_s,
        }

    def dataspace_of(self, token: str) -> str | None:
        """The dataspace that a token of the tenant opens; None for anything else."""
        if self._state.clock.time() >= self._issued.get(token, 0):
            self._issued.pop(token, None)
            return None
        return SignedClaims.read(token).text("dataspace")

    def _token(self, session: Session, expires_at: int, dataspace: str) -> str:
        tenant = f"a360/prod/{hashlib.sha256(self._state.directory.org_id.encode()).hexdigest()}"
        claims = {
            "sub": session.user_id,
            "aud": self.tenant_host,
            "scp": session.scope,
            "exp": expires_at,
            "audienceTenantId": tenant,
            "orgId": self._state.directory.org_id,
            "dataspace": dataspace,
        }
        return self._state.signer.sign(claims)
