"""What each user has looked at or changed last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

KEPT_ITEMS = 200


class RecentItems:
    """The most recently used rows of every user, newest first, 200 at most."""

    def __init__(self) -> None:
        self._by_user: dict[str, OrderedDict[str, str]] = {}

    def touch(self, user_id: str, record_id: str, sobject: str) -> None:
        """Move a row to the front."""
        items = self._by_user.setdefault(user_id, OrderedDict())
        items[record_id] = sobject
        items.move_to_end(record_id)
        if len(items) > KEPT_ITEMS:
            items.popitem(last=False)

    def of(self, user_id: str) -> Iterator[tuple[str, str]]:
        """The rows of a user as pairs of id and object, newest first."""
        return reversed(self._by_user.get(user_id, OrderedDict()).items())
