"""The endpoints of the authorization server: token, revoke, introspect, userinfo, identity."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.admission import Granted
from sfconnect_emulator.oauth.apps import ALL_FLOWS, AppRegistry
from sfconnect_emulator.oauth.authorize import AuthorizeEndpoint
from sfconnect_emulator.oauth.code_flow import CodeFlow
from sfconnect_emulator.oauth.connect import ConnectEndpoint
from sfconnect_emulator.oauth.credentials import ClientCredentials
from sfconnect_emulator.oauth.data360 import Data360
from sfconnect_emulator.oauth.device_flow import DeviceFlow
from sfconnect_emulator.oauth.devices import DEVICE_CODE_LIFE_S
from sfconnect_emulator.oauth.errors import OAuthError, invalid_request, unknown_client
from sfconnect_emulator.oauth.front_door import FrontDoor
from sfconnect_emulator.oauth.grants import Grants, grant_name
from sfconnect_emulator.oauth.identity import (
    discovery_document,
    identity_document,
    identity_url,
    openid_claims,
)
from sfconnect_emulator.oauth.introspection import introspected
from sfconnect_emulator.oauth.people import Directory, Person
from sfconnect_emulator.oauth.soap_login import SoapLogin
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.token_request import TokenRequest
from sfconnect_emulator.oauth.tokens import TokenBook
from sfconnect_emulator.oauth.trusted_issuers import TrustedIssuers
from sfconnect_emulator.rendering import empty_answer, json_answer, text_answer
from sfconnect_emulator.statistics import Statistics
from sfconnect_emulator.wire import Request, Response

_NOT_CACHED = {
    "Cache-Control": "no-cache, no-store",
    "Pragma": "no-cache",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
}


class AuthorizationServer:
    """Answer everything under ``/services/oauth2``, ``/id`` and ``/.well-known``."""

    def __init__(
        self,
        apps: AppRegistry,
        tokens: TokenBook,
        directory: Directory,
        clock: Clock,
        statistics: Statistics,
        *,
        issuers: TrustedIssuers,
    ) -> None:
        self.apps = apps
        self.tokens = tokens
        self.state = AuthorizationState(*(apps, tokens, directory, clock), issuers=issuers)
        self.device_flow = DeviceFlow(self.state)
        self.data360 = Data360(self.state)
        self.soap_login = SoapLogin(self.state)
        door, code_flow = FrontDoor(self.state), CodeFlow(self.state)
        self.grants = Grants(self.state, code_flow, self.device_flow)
        self._directory = directory
        self._clock = clock
        self._statistics = statistics
        self.authorize = AuthorizeEndpoint(self.state, door, code_flow)
        self._endpoints: dict[tuple[str, ...], Callable[[Request], Response]] = {
            ("services", "oauth2", "authorize"): self.authorize.handle,
            ("services", "oauth2", "token"): self._token,
            ("services", "oauth2", "device_authorization"): self._device_authorization,
            ("services", "a360", "token"): self._data360_token,
            ("api", "v1", "metadata"): self._data360_metadata,
            ("services", "oauth2", "revoke"): self._revoke,
            ("services", "oauth2", "introspect"): self._introspect,
            ("services", "oauth2", "userinfo"): self._userinfo,
            ("setup", "connect"): ConnectEndpoint(self.state, door, self.device_flow).handle,
            (".well-known", "openid-configuration"): self._discovery,
            ("id", "keys"): self._keys,
        }

    def handle(self, request: Request) -> Response | None:
        """Answer a request for one of the endpoints; None when it is for somebody else."""
        endpoint = self._endpoints.get(request.segments)
        if endpoint is None:
            if request.segments[:1] == ("id",):
                return self._identity(request)
            return self._soap(request)
        try:
            return endpoint(request)
        except OAuthError as error:
            return json_answer(error.status, error.body(), _NOT_CACHED)

    def _soap(self, request: Request) -> Response | None:
        answer = self.soap_login.handle(request)
        if answer is not None and b"loginResponse" in answer.body:
            self._statistics.login("soap")
        return answer

    def _token(self, request: Request) -> Response:
        if request.method != "POST":
            raise invalid_request("must use HTTP POST")
        form = request.form()
        if form.get("response_type") == "device_code":
            return self._device_codes(request, form)
        kind = grant_name(form.get("grant_type", "none"))
        try:
            granted = self.grants.grant(self._token_request(request, form))
        except OAuthError as error:
            self._statistics.refused_login(kind, error.error)
            raise
        self._statistics.login(kind)
        answer = json_answer(200, self._token_body(granted), _NOT_CACHED)
        return replace(answer, finished=granted.finished)

    def _token_request(self, request: Request, form: dict[str, str]) -> TokenRequest:
        client = self._client(request, form)
        return TokenRequest(form, client, request.headers.get("host", ""), self.state.base_url)

    def _client(self, request: Request, form: dict[str, str]) -> ClientCredentials:
        return ClientCredentials.read(
            request, form, self.state.client_assertions, self.state.base_url
        )

    def _device_codes(self, request: Request, form: dict[str, str]) -> Response:
        waiting = self.device_flow.start(self._token_request(request, form))
        body = {
            "device_code": waiting.device_code,
            "user_code": waiting.user_code,
            "verification_uri": f"{self.state.base_url}/setup/connect",
            "interval": int(waiting.interval_s),
        }
        return json_answer(200, body, _NOT_CACHED)

    def _device_authorization(self, request: Request) -> Response:
        """RFC 8628's own endpoint, beside the platform's dialect."""
        if request.method != "POST":
            raise invalid_request("must use HTTP POST")
        waiting = self.device_flow.start(self._token_request(request, request.form()))
        page = f"{self.state.base_url}/setup/connect"
        body = {
            "device_code": waiting.device_code,
            "user_code": waiting.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={waiting.user_code}",
            "expires_in": int(DEVICE_CODE_LIFE_S),
            "interval": int(waiting.interval_s),
        }
        return json_answer(200, body, _NOT_CACHED)

    def _token_body(self, granted: Granted) -> dict[str, object]:
        session = granted.session
        url = identity_url(self.state.base_url, self._directory.org_id, session.user_id)
        issued_at = str(int(session.issued_at * 1000))
        key, message = granted.app.client_secret.encode(), f"{url}{issued_at}".encode()
        signature = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest())
        body: dict[str, object] = {
            "access_token": session.token,
            "signature": signature.decode("ascii"),
            "scope": session.scope,
            "instance_url": self.state.base_url,
            "id": url,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }
        if granted.refresh_token is not None:
            body["refresh_token"] = granted.refresh_token
        if granted.id_token is not None:
            body["id_token"] = granted.id_token
        if granted.issued_token_type is not None:
            body["issued_token_type"] = granted.issued_token_type
        if session.is_jwt:
            body["token_format"] = "jwt"
            body["expires_in"] = granted.app.jwt_access_token_life_s
        return body

    def _data360_token(self, request: Request) -> Response:
        if request.method != "POST":
            raise invalid_request("must use HTTP POST")
        return json_answer(200, self.data360.exchange(request.form()), _NOT_CACHED)

    def _data360_metadata(self, request: Request) -> Response:
        """The one resource of the data tenant: what a token of the tenant is good for."""
        dataspace = self.data360.dataspace_of(bearer_token(request.headers) or "")
        if dataspace is None:
            return json_answer(401, {"error": "invalid_token", "message": "Unauthorized"})
        return json_answer(200, {"metadata": [], "dataspace": dataspace})

    def _revoke(self, request: Request) -> Response:
        values = {**request.params(), **request.form()}
        if not self.state.admission.revoke(values.get("token", "")):
            return _refused_revocation(request)
        self._statistics.revocations += 1
        return empty_answer(200, _NOT_CACHED)

    def _introspect(self, request: Request) -> Response:
        if request.method != "POST":
            raise invalid_request("must use HTTP POST")
        form = request.form()
        client = self._client(request, form)
        if client.client_id is None:
            raise unknown_client()
        app = client.proven_app(self.apps)
        body = introspected(self.state, app, form.get("token", ""))
        return json_answer(200, body, _NOT_CACHED)

    def _userinfo(self, request: Request) -> Response:
        person = self._person_of(request)
        if isinstance(person, Response):
            return person
        org_id = self._directory.org_id
        return json_answer(
            200, openid_claims(person, org_id, self.state.base_url, self._clock.now())
        )

    def _identity(self, request: Request) -> Response:
        person = self._person_of(request)
        if isinstance(person, Response):
            return person
        org_id = self._directory.org_id
        match request.segments[1:]:
            case (asked, user_id) if asked[:15] == org_id[:15]:
                shown = self._directory.by_id(user_id)
            case _:
                return text_answer(403, "Wrong_Org")
        if shown is None:
            return text_answer(404, "Bad_Id")
        document = identity_document(shown, org_id, self.state.base_url, self._clock.now())
        return json_answer(200, document)

    def _person_of(self, request: Request) -> Person | Response:
        token = bearer_token(request.headers) or request.params().get("oauth_token")
        if not token:
            return text_answer(403, "Missing_OAuth_Token")
        session = self.tokens.use(token)
        person = None if session is None else self._directory.by_id(session.user_id)
        return text_answer(403, "Bad_OAuth_Token") if person is None else person

    def _discovery(self, request: Request) -> Response:
        del request
        return json_answer(200, discovery_document(self.state.base_url, sorted(ALL_FLOWS)))

    def _keys(self, request: Request) -> Response:
        del request
        return json_answer(200, self.state.signer.key_set())


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token of an Authorization header; both schemes of the platform count."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in {"bearer", "oauth"} and token else None


def _refused_revocation(request: Request) -> Response:
    error = OAuthError("unsupported_token_type", "this token type is not supported")
    if "json" in request.headers.get("accept", ""):
        return json_answer(400, error.body(), _NOT_CACHED)
    headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", **_NOT_CACHED}
    return Response(400, headers, urlencode(error.body()).encode("ascii"))
