"""Find a server's endpoints by its issuer: RFC 8414, and OpenID Connect Discovery."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sfconnect.auth.oauth2.wire import retry_after_of
from sfconnect.auth.urls import shown, split_endpoint
from sfconnect.errors import (
    AuthConfigurationError,
    ConfigurationError,
    LoginRateLimited,
    ResponseError,
    TransientAuthError,
)
from sfconnect.messages import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.auth.base import AuthContext
    from sfconnect.auth.oauth2.provider import EndpointName, ProviderProfile
    from sfconnect.messages import Response

LIFE_S: Final = 3600.0
"""How long a document is believed before it is read again."""
_OAUTH: Final = "/.well-known/oauth-authorization-server"
_OPENID: Final = "/.well-known/openid-configuration"
_MEMBERS: Final[Mapping[EndpointName, str]] = {
    "token_url": "token_endpoint",
    "authorization_url": "authorization_endpoint",
    "device_authorization_url": "device_authorization_endpoint",
    "revocation_url": "revocation_endpoint",
}
_ALIASES: Final = "mtls_endpoint_aliases"
_MEMO: Final = "oauth2.discovery"


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """A discovery document that was found to be the issuer's own."""

    issuer: str
    members: Mapping[str, Any] = field(repr=False)

    def endpoint(self, name: EndpointName, *, with_certificate: bool = False) -> str | None:
        """An endpoint; with a client certificate its alias for that, where there is one.

        Raises:
            AuthConfigurationError: It is no address that a secret may go to.
        """
        member = _MEMBERS[name]
        aliases = self.members.get(_ALIASES) if with_certificate else None
        value = aliases.get(member) if isinstance(aliases, dict) else None
        value = value or self.members.get(member)
        return None if value is None else _checked_endpoint(value, member, self.issuer)


async def endpoint_of(
    profile: ProviderProfile, context: AuthContext, name: EndpointName
) -> str | None:
    """Give an endpoint: the profile's own, or else what discovery tells; None if neither does.

    A discovery document is kept in the context's memo for an hour, so that it is read once for
    many logins, and never by a profile that names the endpoint itself.

    Raises:
        AuthConfigurationError: Discovery failed, or tells something that cannot be right.
        TransientAuthError: The issuer's host has a passing fault.
    """
    own: str | None = getattr(profile, name)
    if own is not None or profile.issuer is None:
        return own
    metadata = await _known(context, profile.issuer)
    return metadata.endpoint(name, with_certificate=profile.client_auth == "tls_client_auth")


async def required_endpoint(
    profile: ProviderProfile, context: AuthContext, name: EndpointName
) -> str:
    """Give an endpoint that the login cannot do without.

    Raises:
        AuthConfigurationError: Nobody tells it, and as for :func:`endpoint_of`.
    """
    url = await endpoint_of(profile, context, name)
    if url is not None:
        return url
    if profile.issuer is None:
        message = f"Provider {profile.name!r} has no {name}."
    else:
        message = f"The discovery document of {shown(profile.issuer)} has no {_MEMBERS[name]}."
    raise AuthConfigurationError(message, hint=f"Give {name}.", docs_key="no-endpoint")


async def _known(context: AuthContext, issuer: str) -> ServerMetadata:
    now = context.clock.monotonic()
    kept: dict[str, tuple[float, ServerMetadata]] = context.memo.setdefault(_MEMO, {})
    if issuer in kept and now < kept[issuer][0]:
        return kept[issuer][1]
    metadata = await discover(context, issuer)
    kept[issuer] = (now + LIFE_S, metadata)
    return metadata


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where the document may be: by RFC 8414 §3.1 before the issuer's path, by OpenID behind it."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    host = f"{parts.scheme}://{parts.netloc}"
    return f"{host}{_OAUTH}{path}", f"{host}{path}{_OPENID}"


async def discover(context: AuthContext, issuer: str) -> ServerMetadata:
    """Read the document of an issuer.

    Raises:
        AuthConfigurationError: There is none, or it is another issuer's (RFC 8414 §3.3).
        TransientAuthError: The issuer's host has a passing fault.
    """
    problems = []
    for url in metadata_urls(issuer):
        request = Request("GET", url, headers={"Accept": "application/json"}, surface="auth")
        response = await context.send(request)
        _raise_for_fault(response, url)
        members, problem = _document(response)
        if members is not None:
            return _own_metadata(members, issuer)
        problems.append(f"{shown(url)}: {problem}")
    message = f"The issuer {shown(issuer)} has no discovery document ({'; '.join(problems)})."
    hint = "Check issuer; or leave it out and give token_url."
    raise AuthConfigurationError(message, hint=hint, docs_key="discovery-failed")


def _raise_for_fault(response: Response, url: str) -> None:
    host = urlsplit(url).netloc
    facts: dict[str, Any] = {"status": response.status, "request_id": response.request_id}
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{host} gets too many requests for its discovery document."
        wait_s = retry_after_of(response)
        raise LoginRateLimited(message, retry_after=wait_s, docs_key="rate-limited", **facts)
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{host} could not give its discovery document (status {response.status})."
        error = TransientAuthError(message, docs_key="server-fault", **facts)
        error.retry_after = retry_after_of(response)
        raise error


def _document(response: Response) -> tuple[Mapping[str, Any] | None, str]:
    """The members of a document, or what came in its stead, in words."""
    if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
        return None, f"a redirect (status {response.status}), which is not followed"
    if response.status != HTTPStatus.OK:
        return None, f"status {response.status}"
    if response.content_type.endswith("html") or response.content.lstrip()[:1] == b"<":
        return None, "a web page"
    try:
        decoded = response.json()
    except ResponseError:
        return None, "something that is not JSON"
    return (decoded, "") if isinstance(decoded, dict) else (None, "JSON that is no object")


def _own_metadata(members: Mapping[str, Any], issuer: str) -> ServerMetadata:
    named = members.get("issuer")
    if named == issuer:
        return ServerMetadata(issuer, members)
    said = f"for {shown(named)!r}" if isinstance(named, str) else "without an issuer"
    message = f"The discovery document of {shown(issuer)!r} is {said}; it is not used."
    hint = "If that is the server you mean, set issuer to its exact spelling, slash included."
    raise AuthConfigurationError(message, hint=hint, docs_key="discovery-wrong-issuer")


def _checked_endpoint(value: object, member: str, issuer: str) -> str:
    """An endpoint may have a query (RFC 6749 §3.2), and else has to be as safe as any."""
    problem = f"{member} is not text."
    if isinstance(value, str):
        try:
            split_endpoint(value.partition("?")[0], member)
        except ConfigurationError as error:
            problem = error.message
        else:
            return value
    message = f"The discovery document of {shown(issuer)} cannot be used: {problem}"
    raise AuthConfigurationError(message, docs_key="discovery-unsafe")
