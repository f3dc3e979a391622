"""The authorization code flow: authlib's grant, made to speak the platform's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from authlib.oauth2.rfc6749 import (
    AuthorizationCodeGrant,
    AuthorizationServer,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge

from sfconnect_emulator.oauth.admission import Granted
from sfconnect_emulator.oauth.apps import AUTHORIZATION_CODE, AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.codes import AuthorizationCode, CodeBook
from sfconnect_emulator.oauth.errors import (
    OAuthError,
    RedirectedError,
    inactive_user,
    invalid_grant,
    invalid_request,
    unknown_client,
)
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.token_request import TokenRequest, with_flow

# Codes that the platform shares with the RFC, with words of its own.
_WORDS = {
    "access_denied": "end-user denied authorization",
    "invalid_scope": "the requested scope is not allowed",
    "unsupported_response_type": "response type not supported",
    "unauthorized_client": "response type not supported",
}


@dataclass(frozen=True, slots=True)
class Consent:
    """A request for authorization that has passed every check but the user's word."""

    app: ConnectedApp
    redirect_uri: str
    scope: str
    grant: Any

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes asked for."""
        return frozenset(self.scope.split())


class CodeFlow:
    """Both ends of the flow: the request of a browser, and the redemption of a code."""

    def __init__(self, state: AuthorizationState) -> None:
        self._server = _Server(state.apps, state.codes)
        self._codes = state.codes
        self._admission = state.admission
        self._directory = state.directory

    def consent(self, query: str) -> Consent:
        """Judge a request for authorization.

        Raises:
            OAuthError: the request is for the user's eyes only: whoever sent it is not known.
            RedirectedError: the app is to hear of it.
        """
        try:
            grant = self._server.get_consent_grant(query)
        except OAuth2Error as error:
            raise _translated(error) from None
        request, app = grant.request, grant.client.app
        if AUTHORIZATION_CODE not in app.flows:
            raise _response_type(request)
        return Consent(app, grant.redirect_uri, request.scope, grant)

    def allowed(self, consent: Consent, user: Person) -> str:
        """Issue a code; returns where the browser is to carry it."""
        return self._answered(consent, user)

    def denied(self, consent: Consent) -> str:
        """Say that the user does not want it; returns where the browser is to go."""
        return self._answered(consent, None)

    def redeem(self, request: TokenRequest) -> Granted:
        """Give tokens for a code.

        Raises:
            OAuthError: the refusal, in the platform's words.
        """
        try:
            grant = self._server.get_token_grant(_TokenForm(request))
            grant.validate_token_request()
        except OAuth2Error as error:
            raise _translated(error) from None
        code, app = grant.request.authorization_code, grant.request.client.app
        user = self._directory.by_id(code.user_id)
        if user is None:
            raise inactive_user()
        self._admission.check_pre_authorized(app, user)
        self._codes.spend(code)
        return self._admission.open_renewable(app, user, code.scope, code.nonce)

    def _answered(self, consent: Consent, user: Person | None) -> str:
        grant = consent.grant
        location: str = self._server.create_authorization_response(
            grant.request, grant_user=user, grant=grant
        )
        return location


@dataclass(frozen=True, slots=True)
class _Client:
    """An app under the names by which authlib asks about it."""

    app: ConnectedApp

    def check_redirect_uri(self, uri: str) -> bool:
        # The platform compares exactly, port and trailing slash included (no RFC 8252 §7.3).
        return uri in self.app.callbacks

    def get_default_redirect_uri(self) -> None:
        return None

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.app.flows

    def get_allowed_scope(self, scope: str | None) -> str | None:
        return self.app.granted_scope(scope)


class _Query(OAuth2Request):  # type: ignore[misc]  # authlib has no types
    """A request at the authorization endpoint."""

    def __init__(self, query: str) -> None:
        # authlib refuses plain http, and a loopback org has nothing else: it sees a name instead.
        super().__init__("GET", "https://org.invalid/services/oauth2/authorize")
        self.payload = _Parameters(query)


class _TokenForm(OAuth2Request):  # type: ignore[misc]  # authlib has no types
    """A request at the token endpoint."""

    def __init__(self, request: TokenRequest) -> None:
        super().__init__("POST", "https://org.invalid/services/oauth2/token")
        self.token_request = request
        self.payload = BasicOAuth2Payload(request.form)

    @property
    def form(self) -> Mapping[str, str]:
        return self.token_request.form


class _Parameters(BasicOAuth2Payload):  # type: ignore[misc]  # authlib has no types
    """Parameters of a query, of which authlib wants to see the repeated ones too."""

    def __init__(self, query: str) -> None:
        values = parse_qs(query, keep_blank_values=True)
        super().__init__({name: several[0] for name, several in values.items()})
        self._datalist = values

    @property
    def response_type(self) -> str:
        # authlib repeats it in an error, and fails over characters that no error may hold.
        return "code" if self.data.get("response_type") == "code" else "other"


class _Grant(AuthorizationCodeGrant):  # type: ignore[misc]  # authlib has no types
    """The grant, with the org's codes and the platform's refusals."""

    @staticmethod
    def validate_authorization_redirect_uri(request: OAuth2Request, client: _Client) -> str:
        uri = request.payload.redirect_uri
        if not uri:
            raise OAuthError("redirect_uri_missing", "redirect_uri is required")
        if not client.check_redirect_uri(uri):
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        return str(uri)

    def generate_authorization_code(self) -> str:
        code: str = self.server.codes.new_code()
        return code

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        asked, codes = request.payload.data, self.server.codes
        codes.keep(
            AuthorizationCode(
                code=code,
                client_id=request.client.app.client_id,
                user_id=request.user.user_id,
                scope=request.scope,
                redirect_uri=request.payload.redirect_uri,
                expires_at=codes.expiry(),
                challenge=asked.get("code_challenge"),
                nonce=asked.get("nonce"),
            )
        )

    def authenticate_token_endpoint_client(self) -> _Client:
        request: TokenRequest = self.request.token_request
        if request.client.client_id is None:
            raise invalid_request("missing required parameter: client_id")
        app = with_flow(request.client.app(self.server.apps), AUTHORIZATION_CODE)
        if app.require_secret:
            request.client.proven_app(self.server.apps)
        return _Client(app)

    def query_authorization_code(self, code: str, client: _Client) -> AuthorizationCode:
        found: AuthorizationCode = self.server.codes.find(code, client.app.client_id)
        if self.request.payload.redirect_uri != found.redirect_uri:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        return found


class _Challenge(CodeChallenge):  # type: ignore[misc]  # authlib has no types
    """PKCE as the platform has it: S256 unless said otherwise, and refusals the other way round.

    A missing verifier is ``invalid_grant`` and a wrong one ``invalid_request``, where the RFC has
    the opposite; verifiers longer than the RFC's 128 characters are accepted.
    """

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: _Grant, redirect_uri: str) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        app = grant.request.client.app
        if app.require_pkce and not grant.request.payload.data.get("code_challenge"):
            raise InvalidRequestError("missing required code challenge")

    def validate_code_verifier(self, grant: _Grant, result: object) -> None:
        del result
        challenge = grant.request.authorization_code.challenge
        verifier = grant.request.form.get("code_verifier", "")
        if challenge is None:
            return
        if not verifier:
            raise invalid_grant("invalid code verifier")
        if create_s256_code_challenge(verifier.encode("utf-8")) != challenge:
            raise invalid_request("invalid code verifier")


class _Server(AuthorizationServer):  # type: ignore[misc]  # authlib has no types
    """What authlib asks its surroundings for. Answers are the places that browsers go to."""

    def __init__(self, apps: AppRegistry, codes: CodeBook) -> None:
        super().__init__()
        self.apps = apps
        self.codes = codes
        self.register_grant(_Grant, [_Challenge(required=False)])

    def query_client(self, client_id: str) -> _Client:
        app = self.apps.get(client_id)
        if app is None:
            raise unknown_client()
        return _Client(app)

    def create_oauth2_request(self, request: str) -> _Query:
        return _Query(request)

    def handle_response(self, status: int, body: object, headers: list[tuple[str, str]]) -> str:
        del status, body
        return dict(headers)["Location"]

    def handle_error_response(self, request: OAuth2Request, error: OAuth2Error) -> str:
        del request
        refusal = _translated(error)
        return refusal.location if isinstance(refusal, RedirectedError) else ""


def _translated(error: OAuth2Error) -> OAuthError:
    """Say what authlib found in the platform's words, and to whom."""
    if error.error == "invalid_client":
        return unknown_client()
    words = _WORDS.get(error.error) or error.get_error_description() or "invalid request"
    if not error.redirect_uri:
        return OAuthError(error.error, words)
    code = "unsupported_response_type" if error.error == "unauthorized_client" else error.error
    return RedirectedError(code, words, error.redirect_uri, getattr(error, "state", None))


def _response_type(request: OAuth2Request) -> RedirectedError:
    code = "unsupported_response_type"
    return RedirectedError(code, _WORDS[code], request.payload.redirect_uri, request.payload.state)
