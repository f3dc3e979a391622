"""``login`` and ``logout`` of the SOAP API, in the versions that have them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.sax.saxutils import escape

from sfconnect_emulator.oauth import plain_xml
from sfconnect_emulator.oauth.errors import OAuthError
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.state import AuthorizationState
from sfconnect_emulator.oauth.tokens import Session
from sfconnect_emulator.wire import Request, Response

OLDEST, NEWEST = 31, 64
_NAMESPACES = {"u": "urn:partner.soap.sforce.com", "c": "urn:enterprise.soap.sforce.com"}
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_FAULTS = "urn:fault.partner.soap.sforce.com"
_SEGMENTS = 4
_LOGIN, _LOGOUT = "Envelope/Body/login", "Envelope/Body/logout"
_SESSION_ID = "Envelope/Header/SessionHeader/sessionId"


class SoapError(Exception):
    """A refusal, as SOAP says it: HTTP 500 with a code and words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words


class SoapLogin:
    """Answer ``/services/Soap/u|c/<version>``."""

    def __init__(self, state: AuthorizationState) -> None:
        self._state = state

    def handle(self, request: Request) -> Response | None:
        """Answer a request for the partner or the enterprise API; None for other paths."""
        segments = request.segments
        if segments[:2] != ("services", "Soap") or len(segments) < _SEGMENTS:
            return None
        namespace = _NAMESPACES.get(segments[2])
        if namespace is None:
            return None
        try:
            _check_version(segments[3])
            content = self._answered(read_texts(request.body), segments[2], segments[3])
        except SoapError as fault:
            return _fault(fault)
        return _answer(200, content, namespace)

    def _answered(self, texts: Mapping[str, str], api: str, version: str) -> str:
        if _LOGIN in texts:
            return self._login(texts, f"{api}/{version}")
        if _LOGOUT in texts:
            return self._logout(texts)
        raise SoapError("UNKNOWN_EXCEPTION", "No operation available for request")

    def _login(self, texts: Mapping[str, str], place: str) -> str:
        org, username = self._state.apps.org, texts.get(f"{_LOGIN}/username", "")
        if not org.api_enabled:
            raise SoapError("API_DISABLED_FOR_ORG", "API is not enabled for this Organization")
        user = self._user(username, texts.get(f"{_LOGIN}/password", ""))
        if user.username.lower() in org.users_without_any_api_auth:
            words = "The user lacks the permission Use Any API Auth, which SOAP API login() needs."
            raise SoapError("INSUFFICIENT_ACCESS", words)
        expired = user.username.lower() in org.expired_passwords
        try:
            # A session that comes with an expired password does nothing but change it.
            session = self._state.admission.open_without_app(user, "" if expired else "full")
        except OAuthError as error:
            raise _refused(error) from None
        return self._result(session, user, place, expired=expired)

    def _user(self, username: str, password: str) -> Person:
        accounts, org = self._state.accounts, self._state.apps.org
        trusted = org.is_called_from(org.trusted_ip_ranges)
        user = accounts.person_by_api(username, password, trusted=trusted)
        if user is not None:
            return user
        if accounts.person(username, password) is not None:
            words = (
                "Invalid username, password, security token; or user locked out. Are you at a "
                "new location? When accessing Salesforce from outside of your company's trusted "
                "networks, you must add a security token to your password to log in."
            )
            raise SoapError("LOGIN_MUST_USE_SECURITY_TOKEN", words)
        words = "Invalid username, password, security token; or user locked out."
        raise SoapError("INVALID_LOGIN", words)

    def _logout(self, texts: Mapping[str, str]) -> str:
        session = self._state.tokens.peek(texts.get(_SESSION_ID, ""))
        if session is None or session.is_jwt:
            words = "Invalid Session ID found in SessionHeader: Illegal Session"
            raise SoapError("INVALID_SESSION_ID", words)
        self._state.tokens.revoke(session.token)
        return "<logoutResponse/>"

    def _result(self, session: Session, user: Person, place: str, *, expired: bool) -> str:
        org_id = self._state.directory.org_id
        url = f"{self._state.base_url}/services/Soap/{place}/{org_id[:15]}"
        info = _elements(
            organizationId=org_id,
            sessionSecondsValid=str(int(self._state.tokens.ttl_s)),
            userEmail=user.email,
            userFullName=user.name,
            userId=user.user_id,
            userName=user.username,
            userTimeZone=user.timezone,
            userType="Standard",
        )
        told = _elements(
            passwordExpired=str(expired).lower(),
            sandbox="false",
            serverUrl=url,
            sessionId=session.token,
            userId=user.user_id,
        )
        return f"<loginResponse><result>{told}<userInfo>{info}</userInfo></result></loginResponse>"


def read_texts(document: bytes) -> dict[str, str]:
    """Read the texts of a document by path; namespaces are left out, the first of a path counts.

    Raises:
        SoapError: it is not well-formed, too large or too deep, or it declares a document type and
            with it entities of its own.
    """
    try:
        root = plain_xml.parse(document)
    except ValueError:
        raise SoapError("INVALID_SOAP_BODY", "the request is not well-formed XML") from None
    texts: dict[str, str] = {}
    _collect(root, "", texts)
    return texts


def _collect(element: ET.Element, place: str, texts: dict[str, str]) -> None:
    path = f"{place}{element.tag.rpartition('}')[2]}"
    texts.setdefault(path, element.text or "")
    for child in element:
        _collect(child, f"{path}/", texts)


def _check_version(version: str) -> None:
    number = int(version[:-2]) if re.fullmatch(r"[1-9][0-9]\.0", version) else 0
    if not OLDEST <= number <= NEWEST:
        words = f"login() is in versions {OLDEST}.0 to {NEWEST}.0 of the SOAP API only"
        raise SoapError("UNSUPPORTED_API_VERSION", words)


def _refused(error: OAuthError) -> SoapError:
    if error.description == "login rate exceeded":
        return SoapError("LOGIN_RATE_EXCEEDED", "Login rate exceeded.")
    if error.description == "ip restricted":
        words = "The user is not allowed to log in from this IP address."
        return SoapError("LOGIN_DURING_RESTRICTED_DOMAIN", words)
    return SoapError("INVALID_LOGIN", error.description)


def _elements(**texts: str) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in texts.items())


def _fault(fault: SoapError) -> Response:
    shown = _elements(faultcode=f"sf:{fault.code}", faultstring=f"{fault.code}: {fault.words}")
    detail = f"<sf:exceptionCode>{fault.code}</sf:exceptionCode>"
    detail += f"<sf:exceptionMessage>{escape(fault.words)}</sf:exceptionMessage>"
    content = f"<soapenv:Fault>{shown}<detail><sf:LoginFault>{detail}</sf:LoginFault></detail>"
    return _answer(500, f"{content}</soapenv:Fault>", "")


def _answer(status: int, content: str, namespace: str) -> Response:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        f'xmlns:sf="{_FAULTS}" xmlns="{namespace}"><soapenv:Body>{content}</soapenv:Body>'
        "</soapenv:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=utf-8", "Cache-Control": "no-cache, no-store"}
    return Response(status, headers, body.encode("utf-8"))
