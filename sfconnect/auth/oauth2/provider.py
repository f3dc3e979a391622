"""How one OAuth 2.0 server wants to be spoken to, as a value: the profile of a provider.

A profile is all that tells one API's login from another's::

    ACME = ProviderProfile(
        name="acme",
        token_url="https://{subdomain}.acme.example/oauth/token",
        client_auth="body",
        scope="orders",
        base_url_member="data.api_url",
    )

Its members are options too: a strategy that has :class:`ProviderOptions` takes a profile by
``provider=`` and any member beside it, and the member wins. So a provider that nobody has written
a profile for is a few lines of ``sfconnect.toml``.

What a strategy does with it: ``endpoint_of(profile, context, "token_url")`` gives an address, from
the profile or by discovery; ``profile.scope_for("authorize")`` what to ask for at a step;
``profile.token_parameters`` and ``profile.resource`` what goes into every token request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from sfconnect.auth.oauth2.wire import (
    CLIENT_METHODS,
    FIXED_FIELDS,
    AnswerMembers,
    BodyEncoding,
    ClientAuthName,
)
from sfconnect.auth.options import build, option
from sfconnect.auth.urls import split_endpoint
from sfconnect.config import Value, one_of
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Step = Literal["authorize", "token", "refresh"]
EndpointName = Literal[
    "token_url", "authorization_url", "device_authorization_url", "revocation_url"
]

PARAMETERS: Final = ("subdomain", "account_id", "short_code", "organization", "channel_id")
"""What a profile may leave open, to be filled by the options of these names."""
ENDPOINTS: Final[tuple[EndpointName, ...]] = (
    "token_url",
    "authorization_url",
    "device_authorization_url",
    "revocation_url",
)
_URLS: Final = ("issuer", *ENDPOINTS, "base_url")
_PLACE: Final = re.compile(r"\{(\w+)\}")
_FILLING: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
"""What a parameter may be: it becomes a part of a host, so it must not end the host early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderProfile:
    """What has to be known of an OAuth 2.0 server to log in to it.

    A URL, and a value of ``token_params``, may hold ``{subdomain}`` or another of ``PARAMETERS``;
    :meth:`filled` puts the values in. Either ``token_url`` or ``issuer`` has to be there; with an
    issuer, what is left out of the other endpoints is discovered (RFC 8414, OpenID Connect).

    It holds no secret, can be compared, hashed and pickled, and is a part of a login's identity.
    """

    name: str = option(help="What errors call the provider.", default="custom")
    issuer: str | None = option(
        help="The server's issuer; its discovery document tells the endpoints.",
        default=None,
        example="https://login.example.com",
    )
    token_url: str | None = option(
        help="Token endpoint.", default=None, example="https://auth.example.com/token"
    )
    authorization_url: str | None = option(
        help="Where a person consents in a browser.", default=None
    )
    device_authorization_url: str | None = option(
        help="Where a login with another device begins (RFC 8628).", default=None
    )
    revocation_url: str | None = option(help="Where tokens are ended (RFC 7009).", default=None)
    base_url: str | None = option(
        help="Base URL of the API; left out, what the answer names, else the token "
        "endpoint's host.",
        default=None,
    )
    base_url_member: str | None = option(
        help="Member of the answer that names the API's address.",
        default=None,
        example="rest_instance_url",
    )
    base_url_hosts: tuple[str, ...] = option(
        help="Host names, or their ends after a dot, that such an address may have; none: any.",
        default=(),
        example=".example.com",
    )
    client_auth: ClientAuthName = option(
        help="How the app proves itself: its secret in the Authorization header (basic) or in the "
        "body, an assertion that its key signs, the connection's certificate, or not at all.",
        default="basic",
    )
    assertion_audience: str = option(
        help="Whom an app's assertion is for: token_url, issuer, or a text of its own.",
        default="token_url",
    )
    body_encoding: BodyEncoding = option(
        help="Form of a token request's body; the standard has forms.", default="form"
    )
    scope: str | None = option(
        help="Scopes to ask for, separated by spaces; left out, the server decides.", default=None
    )
    scope_on: tuple[Step, ...] = option(
        help="Where the scopes are sent: to the browser (authorize), with a token request that "
        "begins a login (token), with one that renews it (refresh).",
        default=("authorize", "token"),
    )
    audience: str | None = option(
        help="The API that the token is for, where the server wants to know.", default=None
    )
    resource: tuple[str, ...] = option(
        help="Addresses of the APIs that the token is for (RFC 8707).", default=()
    )
    token_params: tuple[str, ...] | dict[str, str] = option(
        help="Further parameters of token requests, each as name=value; no secrets.",
        default=(),
        example="tenant=acme",
    )
    pass_params: tuple[str, ...] = option(
        help="Options such as account_id that are sent with token requests if they are given.",
        default=(),
    )
    access_token_member: str = option(
        help="Member of the answer that holds the token; a dot leads into an object.",
        default="access_token",
    )
    refresh_token_member: str = option(
        help="Member of the answer that holds the refresh token.", default="refresh_token"
    )
    expires_in_member: str = option(
        help="Member of the answer that tells the token's life in seconds.", default="expires_in"
    )
    expires_at_member: str | None = option(
        help="Member that tells the time at which the token ends: seconds or milliseconds since "
        "the epoch, or a date with its zone.",
        default=None,
    )
    default_lifetime_s: float | None = option(
        help="Seconds that a token lives, where the answer does not tell.", default=None
    )
    rotates_refresh_token: bool = option(
        help="Whether each renewal brings a new refresh token and ends the old one.",
        default=False,
    )

    def __post_init__(self) -> None:
        method = CLIENT_METHODS.get(self.client_auth)
        if method is not None:
            object.__setattr__(self, "client_auth", method)
        object.__setattr__(self, "token_params", name_value_pairs(self.token_params))
        _check_choices(self)
        _check_numbers(self)
        for place in self.open_places:
            if place not in PARAMETERS:
                message = f"Provider {self.name!r} has the unknown place {{{place}}} in it."
                hint = f"There are: {', '.join(PARAMETERS)}."
                raise ConfigurationError(message, hint=hint)

    @classmethod
    def from_mapping(cls, members: Mapping[str, object]) -> ProviderProfile:
        """Make a profile of a table, as TOML or JSON has it.

        Raises:
            ConfigurationError: A member is unknown or does not fit.
        """
        values = {name: Value(raw, f"member {name}") for name, raw in members.items()}
        return build(cls, values, name="a provider profile")

    @property
    def token_parameters(self) -> dict[str, str]:
        """Further parameters of token requests, by name."""
        return token_parameters(self.token_params)

    @property
    def answer_members(self) -> AnswerMembers:
        """Where an answer keeps what is needed of it."""
        return AnswerMembers(
            access_token=self.access_token_member,
            refresh_token=self.refresh_token_member,
            expires_in=self.expires_in_member,
            expires_at=self.expires_at_member or "",
            base_url=self.base_url_member or "",
        )

    @property
    def open_places(self) -> tuple[str, ...]:
        """The parameters that have to be filled before the profile can be used."""
        texts = (getattr(self, name) or "" for name in _URLS)
        found = [place for text in texts for place in _PLACE.findall(text)]
        # A brace in a further parameter may be its own, such as a claims request in JSON.
        own = [place for pair in self.token_params for place in _PLACE.findall(pair)]
        return tuple(dict.fromkeys([*found, *(name for name in own if name in PARAMETERS)]))

    @property
    def takes(self) -> tuple[str, ...]:
        """The parameters that are of use: those that have to be given, and those that may be."""
        return tuple(dict.fromkeys([*self.open_places, *self.pass_params]))

    def scope_for(self, step: Step) -> str:
        """The scopes to send at a step; empty for none."""
        return (self.scope or "") if step in self.scope_on else ""

    def filled(self, parameters: Mapping[str, str]) -> ProviderProfile:
        """Put parameters in, and check that the profile can be used.

        Raises:
            ConfigurationError: A parameter is missing, does not fit, or has no use here; there is
                no token endpoint; or an address is not https.
        """
        places = self.open_places
        for name, text in parameters.items():
            _check_parameter(self, name, text)
        for place in places:
            if place not in parameters:
                message = f"Provider {self.name!r} needs {place}."
                raise ConfigurationError(message, hint=f"Give the option {place}.")
        made = self._with(parameters)
        _check_addresses(made)
        return made

    def _with(self, parameters: Mapping[str, str]) -> ProviderProfile:
        changed: dict[str, Any] = {
            name: _put_in(text, parameters) for name in _URLS if (text := getattr(self, name))
        }
        sent = (f"{name}={parameters[name]}" for name in self.pass_params if name in parameters)
        pairs = (_put_in(pair, parameters) for pair in self.token_params)
        return replace(self, **changed, token_params=(*pairs, *sent), pass_params=())


def name_value_pairs(given: tuple[str, ...] | dict[str, str]) -> tuple[str, ...]:
    """Bring further parameters to their one form, ``name=value``.

    Raises:
        ConfigurationError: One has no name, comes twice, or has a place of its own.
    """
    pairs = given
    if isinstance(given, dict):
        pairs = tuple(f"{name}={value}" for name, value in given.items())
    names = [pair.partition("=")[0] if "=" in pair else "" for pair in pairs]
    for name in names:
        if not name or names.count(name) > 1:
            message = "token_params must be a list of name=value, each name once."
            raise ConfigurationError(message, hint='Write it like ["tenant=acme"].')
        if name in FIXED_FIELDS:
            message = f"token_params must not hold {name}, which has its own place."
            raise ConfigurationError(message, hint=f"Not allowed are: {', '.join(FIXED_FIELDS)}.")
    return tuple(pairs)


def token_parameters(given: tuple[str, ...] | dict[str, str]) -> dict[str, str]:
    """Further parameters by their names.

    Raises:
        ConfigurationError: As for :func:`name_value_pairs`.
    """
    return dict(pair.split("=", 1) for pair in name_value_pairs(given))


def _check_choices(profile: ProviderProfile) -> None:
    """Refuse spellings that code, which no option machinery checks, may bring."""
    known: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
        ("client_auth", (profile.client_auth,), tuple(CLIENT_METHODS)),
        ("body_encoding", (profile.body_encoding,), ("form", "json")),
        ("scope_on", profile.scope_on, ("authorize", "token", "refresh")),
        ("pass_params", profile.pass_params, PARAMETERS),
    )
    for name, values, choices in known:
        for value in values:
            if value not in choices:
                message = f"{name} must be {one_of(choices)}, not {value!r}."
                raise ConfigurationError(message)


def _check_numbers(profile: ProviderProfile) -> None:
    lifetime = profile.default_lifetime_s
    if lifetime is not None and not 0 < lifetime < float("inf"):
        raise ConfigurationError(f"default_lifetime_s must be more than 0, not {lifetime:g}.")


def _check_addresses(profile: ProviderProfile) -> None:
    for name in _URLS:
        if (url := getattr(profile, name)) is not None:
            split_endpoint(url, name)
    if profile.token_url is None and profile.issuer is None:
        message = f"Provider {profile.name!r} has neither token_url nor issuer."
        raise ConfigurationError(message, hint="Give one of them, or provider=…")
    if profile.assertion_audience == "issuer" and profile.issuer is None:
        message = f"Provider {profile.name!r} has no issuer to be the audience of an assertion."
        raise ConfigurationError(message, hint="Give issuer, or the audience as a text.")


def _check_parameter(profile: ProviderProfile, name: str, text: str) -> None:
    if name not in profile.takes:
        message = f"Provider {profile.name!r} has no use for {name}."
        uses = ", ".join(profile.takes)
        hint = f"It takes: {uses or 'none of these'}."
        raise ConfigurationError(message, hint=hint, unused=(name,))
    if _FILLING.fullmatch(text) is None:
        message = f"{name} {text!r} holds characters that it cannot have."
        raise ConfigurationError(message, hint="Give the bare name: no address, no slash.")


def _put_in(text: str, parameters: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: parameters.get(found[1], found[0]), text)
