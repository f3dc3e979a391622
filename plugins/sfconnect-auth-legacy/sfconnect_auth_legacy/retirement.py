"""Tell once in a process that a flow is going to end, and when."""

from __future__ import annotations

import warnings
from typing import Final

OAUTH_FLOW: Final = (
    "Salesforce retires the OAuth username-password flow on 20 February 2027, and orgs made since "
    "Summer '26 do not have it. Log in with client-credentials or jwt-bearer."
)
SOAP_LOGIN: Final = (
    "Salesforce retires SOAP login() in Summer '27; it wants the user permission 'Use Any API "
    "Auth', and API versions from 65.0 on do not have it. Log in with client-credentials or "
    "jwt-bearer."
)

_told: set[str] = set()


def warn_once(text: str) -> None:
    """Warn whoever makes a strategy of the flow; the first time only."""
    if text in _told:
        return
    _told.add(text)
    # Over this function, __post_init__ and the __init__ that dataclass wrote.
    warnings.warn(text, DeprecationWarning, stacklevel=4)
