"""The page where users enter the code that a device shows them."""

from __future__ import annotations

from sfconnect_emulator.oauth.browser import BrowserSession
from sfconnect_emulator.oauth.device_flow import DeviceFlow
from sfconnect_emulator.oauth.errors import OAuthError
from sfconnect_emulator.oauth.front_door import EXPIRED_FORM, FrontDoor, form_to, remembered
from sfconnect_emulator.oauth.pages import connect_page, device_consent_page, message_page
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.wire import Request, Response

_WRONG_CODE = "That code is not valid. Check the code on your device and try again."


class ConnectEndpoint:
    """Answer ``/setup/connect``, for browsers."""

    def __init__(self, state: AuthorizationState, door: FrontDoor, flow: DeviceFlow) -> None:
        self._state = state
        self._door = door
        self._flow = flow

    def handle(self, request: Request) -> Response:
        """Answer one request with a page."""
        if request.method == "POST":
            return self._submitted(request)
        browser = self._door.browser(request)
        user = self._door.user(browser)
        if browser is None or user is None:
            return self._door.ask(request)
        return self._ask_code(request, browser)

    def _submitted(self, request: Request) -> Response:
        browser = self._door.submitting_browser(request)
        if browser is None:
            return self._door.ask(request, problem=EXPIRED_FORM)
        form, user = request.form(), self._door.user(browser)
        action = form.get("action")
        if action == "login" or user is None:
            entered = self._door.log_in(request, browser)
            if isinstance(entered, Response):
                return entered
            return remembered(self._ask_code(request, entered[0]), entered[0])
        if action == "switch":
            return self._door.log_out(request, browser)
        return self._code_entered(request, browser, user, form.get("user_code", ""))

    def _code_entered(
        self, request: Request, browser: BrowserSession, user: Person, user_code: str
    ) -> Response:
        found = self._flow.waiting(user_code)
        if found is None:
            return self._ask_code(request, browser, problem=_WRONG_CODE)
        waiting, app = found
        try:
            self._state.admission.check_pre_authorized(app, user)
        except OAuthError as error:
            return message_page("Access Denied", error.description)
        action = request.form().get("action")
        if action not in {"allow", "deny"}:
            form = form_to(request, browser)
            return device_consent_page(form, waiting, app=app.name, username=user.username)
        self._flow.decide(waiting, user, allow=action == "allow")
        if action == "allow":
            return message_page("You're Connected", "Return to your device to continue.")
        return message_page("Not Connected", "The device has no access.")

    def _ask_code(
        self, request: Request, browser: BrowserSession, *, problem: str = ""
    ) -> Response:
        user_code = request.params().get("user_code", "")
        return connect_page(form_to(request, browser), user_code=user_code, problem=problem)
