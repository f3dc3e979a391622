"""The trouble that the org makes while it is read: always the same, at the same requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OUTAGE: Final = "outage"
CUT: Final = "cut"
REVOCATION: Final = "revocation"

#: Which pages, counted over all queries, meet what. Both logins are in the middle of their
#: objects when the sessions are revoked, so both have to log in again.
_PAGES: Final[tuple[tuple[int, str], ...]] = (
    (4, OUTAGE),
    (7, CUT),
    (12, REVOCATION),
    (17, OUTAGE),
    (21, CUT),
    (25, OUTAGE),
)
_ACTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    OUTAGE: {"type": "respond", "status": 503, "html": "<h1>Service Unavailable</h1>"},
    CUT: {"type": "cut", "after_bytes": 50_000},
    REVOCATION: {"type": "revoke-tokens"},
}


def rules() -> list[dict[str, Any]]:
    """Return the fault rules for the emulator."""
    return [
        {"name": kind, "match": {"path": "/query", "nth": page}, "action": _ACTIONS[kind]}
        for page, kind in _PAGES
    ]


def planned() -> dict[str, int]:
    """Return how often each kind has to happen."""
    kinds = [kind for _, kind in _PAGES]
    return {kind: kinds.count(kind) for kind in _ACTIONS}
