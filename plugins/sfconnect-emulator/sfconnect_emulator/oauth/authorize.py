"""The authorization endpoint: login, consent, and the way back to the app."""

from __future__ import annotations

from sfconnect_emulator.oauth.browser import BrowserSession
from sfconnect_emulator.oauth.code_flow import CodeFlow, Consent
from sfconnect_emulator.oauth.errors import OAuthError, RedirectedError
from sfconnect_emulator.oauth.front_door import EXPIRED_FORM, FrontDoor, form_to, remembered
from sfconnect_emulator.oauth.pages import consent_page, refusal_page
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.wire import Request, Response, first_values

_AGAIN = frozenset({"login", "select_account"})


class AuthorizeEndpoint:
    """Answer ``/services/oauth2/authorize``, for browsers."""

    def __init__(self, state: AuthorizationState, door: FrontDoor, flow: CodeFlow) -> None:
        self._state = state
        self._door = door
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
        browser = self._door.browser(request)
        user = self._door.user(browser)
        if browser is not None and user is not None and not prompt & _AGAIN:
            asked = "consent" in prompt
            return self._known(request, consent, browser, user, asked=asked, silent=silent)
        if silent:
            raise _unsuccessful(request, consent)
        return self._door.ask(request, username=params.get("login_hint", ""))

    def _submitted(self, request: Request, consent: Consent) -> Response:
        browser = self._door.submitting_browser(request)
        if browser is None:
            return self._door.ask(request, problem=EXPIRED_FORM)
        action, user = request.form().get("action"), self._door.user(browser)
        if action == "login" or user is None:
            return self._logged_in(request, consent, browser)
        if action == "allow":
            return _redirect(self._flow.allowed(consent, user))
        if action == "deny":
            return _redirect(self._flow.denied(consent))
        return self._door.log_out(request, browser)

    def _logged_in(self, request: Request, consent: Consent, browser: BrowserSession) -> Response:
        entered = self._door.log_in(request, browser)
        if isinstance(entered, Response):
            return entered
        fresh, user = entered
        asked = "consent" in request.params().get("prompt", "").split()
        answer = self._known(request, consent, fresh, user, asked=asked, silent=False)
        return remembered(answer, fresh)

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
            form_to(request, browser),
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


def _told(query: str, consent: Consent, error: str, description: str) -> RedirectedError:
    state = first_values(query).get("state")
    return RedirectedError(error, description, consent.redirect_uri, state)


def _unsuccessful(request: Request, consent: Consent) -> RedirectedError:
    """The app did not want the user to be asked, and he would have to be."""
    words = "the user has to log in or to approve the app first"
    return _told(request.query, consent, "immediate_unsuccessful", words)


def _redirect(location: str) -> Response:
    return Response(302, {"Location": location, "Cache-Control": "no-cache, no-store"})
