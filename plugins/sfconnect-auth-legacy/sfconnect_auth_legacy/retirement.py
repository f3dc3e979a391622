"""When the two flows end."""

from __future__ import annotations

from typing import Final

from sfconnect.auth import Retirement

_INSTEAD: Final = "Log in with client-credentials or jwt-bearer."

OAUTH_FLOW: Final = Retirement(
    "Salesforce's OAuth username-password flow",
    "on 20 February 2027",
    _INSTEAD,
    already="Orgs made since Summer '26 do not have it.",
)
SOAP_LOGIN: Final = Retirement(
    "Salesforce's SOAP login()",
    "in Summer '27",
    _INSTEAD,
    already="API versions from 65.0 on do not have it, and it wants the user permission 'Use Any "
    "API Auth'.",
)
