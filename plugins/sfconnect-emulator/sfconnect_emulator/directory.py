"""The users of the org, read from its rows: whoever is created or deactivated counts at once."""

from __future__ import annotations

from sfconnect_emulator.data.ids import normalize
from sfconnect_emulator.data.store import Store
from sfconnect_emulator.oauth.apps import AppRegistry
from sfconnect_emulator.oauth.people import Person

_USER = "User"


class StoredUsers:
    """Look users up in the rows of the org."""

    def __init__(self, store: Store, apps: AppRegistry) -> None:
        self._store = store
        self._apps = apps

    @property
    def org_id(self) -> str:
        """The 18-character id of the org."""
        return self._store.org.org_id

    def by_username(self, username: str) -> Person | None:
        """Find a user by login name, in any case of letters."""
        if not username:
            return None
        found = self._store.find_by_external_id(_USER, "Username", username)
        return self.by_id(found[0]) if found else None

    def by_id(self, user_id: str) -> Person | None:
        """Find a user by id, of 15 or 18 characters."""
        row = self._store.row(_USER, normalize(user_id))
        if row is None:
            return None

        def text(field: str) -> str:
            return str(row.get(field) or "")

        profile = self._store.row("Profile", text("ProfileId")) or {}
        return Person(
            user_id=text("Id"),
            username=text("Username"),
            name=text("Name"),
            first_name=text("FirstName") or None,
            last_name=text("LastName"),
            email=text("Email"),
            alias=text("Alias"),
            timezone=text("TimeZoneSidKey"),
            locale=text("LocaleSidKey"),
            language=text("LanguageLocaleKey"),
            is_active=bool(row.get("IsActive")),
            last_modified=text("LastModifiedDate"),
            profile=str(profile.get("Name") or ""),
            is_frozen=text("Username").lower() in self._apps.org.frozen_users,
        )
