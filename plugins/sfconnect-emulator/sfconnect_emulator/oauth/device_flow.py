"""The device flow: authlib's verdicts on a device that asks, in the platform's dialect.

The dialect has no endpoint of its own for devices: they ask the token endpoint for their codes
(``response_type=device_code``) and later for their tokens (``grant_type=device``, the device code
in ``code``), so only authlib's judgement of a request that waits fits here. RFC 8628's own way is
there beside it, which the platform has not, so that clients of other servers can be tried too.
"""

from __future__ import annotations

from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc8628 import DeviceCodeGrant

from sfconnect_emulator.oauth.admission import Granted
from sfconnect_emulator.oauth.apps import DEVICE, RFC_DEVICE, ConnectedApp
from sfconnect_emulator.oauth.devices import DeviceRequest
from sfconnect_emulator.oauth.errors import OAuthError, inactive_user, invalid_grant, invalid_scope
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.token_request import TokenRequest, with_flow

_WORDS = {
    "authorization_pending": "User has not yet confirmed authorization",
    "slow_down": "polling too frequently",
    "access_denied": "end-user denied authorization",
    "expired_token": "expired device code",
}


class DeviceFlow:
    """Both ends of the flow: a device, and the user who enters its code."""

    def __init__(self, state: AuthorizationState) -> None:
        self._state = state

    def start(self, request: TokenRequest) -> DeviceRequest:
        """Let a device wait for its user.

        Raises:
            OAuthError: unknown app, flow switched off, scopes that the app has not.
        """
        app = self._app(request)
        scope = app.granted_scope(request.form.get("scope"))
        if scope is None:
            raise invalid_scope()
        return self._state.devices.open(app.client_id, scope)

    def redeem(self, request: TokenRequest) -> Granted:
        """Give a device its tokens if its user has allowed it.

        Raises:
            OAuthError: ``authorization_pending``, ``slow_down``, or that there will be none.
        """
        app = self._app(request)
        form = request.form
        code = form.get("device_code" if form["grant_type"] == RFC_DEVICE else "code", "")
        waiting = self._state.devices.by_device_code(code)
        if waiting is None or waiting.client_id != app.client_id:
            raise invalid_grant("invalid device code")
        try:
            user_id = _Verdict(None, None).validate_device_credential(waiting)
        except OAuth2Error as error:
            raise OAuthError(error.error, _WORDS[error.error]) from None
        user = self._state.directory.by_id(user_id)
        if user is None:
            raise inactive_user()
        self._state.admission.check_pre_authorized(app, user)
        self._state.devices.close(waiting)
        return self._state.admission.open_renewable(app, user, waiting.scope)

    def waiting(self, user_code: str) -> tuple[DeviceRequest, ConnectedApp] | None:
        """The device whose code a user has entered, with its app."""
        found = self._state.devices.by_user_code(user_code)
        app = None if found is None else self._state.apps.get(found.client_id)
        return None if found is None or app is None else (found, app)

    def decide(self, waiting: DeviceRequest, user: Person, *, allow: bool) -> None:
        """Take a user's word; the device hears of it when it asks next."""
        waiting.user_id, waiting.allowed = user.user_id, allow

    def _app(self, request: TokenRequest) -> ConnectedApp:
        return with_flow(request.client.app(self._state.apps), DEVICE)


class _Verdict(DeviceCodeGrant):  # type: ignore[misc]  # authlib has no types
    """authlib's order of questions: expired? decided? asked too soon? then wait."""

    def validate_device_credential(self, credential: DeviceRequest) -> str:
        self._waiting = credential
        user_id: str = super().validate_device_credential(credential)
        return user_id

    def query_user_grant(self, user_code: str) -> tuple[str | None, bool] | None:
        del user_code
        allowed = self._waiting.allowed
        return None if allowed is None else (self._waiting.user_id, allowed)

    def should_slow_down(self, credential: DeviceRequest) -> bool:
        return credential.polled_too_soon()
