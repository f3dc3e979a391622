"""The users of the org as the authorization server sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Person:
    """One user: what token, identity and userinfo answers tell about him."""

    user_id: str
    username: str
    name: str = ""
    first_name: str | None = None
    last_name: str = ""
    email: str = ""
    alias: str = ""
    timezone: str = "America/Los_Angeles"
    locale: str = "en_US"
    language: str = "en_US"
    is_active: bool = True
    last_modified: str = ""
    profile: str = ""
    is_frozen: bool = False

    @property
    def may_log_in(self) -> bool:
        """Whether the user is neither deactivated nor frozen."""
        return self.is_active and not self.is_frozen


class Directory(Protocol):
    """Where users are looked up."""

    @property
    def org_id(self) -> str:
        """The 18-character id of the org."""

    def by_username(self, username: str) -> Person | None:
        """Find a user by login name, in any case of letters."""

    def by_id(self, user_id: str) -> Person | None:
        """Find a user by id, of 15 or 18 characters."""
