"""The token of a Data 360 tenant, which is derived from a login to the org."""

from __future__ import annotations

from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from typing import Final

import msgspec

from sfconnect.auth.base import AuthContext, AuthStrategy, Credentials
from sfconnect.auth.oauth2.exchange import exchange
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.oauth2.wire import TokenAnswer, credentials_from, token_request
from sfconnect.auth.options import option
from sfconnect.auth.store import secrets_of
from sfconnect.auth.urls import is_loopback
from sfconnect.errors import AuthConfigurationError, AuthError, ConfigurationError
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth.hints import DATA_360, RULES
from sfconnect.salesforce.error_bodies import read_faults
from sfconnect.salesforce.hosts import host_of, verify_instance_url

TOKEN_PATH: Final = "/services/a360/token"
GRANT_TYPE: Final = "urn:salesforce:grant-type:external:cdp"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
_BASE_REFUSED: Final = frozenset({"invalid_grant", "invalid_token", "invalid_session_id"})
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Data360:
    """Log in to the org's Data 360 tenant, with the token that another login gives.

    The tenant's token has a life of its own. The org's is got only when a new one is needed, and
    renewed once if the exchange refuses it.
    """

    base: AuthStrategy = option(
        help="Login to the org; its app needs the scope api and those of Data 360.",
        example="client-credentials",
    )
    dataspace: str | None = option(
        help="Data space to work in; left out, the tenant's default.", default=None
    )

    def __post_init__(self) -> None:
        if isinstance(self.base, type) or not iscoroutinefunction(
            getattr(self.base, "authenticate", None)
        ):
            message = "base is not a login."
            raise ConfigurationError(message, hint="Give an object, such as ClientCredentials(…).")

    @property
    def names_base_url(self) -> bool:
        """The exchange always tells the tenant's address, so a connector needs no base URL."""
        return True

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Exchange the org's token for one of the tenant.

        Raises:
            AuthError: The exchange was refused, also with a renewed token of the org.
        """
        org = await context.child(self.base)
        try:
            return await self._exchange(context, org)
        except AuthError as error:
            if error.status != _UNAUTHORIZED and (error.code or "").lower() not in _BASE_REFUSED:
                raise
            renewed = await context.replace_child(self.base, org)
            if renewed.access_token == org.access_token:
                raise
        return await self._exchange(context, renewed)

    async def _exchange(self, context: AuthContext, org: Credentials) -> Credentials:
        token = org.access_token.reveal()
        fields = {
            "subject_token": token,
            "subject_token_type": _ACCESS_TOKEN,
            "dataspace": self.dataspace or "",
        }
        fields = {name: value for name, value in fields.items() if value}
        request = token_request(org.instance_url + TOKEN_PATH, GRANT_TYPE, fields)
        facts = LoginFacts(DATA_360, org.instance_url, secrets=(token, *secrets_of(self)))
        answer = await exchange(_reading_faults(context), request, facts, RULES)
        base_url = _tenant_url(answer, facts)
        return credentials_from(answer, base_url=base_url, now=context.clock.time())


def _tenant_url(answer: TokenAnswer, facts: LoginFacts) -> str:
    """The tenant's address; it comes as a bare host."""
    named = answer.text("instance_url")
    if named is None:
        message = f"{facts.host} gave a token but not the tenant's address (instance_url)."
        raise AuthConfigurationError(message, docs_key="no-instance-url")
    if "://" not in named and is_loopback(host_of(facts.url)):
        named = f"{facts.url.partition('://')[0]}://{named}"
    return verify_instance_url(named, facts.url)


def _reading_faults(context: AuthContext) -> AuthContext:
    """The endpoint is one of the API, and refuses a dead token in the API's way, not in OAuth's."""

    async def send(request: Request) -> Response:
        return _oauth_shaped(await context.send(request))

    return replace(context, send=send)


def _oauth_shaped(response: Response) -> Response:
    if not response.content.lstrip().startswith(b"["):
        return response
    fault = next(iter(read_faults(response)), None)
    if fault is None:
        return response
    body = {"error": fault.code, "error_description": fault.message}
    return replace(response, content=msgspec.json.encode(body))
