"""A strategy that logs in nowhere, for tests of what stands on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials

if TYPE_CHECKING:
    from sfconnect.auth.base import AuthContext


class ScriptedStrategy:
    """Give tokens ``token-1``, ``token-2``, … or, first, what a script says.

    Args:
        script: Outcomes of the first logins: credentials to give, or errors to raise.
        login_s: How long a login takes on the context's clock.
        expires_in: Life of the tokens in seconds; None for an unknown one.
        instance_url: Where the tokens are for.

    Attributes:
        started: Logins that began.
        finished: Logins that ended by themselves, whatever came of them.
        revoked: Access tokens that were revoked.
    """

    def __init__(
        self,
        *script: Credentials | Exception,
        login_s: float = 0.0,
        expires_in: float | None = None,
        instance_url: str = "https://org.example.com",
    ) -> None:
        self.script = list(script)
        self.login_s = login_s
        self.expires_in = expires_in
        self.instance_url = instance_url
        self.started = 0
        self.finished = 0
        self.revoked: list[str] = []

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Give the next outcome of the script, or the next token."""
        self.started += 1
        number = self.started
        await context.clock.sleep(self.login_s)
        self.finished += 1
        outcome = self.script.pop(0) if self.script else self.credentials(number, context)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """Note the token."""
        await context.clock.sleep(self.login_s)
        self.revoked.append(credentials.access_token.reveal())

    def credentials(self, number: int, context: AuthContext) -> Credentials:
        """Make the credentials of the login with this number."""
        now = context.clock.time()
        return Credentials(
            Secret(f"token-{number}"),
            self.instance_url,
            issued_at=now,
            expires_at=None if self.expires_in is None else now + self.expires_in,
        )
