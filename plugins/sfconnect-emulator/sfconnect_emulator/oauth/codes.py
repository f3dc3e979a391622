"""Authorization codes: issued by the browser's way, redeemed once at the token endpoint."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.errors import OAuthError, invalid_grant

CODE_LIFE_S = 900


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """What a code stands for: who let which app do what, and where the code was sent."""

    code: str = field(repr=False)
    client_id: str
    user_id: str
    scope: str
    redirect_uri: str
    expires_at: float
    challenge: str | None = field(default=None, repr=False)
    nonce: str | None = None

    def get_redirect_uri(self) -> str:
        """Where the code went; authlib asks by this name."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What was approved; authlib asks by this name."""
        return self.scope


class CodeBook:
    """The codes of one org that have been issued and not been redeemed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._codes: dict[str, AuthorizationCode] = {}
        self._spent: set[str] = set()

    def new_code(self) -> str:
        """Make a code. It ends in ``==``, so a client that forgets to decode it is found out."""
        return f"aPrx{secrets.token_urlsafe(60).replace('-', '.')}=="

    def expiry(self) -> float:
        """When a code that is issued now ends."""
        return self._clock.time() + CODE_LIFE_S

    def keep(self, code: AuthorizationCode) -> None:
        """Remember a code that is on its way to its app."""
        self._codes[code.code] = code

    def find(self, code: str, client_id: str) -> AuthorizationCode:
        """The code as it was issued to this app.

        Raises:
            OAuthError: ``invalid_grant`` for an unknown, expired or redeemed code.
        """
        found = self._codes.get(code)
        if found is None or found.client_id != client_id:
            raise self._refusal(code)
        if self._clock.time() >= found.expires_at:
            self.spend(found)
            raise self._refusal(code)
        return found

    def spend(self, code: AuthorizationCode) -> None:
        """Forget a code but for the fact that it existed."""
        self._codes.pop(code.code, None)
        self._spent.add(code.code)

    def _refusal(self, code: str) -> OAuthError:
        known = "expired" if code in self._spent else "invalid"
        return invalid_grant(f"{known} authorization code")
