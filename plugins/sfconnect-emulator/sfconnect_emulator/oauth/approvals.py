"""Which user has let which app act for him, and with which scopes."""

from __future__ import annotations

from collections.abc import Iterable


class Approvals:
    """Remembered consents, as a user's page of connected apps lists them."""

    def __init__(self) -> None:
        self._scopes: dict[tuple[str, str], frozenset[str]] = {}

    def record(self, client_id: str, user_id: str, scopes: Iterable[str]) -> None:
        """Remember a consent; scopes add up."""
        self._scopes[client_id, user_id] = self.scopes(client_id, user_id) | frozenset(scopes)

    def scopes(self, client_id: str, user_id: str) -> frozenset[str]:
        """What the user has let the app do so far; nothing when he was never asked."""
        return self._scopes.get((client_id, user_id), frozenset())

    def exists(self, client_id: str, user_id: str) -> bool:
        """Whether the user has approved the app at all."""
        return (client_id, user_id) in self._scopes

    def forget(self, client_id: str, user_id: str) -> None:
        """Withdraw a consent."""
        self._scopes.pop((client_id, user_id), None)

    def clear(self) -> None:
        """Withdraw all consents."""
        self._scopes.clear()
