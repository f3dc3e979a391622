"""The authorization endpoint: login, consent, and the way back to the app."""

from __future__ import annotations

from dataclasses import replace

from sfconnect_emulator.oauth.browser import BrowserSession
from sfconnect_emulator.oauth.code_flow import CodeFlow, Consent
from sfconnect_emulator.oauth.errors import OAuthError, RedirectedError
from sfconnect_emulator.oauth.pages import Form, consent_page, login_page, refusal_page
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.wire import Request, Response, first_values

WRONG_LOGIN = (
    "Please check your username and password. If you still can't log in, contact your "
    "Salesforce administrator."
)
_EXPIRED_FORM = "This page is out of date. Please try again."
_AGAIN = frozenset({"login", "select_account"})


class AuthorizeEndpoint:
    """Answer ``/services/oauth2/authorize``, for browsers."""

    def __init__(self, state: AuthorizationState, flow: CodeFlow) -> None:
        self._state = state
        self._flow = flow

    def handle(self, request: Request) -> Response:
        """Answer one request: with a page, or with a redirect to the app."""
        try:
            consent = self._flow.consent(request.query)
            if request.method == "POST":
                return self._submitted(request, consent)
            return self._first(request, consent)
        except RedirectedError as error:
            return _redirect(error.location)
        except OAuthError as error:
            return refusal_page(error.error, error.description)

    def decide(self, query: str, user: Person, *, allow: bool) -> str:
        """Answer a request for authorization as this user would, without a browser.

        Returns where the browser would have gone.

        Raises:
            OAuthError: a browser would have stayed on a page.
        """
        try:
            consent = self._flow.consent(query)
            if not allow:
                return self._flow.denied(consent)
            self._check_admitted(query, consent, user)
            return self._flow.allowed(consent, user)
        except RedirectedError as error:
            return error.location

    def _first(self, request: Request, consent: Consent) -> Response:
        params = request.params()
        prompt = frozenset(params.get("prompt", "").split())
        silent = "none" in prompt or params.get("immediate") == "true"
        browser, user = self._visitor(request)
        if browser is not None and user is not None and not prompt & _AGAIN:
            asked = "consent" in prompt
            return self._known(request, consent, browser, user, asked=asked, silent=silent)
        if silent:
            raise _unsuccessful(request, consent)
        return self._login(request, username=params.get("login_hint", ""))

    def _submitted(self, request: Request, consent: Consent) -> Response:
        form = request.form()
        browser = self._state.browsers.of(request)
        if browser is None or not browser.sent(form.get("form_token", "")):
            return self._login(request, problem=_EXPIRED_FORM)
        action = form.get("action")
        user = self._user_of(browser)
        if action == "login" or user is None:
            return self._logged_in(request, consent, browser, form)
        if action == "allow":
            return _redirect(self._flow.allowed(consent, user))
        if action == "deny":
            return _redirect(self._flow.denied(consent))
        self._state.browsers.close(browser)
        return self._login(request)

    def _logged_in(
        self, request: Request, consent: Consent, browser: BrowserSession, form: dict[str, str]
    ) -> Response:
        username = form.get("username", "")
        user = self._state.accounts.person(username, form.get("password", ""))
        if user is None:
            return self._login(request, username=username, problem=WRONG_LOGIN)
        self._state.browsers.close(browser)
        fresh = self._state.browsers.open(user.user_id)
        asked = "consent" in request.params().get("prompt", "").split()
        answer = self._known(request, consent, fresh, user, asked=asked, silent=False)
        return _with_cookie(answer, fresh)

    def _known(
        self,
        request: Request,
        consent: Consent,
        browser: BrowserSession,
        user: Person,
        *,
        asked: bool,
        silent: bool,
    ) -> Response:
        """Go on with a user who is logged in: straight to the app, or by the consent page."""
        self._check_admitted(request.query, consent, user)
        needed = self._state.admission.needs_consent(consent.app, user, consent.scopes)
        if not needed and not asked:
            return _redirect(self._flow.allowed(consent, user))
        if silent:
            raise _unsuccessful(request, consent)
        return consent_page(
            _form(request, browser),
            app=consent.app.name,
            username=user.username,
            scopes=consent.scope.split(),
        )

    def _check_admitted(self, query: str, consent: Consent, user: Person) -> None:
        try:
            self._state.admission.check_pre_authorized(consent.app, user)
        except OAuthError as error:
            # The endpoint for browsers has its own name for what the token endpoint calls
            # invalid_app_access.
            denied = error.error == "invalid_app_access"
            code = "OAUTH_APP_ACCESS_DENIED" if denied else error.error
            raise _told(query, consent, code, error.description) from None

    def _login(self, request: Request, *, username: str = "", problem: str = "") -> Response:
        browser = self._state.browsers.open()
        page = login_page(_form(request, browser), username=username, problem=problem)
        return _with_cookie(page, browser)

    def _visitor(self, request: Request) -> tuple[BrowserSession | None, Person | None]:
        browser = self._state.browsers.of(request)
        return browser, None if browser is None else self._user_of(browser)

    def _user_of(self, browser: BrowserSession) -> Person | None:
        user = self._state.directory.by_id(browser.user_id) if browser.user_id else None
        return user if user is not None and user.is_active else None


def _form(request: Request, browser: BrowserSession) -> Form:
    # The query goes round with the form; nothing of it is kept here between two requests.
    return Form(f"{request.path}?{request.query}", browser.form_token)


def _told(query: str, consent: Consent, error: str, description: str) -> RedirectedError:
    state = first_values(query).get("state")
    return RedirectedError(error, description, consent.redirect_uri, state)


def _unsuccessful(request: Request, consent: Consent) -> RedirectedError:
    """The app did not want the user to be asked, and he would have to be."""
    words = "the user has to log in or to approve the app first"
    return _told(request.query, consent, "immediate_unsuccessful", words)


def _redirect(location: str) -> Response:
    return Response(302, {"Location": location, "Cache-Control": "no-cache, no-store"})


def _with_cookie(answer: Response, browser: BrowserSession) -> Response:
    return replace(answer, headers={**answer.headers, "Set-Cookie": browser.cookie()})
