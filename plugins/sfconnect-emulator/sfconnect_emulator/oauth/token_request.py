"""What a grant sees of a request to the token endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.oauth.credentials import ClientCredentials
from sfconnect_emulator.oauth.errors import invalid_grant, unsupported_grant


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The form, who sent it, and under which names the org was asked."""

    form: Mapping[str, str] = field(repr=False)
    client: ClientCredentials
    host: str
    own_url: str


def check_own_domain(request: TokenRequest) -> None:
    """Insist that the request went to the org's own host and not to a shared login host.

    Raises:
        OAuthError: it went to a login host.
    """
    if request.host.lower().startswith(("login.", "test.")):
        raise invalid_grant("request not supported on this domain")


def with_flow(app: ConnectedApp, flow: str) -> ConnectedApp:
    """Return the app if it may use the flow.

    Raises:
        OAuthError: the flow is switched off.
    """
    if flow not in app.flows:
        raise unsupported_grant()
    return app
