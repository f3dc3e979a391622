"""The grant types of the token endpoint, each as one method that finds who may act as whom."""

from __future__ import annotations

from collections.abc import Callable

from sfconnect_emulator.oauth import apps as flows
from sfconnect_emulator.oauth.admission import Granted
from sfconnect_emulator.oauth.assertion import verify_assertion
from sfconnect_emulator.oauth.code_flow import CodeFlow
from sfconnect_emulator.oauth.device_flow import DeviceFlow
from sfconnect_emulator.oauth.errors import (
    OAuthError,
    invalid_grant,
    invalid_request,
    ip_restricted,
    unsupported_grant,
)
from sfconnect_emulator.oauth.refresh_flow import RefreshFlow
from sfconnect_emulator.oauth.saml_assertion import Destination, SamlAssertion, verify_saml
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.token_exchange import TokenExchange
from sfconnect_emulator.oauth.token_request import TokenRequest, check_own_domain, with_flow

LOGIN_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
# Scopes that need a user present; the client credentials flow silently drops them.
_USER_SCOPES = frozenset({"full", "web", "refresh_token", "offline_access"})
_NAMES = {
    flows.JWT_BEARER: "jwt-bearer",
    flows.RFC_DEVICE: "device",
    flows.SAML_BEARER: "saml-bearer",
    flows.TOKEN_EXCHANGE: "token-exchange",
}
_TOKEN_PATH = "/services/oauth2/token"
_SAML_VALIDATOR = "/setup/secur/SAMLValidationPage.apexp"
_TAKE_SCOPES = frozenset({flows.TOKEN_EXCHANGE})


def grant_name(grant_type: str) -> str:
    """The short name under which a grant type is counted."""
    return _NAMES.get(grant_type, grant_type)


class Grants:
    """Decide token requests and open sessions for those that may have one."""

    def __init__(
        self, state: AuthorizationState, code_flow: CodeFlow, device_flow: DeviceFlow
    ) -> None:
        self._apps = state.apps
        self._directory = state.directory
        self._clock = state.clock
        self._admission = state.admission
        self._accounts = state.accounts
        self._replays = state.replays
        self._methods: dict[str, Callable[[TokenRequest], Granted]] = {
            flows.AUTHORIZATION_CODE: code_flow.redeem,
            flows.CLIENT_CREDENTIALS: self._client_credentials,
            flows.DEVICE: device_flow.redeem,
            flows.RFC_DEVICE: device_flow.redeem,
            flows.JWT_BEARER: self._jwt_bearer,
            flows.REFRESH_TOKEN: RefreshFlow(state).redeem,
            flows.PASSWORD: self._password,
            flows.SAML_BEARER: self._saml_bearer,
            flows.TOKEN_EXCHANGE: TokenExchange(state).redeem,
        }

    def grant(self, request: TokenRequest) -> Granted:
        """Decide one token request.

        Raises:
            OAuthError: the refusal, in the platform's words.
        """
        method = self._methods.get(request.form.get("grant_type", ""))
        if method is None:
            raise unsupported_grant()
        if "scope" in request.form and request.form["grant_type"] not in _TAKE_SCOPES:
            raise invalid_request("scope parameter not supported")
        return method(request)

    def _client_credentials(self, request: TokenRequest) -> Granted:
        check_own_domain(request)
        app = with_flow(request.client.proven_app(self._apps), flows.CLIENT_CREDENTIALS)
        user = self._directory.by_username(app.run_as or "")
        if user is None or not user.may_log_in:
            raise invalid_grant("no client credentials user enabled")
        scopes = [scope for scope in app.scopes if scope not in _USER_SCOPES]
        if not scopes:
            raise invalid_grant("no valid scopes defined")
        return self._admission.open(app, user, " ".join(scopes))

    def _jwt_bearer(self, request: TokenRequest) -> Granted:
        now = self._clock.time()
        accepted = {*LOGIN_AUDIENCES, request.own_url.rstrip("/")}
        assertion = verify_assertion(request.form.get("assertion", ""), self._apps, accepted, now)
        app = with_flow(assertion.app, flows.JWT_BEARER)
        user = self._admission.approved_user(app, assertion.username)
        use = ("grant", app.client_id, assertion.jwt_id)
        if assertion.jwt_id is not None and not self._replays.first_use(use, assertion.expires_at):
            raise invalid_grant("invalid assertion")
        return self._admission.open(app, user, " ".join(app.scopes))

    def _saml_bearer(self, request: TokenRequest) -> Granted:
        assertion = self._verified_saml(request)
        app = with_flow(assertion.app, flows.SAML_BEARER)
        user = self._admission.approved_user(app, assertion.username)
        use = ("saml", app.client_id, assertion.assertion_id)
        if not self._replays.first_use(use, assertion.expires_at):
            raise _with_validator(invalid_grant("invalid assertion"), request)
        return self._admission.open(app, user, " ".join(app.scopes))

    def _verified_saml(self, request: TokenRequest) -> SamlAssertion:
        names = {*LOGIN_AUDIENCES, request.own_url.rstrip("/")}
        meant = Destination(names, {f"{name}{_TOKEN_PATH}" for name in names})
        given = request.form.get("assertion", "")
        try:
            return verify_saml(given, self._apps, meant, self._clock.time())
        except OAuthError as error:
            raise _with_validator(error, request) from None

    def _password(self, request: TokenRequest) -> Granted:
        app = with_flow(request.client.proven_app(self._apps), flows.PASSWORD)
        given = request.form.get("username", ""), request.form.get("password", "")
        org = self._apps.org
        trusted = org.is_called_from(org.trusted_ip_ranges)
        user = self._accounts.person_by_api(*given, trusted=trusted)
        if user is None:
            raise invalid_grant("authentication failure")
        self._admission.check_pre_authorized(app, user)
        try:
            return self._admission.open(app, user, " ".join(app.scopes))
        except OAuthError as error:
            # This flow tells of no address that it was.
            restricted = error.description == ip_restricted().description
            raise invalid_grant("authentication failure") if restricted else error from None


def _with_validator(error: OAuthError, request: TokenRequest) -> OAuthError:
    """The refusal with the page where an admin can see what was wrong with an assertion."""
    error.error_uri = f"{request.own_url}{_SAML_VALIDATOR}"
    return error
