"""OAuth 2.0 on the wire: build token requests, read what comes back. Pure, without I/O."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import unescape
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import msgspec

from sfconnect._types import Secret
from sfconnect.auth._authlib import revoke_body, token_body
from sfconnect.auth.base import Credentials
from sfconnect.auth.oauth2.challenges import bearer_error, challenges_of
from sfconnect.auth.urls import shown
from sfconnect.errors import ResponseError
from sfconnect.instrumentation import redact
from sfconnect.messages import Replay, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfconnect.messages import Response

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
BodyEncoding = Literal["form", "json"]
_HEADERS: Final = {"Content-Type": FORM, "Accept": JSON}
_SURFACE: Final = "auth"
_MILLISECONDS: Final = 1e11
_JWT_PARTS: Final = 3  # header, claims, signature
"""Epoch numbers above it are milliseconds: as seconds they would be in the year 5138."""
_TEXT_KEPT: Final = 5000
_SUCCESS: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_UNAUTHORIZED: Final = 401


ClientMethod = Literal["body", "basic", "none", "private_key_jwt", "tls_client_auth"]
ClientAuthName = Literal[
    "basic",
    "body",
    "none",
    "private_key_jwt",
    "tls_client_auth",
    "client_secret_basic",
    "client_secret_post",
    "self_signed_tls_client_auth",
]
CLIENT_METHODS: Final[Mapping[str, ClientMethod]] = {
    "body": "body",
    "basic": "basic",
    "none": "none",
    "private_key_jwt": "private_key_jwt",
    "tls_client_auth": "tls_client_auth",
    # As the registry of RFC 7591 §2 and discovery documents spell the first two, and the case of
    # RFC 8705 §2.2 where the server knows the certificate itself: the wire is the same.
    "client_secret_post": "body",
    "client_secret_basic": "basic",
    "self_signed_tls_client_auth": "tls_client_auth",
}
FIXED_FIELDS: Final = (
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "assertion",
    "refresh_token",
    "code",
    "scope",
    "audience",
    "resource",
    "body",
)
"""Names that further parameters must not have: each is set by an option or by the grant itself.

The last one is authlib's, whose function takes the fields by their names.
"""
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def client_method(name: str) -> ClientMethod:
    """Bring a spelling of a method to the one that is used here.

    Raises:
        KeyError: There is no such method; options are checked earlier.
    """
    return CLIENT_METHODS[name]


@dataclass(frozen=True, slots=True)
class Client:
    """The app that logs in, and how it proves it.

    By its secret in the body, or as Basic; by an assertion that its key has signed; by the
    certificate of the connection, where the body holds its name alone; or not at all.
    """

    client_id: str
    client_secret: Secret | None = None
    method: ClientMethod = "body"
    assertion: Secret | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that a server must not be quoted with."""
        return tuple(one.reveal() for one in (self.client_secret, self.assertion) if one)


def token_request(
    url: str,
    grant_type: str,
    fields: Mapping[str, str],
    client: Client | None = None,
    *,
    resources: Sequence[str] = (),
    encoding: BodyEncoding = "form",
) -> Request:
    """Build a token request: one form, or JSON object, in the body, and nothing in the URL.

    ``scope`` is sent only if it is among the fields. With Basic the body holds no part of the
    client's credentials (RFC 6749 §2.3: never two methods at once). ``resources`` are the API's
    addresses (RFC 8707 §2), which a form repeats.
    """
    proof, headers = client_proof(client)
    members = {**fields, **proof}
    if encoding == "json":
        body = _json_body(grant_type, members, resources)
        return _post(url, body, {**_HEADERS, "Content-Type": JSON, **headers})
    form = token_body(grant_type, members)
    if resources:
        form += "&" + urlencode([("resource", one) for one in resources])
    return _post(url, form.encode("ascii"), {**_HEADERS, **headers})


def _json_body(grant_type: str, members: Mapping[str, str], resources: Sequence[str]) -> bytes:
    # An empty scope means another thing than none to Marketing Cloud, as to forms.
    body: dict[str, object] = {"grant_type": grant_type}
    body |= {name: value for name, value in members.items() if value}
    if resources:
        body["resource"] = resources[0] if len(resources) == 1 else list(resources)
    return msgspec.json.encode(body)


def client_proof(client: Client | None) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The members of the body, and the headers, by which an app proves itself."""
    if client is None:
        return {}, {}
    if client.method == "basic" and client.client_secret is not None:
        basic = basic_authorization(client.client_id, client.client_secret)
        return {}, {"Authorization": basic}
    # RFC 7521 §4.2 lets the name be left out beside an assertion; some servers insist on it.
    members = {"client_id": client.client_id}
    if client.method == "body" and client.client_secret is not None:
        members["client_secret"] = client.client_secret.reveal()
    if client.method == "private_key_jwt" and client.assertion is not None:
        members["client_assertion_type"] = _ASSERTION_TYPE
        members["client_assertion"] = client.assertion.reveal()
    return members, {}


def revoke_request(
    url: str, token: Secret, *, token_type_hint: str | None = None, client: Client | None = None
) -> Request:
    """Build a revocation request (RFC 7009 §2.1)."""
    proof, headers = client_proof(client)
    body = revoke_body(token.reveal(), token_type_hint)
    if proof:
        body += "&" + urlencode(proof)
    return _post(url, body.encode("ascii"), {**_HEADERS, **headers})


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Request:
    return Request(
        "POST", url, headers=headers, content=body, replay=Replay.UNSAFE, surface=_SURFACE
    )


def basic_authorization(client_id: str, client_secret: Secret) -> str:
    """Encode the header. Both parts are form-encoded first (RFC 6749 §2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret.reveal())}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


@dataclass(frozen=True, slots=True)
class AnswerMembers:
    """Where a server's answer keeps what RFC 6749 §5.1 has names for.

    A dot leads into an object, as in ``data.token``. Empty: the server has nothing of the kind.
    """

    access_token: str = "access_token"
    refresh_token: str = "refresh_token"
    expires_in: str = "expires_in"
    expires_at: str = ""
    base_url: str = ""


_STANDARD: Final = AnswerMembers()


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """The members of an answer that holds an access token, under the standard's names."""

    members: Mapping[str, Any] = field(repr=False)
    drift_s: float | None = None
    """Server's clock minus this machine's, where the answer told."""
    expires_at: float | None = None
    """When the token ends, where the server tells the time itself; seconds since the epoch."""
    base_url: str | None = None
    """Where the API is, where the server tells."""

    def text(self, name: str) -> str | None:
        """A member that should be text; None if it is absent, empty or something else."""
        value = self.members.get(name)
        return value if isinstance(value, str) and value else None


Shape = Literal["oauth", "html", "empty", "redirect", "other"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that holds no access token."""

    status: int
    shape: Shape = "oauth"
    """What kind of answer it is: ``oauth`` names its error, the others do not."""
    error: str = ""
    description: str = ""
    """The server's own words; the title of a page; the host that a redirect names."""
    request_id: str | None = None
    retry_after: float | None = None
    error_uri: str = ""
    """A page that says more, without its query; empty where the answer names none."""


def read_answer(response: Response, names: AnswerMembers = _STANDARD) -> TokenAnswer | Refusal:
    """Tell an access token from a refusal, whatever the server wrote either in."""
    if response.status in _REDIRECTS:
        host = urlsplit(response.headers.get("Location", "")).hostname
        return _refusal(response, "redirect", description=host or "")
    members = _members(response, names.access_token)
    if members is None:
        return _refused_by_header(response) or _unreadable(response)
    token = _member(members, names.access_token)
    if response.status in _SUCCESS and isinstance(token, str) and token:
        return _token_answer(members, names)
    error = str(members.get("error") or "")
    if not error:
        if (refused := _refused_by_header(response)) is not None:
            return refused
        return _refusal(response, "other", description="It names neither a token nor an error.")
    description = str(members.get("error_description") or "")
    refusal = _refusal(response, "oauth", error=error, description=description)
    return replace(refusal, error_uri=_page(members.get("error_uri")))


def _token_answer(members: Mapping[str, Any], names: AnswerMembers) -> TokenAnswer:
    base_url = _member(members, names.base_url)
    return TokenAnswer(
        _renamed(members, names),
        expires_at=_moment(_member(members, names.expires_at)),
        base_url=base_url if isinstance(base_url, str) and base_url else None,
    )


def _renamed(members: Mapping[str, Any], names: AnswerMembers) -> Mapping[str, Any]:
    """Bring what has other names to the standard's; the rest stays as it is."""
    others = {
        standard: own
        for standard in ("access_token", "refresh_token", "expires_in")
        if (own := getattr(names, standard)) != standard
    }
    moved = {own.partition(".")[0] for own in others.values()} | others.keys()
    kept = {name: value for name, value in members.items() if name not in moved}
    found = {standard: _member(members, own) for standard, own in others.items()}
    return kept | {name: value for name, value in found.items() if value is not None}


def _member(members: Mapping[str, Any], name: str) -> Any:
    """A member by its name, or by the way to it; None if it is not there."""
    if not name or name in members:
        return members.get(name)
    first, dot, rest = name.partition(".")
    inner = members.get(first) if dot else None
    return _member(inner, rest) if isinstance(inner, dict) else None


def _moment(value: object) -> float | None:
    """Seconds since the epoch, from seconds, milliseconds or a date with its zone."""
    if isinstance(value, str) and not value.strip().replace(".", "", 1).isdecimal():
        try:
            date = datetime.fromisoformat(value.strip())
            # Without a zone it would mean another time here than there.
            return date.timestamp() if date.tzinfo else None
        except (ValueError, OverflowError):
            return None
    return _epoch(value)


def _page(url: object) -> str:
    """An address that may be shown to a person: https, and nothing that a query could carry."""
    if not isinstance(url, str) or not url.startswith("https://") or not url.isprintable():
        return ""
    return shown(url)


def _members(response: Response, token_name: str) -> Mapping[str, Any] | None:
    """Read a JSON object or a form; None for anything else."""
    if response.content.lstrip()[:1] == b"{":
        try:
            decoded = response.json()
        except ResponseError:
            return None
        return decoded if isinstance(decoded, dict) else None
    pairs = dict(parse_qsl(response.text)) if response.content_type in {FORM, "text/plain"} else {}
    return pairs if pairs.keys() & {token_name, "error"} else None


def _refused_by_header(response: Response) -> Refusal | None:
    """A 401 with a challenge and no error of its own refuses the client (RFC 6749 §5.2)."""
    if response.status != _UNAUTHORIZED or not (found := challenges_of(response)):
        return None
    error = bearer_error(response) or "invalid_client"
    schemes = ", ".join(dict.fromkeys(challenge.scheme for challenge in found))
    return _refusal(response, "oauth", error=error, description=f"It asks for {schemes}.")


def _unreadable(response: Response) -> Refusal:
    text = response.text.strip()
    if not text:
        return _refusal(response, "empty")
    if response.content_type.endswith("html") or text[:1] == "<":
        return _refusal(response, "html", description=_title(text))
    # Nothing of a body in an unknown form is shown: it could echo what was sent.
    kind = response.content_type or "no content type"
    return _refusal(response, "other", description=f"{len(text)} characters of {kind}.")


def _title(html: str) -> str:
    found = re.search(r"<title[^>]*>(.*?)</title>", html, re.IGNORECASE | re.DOTALL)
    return " ".join(unescape(found.group(1)).split()) if found else ""


def _refusal(
    response: Response, shape: Shape, *, error: str = "", description: str = ""
) -> Refusal:
    return Refusal(
        response.status,
        shape,
        error[:_TEXT_KEPT],
        description[:_TEXT_KEPT],
        response.request_id,
        retry_after_of(response),
    )


def retry_after_of(response: Response) -> float | None:
    """Seconds to wait, as a number or as a date (RFC 9110 §10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    until, now = _date(value), server_time(response)
    return None if until is None or now is None else max(0.0, until - now)


def server_time(response: Response) -> float | None:
    """The server's clock as the ``Date`` header tells it, in seconds since the epoch."""
    return _date(response.headers.get("Date", ""))


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def credentials_from(
    answer: TokenAnswer,
    *,
    base_url: str,
    now: float,
    default_lifetime_s: float | None = None,
) -> Credentials:
    """Make credentials of an answer.

    A told time of expiry, or ``expires_in``, is honoured; a JWT without either tells its expiry
    itself (read, not trusted: a wrong one costs a login). Times are by the server's clock, and
    turned into this machine's. Members without a place of their own are kept, unless they are
    secrets.
    """
    token, refresh = answer.text("access_token") or "", answer.text("refresh_token")
    issued_at = _epoch(answer.members.get("issued_at"))
    return Credentials(
        access_token=Secret(token),
        instance_url=base_url,
        token_type=_scheme(answer.text("token_type") or "Bearer"),
        issued_at=now if issued_at is None else issued_at,
        expires_at=_expiry(answer, token, now)
        or (None if default_lifetime_s is None else now + default_lifetime_s),
        refresh_token=Secret(refresh) if refresh else None,
        identity_url=answer.text("id"),
        scopes=frozenset((answer.text("scope") or "").split()),
        extra=_extra(answer.members),
    )


def _scheme(token_type: str) -> str:
    """Servers write it in any case (RFC 6749 §5.1), and some APIs know one spelling only."""
    return "Bearer" if token_type.lower() == "bearer" else token_type


def _expiry(answer: TokenAnswer, token: str, now: float) -> float | None:
    """When the token ends, by this machine's clock; None if nothing tells."""
    told = answer.expires_at
    if told is None and (lifetime := positive_number(answer.members.get("expires_in"))):
        return now + lifetime
    told = told or jwt_expiry(token)
    return told and told - (answer.drift_s or 0.0)


_PLACED: Final = frozenset(
    {
        "access_token",
        "instance_url",
        "token_type",
        "issued_at",
        "expires_in",
        "refresh_token",
        "id",
        "scope",
    }
)


def _extra(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The other members, without session ids, signatures and further tokens."""
    return MappingProxyType(
        {
            name: value
            for name, value in members.items()
            if name not in _PLACED
            and not name.lower().endswith("sid")
            and redact(value, key=name) == value
        }
    )


def positive_number(value: object) -> float | None:
    """A positive number, also where it is written as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and number > 0 else None


def _epoch(value: object) -> float | None:
    number = positive_number(value)
    return number / 1000 if number is not None and number > _MILLISECONDS else number


def jwt_expiry(token: str) -> float | None:
    """When an access token that is a JWT expires; None for opaque ones."""
    parts = token.split(".")
    if len(parts) != _JWT_PARTS or not token.startswith("eyJ"):
        return None
    try:
        claims = msgspec.json.decode(
            base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        )
    except (binascii.Error, ValueError, RecursionError):
        return None
    return positive_number(claims.get("exp")) if isinstance(claims, dict) else None
