"""Log in a person in the browser: authorization code with PKCE, for any server (RFC 6749 §4.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sfconnect.auth._authlib import authorize_url
from sfconnect.auth.oauth2.deadlines import first_of, within
from sfconnect.auth.oauth2.loopback import Loopback
from sfconnect.auth.oauth2.loopback_ports import bind_first, check_redirect_uri
from sfconnect.auth.oauth2.pkce import METHOD, Pkce
from sfconnect.auth.oauth2.redirects import Redirect, read_pasted
from sfconnect.auth.oauth2.refusals import LoginFacts, Rule, explain
from sfconnect.errors import (
    AuthError,
    ConfigurationError,
    CredentialUnavailableError,
    ReauthorizationRequired,
    SfConnectError,
)

if TYPE_CHECKING:
    from sfconnect._types import Secret
    from sfconnect.auth.base import AuthContext, Credentials

GRANT: Final = "authorization_code"
TIMEOUT_S: Final = 120.0
IDENTITY_IGNORES: Final = ("redirect_uris", "login_prompt", "timeout_s")
"""Options of such a login that say how a person is asked, and nothing of whose token it is."""
LOGIN_HINT_OPTION: Final[Mapping[str, Any]] = {
    "help": "Username to fill in for the person.",
    "default": None,
}
LOGIN_PROMPT_OPTION: Final[Mapping[str, Any]] = {
    "help": "What the person is asked in any case: login, consent or select_account.",
    "default": None,
}
TIMEOUT_OPTION: Final[Mapping[str, Any]] = {
    "help": "Seconds that the person has to finish.",
    "default": TIMEOUT_S,
    "example": "300",
}
"""What ``option(**…)`` is told, whatever server the person logs in to."""
_PASTE_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """What a person is asked to approve, and where the answer may come back."""

    authorize_url: str
    redirect_uris: tuple[str, ...]
    facts: LoginFacts
    """Of the login, for errors; with the id of the app."""
    parameters: Mapping[str, str | Sequence[str]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Further ones, such as ``scope``; empty ones are left out, several values repeated."""
    is_issuer: Callable[[str], bool] = bool
    """Whether an answer that names its issuer comes from the server that was asked."""
    rules: tuple[Rule, ...] = ()
    timeout_s: float = TIMEOUT_S

    def url(self, redirect_uri: str, state: str, pkce: Pkce) -> str:
        """Where the person has to go."""
        asked = {
            "client_id": self.facts.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": pkce.challenge,
            "code_challenge_method": METHOD,
        }
        more = {name: value for name, value in self.parameters.items() if value}
        return authorize_url(self.authorize_url, {**more, **asked})


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was given, with all that it takes to redeem it."""

    code: Secret
    redirect_uri: str
    verifier: Secret

    @property
    def fields(self) -> dict[str, str]:
        """Members of the token request, beside those of the app."""
        return {
            "code": self.code.reveal(),
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier.reveal(),
        }

    def facts(self, asked: LoginFacts) -> LoginFacts:
        """The login's facts, so that no error repeats the code."""
        secrets = (self.code.reveal(), self.verifier.reveal(), *asked.secrets)
        return replace(asked, secrets=secrets)


def check_code_options(redirect_uris: tuple[str, ...], timeout_s: float) -> None:
    """Refuse options with which nobody could log in.

    Raises:
        ConfigurationError: There is no usable redirect address, or no time.
    """
    if not redirect_uris:
        message = "redirect_uris is empty, so the browser could not come back."
        raise ConfigurationError(message, hint="Leave it out to use the default.")
    for uri in redirect_uris:
        check_redirect_uri(uri, "redirect_uris")
    if timeout_s <= 0:
        raise ConfigurationError(f"timeout_s must be more than 0, not {timeout_s}.")


def refuse_nobody(context: AuthContext) -> None:
    """Refuse a login that needs a person where none is.

    Raises:
        CredentialUnavailableError: There is neither a browser nor a prompt.
    """
    if context.browser is None and context.prompt is None:
        message = "This login needs a person, and nobody is there to be asked."
        hint = (
            "Run `sfconnect login` once and share its token store (token_store); or log in "
            "without a person, by client-credentials or jwt-bearer."
        )
        raise CredentialUnavailableError(message, hint=hint, docs_key="needs-a-person")


def renewal_token(credentials: Credentials, facts: LoginFacts, scope: str) -> Secret:
    """The refresh token to renew a person's login with.

    Raises:
        ReauthorizationRequired: The server gave none.
    """
    if credentials.refresh_token is not None:
        return credentials.refresh_token
    message = f"{facts.host} gave no refresh token, so the login cannot be renewed."
    hint = (
        f"Allow the app the scope {scope}, and ask for it where scope is set; then log in again: "
        "sfconnect login."
    )
    raise ReauthorizationRequired(message, hint=hint, docs_key="no-refresh-token")


async def log_in_by_code(
    context: AuthContext, asked: CodeRequest, redeem: Callable[[Code], Awaitable[Credentials]]
) -> Credentials:
    """Send a person to the server's login, wait for the code, and redeem it.

    The browser shows how it ended. Where it cannot come back to this machine, the person pastes
    the address it ended at.

    Raises:
        CredentialUnavailableError: Nobody is there.
        AppAccessDenied: The person, or the server, said no.
        AuthError: Nobody answered in time; no port was free; the code was refused.
    """
    refuse_nobody(context)
    state, pkce = token_urlsafe(32), Pkce.new()
    async with Loopback(bind_first(asked.redirect_uris), state, context.clock) as loopback:
        visit = _Visit(context, asked, loopback, state, pkce)
        code = _code(await visit.redirect(), asked)
        try:
            return await redeem(Code(code, loopback.redirect_uri, pkce.verifier))
        except SfConnectError as error:
            error.retry_safe = False  # the person would be asked again
            raise


@dataclass(frozen=True, slots=True)
class _Visit:
    """A person on the way to the server and back."""

    context: AuthContext
    asked: CodeRequest
    loopback: Loopback
    state: str
    pkce: Pkce

    async def redirect(self) -> Redirect:
        """Wait for the answer, whichever way it comes back."""
        first = first_of(self.loopback.redirect(), self._by_hand())
        try:
            return await within(self.context.clock, self.asked.timeout_s, first)
        except TimeoutError:
            raise _timed_out(self.asked, self.loopback.redirect_uri) from None

    async def _by_hand(self) -> Redirect:
        """Show the page; take what the person pastes, where there is a way to."""
        prompt, browser = self.context.prompt, self.context.browser
        url = self.asked.url(self.loopback.redirect_uri, self.state, self.pkce)
        is_open = browser is not None and await browser(url)
        if prompt is None:
            return await self.loopback.redirect()
        shown = "" if browser is not None else f"Open this page in a browser:\n\n{url}\n\n"
        question = _QUESTION_OPEN if is_open else _QUESTION
        for _ in range(_PASTE_TRIES):
            redirect = read_pasted(await prompt(shown + question))
            problem = self._problem(redirect)
            if redirect is not None and not problem:
                return redirect
            shown = f"{problem} "
        message = f"{_PASTE_TRIES} times, what was pasted was not the end of this login."
        raise AuthError(message, hint="Begin anew.", docs_key="not-a-redirect")

    def _problem(self, redirect: Redirect | None) -> str:
        if redirect is None:
            return "That holds neither a code nor an error."
        return "" if redirect.is_of(self.state) else "That is the end of another login."


_QUESTION: Final = "Log in there, and paste the address that the browser ends at: "
_QUESTION_OPEN: Final = "If the browser cannot come back here, paste the address it ended at: "


def _code(redirect: Redirect, asked: CodeRequest) -> Secret:
    if redirect.issuer is not None and not asked.is_issuer(redirect.issuer):
        shown = asked.facts.scrub(redirect.issuer)
        message = f"The answer to the login at {asked.facts.host} is of another server: {shown}."
        hint = "If that is the right one, name it as issuer; else somebody has meddled."
        raise AuthError(message, hint=hint, docs_key="wrong-issuer")
    if redirect.code is None:
        raise explain(redirect.refusal, asked.facts, asked.rules)
    return redirect.code


def _timed_out(asked: CodeRequest, redirect_uri: str) -> AuthError:
    message = f"Nobody finished the login at {asked.facts.host} within {asked.timeout_s:.0f} s."
    hint = (
        "Try again, with a larger timeout_s if need be. If the browser shows "
        f"redirect_uri_mismatch, add {redirect_uri}, exactly so, to the callback URLs of the app."
    )
    return AuthError(message, hint=hint, docs_key="login-timed-out")
