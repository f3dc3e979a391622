"""Try several logins in turn, for code that runs in places which have different ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from typing import Final

from sfconnect.auth.base import (
    AuthContext,
    AuthStrategy,
    Credentials,
    SupportsRefresh,
    SupportsRevoke,
    SupportsSigning,
)
from sfconnect.auth.options import option
from sfconnect.errors import ConfigurationError, CredentialUnavailableError
from sfconnect.messages import Request

_MEMBER: Final = "chain_member"
"""Where credentials note which login gave them: they may come from a store, or another process."""


@dataclass(frozen=True, slots=True, init=False)
class Chain:
    """Log in by the first of several logins that has credentials to give.

    A login that is *unavailable*, such as a command that is not installed, hands over to the next.
    One that *fails*, such as by a wrong password, ends the chain: another user's login must not
    take over unnoticed. Once a login has given credentials it also renews them.

    Chains inside a chain are taken apart. Environment and profiles can give a chain no logins,
    since two of them may have options of the same name.
    """

    strategies: tuple[AuthStrategy, ...] = option(help="The logins, in the order to try them.")

    def __init__(self, *logins: AuthStrategy, strategies: Iterable[AuthStrategy] = ()) -> None:
        flat: list[AuthStrategy] = []
        for login in (*logins, *strategies):
            _refuse_non_strategy(login)
            flat += login.strategies if isinstance(login, Chain) else (login,)
        if not flat:
            message = "A chain needs at least one login."
            raise ConfigurationError(message, hint="Write Chain(SfCli(), ClientCredentials(…)).")
        object.__setattr__(self, "strategies", tuple(flat))

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in by the first that can.

        Raises:
            CredentialUnavailableError: None can; the error tells the reason of each.
            AuthError: One of them failed.
        """
        reasons = []
        for number, strategy in enumerate(self.strategies):
            context.memo[_MEMBER] = number
            try:
                return _noted(await strategy.authenticate(context), number)
            except CredentialUnavailableError as error:
                reasons.append(_reason(strategy, error))
        raise _all_unavailable(reasons)

    async def refresh(self, context: AuthContext, credentials: Credentials) -> Credentials:
        """Renew by the login that gave the credentials; by another only if it has none any more."""
        number = self._number(credentials)
        if number is None:
            return await self.authenticate(context)
        strategy = self.strategies[number]
        context.memo[_MEMBER] = number
        try:
            if isinstance(strategy, SupportsRefresh):
                return _noted(await strategy.refresh(context, credentials), number)
            return _noted(await strategy.authenticate(context), number)
        except CredentialUnavailableError:
            # A refresh token stays with the credentials, and must not reach another login's host.
            if credentials.refresh_token is not None:
                raise
        return await self.authenticate(context)

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session, if the login that gave it can; else it runs out by itself."""
        strategy = self._giver(credentials)
        if isinstance(strategy, SupportsRevoke):
            await strategy.revoke(context, credentials)

    def authorize(self, request: Request, credentials: Credentials) -> Request:
        """Put the credentials on a request the way of the login that gave them."""
        strategy = self._giver(credentials)
        if isinstance(strategy, SupportsSigning):
            return strategy.authorize(request, credentials)
        value = f"{credentials.token_type} {credentials.access_token.reveal()}"
        # What the caller has set stays, as it does without a chain.
        return replace(request, headers={"Authorization": value, **request.headers})

    def last_asked(self, context: AuthContext) -> AuthStrategy | None:
        """The login that was asked last: the one that an error of the chain is about."""
        number = context.memo.get(_MEMBER)
        return None if number is None else self.strategies[number]

    def _giver(self, credentials: Credentials) -> object:
        number = self._number(credentials)
        return None if number is None else self.strategies[number]

    def _number(self, credentials: Credentials) -> int | None:
        number = credentials.extra.get(_MEMBER)
        known = isinstance(number, int) and 0 <= number < len(self.strategies)
        return number if known else None


def _refuse_non_strategy(login: object) -> None:
    if not isinstance(login, type) and iscoroutinefunction(getattr(login, "authenticate", None)):
        return
    what = login.__name__ if isinstance(login, type) else type(login).__name__
    message = f"A chain is made of logins, and {what} is none."
    raise ConfigurationError(message, hint="Give objects, such as ClientCredentials(…).")


def _noted(credentials: Credentials, number: int) -> Credentials:
    return replace(credentials, extra={**credentials.extra, _MEMBER: number})


def _reason(strategy: AuthStrategy, error: CredentialUnavailableError) -> str:
    hint = f" {error.hint}" if error.hint else ""
    return f"{type(strategy).__name__}: {error.message}{hint}"


def _all_unavailable(reasons: list[str]) -> CredentialUnavailableError:
    listed = "\n".join(f"- {reason}" for reason in reasons)
    message = f"None of the {len(reasons)} logins of the chain has credentials:\n{listed}"
    hint = "One of them is enough."
    return CredentialUnavailableError(message, hint=hint, docs_key="chain-empty")
