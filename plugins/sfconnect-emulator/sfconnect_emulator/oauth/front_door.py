"""Who is at the org's pages: the login form, and the browsers of those who got past it."""

from __future__ import annotations

from dataclasses import replace

from sfconnect_emulator.oauth.browser import BrowserSession
from sfconnect_emulator.oauth.pages import Form, login_page
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.wire import Request, Response

WRONG_LOGIN = (
    "Please check your username and password. If you still can't log in, contact your "
    "Salesforce administrator."
)
EXPIRED_FORM = "This page is out of date. Please try again."


class FrontDoor:
    """Login and sessions for every page that wants to know who looks at it."""

    def __init__(self, state: AuthorizationState) -> None:
        self._state = state

    def browser(self, request: Request) -> BrowserSession | None:
        """The browser that a request comes from, if it was seen before."""
        return self._state.browsers.of(request)

    def user(self, browser: BrowserSession | None) -> Person | None:
        """The active user who is logged in there, if any."""
        if browser is None or browser.user_id is None:
            return None
        user = self._state.directory.by_id(browser.user_id)
        return user if user is not None and user.may_log_in else None

    def submitting_browser(self, request: Request) -> BrowserSession | None:
        """The browser that sends a form, if it is one of the forms that were shown to it."""
        browser = self.browser(request)
        token = request.form().get("form_token", "")
        return browser if browser is not None and browser.sent(token) else None

    def ask(self, request: Request, *, username: str = "", problem: str = "") -> Response:
        """Show the login page; its form comes back to where the browser is."""
        browser = self._state.browsers.open()
        page = login_page(form_to(request, browser), username=username, problem=problem)
        return remembered(page, browser)

    def log_in(
        self, request: Request, browser: BrowserSession
    ) -> tuple[BrowserSession, Person] | Response:
        """Judge a login form: a new session and its user, or the login page once more."""
        form = request.form()
        username = form.get("username", "")
        user = self._state.accounts.person(username, form.get("password", ""))
        if user is None:
            return self.ask(request, username=username, problem=WRONG_LOGIN)
        self._state.browsers.close(browser)
        return self._state.browsers.open(user.user_id), user

    def log_out(self, request: Request, browser: BrowserSession) -> Response:
        """End a session and ask who is there."""
        self._state.browsers.close(browser)
        return self.ask(request)


def form_to(request: Request, browser: BrowserSession) -> Form:
    """A form that comes back to the address at which the browser is."""
    # The query goes round with the form; nothing of it is kept here between two requests.
    query = f"?{request.query}" if request.query else ""
    return Form(f"{request.path}{query}", browser.form_token)


def remembered(answer: Response, browser: BrowserSession) -> Response:
    """Make the browser remember its session."""
    return replace(answer, headers={**answer.headers, "Set-Cookie": browser.cookie()})
