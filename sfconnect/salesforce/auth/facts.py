"""What a login tries, with the addresses and names that Salesforce's hints ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.store import secrets_of
from sfconnect.salesforce.auth.token_endpoint import TOKEN_PATH
from sfconnect.salesforce.hosts import (
    PRODUCTION_AUDIENCE,
    SANDBOX_AUDIENCE,
    derive_audience,
    other_audience,
    sandbox_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

AUTHORIZE_PATH: Final = "/services/oauth2/authorize"
_SUCCESS_PATH: Final = "/services/oauth2/success"
_VALIDATOR: Final = "the SAML Assertion Validator (Setup → Single Sign-On Settings)"


def login_facts(
    strategy: object,
    grant: str,
    login_url: str,
    *,
    client_id: str = "",
    client_auth: str = "",
    username: str = "",
    audience: str = "",
    secrets: Iterable[str] = (),
) -> LoginFacts:
    """Gather what is tried; the strategy's secrets are kept out of what the server says."""
    derived = derive_audience(login_url)
    return LoginFacts(
        grant,
        login_url,
        client_id=client_id,
        client_auth=client_auth,
        username=username,
        audience=audience,
        other_audience=other_audience(audience or derived),
        details={
            "authorize_url": authorize_url(login_url, client_id),
            "sandbox_username": _sandbox_username(login_url, username),
            "wanted_audience": derived,
            "token_url": login_url + TOKEN_PATH,
            "error_uri": _VALIDATOR,
        },
        secrets=(*secrets, *secrets_of(strategy)),
    )


def with_secrets(facts: LoginFacts, *secrets: str) -> LoginFacts:
    """Keep further texts out of what the server says, such as an assertion."""
    return replace(facts, secrets=(*secrets, *facts.secrets))


def authorize_url(login_url: str, client_id: str) -> str:
    """Where a person approves an app: a page to open once, whose code nobody redeems.

    The callback is Salesforce's own page for that, which most apps have registered.
    """
    shared = login_url in {PRODUCTION_AUDIENCE, SANDBOX_AUDIENCE}
    callback = (login_url if shared else PRODUCTION_AUDIENCE) + _SUCCESS_PATH
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": callback,
            "scope": "api refresh_token",
        },
        quote_via=quote,
        safe="/:",
    )
    return f"{login_url}{AUTHORIZE_PATH}?{query}"


def _sandbox_username(login_url: str, username: str) -> str:
    """The login name as it would be in the sandbox that is logged in to."""
    name = sandbox_name(login_url) or "uat"
    user = username or "ada@example.com"
    return user if user.endswith(f".{name}") else f"{user}.{name}"
