"""What the generic strategies share: ask the token endpoint as the provider's profile says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from sfconnect.auth.oauth2.client_auth import ClientOptions, authenticated_client
from sfconnect.auth.oauth2.discovery import endpoint_of, required_endpoint
from sfconnect.auth.oauth2.exchange import exchange, revoke
from sfconnect.auth.oauth2.refusals import PROVIDER_RULES, LoginFacts
from sfconnect.auth.oauth2.wire import credentials_from, revoke_request, token_request
from sfconnect.auth.store import secrets_of
from sfconnect.auth.urls import shown, split_endpoint
from sfconnect.errors import AuthConfigurationError, ConfigurationError, HostNotAllowedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect._types import Secret
    from sfconnect.auth.base import AuthContext, Credentials
    from sfconnect.auth.oauth2.provider import ProviderProfile, Step
    from sfconnect.auth.oauth2.refusals import Rule
    from sfconnect.auth.oauth2.wire import Client, TokenAnswer


class ProviderLogin(ClientOptions, Protocol):
    """A strategy that logs in to a provider."""

    @property
    def key_id(self) -> str | None:
        """Names the key of an assertion."""
        ...

    def profile(self) -> ProviderProfile:
        """The provider, with nothing left open."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What one grant puts into its token request."""

    type: str
    """As it goes into the body."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the grant itself needs; errors never show it."""
    name: str = ""
    """What errors call the grant, if not by its type."""
    step: Step | None = "token"
    """Which scopes to send; None for none."""
    audience: str | None = None
    """Whom the grant's own assertion is for; then no other audience is sent beside it."""
    rules: tuple[Rule, ...] = ()
    """Asked before those of OAuth itself what a refusal means."""
    anonymous: bool = False
    """Whether the app is not to be named, since the grant itself does."""


async def ask_for_token(strategy: ProviderLogin, context: AuthContext, grant: Grant) -> Credentials:
    """Send one token request to the strategy's provider, as its profile says.

    Raises:
        AuthError: The login was refused, or the provider's endpoint cannot be found.
        HostNotAllowedError: The answer names an API address that the provider does not have.
    """
    profile = strategy.profile()
    url = await required_endpoint(profile, context, "token_url")
    client = None if grant.anonymous else await client_of(strategy, context, profile, url)
    request = token_request(
        url,
        grant.type,
        {**grant.fields, **_common_fields(profile, grant)},
        client,
        resources=profile.resource,
        encoding=profile.body_encoding,
    )
    facts = _facts(strategy, grant, url, client)
    rules = (*grant.rules, *PROVIDER_RULES)
    answer = await exchange(context, request, facts, rules, profile.answer_members)
    return credentials_from(
        answer,
        base_url=_base_url(profile, answer, url),
        now=context.clock.time(),
        default_lifetime_s=profile.default_lifetime_s,
    )


def _common_fields(profile: ProviderProfile, grant: Grant) -> dict[str, str]:
    """What the profile adds to every token request; empty ones are not sent."""
    audience = profile.audience if grant.audience is None else None
    scope = "" if grant.step is None else profile.scope_for(grant.step)
    return {"scope": scope, "audience": audience or "", **profile.token_parameters}


async def client_of(
    strategy: ProviderLogin, context: AuthContext, profile: ProviderProfile, url: str
) -> Client:
    """Make the app's proof for a request to one of the provider's endpoints."""
    audience = {"token_url": url, "issuer": profile.issuer or ""}.get(
        profile.assertion_audience, profile.assertion_audience
    )
    return await authenticated_client(
        strategy,
        context,
        audience=audience,
        method=profile.client_auth,
        key_id=strategy.key_id,
    )


async def revoke_token(
    strategy: ProviderLogin, context: AuthContext, token: Secret, kind: str
) -> None:
    """End a token; ``kind`` is ``refresh_token`` or ``access_token`` (RFC 7009 §2.1).

    Raises:
        AuthConfigurationError: No revocation endpoint is known.
        AuthError: The server refused.
    """
    profile = strategy.profile()
    url = await endpoint_of(profile, context, "revocation_url")
    if url is None:
        message = f"Provider {profile.name!r} has no revocation endpoint that is known."
        hint = "Give revocation_url, if the server has one; else let the token expire."
        raise AuthConfigurationError(message, hint=hint, docs_key="no-revocation")
    # Also here an assertion is for the token endpoint: it stands for the server (RFC 7523 §3).
    audience = await endpoint_of(profile, context, "token_url") or url
    client = await client_of(strategy, context, profile, audience)
    request = revoke_request(url, token, token_type_hint=kind, client=client)
    grant = Grant("revocation", {"token": token.reveal()})
    await revoke(context, request, _facts(strategy, grant, url, client))


def _facts(strategy: ProviderLogin, grant: Grant, url: str, client: Client | None) -> LoginFacts:
    proof = client.secrets if client else ()
    return LoginFacts(
        grant.name or grant.type,
        url,
        client_id=strategy.client_id,
        client_auth=client.method if client else "",
        audience=grant.audience or "",
        secrets=(*proof, *grant.fields.values(), *secrets_of(strategy)),
    )


def _base_url(profile: ProviderProfile, answer: TokenAnswer, token_url: str) -> str:
    """Where the API is: as configured, as the answer says, or where the token came from."""
    if profile.base_url is not None:
        return profile.base_url.strip().rstrip("/")
    if profile.base_url_member is None:
        parts = urlsplit(token_url)
        return f"{parts.scheme}://{parts.netloc}"
    if answer.base_url is None:
        message = f"The answer of {shown(token_url)} has no {profile.base_url_member}."
        raise AuthConfigurationError(message, hint="Give base_url.", docs_key="no-base-url")
    return _allowed(answer.base_url, profile)


def _allowed(url: str, profile: ProviderProfile) -> str:
    """Let a token go where the answer says, if that is safe and one of the provider's hosts."""
    try:
        host = (split_endpoint(url, profile.base_url_member or "").hostname or "").lower()
    except ConfigurationError as error:
        raise HostNotAllowedError(f"The login's answer cannot be used: {error.message}") from error
    allowed = profile.base_url_hosts
    if allowed and not any(_is_under(host, name.lower()) for name in allowed):
        message = f"The login's answer names the API at {host!r}, which is none of the provider's."
        hint = f"Its hosts are: {', '.join(allowed)}; add others by base_url_hosts."
        raise HostNotAllowedError(message, hint=hint)
    return url.strip().rstrip("/")


def _is_under(host: str, name: str) -> bool:
    return host.endswith(name) if name.startswith(".") else host == name
