"""What the Salesforce strategies share: ask the token endpoint, check where the token may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfconnect.auth.oauth2.exchange import exchange, revoke
from sfconnect.auth.oauth2.wire import TokenAnswer, credentials_from, revoke_request, token_request
from sfconnect.errors import AuthConfigurationError, AuthError
from sfconnect.salesforce.auth.hints import MY_DOMAIN, RULES
from sfconnect.salesforce.auth.secret_rotation import with_next_secret
from sfconnect.salesforce.hosts import is_shared_login, verify_instance_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect._types import Secret
    from sfconnect.auth.base import AuthContext, Credentials
    from sfconnect.auth.oauth2.refusals import LoginFacts
    from sfconnect.auth.oauth2.wire import Client

TOKEN_PATH = "/services/oauth2/token"
REVOKE_PATH = "/services/oauth2/revoke"


async def ask_for_token(
    context: AuthContext,
    facts: LoginFacts,
    grant_type: str,
    fields: Mapping[str, str],
    client: Client | None = None,
    *,
    next_secret: Secret | None = None,
) -> Credentials:
    """Send a token request to ``facts.url``'s token endpoint; with the next secret, once more.

    Raises:
        AuthError: The login was refused, with the setting to change.
        HostNotAllowedError: The answer names an API address that is not Salesforce's.
    """
    try:
        answer = await _ask(context, facts, grant_type, fields, client)
    except AuthError as error:
        renewed = with_next_secret(client, error, next_secret)
        if renewed is None:
            raise
        answer = await _ask(context, facts, grant_type, fields, renewed)
    instance_url = _instance_url(answer, facts)
    return credentials_from(answer, base_url=instance_url, now=context.clock.time())


async def _ask(
    context: AuthContext,
    facts: LoginFacts,
    grant_type: str,
    fields: Mapping[str, str],
    client: Client | None,
) -> TokenAnswer:
    request = token_request(facts.url + TOKEN_PATH, grant_type, fields, client)
    return await exchange(context, request, facts, RULES)


def _instance_url(answer: TokenAnswer, facts: LoginFacts) -> str:
    named = answer.text("instance_url")
    if named is not None:
        return verify_instance_url(named, facts.url)
    if is_shared_login(facts.url):
        message = f"{facts.host} gave a token but not the org's address (instance_url)."
        hint = "Set login_url to the org's My Domain."
        raise AuthConfigurationError(message, hint=hint, docs_key="no-instance-url")
    return facts.url


def refuse_shared_login(facts: LoginFacts, flow: str) -> None:
    """Refuse a flow that only the org's own host offers, before a secret is sent.

    Raises:
        AuthConfigurationError: The login host is one that all orgs share.
    """
    if is_shared_login(facts.url):
        message = f"{flow} cannot log in at {facts.host}."
        hint = MY_DOMAIN.format(host=facts.host)
        raise AuthConfigurationError(message, hint=hint, docs_key="needs-my-domain")


async def revoke_token(context: AuthContext, facts: LoginFacts, token: Secret) -> None:
    """End a session: an access token's own, or a refresh token's with all its access tokens.

    Raises:
        AuthError: The server refused.
    """
    await revoke(context, revoke_request(facts.url + REVOKE_PATH, token), facts, RULES)
