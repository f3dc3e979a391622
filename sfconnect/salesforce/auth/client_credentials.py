"""Log in as an app that acts as its Run As user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials, Signer
from sfconnect.auth.key_options import (
    PASSPHRASE,
    PRIVATE_KEY,
    PRIVATE_KEY_FILE,
    SIGNER,
    wrap_key_bytes,
)
from sfconnect.auth.oauth2.client_auth import (
    authenticated_client,
    check_client_options,
    refuse_unused_key,
)
from sfconnect.auth.oauth2.refusals import LoginFacts
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.salesforce.auth.facts import login_facts, with_secrets
from sfconnect.salesforce.auth.secret_rotation import (
    CLIENT_SECRET_NEXT,
    check_secrets,
    secret_of,
)
from sfconnect.salesforce.auth.token_endpoint import (
    TOKEN_PATH,
    ask_for_token,
    refuse_shared_login,
    revoke_token,
)
from sfconnect.salesforce.hosts import login_base

CLIENT_AUTH: Final = ("body", "basic", "private_key_jwt")
"""Those that Salesforce's discovery document lists."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Log in with an app's consumer key and secret; calls act as the app's Run As user.

    ``client_auth="private_key_jwt"`` proves the app by an assertion that its key signs, so that
    no secret is held. Experimental: Salesforce lists it in its discovery document, and nobody
    has shown yet that this flow takes it in every org.
    """

    login_url: str = option(
        help="My Domain of the org; login.salesforce.com does not offer this flow.",
        example="https://acme.my.salesforce.com",
    )
    client_id: str = option(help="Consumer key of the app.")
    client_secret: Secret | str | None = option(
        help="Consumer secret of the app; not for private_key_jwt.", secret=True, default=None
    )
    client_auth: Literal["body", "basic", "private_key_jwt"] = option(
        help="Send the secret in the body or in the Authorization header; or an assertion signed "
        "by the app's key (experimental).",
        default="body",
    )
    private_key: Secret | str | bytes | None = option(**PRIVATE_KEY)
    private_key_file: Path | str | None = option(**PRIVATE_KEY_FILE)
    passphrase: Secret | str | None = option(**PASSPHRASE)
    signer: Signer | None = option(**SIGNER)
    client_secret_next: Secret | str | None = option(**CLIENT_SECRET_NEXT)

    def __post_init__(self) -> None:
        wrap_key_bytes(self)
        coerce_secrets(self)
        object.__setattr__(self, "login_url", login_base(self.login_url))
        check_client_options(self, self.client_auth, allowed=CLIENT_AUTH)
        refuse_unused_key(self, self.client_auth)
        check_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Log in; a login URL that cannot work is refused before the secret is sent."""
        facts = self._facts()
        refuse_shared_login(facts, "Client credentials")
        audience = self.login_url + TOKEN_PATH
        client = await authenticated_client(self, context, audience=audience)
        following = secret_of(self.client_secret_next)
        return await ask_for_token(
            context,
            with_secrets(facts, *client.secrets),
            "client_credentials",
            {},
            client,
            next_secret=following,
        )

    async def revoke(self, context: AuthContext, credentials: Credentials) -> None:
        """End the session, also for other programs that were given the same token."""
        await revoke_token(context, self._facts(), credentials.access_token)

    def _facts(self) -> LoginFacts:
        return login_facts(
            self,
            "client_credentials",
            self.login_url,
            client_id=self.client_id,
            client_auth=self.client_auth,
        )
