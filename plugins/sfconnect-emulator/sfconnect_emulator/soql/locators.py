"""Query locators: lists of rows that wait for the rest of their pages to be asked for."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.soql.level import Level, Rows

LIFETIME: Final = timedelta(days=2)
_MAX_OPEN: Final = 2000
_FORM: Final = re.compile(r"([0-9A-Za-z]{18})-([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is read page by page: rows of a query, and how many of them a page shows."""

    level: Level
    rows: Rows
    version: float
    batch: int


class Locators:
    """The open locators of an org; they outlive sessions, and the oldest go when there are many."""

    def __init__(self, new_id: Callable[[int], str], clock: Callable[[], datetime]) -> None:
        self._new_id = new_id
        self._clock = clock
        self._open: OrderedDict[str, tuple[Cursor, datetime]] = OrderedDict()
        self._count = 0

    def open(self, cursor: Cursor) -> str:
        """Keep a cursor and return the locator's id."""
        self._count += 1
        locator = self._new_id(self._count)
        self._open[locator] = cursor, self._clock() + LIFETIME
        while len(self._open) > _MAX_OPEN:
            self._open.popitem(last=False)
        return locator

    def find(self, text: str) -> tuple[str, Cursor, int]:
        """Return the id, the cursor and the offset that ``<id>-<offset>`` names.

        Raises:
            ApiError: It is no locator, or one that is gone.
        """
        form = _FORM.fullmatch(text)
        found = self._open.get(form[1]) if form else None
        if form is None or found is None:
            raise _invalid()
        cursor, expires = found
        if self._clock() >= expires or int(form[2]) >= len(cursor.rows):
            raise _invalid()
        return form[1], cursor, int(form[2])

    def expire_all(self) -> None:
        """Forget every locator, as after two days."""
        self._open.clear()


def _invalid() -> ApiError:
    return ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
